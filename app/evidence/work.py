"""The work on items as people see it: what waits, how far it is, what was given up; and trying again what was.

Who may read an item may see its jobs; jobs about nothing in particular are for admins. Who may deposit into a case may
have its given-up work tried again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, func, select

from app.access.service import Access, Principal
from app.archive import Archive
from app.clock import rfc3339
from app.errors import ConflictError, InvalidInputError, NotFoundError
from app.evidence.models import Item
from app.jobs.models import Job
from app.jobs.states import DEAD, READY, STATES, JobState

ABOUT_ITEM = "item:"
MOST_AT_ONCE = 500
MORE_ATTEMPTS = 3
MAX_ID = 2**31 - 1
UNKNOWN_JOB = "there is no such job, or you are not a member of its case"


@dataclass(frozen=True, slots=True)
class JobPage:
    """A page of jobs, oldest first.

    Attributes:
        jobs: the jobs.
        cursor: pass it to get the next page; None at the end.
    """

    jobs: list[Job]
    cursor: str | None


class Work:
    """The jobs of one archive."""

    def __init__(self, archive: Archive, access: Access) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._access = access

    def find(
        self,
        who: Principal,
        *,
        state: str | None = None,
        item_id: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> JobPage:
        """Jobs that the actor may see, oldest first.

        Args:
            who: the actor.
            state: only those in this state.
            item_id: only those about this item.
            cursor: from the page before.
            limit: 1 to 500.

        Raises:
            InvalidInputError: `bad_state`, `bad_cursor`, `bad_limit`.
        """
        self._access.require_role(who, "item.read")
        if not 1 <= limit <= MOST_AT_ONCE:
            raise InvalidInputError("bad_limit", f"limit is 1 to {MOST_AT_ONCE}")
        statement = select(Job).order_by(col(Job.id)).limit(limit + 1)
        if state is not None:
            statement = statement.where(Job.state == checked_state(state))
        if item_id is not None:
            statement = statement.where(Job.subject == ABOUT_ITEM + item_id)
        if cursor is not None:
            statement = statement.where(col(Job.id) > _number(cursor))
        visible = self._access.visible_cases(who)
        if visible is not None:
            own = select(Item.id).where(
                Item.id == func.substr(Job.subject, len(ABOUT_ITEM) + 1), col(Item.case_id).in_(visible)
            )
            statement = statement.where(col(Job.subject).startswith(ABOUT_ITEM), own.exists())
        with self._archive.db.read() as session:
            rows = list(session.exec(statement))
        page = rows[:limit]
        return JobPage(page, str(page[-1].id) if len(rows) > limit else None)

    def get(self, who: Principal, job_id: str) -> Job:
        """One job.

        Raises:
            NotFoundError: `unknown_job`, also for a job the actor may not know of.
            DeniedError: `not_allowed`.
        """
        self._access.require_role(who, "item.read")
        with self._archive.db.read() as session:
            job = session.get(Job, int(job_id)) if _is_id(job_id) else None
            case_id = None if job is None else _case_of(session, job)
        if job is None:
            raise NotFoundError("unknown_job", UNKNOWN_JOB)
        if case_id is None:
            if self._access.visible_cases(who) is not None:
                raise NotFoundError("unknown_job", UNKNOWN_JOB)
            return job
        try:
            self._access.require(who, "item.read", case_id)
        except NotFoundError:
            raise NotFoundError("unknown_job", UNKNOWN_JOB) from None
        return job

    def of_item(self, item_id: str) -> list[Job]:
        """All jobs about an item, oldest first; whoever asks has been asked for the item."""
        with self._archive.db.read() as session:
            return list(session.exec(select(Job).where(Job.subject == ABOUT_ITEM + item_id).order_by(col(Job.id))))

    def retry(self, who: Principal, job_id: str) -> Job:
        """Let a job that was given up be tried again; an event of the item that it is about.

        Raises:
            NotFoundError: `unknown_job`.
            DeniedError: `not_allowed`.
            ConflictError: `job_not_dead` for a job that was not given up.
        """
        self._access.require_role(who, "item.ingest")
        seen = self.get(who, job_id)
        with self._archive.db.read() as session:
            case_id = _case_of(session, seen)
        if case_id is not None:
            self._access.require(who, "item.ingest", case_id)
        custody = self._archive.custody
        with self._archive.db.write() as session:
            if seen.subject is not None:
                custody.lock(session)
            job = session.exec(select(Job).where(Job.id == seen.id).with_for_update()).one_or_none()
            if job is None or job.state != DEAD:
                raise ConflictError("job_not_dead", "only a job that was given up can be tried again")
            job.state, job.max_attempts = READY, job.attempt + MORE_ATTEMPTS
            job.run_after, job.finished_at = rfc3339(self._archive.clock()), None
            if job.subject is not None:
                custody.record(session, job.subject, "work resumed", who.actor, details={"job": job.kind})
            return job


def checked_state(state: str) -> JobState:
    """A state that a job may be in.

    Raises:
        InvalidInputError: `bad_state`.
    """
    for known in STATES:
        if state == known:
            return known
    raise InvalidInputError("bad_state", f"a job is {', '.join(STATES[:-1])} or {STATES[-1]}")


def item_of(job: Job) -> str | None:
    """Id of the item that a job is about."""
    if job.subject is None or not job.subject.startswith(ABOUT_ITEM):
        return None
    return job.subject.removeprefix(ABOUT_ITEM)


def job_record(job: Job) -> dict[str, Any]:
    """A job in the words of API and command line: `reason` is why it failed last."""
    return {
        "id": str(job.id),
        "kind": job.kind,
        "item": item_of(job),
        "state": job.state,
        "attempt": min(job.attempt, job.max_attempts),
        "max_attempts": job.max_attempts,
        "created_at": job.created_at,
        "run_after": job.run_after if job.state == READY else None,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "progress_done": job.progress_done,
        "progress_total": job.progress_total,
        "reason": job.last_error,
    }


def _case_of(session: Session, job: Job) -> str | None:
    item_id = item_of(job)
    return None if item_id is None else session.exec(select(Item.case_id).where(Item.id == item_id)).one_or_none()


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text[:11]) <= MAX_ID and len(text) <= len(str(MAX_ID))


def _number(cursor: str) -> int:
    if not _is_id(cursor):
        raise InvalidInputError("bad_cursor", "this cursor was not made by this service")
    return int(cursor)
