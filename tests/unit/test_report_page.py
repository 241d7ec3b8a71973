"""The report as a page: complete, escaped, self-contained, and the same words as the other reports."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from evidence_store.bundle import layout
from evidence_store.verify.__main__ import main
from evidence_store.verify.bundle_report import BundleReport
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.facts import KINDS, KeyUsed, Stamp, WitnessSeen, rfc3339
from evidence_store.verify.page import MAX_ROWS, as_html
from evidence_store.verify.report import catalogue
from evidence_store.verify.trust import Anchors
from tests.attested import stamped_archive, verify_plan
from tests.bundles import sample_archive, write_folder

MADE_AT = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)
HOSTILE = "\"><script src=x>alert('1')</script><img onerror=1>\x1b[2J\u202e&amp;\ud800"


class _Reader(HTMLParser):
    """Collects tags, attributes and text; complains of tags that do not match."""

    VOID = frozenset({"meta"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return "\n".join(self.texts)


def page_of(report: BundleReport, name: str = "bundle.zip") -> _Reader:
    return _Reader(as_html(report, name, MADE_AT))


def stamped_report(folder: Path) -> BundleReport:
    made = stamped_archive()
    return verify_plan(made, made.plan(), folder, made.anchors)


def test_a_good_bundle_under_keys_that_you_trust_is_called_verified(tmp_path: Path) -> None:
    report = stamped_report(tmp_path)
    page = page_of(report)
    assert "Verified" in page.texts
    for claim in report.stated:
        assert claim.text in page.texts
    for stamp in report.facts.stamps:
        assert rfc3339(stamp.before) in page.texts
    for key in report.facts.keys:
        assert key.name in page.text
    assert report.facts.bundle["bundle_id"] in page.texts
    assert "Made by catena verify" in page.text


def test_a_bundle_that_only_its_own_keys_vouch_for_is_not_called_verified(tmp_path: Path) -> None:
    made = sample_archive("page-unanchored")
    report = verify_plan(made, made.plan(), tmp_path)
    assert report.ok
    page = page_of(report)
    assert "Verified" not in page.texts
    assert "Whole, but not shown whose" in page.texts


def test_errors_stand_first_with_what_they_mean(tmp_path: Path) -> None:
    files = sample_archive("page-bad").files()
    files[layout.README] = b"All is well.\n"
    report = verify_bundle(write_folder(files, tmp_path / "bundle"))
    page = page_of(report)
    assert "Not verified" in page.texts
    assert page.texts.index("Errors") < page.texts.index("What was shown") < page.texts.index("Warnings")
    for finding in report.findings:
        assert catalogue()[finding.code]["meaning"] in page.texts
        assert finding.subject in page.texts


def test_nothing_from_the_bundle_becomes_markup() -> None:
    report = BundleReport()
    report.finding("file_missing", HOSTILE, HOSTILE)
    report.facts.bundle = {"bundle_id": HOSTILE, "purpose": HOSTILE}
    report.facts.keys.append(KeyUsed(HOSTILE, HOSTILE, HOSTILE, trusted=False, history=HOSTILE))
    report.facts.stamps.append(Stamp(HOSTILE, MADE_AT, HOSTILE, MADE_AT, trusted=False))
    report.facts.witnesses.append(WitnessSeen(HOSTILE, HOSTILE, HOSTILE, trusted=False))
    report.count(HOSTILE)
    page = page_of(report, HOSTILE)
    assert not {"script", "img"} & set(page.tags)
    assert "onerror" not in dict(page.attributes)
    assert "\x1b" not in page.text
    assert "\u202e" not in page.text
    assert as_html(report, HOSTILE, MADE_AT).encode("utf-8")


def test_the_page_needs_nothing_from_outside_and_runs_nothing(tmp_path: Path) -> None:
    page = as_html(stamped_report(tmp_path), "bundle.zip", MADE_AT)
    reader = _Reader(page)
    assert not {"script", "link", "img", "iframe", "object", "form", "a"} & set(reader.tags)
    assert not {"src", "href", "style"} & {name for name, _ in reader.attributes}
    assert not re.search(r"url\(|@import|https?:", page)
    assert "default-src 'none'" in page


def test_long_tables_are_cut_and_say_so() -> None:
    report = BundleReport()
    for number in range(MAX_ROWS + 5):
        report.facts.stamps.append(Stamp(f"file-{number}", MADE_AT, "CN=x", MADE_AT, trusted=True))
    page = page_of(report)
    assert "5 more are in the JSON report." in page.texts
    assert f"file-{MAX_ROWS - 1}" in page.texts
    assert f"file-{MAX_ROWS}" not in page.texts


def test_an_empty_report_is_still_a_page() -> None:
    page = page_of(BundleReport())
    assert page.texts.count("Nothing.") == len(KINDS)


def test_the_command_writes_the_page_beside_the_other_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, target = tmp_path / "bundle.zip", tmp_path / "report.html"
    path.write_bytes(sample_archive("page-command").bundle())
    assert main([str(path), "--html", str(target)]) == 0
    assert capsys.readouterr().out.endswith("\nWHOLE, BUT NOT SHOWN WHOSE\n")
    assert target.read_text("utf-8").startswith("<!DOCTYPE html>")
    before = target.read_bytes()
    assert main([str(path), "--html", str(target)]) == 2  # never overwritten
    assert target.read_bytes() == before
    assert "unwritable" in capsys.readouterr().err


def test_times_are_shown_as_exactly_as_they_are_known() -> None:
    assert rfc3339(MADE_AT) == "2026-11-22T10:00:00Z"
    assert rfc3339(MADE_AT.replace(microsecond=120_000)) == "2026-11-22T10:00:00.120Z"
    assert rfc3339(MADE_AT.replace(microsecond=120_001)) == "2026-11-22T10:00:00.120001Z"


def test_trust_for_time_alone_leaves_the_bundle_unanchored(tmp_path: Path) -> None:
    made = stamped_archive()
    report = verify_plan(made, made.plan(), tmp_path, Anchors(time_roots=made.anchors.time_roots))
    assert report.ok
    assert "Whole, but not shown whose" in page_of(report).texts
