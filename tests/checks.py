"""What tests ask of a whole archive: that it is clean, or what exactly is wrong with it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from app import wiring
from app.api.services import Services
from app.clock import Clock

_RETRIED_BY_THEN: Final = timedelta(seconds=14)
"""After so long a job that failed once is due again (5 s, a quarter more or less), one that failed twice is not."""


def audit(services: Services) -> dict[str, Any]:
    """The report of a full audit."""
    return services.audits.run(services.access.local_auditor())


def assert_clean(services: Services) -> None:
    """The whole archive is checked, and nothing is wrong with it."""
    report = audit(services)
    errors = [finding for finding in report["findings"] if finding["severity"] == "error"]
    assert not errors, errors
    assert report["ok"]


def errors_of(report: dict[str, Any]) -> set[tuple[str, str]]:
    """(code, subject) of each error in a report."""
    return {(f["code"], f["subject"]) for f in report["findings"] if f["severity"] == "error"}


def work_off(services: Services) -> None:
    """Run every job that is waiting."""
    wiring.make_worker(services).drain(wait_s=20)


def work_off_at_once(services: Services) -> None:
    """Run every job that is waiting; the time until the first retry of one that failed goes by at once."""
    worker, clock, ahead = wiring.make_worker(services), services.jobs.clock, timedelta()
    try:
        while True:
            worked = worker.worked
            worker.drain()
            if services.jobs.unfinished() == 0 or (ahead and worker.worked == worked):
                return
            ahead += _RETRIED_BY_THEN
            services.jobs.clock = _ahead(clock, ahead)
    finally:
        services.jobs.clock = clock


def _ahead(clock: Clock, by: timedelta) -> Clock:
    def now() -> datetime:
        return clock() + by

    return now
