"""Enqueue, claim, keep alive, tell progress, finish, give up, try again.

1. A job is enqueued in the unit of work that makes it needed: both happen or neither. A key is worked on once: while
   the archive remembers the key, in whatever state, enqueuing it again changes nothing. To do work again, name it anew.
2. A claim raises `attempt`; finishing demands the same attempt, inside the unit of work that
   writes the result. A worker that lost its lease can therefore write nothing.
3. A job whose lease ran out is claimed again; after `max_attempts` it is dead, with its reason. Failures of the machine
   (a full disk, a busy database, a sandbox that is not to be had) are nobody's attempt: the job waits for better times.
4. What follows from a job may be taken on by the worker that did it, in the same unit of work: one lock and one commit
   less for each. It is leased, fenced and taken over like any other job.
5. A job about an item that is given up is an event of that item, in the same unit of work; so is its being tried again.
6. Lower priority numbers go first, but one claim in eight takes what has waited longest: nothing waits for ever.
"""

from __future__ import annotations

import itertools
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue
from sqlalchemy import Update
from sqlmodel import Session, col, func, select

from app.clock import later, rfc3339
from app.custody.service import SYSTEM, Custody
from app.db import Database
from app.errors import CatenaError
from app.jobs import queue
from app.jobs.backoff import delay
from app.jobs.models import Job
from app.jobs.states import DEAD, READY, RUNNING

log = logging.getLogger("catena.jobs")

PROGRESS_SECONDS = 1.0
OLDEST_EVERY = 8
ATTEMPTS = 3
_MAX_REASON = 2000
_MAX_RECORDED = 500


class LeaseLostError(CatenaError):
    """Another worker has taken the job over; what this one did must not be kept."""

    def __init__(self) -> None:
        super().__init__("lease_lost", "another worker has taken this job over", status=409)


class NotYetError(CatenaError):
    """A handler's: its job would only wait for another thread of this process; the worker is told so as `not_now`."""

    def __init__(self, detail: str) -> None:
        super().__init__("not_yet", detail, status=503)


@dataclass(frozen=True, slots=True)
class Claim:
    """A claimed job, as its handler sees it.

    Attributes:
        attempt: number of this attempt, from 1; the fencing token.
        subject: what the job is about, `kind:id` as in the log; None for work about nothing in particular.
        worker: who holds it.
    """

    id: int
    kind: str
    payload: dict[str, str]
    attempt: int
    max_attempts: int
    subject: str | None = None
    worker: str = ""


class Jobs:
    """The job table of one archive."""

    def __init__(self, db: Database, custody: Custody, lease_seconds: float) -> None:
        """Bind to a database.

        Args:
            db: the database.
            custody: records what was given up; also the source of time.
            lease_seconds: how long a claim lasts without a heartbeat.
        """
        self.db = db
        self.custody = custody
        self.clock = custody.clock
        self.lease_seconds = lease_seconds
        self._turn = itertools.count(1)
        self._told: dict[int, float] = {}

    def enqueue(
        self,
        session: Session,
        kind: str,
        key: str,
        payload: dict[str, str],
        *,
        subject: str | None = None,
        priority: int = 0,
        max_attempts: int = ATTEMPTS,
    ) -> None:
        """Add a job unless one with this key is known; lower priority numbers go first.

        Args:
            session: the open unit of work.
            kind: which handler.
            key: names the work among its kind; done, dead or waiting, the same key is not enqueued again.
            payload: for the handler.
            subject: what it is about, as the log names it (`item:UUID`): who may see the item sees its jobs.
            priority: lower goes first.
            max_attempts: after so many the job is dead.
        """
        row = self._row(kind, key, payload, subject=subject, priority=priority, max_attempts=max_attempts)
        session.connection().execute(queue.put(on_sqlite=self.db.is_sqlite), row)

    def _row(
        self,
        kind: str,
        key: str,
        payload: dict[str, str],
        *,
        subject: str | None,
        priority: int,
        max_attempts: int = ATTEMPTS,
    ) -> dict[str, object]:
        now = rfc3339(self.clock())
        return {
            "kind": kind,
            "dedupe_key": f"{kind}:{key}",
            "payload": json.dumps(payload, sort_keys=True),
            "subject": subject,
            "priority": priority,
            "state": READY,
            "attempt": 0,
            "max_attempts": max_attempts,
            "run_after": now,
            "created_at": now,
        }

    def settle(self, session: Session, kind: str, key: str) -> None:
        """End a job that nobody has begun: what it is for is done in this unit of work. One that runs ends itself."""
        session.connection().execute(queue.SETTLE, {"key": f"{kind}:{key}", "now": rfc3339(self.clock())})

    def take_on(
        self, session: Session, claim: Claim, kind: str, key: str, payload: dict[str, str], *, priority: int
    ) -> Claim | None:
        """Enqueue what follows from a job, about the same thing, in the hands of the worker that did the job.

        It is leased from the commit on like any other claim; should the worker die, another begins it anew.

        Returns:
            The claim, for the handler to hand back to its worker; None when the key is known.
        """
        row = self._row(kind, key, payload, subject=claim.subject, priority=priority)
        lease = later(self.clock(), self.lease_seconds)
        row |= {"state": RUNNING, "attempt": 1, "worker": claim.worker, "started_at": row["created_at"]}
        put = queue.put_taken(on_sqlite=self.db.is_sqlite)
        taken = session.connection().execute(put, row | {"lease_until": lease}).scalar_one_or_none()
        return None if taken is None else Claim(taken, kind, payload, 1, ATTEMPTS, claim.subject, claim.worker)

    # -- the worker's side --------------------------------------------------------------------

    def claim(self, worker: str, without: Sequence[str] = ()) -> Claim | None:
        """Take the next job that is ready, or whose worker fell silent.

        Args:
            worker: who asks.
            without: kinds that it does not take now.

        Returns:
            The claim; None when nothing is ready. An idle worker writes nothing and takes no lock.
        """
        oldest = next(self._turn) % OLDEST_EVERY == 0
        while True:
            moment = self.clock()
            now = rfc3339(moment)
            asked: dict[str, object] = {"now": now, **({"without": list(without)} if without else {})}
            if self.db.is_sqlite and not self._anything(asked, oldest=oldest):
                return None
            with self.db.write() as session:
                asked |= {"lease": later(moment, self.lease_seconds), "by": worker}
                taken = session.connection().execute(queue.take(oldest=oldest, some=bool(without)), asked)
                row = taken.one_or_none()
            if row is None:
                return None
            payload = _payload(row.payload)
            claim = Claim(row.id, row.kind, payload or {}, row.attempt, row.max_attempts, row.subject, worker)
            if claim.attempt > claim.max_attempts:
                self._give_up(claim, "its worker died each time")
            elif payload is None:
                self._give_up(claim, "its payload cannot be read")
            else:
                return claim

    def _anything(self, asked: dict[str, object], *, oldest: bool) -> bool:
        """Asked before the lock is: SQLite has one writer, who must not wait for workers that have nothing to do."""
        with self.db.look() as connection:
            first = connection.execute(queue.next_job(oldest=oldest, some="without" in asked), asked)
            return first.scalar_one() is not None

    def heartbeat(self, claim: Claim) -> bool:
        """Prolong the lease; False when it is lost."""
        lease = later(self.clock(), self.lease_seconds)
        with self.db.write() as session:
            prolonged = session.connection().execute(queue.PROLONG, {**_mine(claim), "lease": lease})
            held = prolonged.rowcount == 1
        if not held:
            self._told.pop(claim.id, None)
        return held

    def progress(self, claim: Claim, done: int, total: int | None = None) -> None:
        """Tell how far a job has come; called as often as one likes, it is written once a second. Prolongs the lease.

        Never call it inside a unit of work. A database that cannot take it now loses the news, not the job.

        Args:
            claim: the caller's.
            done: in steps of the handler's own: bytes, seconds of video.
            total: of how many, when that is known.

        Raises:
            LeaseLostError: another worker has the job: stop.
        """
        now = time.monotonic()
        if now - self._told.get(claim.id, -PROGRESS_SECONDS) < PROGRESS_SECONDS:
            return
        self._told[claim.id] = now
        lease = later(self.clock(), self.lease_seconds)
        try:
            held = self._change(claim, progress_done=done, progress_total=total, lease_until=lease)
        except CatenaError as error:
            log.warning("progress of job %s is not written: %s", claim.id, error)
            return
        if not held:
            self._told.pop(claim.id, None)
            raise LeaseLostError

    def finish(self, session: Session, claim: Claim) -> None:
        """Mark done, inside the unit of work that writes the result.

        Raises:
            LeaseLostError: the claim is no longer the current one.
        """
        self._told.pop(claim.id, None)
        done = {**_mine(claim), "now": rfc3339(self.clock())}
        if session.connection().execute(queue.FINISH, done).rowcount != 1:
            raise LeaseLostError

    def fail(self, claim: Claim, reason: str) -> None:
        """Put back with a growing delay, or give up after the last attempt."""
        if claim.attempt >= claim.max_attempts:
            self._give_up(claim, reason)
            return
        self._told.pop(claim.id, None)
        again = later(self.clock(), delay(claim.attempt))
        self._change(claim, state=READY, lease_until=None, last_error=reason[:_MAX_REASON], run_after=again)

    def postpone(self, claim: Claim, reason: str, seconds: float) -> None:
        """Put back what could not be tried, or was not tried to its end; it does not count as one of its attempts."""
        self._put_back(claim, seconds, last_error=reason[:_MAX_REASON])

    def give_back(self, claim: Claim) -> None:
        """Put back what its worker does not do now and another one may at once; nothing is said of it."""
        self._put_back(claim, 0.0)

    def _put_back(self, claim: Claim, seconds: float, **values: object) -> None:
        self._told.pop(claim.id, None)
        again = later(self.clock(), seconds)
        more = claim.max_attempts + 1
        self._change(claim, state=READY, lease_until=None, run_after=again, max_attempts=more, **values)

    def _give_up(self, claim: Claim, reason: str) -> None:
        self._told.pop(claim.id, None)
        with self.db.write() as session:
            if claim.subject is not None:
                self.custody.lock(session)  # before the job, as handlers do: else two could wait for each other
            dead = _held(claim).values(
                state=DEAD, finished_at=rfc3339(self.clock()), lease_until=None, last_error=reason[:_MAX_REASON]
            )
            if session.connection().execute(dead).rowcount != 1 or claim.subject is None:
                return
            details: dict[str, JsonValue] = {
                "job": claim.kind,
                "attempts": min(claim.attempt, claim.max_attempts),
                "reason": reason[:_MAX_RECORDED],
            }
            self.custody.record(session, claim.subject, "work given up", SYSTEM, details=details)
        log.warning("job %s (%s) is given up: %s", claim.id, claim.kind, reason)

    def _change(self, claim: Claim, **values: object) -> bool:
        """Change a job that the claim still holds; False when it does not."""
        with self.db.write() as session:
            changed = session.connection().execute(_held(claim).values(**values))
            return changed.rowcount == 1

    # -- counts -------------------------------------------------------------------------------

    def counts(self) -> dict[str, int]:
        """Number of jobs by state."""
        with self.db.read() as session:
            rows = session.exec(select(Job.state, func.count()).group_by(Job.state)).all()
            return {state: int(count) for state, count in rows}

    def given_up(self, subject: str, *kinds: str) -> str | None:
        """Why work of these kinds about something was given up; None when none was."""
        dead = select(Job.last_error).where(Job.subject == subject, Job.state == DEAD, col(Job.kind).in_(kinds))
        with self.db.read() as session:
            found = session.exec(dead.order_by(col(Job.id)).limit(1)).all()
        return (found[0] or "no reason was kept") if found else None

    def is_under_way(self, session: Session, subject: str, kind: str) -> bool:
        """Whether work of a kind about something is ready or running, as an open unit of work sees it."""
        mine = select(Job.id).where(Job.subject == subject, Job.kind == kind, col(Job.state).in_([READY, RUNNING]))
        return session.exec(mine.limit(1)).first() is not None

    def progress_of(self, subject: str, kind: str) -> tuple[int, int | None] | None:
        """How far running work of a kind about something has come, as last told; None where nothing was told."""
        mine = select(Job.progress_done, Job.progress_total).where(
            Job.subject == subject, Job.kind == kind, Job.state == RUNNING
        )
        with self.db.read() as session:
            found = session.exec(mine.limit(1)).first()
        return None if found is None or found[0] is None else (found[0], found[1])

    def unfinished(self) -> int:
        """Jobs that are ready or running."""
        with self.db.read() as session:
            waiting = select(func.count()).select_from(Job).where(col(Job.state).in_([READY, RUNNING]))
            return int(session.exec(waiting).one())


def _mine(claim: Claim) -> dict[str, object]:
    """A claim, as the statements of the job table want it."""
    return {"job": claim.id, "held": claim.attempt}


def _held(claim: Claim) -> Update:
    return queue.held_by(claim.id, claim.attempt)


def _payload(text: str) -> dict[str, str] | None:
    """What a job is about; None for text that no enqueue wrote."""
    try:
        payload = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return None
    if not isinstance(payload, dict) or not all(isinstance(value, str) for value in payload.values()):
        return None
    return payload
