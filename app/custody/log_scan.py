"""One pass over the whole log: what is used afterwards comes from the very bytes that were signed.

An event's row says in its columns which object the event is about; whoever edits the column hides the event from every
query. So no query is trusted here: every event below the checkpoint is read, its columns must repeat what its canonical
bytes say, and the root recomputed from all these bytes must be the root that was signed (RFC 6962, section 2.1).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator
from typing import NamedTuple

from sqlalchemy import select
from sqlmodel import Session

from app.custody.entries import lost_between
from app.custody.models import EventRow
from app.db import table_of
from app.errors import EnvironmentFailedError
from evidence_store.log import merkle
from evidence_store.log.note import Checkpoint

BATCH = 500
_EVENT = table_of(EventRow)
_WANTED = (
    _EVENT.c.leaf_index,
    _EVENT.c.event_id,
    _EVENT.c.object,
    _EVENT.c.object_seq,
    _EVENT.c.event_sha256,
    _EVENT.c.canonical,
)


class Scanned(NamedTuple):
    """An event at its place: leaf index, object, canonical bytes."""

    leaf_index: int
    about: str
    canonical: bytes


def damaged(what: str) -> EnvironmentFailedError:
    """The error of a log that is not what was signed."""
    return EnvironmentFailedError("log_damaged", f"{what}: run 'catena audit'", status=500)


def scan_log(session: Session, checkpoint: Checkpoint) -> Generator[Scanned]:
    """Every event below a checkpoint, in the order of the log; not those that were lost (app.custody.recovery).

    What was yielded may be relied on only when the iterator has ended without an error: the root is known then. Memory
    does not grow with the log. Whoever may stop early closes it (`contextlib.closing`) before the session ends.

    Args:
        session: an open snapshot.
        checkpoint: the log's signed state.

    Raises:
        EnvironmentFailedError: `log_damaged` when an event is missing, added, moved or changed, or a column contradicts
            its event.
    """
    below = select(*_WANTED).where(_EVENT.c.leaf_index < checkpoint.size).order_by(_EVENT.c.leaf_index)
    root = RootComputer()
    rows = session.connection().execute(below, execution_options={"yield_per": BATCH})
    try:
        for leaf_index, *columns, canonical in rows:
            _pass_lost(session, root, leaf_index)
            if leaf_index != root.size:
                raise damaged(f"the log has no event {root.size}")
            about = _take(root, columns, canonical)
            yield Scanned(leaf_index, about, canonical)
    finally:
        rows.close()  # PostgreSQL keeps a cursor open for them
    _pass_lost(session, root, checkpoint.size)
    if root.size != checkpoint.size:
        raise damaged(f"the log has {root.size} events of the {checkpoint.size} that were signed")
    if root.result() != checkpoint.root:
        raise damaged("the events are not those that were signed")


def _pass_lost(session: Session, root: RootComputer, until: int) -> None:
    """Add the entries of events that were lost with a database: the tree has them, and nobody can read them."""
    while root.size < until and (entries := lost_between(session, root.size, min(until, root.size + BATCH))):
        for leaf_index in sorted(entries):
            if leaf_index != root.size:
                return
            root.add(entries[leaf_index])


def _take(root: RootComputer, columns: list[object], canonical: bytes) -> str:
    """Add an event to the tree, after its columns were compared with its bytes; returns its object."""
    try:
        entry = hashlib.sha256(canonical)  # SQLite lets an attacker put text where bytes belong
        record = json.loads(canonical)
        about = record["object"]
        said = [record["event_id"], about, record["object_seq"], entry.hexdigest()]
    except (TypeError, ValueError, LookupError, RecursionError) as error:
        raise damaged(f"event {root.size} of the log cannot be read") from error
    if said != columns or not isinstance(about, str):
        raise damaged(f"the columns of event {root.size} of the log contradict its bytes")
    root.add(entry.digest())
    return about


class RootComputer:
    """The Merkle root over leaves given one by one; keeps one hash per level."""

    def __init__(self) -> None:
        """Begin with the empty tree."""
        self.size = 0
        self._roots: list[bytes] = []  # of the complete subtrees that make up the tree, largest first

    def add(self, entry: bytes) -> None:
        """Append an entry (32 bytes)."""
        node, rest = merkle.leaf_hash(entry), self.size
        while rest & 1:  # a complete subtree of the same size lies to the left
            node, rest = merkle.node_hash(self._roots.pop(), node), rest >> 1
        self._roots.append(node)
        self.size += 1

    def result(self) -> bytes:
        """The root (32 bytes)."""
        if not self._roots:
            return merkle.EMPTY_ROOT
        *rest, node = self._roots
        for left in reversed(rest):
            node = merkle.node_hash(left, node)
        return node
