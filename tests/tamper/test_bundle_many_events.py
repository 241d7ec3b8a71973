"""A bundle with more events than the verifier keeps identifiers of: what it says does not depend on where they lie."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from evidence_store.bundle import layout, seen
from evidence_store.errors import EvidenceStoreError
from evidence_store.verify.checks import verify_bundle
from tests.bundles import SampleArchive, reseal, sample_archive, write_folder
from tests.conftest import ROOT
from tests.insiders import edit, events_with, found

MANY = 400
LIMITED = """
import resource, sys
from evidence_store.bundle import seen
from evidence_store.verify.__main__ import main
seen.IN_MEMORY = 10
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
sys.exit(main(sys.argv[2:]))
"""


@cache
def archive() -> SampleArchive:
    made = sample_archive("many-events")
    cases = [f"case:{made.uuid()}" for _ in range(4)]
    for number in range(MANY):
        made.record(cases[number % len(cases)], "access")
    return made


@cache
def files() -> dict[str, bytes]:
    return archive().files()


def with_repeated(*pairs: tuple[int, int]) -> dict[str, bytes]:
    """The bundle in which the second event of each pair has the identifier of the first; sealed again."""

    def change(lines: list[bytes]) -> None:
        for first, second in pairs:
            edit(lines, second, event_id=json.loads(lines[first])["event_id"])

    changed = dict(files())
    events_with(change)(changed)
    return reseal(changed, archive())


def report_of(folder: Path) -> dict[str, Any]:
    return verify_bundle(folder, archive().trust).as_json()


@pytest.fixture
def lying(tmp_path: Path) -> Path:
    return write_folder(with_repeated((0, 399), (7, 8), (100, 250), (100, 300)), tmp_path / "lying")


@pytest.mark.parametrize("in_memory", [1, 2, 13, 64, 1 << 15])
def test_identifier_used_again_is_named_on_every_later_line_however_far_away(
    lying: Path, monkeypatch: pytest.MonkeyPatch, in_memory: int
) -> None:
    monkeypatch.setattr(seen, "IN_MEMORY", in_memory)
    report = verify_bundle(lying, archive().trust)
    lines = [int(finding.subject.rpartition(" ")[2][:-1]) - 1 for finding in found(report, "event_repeated")]
    assert lines == [8, 250, 300, 399]


def test_report_is_the_same_to_the_byte_from_memory_and_from_the_file(
    lying: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = report_of(lying)
    monkeypatch.setattr(seen, "IN_MEMORY", 10)
    assert json.dumps(report_of(lying)) == json.dumps(plain)


def test_untouched_bundle_has_no_repeated_event_when_all_lie_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seen, "IN_MEMORY", 3)
    report = report_of(write_folder(files(), tmp_path / "good"))
    assert report["ok"], report["findings"]
    assert report["checked"]["events"] > MANY


def test_where_no_temporary_file_can_be_made_the_report_is_the_same(
    lying: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = report_of(lying)
    monkeypatch.setattr(seen, "IN_MEMORY", 10)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no such folder"))
    with pytest.raises(OSError, match="no such folder"):
        tempfile.TemporaryFile().close()
    assert report_of(lying) == plain


@pytest.mark.parametrize("largest", [0, 600, 3_000, 20_000])  # too small to begin, to fill, to grow; and enough
def test_where_the_temporary_file_may_not_grow_the_report_is_the_same(lying: Path, largest: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(largest), str(lying), "--json"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    plain = verify_bundle(lying).as_json()
    assert plain["ok"] is False
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout) == plain


def test_temporary_file_is_closed_whatever_the_bundle_is(
    lying: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seen, "IN_MEMORY", 10)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    nonsense = write_folder(dict(files()) | {layout.EVENTS: files()[layout.EVENTS] + b"x\n" * 500}, tmp_path / "x")
    before = sorted(Path("/proc/self/fd").iterdir())
    for folder in (lying, nonsense):
        assert report_of(folder)["ok"] is False
    assert sorted(Path("/proc/self/fd").iterdir()) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lying", "x"]


def test_temporary_file_that_cannot_be_read_again_is_a_check_that_was_not_run(
    lying: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(table: seen._Table, key: bytes) -> bool:
        table._file.truncate(0)
        return has(table, key)

    has = seen._Table.has
    monkeypatch.setattr(seen, "IN_MEMORY", 10)
    monkeypatch.setattr(seen._Table, "has", cut)
    (finding,) = found(verify_bundle(lying, archive().trust), "check_not_run")
    assert (finding.subject, finding.severity) == ("custody", "error")
    assert "cut short" in finding.detail


def test_more_objects_than_a_bundle_can_hold_are_not_read_to_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = write_folder(files(), tmp_path / "good")
    objects, events = (report_of(good)["checked"][what] for what in ("objects", "events"))
    monkeypatch.setattr(layout, "MAX_FILES", objects)
    assert report_of(good)["ok"]
    monkeypatch.setattr(layout, "MAX_FILES", objects - 1)
    report = report_of(good)
    assert not report["ok"]
    assert report["checked"]["events"] < events
    assert "objects up to line" in next(f["detail"] for f in report["findings"] if f["code"] == "check_not_run")


def test_exporter_refuses_an_identifier_used_again_however_far_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "IN_MEMORY", 10)
    plan = archive().plan()
    events = list(plan.events)
    edit(events, -1, event_id=json.loads(events[0])["event_id"])
    with pytest.raises(EvidenceStoreError, match="another event has the same identifier"):
        archive().bundle(events=events)


def test_the_limit_on_files_does_stop_a_write(tmp_path: Path) -> None:
    """Else the test above that sets it would show nothing."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (600, before[1]))
        with pytest.raises(OSError, match="too large"), (tmp_path / "file").open("wb") as stream:
            stream.truncate(601)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
