"""The statements of the job table: each is one question or one change, the same on SQLite and on PostgreSQL.

1. A job is taken by one statement, which names the job, raises its attempt and sets the lease: there is no moment at
   which two workers hold it. On PostgreSQL rows that another worker is just taking are passed over (SKIP LOCKED).
2. What the holder of a claim changes is changed only while its attempt is the current one (`held_by`).
3. A job whose worker fell silent goes before all that waits, so that it is taken over as soon as its lease has run out.

Each file that comes in has a handful of jobs, so what is done with every job is a statement that is made once.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Insert,
    ScalarSelect,
    Select,
    Update,
    bindparam,
    func,
    select,
    update,
)

from app.db import insert_unless_there, table_of
from app.jobs.models import Job
from app.jobs.states import DONE, READY, RUNNING

TABLE = table_of(Job)
_NOW: BindParameter[str] = bindparam("now")
_LEASE: BindParameter[str] = bindparam("lease")
_HELD = (TABLE.c.id == bindparam("job"), TABLE.c.state == RUNNING, TABLE.c.attempt == bindparam("held"))

FINISH: Update = update(TABLE).where(*_HELD).values(state=DONE, finished_at=_NOW, lease_until=None)
"""End a job that is held; wants `job`, `held` (the attempt) and `now`."""

PROLONG: Update = update(TABLE).where(*_HELD).values(lease_until=_LEASE)
"""Keep a job that is held; wants `job`, `held` and `lease`."""

SETTLE: Update = (
    update(TABLE)
    .where(TABLE.c.dedupe_key == bindparam("key"), TABLE.c.state == READY)
    .values(state=DONE, started_at=_NOW, finished_at=_NOW)
)
"""End a job that nobody has begun; wants `key` and `now`."""


def _next_job(*, oldest: bool, some: bool) -> ColumnElement[int | None]:
    order = (TABLE.c.run_after, TABLE.c.id) if oldest else (TABLE.c.priority, TABLE.c.run_after, TABLE.c.id)
    others = (TABLE.c.kind.not_in(bindparam("without", expanding=True)),) if some else ()
    silent = select(TABLE.c.id).where(TABLE.c.state == RUNNING, TABLE.c.lease_until < _NOW, *others)
    # Without statistics SQLite would look the kinds up, and sort all that wait, where the order's own index is at hand.
    due = TABLE.c.run_after + "" if some and not oldest else TABLE.c.run_after
    ready = select(TABLE.c.id).where(TABLE.c.state == READY, due <= _NOW, *others)
    return func.coalesce(
        _first(silent.order_by(TABLE.c.lease_until, TABLE.c.id)),
        _first(ready.order_by(*order)),
    )


def _first(statement: Any) -> ScalarSelect[int]:  # noqa: ANN401 - a select over an untyped table
    first: ScalarSelect[int] = statement.limit(1).with_for_update(skip_locked=True).scalar_subquery()
    return first


@cache
def next_job(*, oldest: bool, some: bool = False) -> Select[tuple[int | None]]:
    """Asks for the id of the job whose turn it is; NULL when nothing is to be done. Wants `now`, RFC 3339 UTC.

    Args:
        oldest: of those that wait take the one that has waited longest, whatever its priority.
        some: leave out the kinds that are given as `without`.
    """
    return select(_next_job(oldest=oldest, some=some))


@cache
def take(*, oldest: bool, some: bool = False) -> Any:  # noqa: ANN401
    """Give the job whose turn it is to a worker; returns what the worker needs to know of it.

    It wants `now`, `lease` and `by`, the worker.

    Args:
        oldest: as `next_job`.
        some: likewise.
    """
    return (
        update(TABLE)
        .where(TABLE.c.id == _next_job(oldest=oldest, some=some))
        .values(
            state=RUNNING,
            worker=bindparam("by"),
            attempt=TABLE.c.attempt + 1,
            lease_until=_LEASE,
            started_at=_NOW,
            progress_done=None,
            progress_total=None,
        )
        .returning(TABLE.c.id, TABLE.c.kind, TABLE.c.payload, TABLE.c.attempt, TABLE.c.max_attempts, TABLE.c.subject)
    )


def held_by(job: int, attempt: int) -> Update:
    """A change to a job that is made only while this attempt holds it; the caller adds the values."""
    change: Update = update(TABLE).where(TABLE.c.id == job, TABLE.c.state == RUNNING, TABLE.c.attempt == attempt)
    return change


@cache
def put(*, on_sqlite: bool) -> Insert:
    """Add the job that is given unless its key is known."""
    made: Insert = insert_unless_there(TABLE, ["dedupe_key"], on_sqlite=on_sqlite)
    return made


@cache
def put_taken(*, on_sqlite: bool) -> Any:  # noqa: ANN401
    """As `put`; returns the job's id, and nothing when its key is known."""
    return put(on_sqlite=on_sqlite).returning(TABLE.c.id)
