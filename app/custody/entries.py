"""The entries of the log, read in its order: what tiles, mirrors and bundles are made of."""

from __future__ import annotations

import hashlib

from sqlmodel import Session, col, select

from app.custody.models import EventRow, LostEntry
from app.errors import EnvironmentFailedError


def entries_between(session: Session, first: int, end: int) -> list[bytes]:
    """Entries `first` to `end - 1`, 32 bytes each.

    They are computed from the events' canonical bytes, so that an altered event shows in what is published; of events
    that were lost with a database, the entry is what there is.

    Raises:
        EnvironmentFailedError: `log_damaged` when one is not there.
    """
    between = col(EventRow.leaf_index).between(first, end - 1)
    found = {
        leaf_index: hashlib.sha256(canonical).digest()
        for leaf_index, canonical in session.exec(select(EventRow.leaf_index, EventRow.canonical).where(between))
    }
    if len(found) < end - first:
        found = {**lost_between(session, first, end), **found}
    if len(found) < end - first:
        raise EnvironmentFailedError(
            "log_damaged", f"events between {first} and {end} are missing: run 'catena audit'", status=500
        )
    return [found[leaf_index] for leaf_index in range(first, end)]


def lost_between(session: Session, first: int, end: int) -> dict[int, bytes]:
    """Entries of lost events by their places, `first` to `end - 1`."""
    between = col(LostEntry.leaf_index).between(first, end - 1)
    return dict(session.exec(select(LostEntry.leaf_index, LostEntry.entry).where(between)).all())
