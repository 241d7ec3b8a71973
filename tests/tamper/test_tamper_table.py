"""The tamper table: for each finding code one damage, detected and named, with a snapshot of the whole report.

After a change that is meant: `python -m tests.tamper.table CODE`, and read the difference.
"""

from __future__ import annotations

import pytest

from evidence_store.verify.report import catalogue
from tests.tamper.table import table
from tests.tamper.table.snapshots import FOLDER, path_of, snapshot


def test_every_finding_code_has_a_damage_that_raises_it() -> None:
    assert sorted(table.FIXTURES) == sorted(catalogue())


def test_no_snapshot_is_left_of_a_code_that_is_gone() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.txt")) == sorted(catalogue())


@pytest.mark.parametrize("code", sorted(table.FIXTURES))
def test_damage_is_detected_and_named(code: str) -> None:
    report = table.report(code)
    severities = {finding["severity"] for finding in report["findings"] if finding["code"] == code}
    assert severities == {catalogue()[code]["severity"]}
    assert report["ok"] == (not any(finding["severity"] == "error" for finding in report["findings"]))
    assert snapshot(report) == path_of(code).read_text(encoding="utf-8")
