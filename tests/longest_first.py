"""Pytest plugin (`-p tests.longest_first`): modules that take long begin first, so that none is all that is left.

Of the others, those with many tests come first. Give `--no-loadscope-reorder` with it: the order stays as it is here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

import pytest

LONGEST: Final = (
    "tests/crash/test_crash_points.py",
    "tests/crash/test_crash_errors.py",
    "tests/tamper/test_tamper_table.py",
    "tests/crash/test_rotation_kill.py",
    "tests/fuzz/test_fuzz_parsers.py",
    "tests/unit/test_metadata_corpus.py",
    "tests/contract/test_archive_on_both_databases.py",
    "tests/contract/test_keyring.py",
    "tests/tamper/test_archive_tamper.py",
    "tests/flow/test_readme.py",
    "tests/flow/test_demo.py",
    "tests/tamper/test_untouched_bundles.py",
    "tests/crash/test_server_kill.py",
    "tests/crash/test_uploads_kill.py",
    "tests/crash/test_audit_kill.py",
    "tests/foreign/test_evidence_record_judges.py",
)
"""Longest first, those of a minute and more of work."""
_LONG_S: Final = 60.0


def order(modules: list[str]) -> Callable[[str], tuple[int, int]]:
    """Where a module stands; `modules` has one entry for each of its tests."""
    tests = Counter(modules)
    known = {name: place for place, name in enumerate(LONGEST)}
    return lambda module: (known.get(module, len(LONGEST)), -tests[module])


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort; the tests of a module stay together and in their order."""
    place = order([_module(item) for item in items])
    items.sort(key=lambda item: (*place(_module(item)), _module(item)))


def seconds(reports: list[pytest.TestReport]) -> dict[str, float]:
    """How long each module took, longest first."""
    took: dict[str, float] = {}
    for report in reports:
        took[_module(report)] = took.get(_module(report), 0.0) + report.duration
    return dict(sorted(took.items(), key=lambda each: -each[1]))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which modules took longest, so that LONGEST can be kept true."""
    every = [report for found in terminalreporter.stats.values() for report in found]
    took = seconds([report for report in every if isinstance(report, pytest.TestReport)])
    terminalreporter.section("longest modules")
    for module, time in list(took.items())[: len(LONGEST)]:
        late = time > _LONG_S and module not in LONGEST
        terminalreporter.write_line(f"{time:7.1f}s {module}{' (belongs to LONGEST)' if late else ''}")


def _module(item: pytest.Item | pytest.TestReport) -> str:
    return item.nodeid.partition("::")[0]
