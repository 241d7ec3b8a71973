"""The key history as the log has it: read from the events of one object, `keys:<archive id>`."""

from __future__ import annotations

from sqlmodel import Session, func, select

from app.custody.models import EventRow
from app.custody.service import events_of
from app.errors import EnvironmentFailedError
from evidence_store.bundle.events import parse_event
from evidence_store.errors import EvidenceStoreError
from evidence_store.trust import KeyHistory


def keys_object(archive_id: str) -> str:
    """The object whose events tell of an archive's keys."""
    return f"keys:{archive_id}"


def read_history(session: Session, archive_id: str) -> KeyHistory:
    """The whole history; empty for an archive that has not recorded one yet.

    Raises:
        EnvironmentFailedError: `key_history_malformed` when its events were tampered with.
    """
    try:
        return KeyHistory.from_events(parse_event(row.canonical) for row in events_of(session, keys_object(archive_id)))
    except (EvidenceStoreError, TypeError) as error:  # TypeError: text where bytes belong
        detail = f"the log's history of the archive's keys cannot be read: run 'catena audit' ({error})"
        raise EnvironmentFailedError("key_history_malformed", detail, status=500) from error


def changes_of(session: Session, archive_id: str) -> int:
    """How many changes were recorded: whoever holds a key in memory asks this before it signs."""
    about = EventRow.object == keys_object(archive_id)
    return session.exec(select(func.count()).select_from(EventRow).where(about)).one()
