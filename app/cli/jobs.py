"""`catena jobs`: what waits, what is being done, what was given up; and trying that again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from app.cli.common import Context, command_options, table
from app.errors import InvalidInputError
from app.jobs.states import STATES

if TYPE_CHECKING:
    from app.jobs.models import Job

_PAGE = 500
_REASON_WIDTH = 60


@click.group()
def jobs() -> None:
    """Background work."""


@jobs.command("list")
@command_options
@click.option("--state", type=click.Choice(STATES), default=None, help="Only jobs in this state.")
@click.option("--item", default=None, metavar="ID", help="Only jobs about this item.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="At most so many.")
def jobs_list(context: Context, state: str | None, item: str | None, limit: int) -> None:
    """Jobs about items that you may read, oldest first."""
    from app.evidence.work import job_record

    found, more = _read(context, state, item, limit)
    document = {"jobs": [job_record(job) for job in found], "more": more}
    headings = ["id", "kind", "state", "progress", "attempt", "item", "reason"]
    text = table([_line(job) for job in found], headings) + ("\n(more: raise --limit)" if more else "")
    context.show(document, text)


@jobs.command("show")
@command_options
@click.argument("job")
def jobs_show(context: Context, job: str) -> None:
    """One job in full."""
    from app.evidence.work import job_record

    record = job_record(context.services.work.get(context.who, job))
    context.show(record, lambda: "\n".join(f"{name}: {value}" for name, value in record.items() if value is not None))


@jobs.command("retry")
@command_options
@click.argument("job", required=False)
@click.option("--dead", is_flag=True, help="All that were given up.")
def jobs_retry(context: Context, job: str | None, dead: bool) -> None:
    """Have work that was given up tried again; recorded with the item."""
    if (job is None) is not dead:
        raise InvalidInputError("bad_retry", "name one job, or say --dead for all that were given up")
    wanted = [job] if job is not None else [str(one.id) for one in _read(context, "dead", None, None)[0]]
    for one in wanted:
        context.services.work.retry(context.who, one)
    context.show({"retried": wanted}, f"{len(wanted)} jobs are tried again")


@jobs.command("counts")
@command_options
def jobs_counts(context: Context) -> None:
    """How many jobs are in each state."""
    context.services.access.require_role(context.who, "item.read")
    counted = context.services.jobs.counts()
    counts = {state: counted.get(state, 0) for state in STATES}
    context.show({"counts": counts}, "\n".join(f"{state}: {count}" for state, count in counts.items()))


def _read(context: Context, state: str | None, item: str | None, limit: int | None) -> tuple[list[Job], bool]:
    """Pages until there are enough; and whether there are more."""
    found: list[Job] = []
    cursor: str | None = None
    while True:
        left = _PAGE if limit is None else min(_PAGE, limit - len(found))
        page = context.services.work.find(context.who, state=state, item_id=item, cursor=cursor, limit=left)
        found += page.jobs
        cursor = page.cursor
        if cursor is None or len(found) == limit:
            return found, cursor is not None


def _line(job: Job) -> list[str]:
    from app.evidence.work import item_of

    total = "?" if job.progress_total is None else job.progress_total
    progress = "" if job.progress_done is None else f"{job.progress_done}/{total}"
    attempt = f"{min(job.attempt, job.max_attempts)}/{job.max_attempts}"
    reason = (job.last_error or "")[:_REASON_WIDTH]
    return [str(job.id), job.kind, job.state, progress, attempt, item_of(job) or "", reason]


COMMANDS = (jobs,)
