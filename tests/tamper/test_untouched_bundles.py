"""No false alarms: bundles of random shape that nobody touched. The long run is `python -m tests.tamper.untouched`."""

from __future__ import annotations

import pytest

from tests.tamper.untouched import verified


@pytest.mark.parametrize("start", range(0, 60, 10))
def test_untouched_bundles_raise_no_alarm(start: int) -> None:
    for seed in range(start, start + 10):
        report = verified(seed)
        assert [(seed, f.code, f.subject, f.detail) for f in report.findings if f.severity == "error"] == []
        assert report.ok
