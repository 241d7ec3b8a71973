"""Events as rows: their place, their canonical bytes, and the projections of these."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from sqlmodel import Session

from app.custody.bulk import put_rows
from app.custody.models import EventRow
from app.db import table_of
from schemas.records.v1.event import CustodyEvent

TABLE = table_of(EventRow)
COLUMNS = (
    "leaf_index",
    "event_id",
    "object",
    "object_seq",
    "type",
    "actor_id",
    "time",
    "sha256",
    "event_sha256",
    "canonical",
)


def put_events(session: Session, events: Iterable[tuple[int, CustodyEvent, bytes]]) -> None:
    """Insert events.

    Args:
        session: the open unit of work.
        events: leaf index, the event, and its canonical bytes.
    """
    put_rows(session.connection(), TABLE, COLUMNS, [_row(*one) for one in events])


def _row(leaf_index: int, event: CustodyEvent, canonical: bytes) -> tuple[Any, ...]:
    digest = hashlib.sha256(canonical).hexdigest()
    who, about = event.actor.id, event.object
    place = (leaf_index, event.event_id, about, event.object_seq, event.type, who, event.time, event.sha256)
    return (*place, digest, canonical)
