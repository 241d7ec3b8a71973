"""Two workers, one killed with -9 in the middle of a job: all jobs done once, and soon."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.takeover import LEASE_SECONDS, PROMISED_SECONDS, measure
from tests.databases import BACKENDS
from tests.processes import nursery

SLACK_SECONDS = 8.0  # a busy machine; `python -m tests.crash.takeover` measures


@pytest.mark.parametrize("backend", BACKENDS)
def test_killed_workers_job_is_taken_over_when_its_lease_has_run_out(backend: str, tmp_path: Path) -> None:
    with nursery(tmp_path) as processes:
        took = measure(tmp_path, backend, processes)
    assert took.after_lease >= 0, "a job that is held is not taken"
    assert took.after_kill <= LEASE_SECONDS + PROMISED_SECONDS + SLACK_SECONDS
