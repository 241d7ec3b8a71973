"""Pytest plugin (`-p tests.summary_plugin`): names each missing judge and leaves the counts in a file.

`scripts/run_tests.py` reads the file named by CATENA_TEST_SUMMARY and repeats the counts on its last line.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

MISSING = re.compile(r"missing judge: ([\w.+-]+)")
OUTCOMES = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")


def missing_judges(reports: list[pytest.TestReport]) -> dict[str, int]:
    """How many tests asked for each judge that is not here."""
    found: dict[str, int] = {}
    for report in reports:
        for name in set(MISSING.findall(str(report.longrepr))):
            found[name] = found.get(name, 0) + 1
    return dict(sorted(found.items()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which judges were missing; write the counts where the caller asked for them."""
    stats = terminalreporter.stats
    counts = {outcome: len(stats.get(outcome, [])) for outcome in OUTCOMES}
    absent = missing_judges([report for outcome in ("skipped", "failed", "error") for report in stats.get(outcome, [])])
    if absent:
        terminalreporter.section("missing judges")
        for name, tests in absent.items():
            terminalreporter.write_line(f"{name}: {tests} test(s) could not ask it")
    target = os.environ.get("CATENA_TEST_SUMMARY")
    if target:
        Path(target).write_text(json.dumps({"counts": counts, "missing_judges": absent}), encoding="utf-8")
