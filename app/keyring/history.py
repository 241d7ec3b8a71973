"""The key history as the log has it: read from the events of one object, `keys:<archive id>`."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, func, select
from sqlmodel import Session

from app.custody.event_rows import TABLE
from app.custody.service import events_of
from app.errors import EnvironmentFailedError
from evidence_store.bundle.events import parse_event
from evidence_store.errors import EvidenceStoreError
from evidence_store.trust import KeyHistory

_CHANGES = select(func.count()).select_from(TABLE).where(TABLE.c.object == bindparam("about"))


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


def changes_of(connection: Connection, archive_id: str) -> int:
    """How many changes were recorded: whoever holds a key in memory asks this before it signs."""
    return int(connection.execute(_CHANGES, {"about": keys_object(archive_id)}).scalar_one())
