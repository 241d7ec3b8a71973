"""Recording: one call, one event, inside the caller's transaction.

1. The log head is locked before the object's previous event is read, so chains cannot fork.
2. The event's canonical bytes are made once and stored; nothing re-serialises them.
3. The log entry is SHA-256 of those bytes; rows, event and nodes commit together or not at all.
4. Nothing is recorded in a database that holds fewer events than were signed: it could never be signed.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import JsonValue
from sqlalchemy import bindparam
from sqlmodel import Session, col, select

from app.clock import Clock, rfc3339
from app.custody.event_rows import TABLE, put_events
from app.custody.heads import rolled_back
from app.custody.log_store import SqlLogTransaction, log_of
from app.custody.models import EventRow
from app.custody.rows import SaltedRow, binding, put_salted
from app.errors import InvalidInputError
from evidence_store.canonical import canonical_bytes
from evidence_store.digests import Digests
from evidence_store.log import sequencer
from schemas.records.v1.event import MAX_EVENT_BYTES, Actor, CustodyEvent, EventType

_LAST = (
    select(TABLE.c.object_seq, TABLE.c.event_sha256)
    .where(TABLE.c.object == bindparam("about"))
    .order_by(TABLE.c.object_seq.desc())
    .limit(1)
)
SYSTEM = Actor(id="system", name="Catena", auth="system")


@dataclass(frozen=True, slots=True)
class Recorded:
    """Where an event came to stand."""

    event_id: str
    leaf_index: int
    event_sha256: str
    time: str


class Custody:
    """The one door to the log."""

    def __init__(self, log: str, clock: Clock, signed: Callable[[], int] = int) -> None:
        """Bind to a log.

        Args:
            log: origin line.
            clock: source of event times.
            signed: tells how many events are known to have been signed.
        """
        self.log = log
        self.clock = clock
        self._signed = signed

    def now(self) -> str:
        """The current time as events write it."""
        return rfc3339(self.clock())

    def lock(self, session: Session) -> int:
        """Wait for every other writer: what is read after this cannot change before the commit.

        Returns:
            The place that the next event of this unit of work takes.
        """
        return log_of(session).lock_head()

    def record(
        self,
        session: Session,
        about: str,
        what: EventType,
        actor: Actor,
        *,
        file: Digests | None = None,
        details: dict[str, JsonValue] | None = None,
        rows: Sequence[SaltedRow] = (),
        added: Sequence[SaltedRow] = (),
    ) -> Recorded:
        """Append one event.

        Args:
            session: the open unit of work; the caller commits.
            about: the object, `kind:id`.
            what: PREMIS event type.
            actor: who did it.
            file: digests of the file the event is about.
            details: what a reader needs to know; no floats.
            rows: auditable rows that this event writes; they are added and bound by digest.
            added: the same of new rows that the caller does not change after this: they go in past the mapper, in
                their order, and are nothing to the session.

        Raises:
            InvalidInputError: `event_too_large` over 65,535 bytes.
            EnvironmentFailedError: `log_rolled_back` when an older database was put in place.
        """
        for row in rows:
            session.add(row)
        transaction = log_of(session)
        if (here := transaction.lock_head()) < (signed := self._signed()):
            raise rolled_back(here, signed)
        full: dict[str, JsonValue] = dict(details or {})
        if rows or added:
            full["rows"] = [list(binding(row)) for row in (*rows, *added)]
        session.flush()
        put_salted(session, added)
        previous = transaction.newest.get(about) or _head_of(session, about)
        event = CustodyEvent(
            log=self.log,
            event_id=str(uuid.uuid4()),
            object=about,
            object_seq=0 if previous is None else previous[0] + 1,
            prev=None if previous is None else previous[1],
            type=what,
            actor=actor,
            time=self.now(),
            sha256=file.sha256 if file else None,
            sha512=file.sha512 if file else None,
            size=file.size if file else None,
            details=full,
            salt=secrets.token_hex(32),
        )
        return _append(session, transaction, event)


def _append(session: Session, transaction: SqlLogTransaction, event: CustodyEvent) -> Recorded:
    canonical = canonical_bytes({**dict(event), "actor": dict(event.actor)})
    if len(canonical) > MAX_EVENT_BYTES:
        raise InvalidInputError("event_too_large", f"the record would take {len(canonical)} bytes; 65,535 is the limit")
    entry = hashlib.sha256(canonical)
    (leaf_index,) = sequencer.append(transaction, [entry.digest()])
    put_events(session, [(leaf_index, event, canonical)])
    transaction.newest[event.object] = event.object_seq, entry.hexdigest()
    return Recorded(event.event_id, leaf_index, entry.hexdigest(), event.time)


def _head_of(session: Session, about: str) -> tuple[int, str] | None:
    """Number and digest of an object's newest event."""
    return session.connection().execute(_LAST, {"about": about}).one_or_none()


def events_of(session: Session, about: str) -> list[EventRow]:
    """All events of one object, oldest first."""
    statement = select(EventRow).where(EventRow.object == about).order_by(col(EventRow.object_seq))
    return list(session.exec(statement))
