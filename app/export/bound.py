"""Is a row of an export still what the log says was written?

A row is bound again, by digest, each time the archive writes it. Binding a row that somebody edited meanwhile would
make the edit look like the archive's own: so a row is compared with its last binding before it is touched, and before
a file is made again from it.
"""

from __future__ import annotations

import hashlib

from sqlmodel import Session

from app.custody.log_store import read_node
from app.custody.rows import SaltedRow, format_of, row_digest
from app.custody.service import events_of
from app.errors import EnvironmentFailedError
from app.export.models import ExportRow
from evidence_store.bundle.events import parse_event
from evidence_store.errors import EvidenceStoreError
from evidence_store.log.merkle import leaf_hash


def is_as_bound(session: Session, row: ExportRow) -> bool:
    """Whether an export's digest is the one in the last event that bound it.

    Args:
        session: an open unit of work; the caller holds the log's lock.
        row: as it stands in the database.
    """
    return is_bound_by(session, row, row.id, row.id)


def is_bound_by(session: Session, row: SaltedRow, key: str, export_id: str) -> bool:
    """The same of any row of an export; `key` is the row's own."""
    table = str(row.__tablename__)
    bound = _last_binding(session, table, key, export_id)
    form = None if bound is None else format_of(table, bound[0])
    if bound is None or form is None:
        return False
    try:
        return row_digest(row, form) == bound[1]
    except EvidenceStoreError:
        return False


def _last_binding(session: Session, table: str, key: str, export_id: str) -> tuple[int, str] | None:
    """Format and digest of the newest binding; None when an event was tampered with."""
    about = f"export:{export_id}"
    found: tuple[int, str] | None = None
    try:
        for place, stored in enumerate(events_of(session, about)):
            entry = hashlib.sha256(stored.canonical).digest()  # TypeError: text where bytes belong
            event = parse_event(stored.canonical)
            if event.object != about or not place == event.object_seq == stored.object_seq:
                return None
            if read_node(session, 0, stored.leaf_index) != leaf_hash(entry):
                return None
            for named, its_key, number, digest in event.details.get("rows", []):
                if (named, its_key) == (table, key):
                    found = int(number), str(digest)
    except (EvidenceStoreError, EnvironmentFailedError, TypeError, ValueError):
        return None
    return found
