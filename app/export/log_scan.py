"""One pass over the whole log: what leaves comes from the very bytes that were signed.

An event's row says in its columns which object the event is about; whoever edits the column hides the event from every
query. So no query is trusted here: every event below the checkpoint is read, its columns must repeat what its canonical
bytes say, and the root recomputed from all these bytes must be the root that was signed (RFC 6962, section 2.1).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Set as AbstractSet

from sqlmodel import Session, col, select

from app.custody.models import EventRow
from app.errors import EnvironmentFailedError
from evidence_store.log import merkle
from evidence_store.log.note import Checkpoint

BATCH = 500


def damaged(what: str) -> EnvironmentFailedError:
    """The error of a log that is not what was signed."""
    return EnvironmentFailedError("log_damaged", f"{what}: run 'catena audit'", status=500)


def read_log(session: Session, checkpoint: Checkpoint, wanted: AbstractSet[str]) -> dict[str, list[tuple[int, bytes]]]:
    """Read every event below a checkpoint and keep those of some objects.

    Args:
        session: an open snapshot.
        checkpoint: the log's signed state.
        wanted: objects.

    Returns:
        Leaf index and canonical bytes of each event of each wanted object, in the order of the log. Memory does not
        grow with the rest of the log.

    Raises:
        EnvironmentFailedError: `log_damaged` when an event is missing, added, moved or changed, or a column contradicts
            its event.
    """
    below = select(EventRow).where(col(EventRow.leaf_index) < checkpoint.size).order_by(col(EventRow.leaf_index))
    kept: dict[str, list[tuple[int, bytes]]] = {}
    root = RootComputer()
    for row in session.exec(below.execution_options(yield_per=BATCH)):
        if row.leaf_index != root.size:
            raise damaged(f"the log has no event {root.size}")
        root.add(_entry_of(row))
        if row.object in wanted:
            kept.setdefault(row.object, []).append((row.leaf_index, row.canonical))
        session.expunge(row)
    if root.size != checkpoint.size:
        raise damaged(f"the log has {root.size} events of the {checkpoint.size} that were signed")
    if root.result() != checkpoint.root:
        raise damaged("the events are not those that were signed")
    return kept


def _entry_of(row: EventRow) -> bytes:
    """SHA-256 of an event's canonical bytes, after its columns were compared with them."""
    try:
        entry = hashlib.sha256(row.canonical)  # SQLite lets an attacker put text where bytes belong
        record = json.loads(row.canonical)
        said = (record["event_id"], record["object"], record["object_seq"], entry.hexdigest())
    except (TypeError, ValueError, LookupError, RecursionError) as error:
        raise damaged(f"event {row.leaf_index} of the log cannot be read") from error
    if said != (row.event_id, row.object, row.object_seq, row.event_sha256):
        raise damaged(f"the columns of event {row.leaf_index} of the log contradict its bytes")
    return entry.digest()


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
