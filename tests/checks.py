"""What tests ask of a whole archive: that it is clean, or what exactly is wrong with it."""

from __future__ import annotations

from typing import Any

from app import wiring
from app.api.services import Services


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
