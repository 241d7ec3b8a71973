"""The entries of the log, read in its order: what tiles, mirrors and bundles are made of."""

from __future__ import annotations

import hashlib

from sqlmodel import Session, col, select

from app.custody.models import EventRow
from app.errors import EnvironmentFailedError


def entries_between(session: Session, first: int, end: int) -> list[bytes]:
    """Entries `first` to `end - 1`, 32 bytes each.

    They are computed from the events' canonical bytes, so that an altered event shows in what is published.

    Raises:
        EnvironmentFailedError: `log_damaged` when one is not there.
    """
    between = col(EventRow.leaf_index).between(first, end - 1)
    rows = session.exec(select(EventRow.canonical).where(between).order_by(col(EventRow.leaf_index))).all()
    if len(rows) != end - first:
        raise EnvironmentFailedError(
            "log_damaged", f"events between {first} and {end} are missing: run 'catena audit'", status=500
        )
    return [hashlib.sha256(canonical).digest() for canonical in rows]
