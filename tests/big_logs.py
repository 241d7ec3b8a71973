"""Logs of any length, written in batches: users with four events each, their rows bound. They pass a full audit."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any

from sqlalchemy import insert
from sqlmodel import Session, SQLModel, col, update

from app.access.models import User
from app.api.services import Services
from app.custody.log_store import read_node, tree_size
from app.custody.models import EventRow, LogHead, LogNode
from app.custody.rows import binding, fresh_salt
from app.custody.service import SYSTEM
from evidence_store.canonical import canonical_bytes
from evidence_store.log import merkle
from schemas.records.v1.event import CustodyEvent

EVENTS_A_USER = 4
BATCH = 5_000  # a multiple of the events of a user: no user is split between two batches
PROJECTED = ("event_id", "object", "object_seq", "type", "time", "sha256")


def grow_to(services: Services, size: int) -> None:
    """Write events until the log has this many, then sign its head."""
    users = _users(services)
    nodes = _Nodes(services)
    while nodes.size < size:
        with services.archive.db.write() as session:
            _write(session, nodes, list(islice(users, min(BATCH, size - nodes.size))))
    services.checkpoint()


class _Nodes:
    """The tree as it grows: an append reads the newest node of each level, and those are kept here."""

    def __init__(self, services: Services) -> None:
        with services.archive.db.read() as session:
            self.size = tree_size(session)
            levels = [level for level in range(self.size.bit_length()) if self.size >> level]
            read = partial(read_node, session)
            self._edge = {(level, (self.size >> level) - 1): read(level, (self.size >> level) - 1) for level in levels}

    def append(self, entry: bytes) -> Iterator[dict[str, Any]]:
        made = merkle.nodes_completed_by(self.size, merkle.leaf_hash(entry), lambda a, b: self._edge[a, b])
        self.size += 1
        for level, place, digest in made:
            self._edge.pop((level, place - 1), None)
            self._edge[level, place] = digest
            yield {"level": level, "index": place, "hash": digest}


def _users(services: Services) -> Iterator[tuple[CustodyEvent, dict[str, Any]]]:
    """Events, each with the row that is written with it; of a user's rows the last one stays."""
    archive = services.archive
    while True:
        now, previous = archive.custody.now(), None
        user = User(id=str(uuid.uuid4()), name=secrets.token_hex(12), display_name="", role="auditor", created_at=now)
        for number in range(EVENTS_A_USER):
            user.display_name, user.row_salt = f"number {number}", fresh_salt()
            event = CustodyEvent(
                log=archive.identity.log,
                event_id=str(uuid.uuid4()),
                object=f"user:{user.id}",
                object_seq=number,
                prev=previous,
                type="user change" if number else "user creation",
                actor=SYSTEM,
                time=now,
                sha256=None,
                sha512=None,
                size=None,
                details={"name": user.name, "rows": [list(binding(user))]},
                salt=secrets.token_hex(32),
            )
            previous = hashlib.sha256(canonical_bytes(event.model_dump(mode="json"))).hexdigest()
            yield event, user.model_dump()


def _write(session: Session, nodes: _Nodes, batch: list[tuple[CustodyEvent, dict[str, Any]]]) -> None:
    events: list[dict[str, Any]] = []
    made: list[dict[str, Any]] = []
    for event, _ in batch:
        canonical = canonical_bytes(event.model_dump(mode="json"))
        entry = hashlib.sha256(canonical)
        projected = {name: getattr(event, name) for name in PROJECTED}
        own = {"leaf_index": nodes.size, "actor_id": event.actor.id, "event_sha256": entry.hexdigest()}
        events.append({**projected, **own, "canonical": canonical})
        made += nodes.append(entry.digest())
    users = {row["id"]: row for _, row in batch}
    tables = ((EventRow, events), (LogNode, made), (User, list(users.values())))
    for model, rows in tables:
        session.connection().execute(insert(SQLModel.metadata.tables[str(model.__tablename__)]), rows)
    session.connection().execute(update(LogHead).where(col(LogHead.id) == 1).values(size=nodes.size))
