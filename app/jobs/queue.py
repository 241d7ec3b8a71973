"""The statements of the job table: each is one question or one change, the same on SQLite and on PostgreSQL.

1. A job is taken by one statement, which names the job, raises its attempt and sets the lease: there is no moment at
   which two workers hold it. On PostgreSQL rows that another worker is just taking are passed over (SKIP LOCKED).
2. What the holder of a claim changes is changed only while its attempt is the current one (`held_by`).
3. A job whose worker fell silent goes before all that waits, so that it is taken over as soon as its lease has run out.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Insert, ScalarSelect, Update, func, select, update

from app.db import insert_unless_there
from app.jobs.models import Job
from app.jobs.states import READY, RUNNING

TABLE = Job.__table__  # type: ignore[attr-defined]


def next_job(now: str, *, oldest: bool) -> ColumnElement[int | None]:
    """Id of the job whose turn it is; NULL when nothing is to be done.

    Args:
        now: RFC 3339 UTC.
        oldest: of those that wait take the one that has waited longest, whatever its priority.
    """
    order = (TABLE.c.run_after, TABLE.c.id) if oldest else (TABLE.c.priority, TABLE.c.run_after, TABLE.c.id)
    silent = select(TABLE.c.id).where(TABLE.c.state == RUNNING, TABLE.c.lease_until < now)
    ready = select(TABLE.c.id).where(TABLE.c.state == READY, TABLE.c.run_after <= now)
    return func.coalesce(
        _first(silent.order_by(TABLE.c.lease_until, TABLE.c.id)),
        _first(ready.order_by(*order)),
    )


def _first(statement: Any) -> ScalarSelect[int]:  # noqa: ANN401 - a select over an untyped table
    first: ScalarSelect[int] = statement.limit(1).with_for_update(skip_locked=True).scalar_subquery()
    return first


def take(job: ColumnElement[int | None], worker: str, now: str, lease_until: str) -> Any:  # noqa: ANN401
    """Give a job to a worker; returns what the worker needs to know of it."""
    return (
        update(TABLE)
        .where(TABLE.c.id == job)
        .values(
            state=RUNNING,
            worker=worker,
            attempt=TABLE.c.attempt + 1,
            lease_until=lease_until,
            started_at=now,
            progress_done=None,
            progress_total=None,
        )
        .returning(TABLE.c.id, TABLE.c.kind, TABLE.c.payload, TABLE.c.attempt, TABLE.c.max_attempts, TABLE.c.subject)
    )


def held_by(job: int, attempt: int) -> Update:
    """A change to a job that is made only while this attempt holds it; the caller adds the values."""
    change: Update = update(TABLE).where(TABLE.c.id == job, TABLE.c.state == RUNNING, TABLE.c.attempt == attempt)
    return change


def put(row: dict[str, object], *, on_sqlite: bool) -> Insert:
    """Add a job unless its key is known."""
    made: Insert = insert_unless_there(TABLE, row, ["dedupe_key"], on_sqlite=on_sqlite)
    return made
