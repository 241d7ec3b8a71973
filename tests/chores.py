"""Jobs without meaning, in an archive whose clock tests move."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import delete
from sqlmodel import select

from app.api.services import Services
from app.jobs.models import Job
from app.jobs.service import Claim
from tests.archives import deposit, make_archive
from tests.databases import fresh_database


class Hands:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(microseconds=1)
        return self.now


CLOCK = Hands()


@contextmanager
def archive_for_chores(backend: str, folder: Path) -> Iterator[Services]:
    """An archive of one item."""
    made = make_archive(folder, fresh_database(backend, folder), clock=CLOCK, fresh=True)
    who = made.access.local_operator()
    deposit(made, who, made.evidence.create_case(who, "T1"), b"what the jobs are about", "a.txt")
    yield made
    made.archive.db.close()


def without_jobs(archive: Services) -> Services:
    """The archive with an empty job table."""
    with archive.archive.db.write() as session:
        session.connection().execute(delete(Job))
    archive.jobs._told.clear()
    return archive


def put(services: Services, key: str, *, subject: str | None = None, priority: int = 0, attempts: int = 3) -> None:
    with services.archive.db.write() as session:
        services.jobs.enqueue(
            session, "chore", key, {"key": key}, subject=subject, priority=priority, max_attempts=attempts
        )


def row_of(services: Services, key: str) -> Job:
    with services.archive.db.read() as session:
        return session.exec(select(Job).where(Job.dedupe_key == f"chore:{key}")).one()


def taken(services: Services) -> Claim:
    claim = services.jobs.claim("worker")
    assert claim is not None
    return claim


def done(services: Services, claim: Claim) -> None:
    with services.archive.db.write() as session:
        services.jobs.finish(session, claim)


def lease_runs_out() -> None:
    CLOCK.now += timedelta(seconds=16)
