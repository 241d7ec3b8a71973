"""The events of some objects, out of one pass over the whole log (`app.custody.log_scan`)."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from sqlmodel import Session

from app.custody.log_scan import scan_log
from evidence_store.log.note import Checkpoint


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
    kept: dict[str, list[tuple[int, bytes]]] = {}
    for event in scan_log(session, checkpoint):
        if event.about in wanted:
            kept.setdefault(event.about, []).append((event.leaf_index, event.canonical))
    return kept
