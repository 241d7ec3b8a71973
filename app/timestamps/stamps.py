"""The rows of time stamps: wanted, claimed, done or failed. Nothing here talks to an authority.

1. A row is pending until a verified token is stored with it; only then is it done.
2. Who works on a row has raised its `attempts` by one from what was read (compare and set), and has put its next
   attempt past the time that the work can take. A worker that died is thereby followed by another.
3. A token is stored only while the row is pending: of two workers that got one, the first wins.
4. When one row fails, the authority is taken to be at fault: its other rows wait as long, and one that had failed
   before and is then done takes them along.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, or_, update
from sqlalchemy.engine import CursorResult
from sqlmodel import Session, col, func, select

from app.clock import Clock, later, rfc3339
from app.db import Database, insert_unless_there
from app.errors import InvalidInputError
from app.timestamps.client import Stamped
from app.timestamps.models import TimestampRow
from app.timestamps.rules import DONE, FAILED, MAX_DELAY_SECONDS, PENDING, delay_after, is_subject

log = logging.getLogger("catena.timestamps")

_MAX_ERROR = 500
_PAGE = 500  # subjects in one query


@dataclass(frozen=True, slots=True)
class StampState:
    """How far a time stamp has come.

    Attributes:
        state: `pending`, `done` or `failed`.
        gen_time: the authority's time, RFC 3339 UTC; None until it is done.
        attempts: how often the authority was asked.
        next_attempt_at: when it will be asked again, while it is pending.
        trouble: why the last attempt failed, `code: detail`.
    """

    subject: str
    tsa: str
    state: str
    gen_time: str | None
    requested_at: str
    done_at: str | None
    attempts: int
    next_attempt_at: str | None
    trouble: str | None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that this worker may work on."""

    id: int
    subject: str
    tsa: str
    imprint: bytes
    attempts: int
    requested_at: str


class Stamps:
    """The table of one archive."""

    def __init__(self, db: Database, clock: Clock) -> None:
        """Bind to a database and a clock."""
        self._db = db
        self._clock = clock

    def want(self, session: Session, subject: str, imprint: str, tsas: list[str]) -> None:
        """Add a pending row for each authority that has none for this subject.

        Raises:
            InvalidInputError: `bad_subject`.
        """
        if not is_subject(subject):
            raise InvalidInputError("bad_subject", f"nothing that is called {subject[:60]!r} can be stamped")
        now = rfc3339(self._clock())
        for tsa in tsas:
            row = {"subject": subject, "tsa": tsa, "imprint": imprint, "state": PENDING, "attempts": 0}
            row |= {"next_attempt_at": now, "requested_at": now}
            session.execute(insert_unless_there(TimestampRow, on_sqlite=self._db.is_sqlite), row)

    def claim(self, tsa: str, lease: float) -> Claimed | None:
        """The next due row of an authority, that which failed most often first: it tells whether the rest can go."""
        now = self._clock()
        furthest = later(now, MAX_DELAY_SECONDS + lease)  # what waits longer was put off by a clock that was wrong
        due = (
            select(TimestampRow)
            .where(TimestampRow.tsa == tsa, TimestampRow.state == PENDING)
            .where(
                or_(
                    col(TimestampRow.next_attempt_at) <= rfc3339(now),
                    col(TimestampRow.next_attempt_at) > furthest,
                )
            )
            .order_by(col(TimestampRow.attempts).desc(), col(TimestampRow.id))
            .limit(1)
        )
        with self._db.read() as session:
            row = session.exec(due).one_or_none()
        return None if row is None else self._take(row, lease)

    def claim_subject(self, subject: str, lease: float) -> list[Claimed]:
        """All pending rows of a subject, due or not."""
        wanted = select(TimestampRow).where(TimestampRow.subject == subject, TimestampRow.state == PENDING)
        with self._db.read() as session:
            rows = session.exec(wanted).all()
        return [claimed for row in rows if (claimed := self._take(row, lease)) is not None]

    def _take(self, row: TimestampRow, lease: float) -> Claimed | None:
        """Invariant 2; None when somebody else was faster."""
        values = {"attempts": row.attempts + 1, "next_attempt_at": later(self._clock(), lease)}
        with self._db.write() as session:
            if not _changed(session, row.id, values, attempts=row.attempts):
                return None
        return Claimed(
            row.id or 0, row.subject, row.tsa, bytes.fromhex(row.imprint), row.attempts + 1, row.requested_at
        )

    def done(self, claimed: Claimed, stamped: Stamped) -> None:
        """Store a verified token (invariants 1, 3), and let the rows that waited for it go (invariant 4)."""
        now = rfc3339(self._clock())
        values = {
            "state": DONE,
            "done_at": now,
            "gen_time": rfc3339(stamped.token.gen_time),
            "response": stamped.response,
            "last_error": None,
        }
        with self._db.write() as session:
            stored = _changed(session, claimed.id, values)
            if stored and claimed.attempts > 1:
                waiting = _pending_of(claimed.tsa).where(col(TimestampRow.attempts) < claimed.attempts)
                session.execute(waiting.values(next_attempt_at=now))

    def put_off(self, claimed: Claimed, error: str, *, final: bool) -> None:
        """Record a failure: for good, or until the delay is over."""
        until = later(self._clock(), delay_after(claimed.attempts))
        values: dict[str, Any] = {"last_error": error[:_MAX_ERROR], "next_attempt_at": until}
        if final:
            values["state"] = FAILED
        with self._db.write() as session:
            ours = _changed(session, claimed.id, values, attempts=claimed.attempts)
            if ours and not final:
                others = _pending_of(claimed.tsa).where(col(TimestampRow.next_attempt_at) < until)
                session.execute(others.values(next_attempt_at=until, last_error=error[:_MAX_ERROR]))

    def again(self, tsas: list[str]) -> int:
        """Ask once more for what failed or waits, from the beginning.

        Returns:
            How many rows that concerns.
        """
        now = rfc3339(self._clock())
        open_rows = update(TimestampRow).where(
            col(TimestampRow.tsa).in_(tsas), col(TimestampRow.state).in_((PENDING, FAILED))
        )
        values = {"state": PENDING, "attempts": 0, "requested_at": now, "next_attempt_at": now}
        with self._db.write() as session:
            result = session.execute(open_rows.values(**values))
            return result.rowcount if isinstance(result, CursorResult) else 0

    def forget_open(self, session: Session, tsa: str) -> int:
        """Drop what an authority that is no longer asked never gave."""
        never = delete(TimestampRow).where(col(TimestampRow.tsa) == tsa, col(TimestampRow.state) != DONE)
        result = session.execute(never)
        return result.rowcount if isinstance(result, CursorResult) else 0

    def of_subject(self, subject: str) -> list[TimestampRow]:
        """All rows of a subject, by authority."""
        wanted = select(TimestampRow).where(TimestampRow.subject == subject).order_by(col(TimestampRow.tsa))
        with self._db.read() as session:
            return list(session.exec(wanted))

    def of_subjects(self, subjects: Sequence[str]) -> Iterator[TimestampRow]:
        """All rows of some subjects, by authority."""
        with self._db.read() as session:
            for ids in (subjects[start : start + _PAGE] for start in range(0, len(subjects), _PAGE)):
                wanted = select(TimestampRow).where(col(TimestampRow.subject).in_(ids))
                yield from session.exec(wanted.order_by(col(TimestampRow.tsa))).all()

    def newest_checkpoint(self, tsa: str) -> TimestampRow | None:
        """The checkpoint that an authority was asked for last."""
        asked = select(TimestampRow).where(TimestampRow.tsa == tsa, col(TimestampRow.subject).like("checkpoint:%"))
        with self._db.read() as session:
            return session.exec(asked.order_by(col(TimestampRow.id).desc()).limit(1)).one_or_none()

    def counts(self) -> dict[tuple[str, str], int]:
        """How many there are, by authority and state."""
        counted = select(TimestampRow.tsa, TimestampRow.state, func.count()).group_by(
            TimestampRow.tsa, TimestampRow.state
        )
        with self._db.read() as session:
            return {(tsa, state): number for tsa, state, number in session.exec(counted)}

    def open_rows(self, limit: int) -> list[TimestampRow]:
        """What is pending or failed, failed first, then the oldest."""
        undone = select(TimestampRow).where(TimestampRow.state != DONE)
        with self._db.read() as session:
            return list(session.exec(undone.order_by(col(TimestampRow.state), col(TimestampRow.id)).limit(limit)))


def state_of(row: TimestampRow) -> StampState:
    """A row as it is shown."""
    return StampState(
        subject=row.subject,
        tsa=row.tsa,
        state=row.state,
        gen_time=row.gen_time,
        requested_at=row.requested_at,
        done_at=row.done_at,
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at if row.state == PENDING else None,
        trouble=row.last_error,
    )


def _pending_of(tsa: str) -> Any:  # noqa: ANN401 - an UPDATE that is not finished yet
    return update(TimestampRow).where(col(TimestampRow.tsa) == tsa, col(TimestampRow.state) == PENDING)


def _changed(session: Session, row_id: int | None, values: dict[str, Any], attempts: int | None = None) -> bool:
    """Change a row that is still pending and, where it matters, nobody else has claimed since."""
    statement = update(TimestampRow).where(col(TimestampRow.id) == row_id, col(TimestampRow.state) == PENDING)
    if attempts is not None:
        statement = statement.where(col(TimestampRow.attempts) == attempts)
    result = session.execute(statement.values(**values))
    return isinstance(result, CursorResult) and result.rowcount == 1
