"""Enqueue, claim, keep alive, finish.

1. A job is enqueued in the unit of work that makes it needed: both happen or neither.
2. A claim raises `attempt`; finishing demands the same attempt, inside the unit of work that
   writes the result. A worker that lost its lease can therefore write nothing.
3. A job whose lease ran out is claimed again; after `max_attempts` it is dead, with its reason.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlmodel import Session, col, func, or_, select, update

from app.clock import Clock, later, rfc3339
from app.db import Database
from app.errors import CatenaError
from app.jobs.models import Job

READY, RUNNING, DONE, DEAD = "ready", "running", "done", "dead"
BACKOFF_SECONDS = 5.0
MAX_BACKOFF_SECONDS = 600.0


class LeaseLostError(CatenaError):
    """Another worker has taken the job over; what this one did must not be kept."""

    def __init__(self) -> None:
        super().__init__("lease_lost", "another worker has taken this job over", status=409)


@dataclass(frozen=True, slots=True)
class Claim:
    """A claimed job, as its handler sees it."""

    id: int
    kind: str
    payload: dict[str, str]
    attempt: int
    max_attempts: int


class Jobs:
    """The job table of one archive."""

    def __init__(self, db: Database, clock: Clock, lease_seconds: float) -> None:
        """Bind to a database.

        Args:
            db: the database.
            clock: source of time.
            lease_seconds: how long a claim lasts without a heartbeat.
        """
        self.db = db
        self.clock = clock
        self.lease_seconds = lease_seconds

    def enqueue(
        self,
        session: Session,
        kind: str,
        key: str,
        payload: dict[str, str],
        *,
        priority: int = 0,
        max_attempts: int = 3,
    ) -> None:
        """Add a job unless one with this key is known; lower priority numbers go first."""
        dedupe = f"{kind}:{key}"
        if session.exec(select(Job.id).where(Job.dedupe_key == dedupe)).first() is not None:
            return
        now = rfc3339(self.clock())
        text = json.dumps(payload, sort_keys=True)
        session.add(
            Job(
                kind=kind,
                dedupe_key=dedupe,
                payload=text,
                priority=priority,
                state=READY,
                max_attempts=max_attempts,
                run_after=now,
                created_at=now,
            )
        )

    def settle(self, session: Session, kind: str, key: str) -> None:
        """Mark a job done that nobody has taken yet: its work was done without it, in this unit of work."""
        waiting = update(Job).where(col(Job.dedupe_key) == f"{kind}:{key}", col(Job.state) == READY)
        session.execute(waiting.values(state=DONE, finished_at=rfc3339(self.clock())))

    def claim(self, worker: str) -> Claim | None:
        """Take the next job that is ready, or whose worker fell silent.

        Returns:
            The claim; None when nothing is ready, or when the next one had to be buried.
        """
        now = rfc3339(self.clock())
        with self.db.write() as session:
            job = session.exec(
                select(Job)
                .where(
                    or_(
                        (col(Job.state) == READY) & (col(Job.run_after) <= now),
                        (col(Job.state) == RUNNING) & (col(Job.lease_until) < now),
                    )
                )
                .order_by(col(Job.priority), col(Job.run_after), col(Job.id))
                .limit(1)
                .with_for_update(skip_locked=True)
            ).one_or_none()
            if job is None:
                return None
            if job.attempt >= job.max_attempts:
                _bury(job, "its worker died each time", now)
                return None
            payload = _payload(job.payload)
            if payload is None:
                _bury(job, "its payload cannot be read", now)
                return None
            job.state, job.worker, job.attempt = RUNNING, worker, job.attempt + 1
            job.lease_until = later(self.clock(), self.lease_seconds)
            return Claim(job.id or 0, job.kind, payload, job.attempt, job.max_attempts)

    def heartbeat(self, claim: Claim) -> bool:
        """Prolong the lease; False when it is lost."""
        with self.db.write() as session:
            job = session.get(Job, claim.id)
            if job is None or job.state != RUNNING or job.attempt != claim.attempt:
                return False
            job.lease_until = later(self.clock(), self.lease_seconds)
            return True

    def finish(self, session: Session, claim: Claim) -> None:
        """Mark done, inside the unit of work that writes the result.

        Raises:
            LeaseLostError: the claim is no longer the current one.
        """
        job = session.exec(select(Job).where(Job.id == claim.id).with_for_update()).one_or_none()
        if job is None or job.state != RUNNING or job.attempt != claim.attempt:
            raise LeaseLostError
        job.state, job.finished_at, job.lease_until = DONE, rfc3339(self.clock()), None

    def fail(self, claim: Claim, reason: str) -> None:
        """Put back with a growing delay, or bury after the last attempt."""
        now = self.clock()
        with self.db.write() as session:
            job = session.get(Job, claim.id)
            if job is None or job.state != RUNNING or job.attempt != claim.attempt:
                return
            if job.attempt >= job.max_attempts:
                _bury(job, reason, rfc3339(now))
                return
            job.state, job.lease_until, job.last_error = READY, None, reason[:2000]
            job.run_after = later(now, min(BACKOFF_SECONDS * 4 ** min(job.attempt - 1, 10), MAX_BACKOFF_SECONDS))

    def counts(self) -> dict[str, int]:
        """Number of jobs by state."""
        with self.db.read() as session:
            rows = session.exec(select(Job.state, func.count()).group_by(Job.state)).all()
            return {state: int(count) for state, count in rows}

    def unfinished(self) -> int:
        """Jobs that are ready or running."""
        counts = self.counts()
        return counts.get(READY, 0) + counts.get(RUNNING, 0)


def _payload(text: str) -> dict[str, str] | None:
    """What a job is about; None for text that no enqueue wrote."""
    try:
        payload = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return None
    if not isinstance(payload, dict) or not all(isinstance(value, str) for value in payload.values()):
        return None
    return payload


def _bury(job: Job, reason: str, now: str) -> None:
    job.state, job.last_error, job.finished_at, job.lease_until = DEAD, reason[:2000], now, None
