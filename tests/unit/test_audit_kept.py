"""What a resumed audit takes over: only what the log of now still vouches for, and nothing that is malformed."""

from __future__ import annotations

import io
import json
from typing import Any
from unittest.mock import MagicMock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.audit.blob_checks import BLOB, FileChecks
from app.audit.kept import Kept, Step, parse_kept
from app.audit.scratch import Scratch
from evidence_store.verify.report import Finding, Report

ROOT = bytes(range(32))


def kept(*steps: Step) -> Kept:
    return Kept(list(steps), [Finding("blob_altered", "", "blob aa", "differs")], {}, {"blobs hashed": 2})


def test_file_is_covered_only_up_to_the_last_one_hashed_and_only_when_it_was_in_the_list() -> None:
    step = Step(10, ROOT.hex(), 0, "bb", files=2)
    assert step.covers((0, "aa"), 9)
    assert step.covers((0, "bb"), 0)
    assert not step.covers((0, "bc"), 9), "it comes later"
    assert not step.covers((1, "aa"), 9), "it is of the next kind"
    assert not step.covers((0, "aa"), 10), "it was written after the list was made"
    assert not step.covers((0, "aa"), None), "no event wrote its row"


def test_each_run_vouches_for_its_own_list() -> None:
    both = Kept([Step(10, ROOT.hex(), 0, "ff", files=9), Step(20, ROOT.hex(), 0, "88", files=3)])
    assert both.covers((0, "80"), 15)
    assert both.covers((0, "90"), 5)
    assert not both.covers((0, "90"), 15)


@pytest.mark.parametrize("root", [None, bytes(32)])
def test_nothing_is_taken_over_when_the_log_has_another_root(root: bytes | None) -> None:
    before, report = kept(Step(10, ROOT.hex(), 0, "bb", files=2)), Report()
    assert before.take_over(lambda _: root, report) is False
    assert (before, report.findings, report.checked) == (Kept(), [], {})


def test_nothing_is_taken_over_from_runs_that_hashed_nothing() -> None:
    before, report = kept(Step(10, ROOT.hex())), Report()
    assert before.take_over(lambda _: ROOT, report) is False
    assert report.findings == []


def test_findings_and_counts_are_taken_over_the_uncounted_ones_included() -> None:
    before = kept(Step(10, ROOT.hex(), 0, "bb", files=2))
    before.left_out = {"blob_altered": 5}
    report = Report(max_per_code=1)
    assert before.take_over(lambda _: ROOT, report) is True
    report.close()
    assert [(one.code, one.severity) for one in report.findings] == [
        ("blob_altered", "error"),
        ("errors_capped", "error"),
    ]
    assert report.findings[1].detail.startswith("5 more")
    assert report.checked == {"blobs hashed": 2}


def test_it_comes_back_as_it_was_written() -> None:
    before = kept(Step(10, ROOT.hex(), 0, "bb", 2, 7, "2026-01-01T00:00:00.000000Z"), Step(12, ROOT.hex()))
    assert parse_kept(json.loads(json.dumps(before.as_json()))).steps[0] == before.steps[0]


GOOD: dict[str, Any] = kept(Step(10, ROOT.hex(), 0, "bb", files=2)).as_json()


@pytest.mark.parametrize(
    "change",
    [
        {"steps": [{}]},
        {"steps": [[]]},
        {"steps": None},
        {"steps": [{**GOOD["steps"][0], "size": -1}]},
        {"steps": [{**GOOD["steps"][0], "size": True}]},
        {"steps": [{**GOOD["steps"][0], "size": 1.5}]},
        {"steps": [{**GOOD["steps"][0], "key": 7}]},
        {"steps": [{**GOOD["steps"][0], "more": 7}]},
        {"findings": [{**GOOD["findings"][0], "code": "all_is_well"}]},
        {"findings": [{**GOOD["findings"][0], "detail": None}]},
        {"findings": {}},
        {"left_out": {"all_is_well": 1}},
        {"left_out": []},
        {"left_out": {"blob_altered": 1 << 70}},
        {"counts": {"blobs hashed": "2"}},
    ],
)
def test_what_no_audit_wrote_is_as_good_as_nothing(change: dict[str, Any]) -> None:
    assert parse_kept(GOOD) != Kept()
    assert parse_kept({**GOOD, **change}) == Kept()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*GOOD, "size", "code"]), inner),
    max_leaves=12,
)


@given(JSON)
def test_no_json_whatever_makes_it_fail(record: object) -> None:
    assert isinstance(parse_kept(record), Kept)


def test_findings_without_steps_hide_nothing_from_a_fresh_audit() -> None:
    """The checks of files are set up before anything is taken over; what is then thrown away must not be known."""
    name = "a" * 64
    said = {"code": "blob_altered", "severity": "", "subject": f"blob {name}", "detail": ""}
    kept = parse_kept({"steps": [], "findings": [said], "left_out": {}, "counts": {}})
    report = Report(max_per_code=10)
    with Scratch() as scratch:
        archive, meter = MagicMock(), MagicMock()
        archive.custody.now.return_value = "2026-01-01T00:00:00Z"
        archive.db.read.side_effect = ValueError
        archive.blobs.open.side_effect = lambda _: io.BytesIO(b"other")
        scratch.do("INSERT INTO file VALUES (?, ?, ?, ?, ?, ?, ?, ?)", BLOB, name.encode(), name, None, None, 5, 0, 1)
        checks = FileChecks(archive, scratch, kept, report, meter)
        with checks.hashing(1, all_digests=False):
            assert not kept.take_over(lambda _: None, report)
            kept.steps.append(Step(1, ""))
            checks.judge_all()
    assert [(one.code, one.subject) for one in report.findings] == [("blob_altered", f"blob {name}")]
