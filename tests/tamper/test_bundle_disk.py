"""What a verifier meets on a damaged or hostile disk: links, pipes, unreadable, growing and very large files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from evidence_store.bundle import bagit, layout
from evidence_store.bundle.plan import ExtraFile
from evidence_store.canonical import canonical_bytes
from evidence_store.errors import EvidenceStoreError
from evidence_store.verify import container
from evidence_store.verify.__main__ import BAD_USAGE, FINDINGS, main
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.container import FolderContainer, open_regular
from evidence_store.verify.report import MAX_PER_CODE, Finding, Report
from tests.bundles import SampleArchive, sample_archive, unzip, write_folder


@cache
def stored_files() -> tuple[tuple[str, bytes], ...]:
    return tuple(sample_archive("disk").files().items())


def found(report: Report, code: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.code == code]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(dict(stored_files()), tmp_path / "bundle")


def test_links_and_pipes_are_named_and_not_followed(folder: Path) -> None:
    (folder / "data/link").symlink_to("/etc/passwd")
    (folder / "linked-folder").symlink_to("/etc")
    os.mkfifo(folder / "data/pipe")
    report = verify_bundle(folder)
    assert {finding.subject for finding in found(report, "link_refused")} == {"data/link", "linked-folder"}
    assert {finding.subject for finding in found(report, "special_file_refused")} == {"data/pipe"}


def test_an_original_replaced_by_a_link_to_itself_is_refused(folder: Path) -> None:
    path = next(path for path in dict(stored_files()) if path.startswith("data/originals/"))
    (folder / path).rename(folder.parent / "moved")
    (folder / path).symlink_to(folder.parent / "moved")
    report = verify_bundle(folder)
    assert {finding.subject for finding in found(report, "link_refused")} == {path}
    assert {finding.subject for finding in found(report, "file_missing")} == {path}


def test_names_that_a_bundle_never_uses_are_named(folder: Path) -> None:
    (folder / "data/.hidden").write_bytes(b"x")
    (folder / "data/two words").write_bytes(b"x")
    report = verify_bundle(folder)
    assert {finding.subject for finding in found(report, "unsafe_path")} == {"data/.hidden", "data/two words"}


def test_more_files_than_a_bundle_may_have_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MAX_FILES", 5)
    report = verify_bundle(folder)
    assert found(report, "too_many_files")
    assert report.checked["files"] == 5


def test_a_folder_that_cannot_be_listed_counts_as_not_checked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object) -> Iterator[object]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    report = verify_bundle(folder)
    assert "container" in {finding.subject for finding in found(report, "check_not_run")}
    assert not report.ok


class _Disk:
    """Makes reads of one file fail or change, from the given pass on (0: while measuring)."""

    def __init__(self, path: str, from_pass: int, data: list[bytes] | None) -> None:
        self.path, self.from_pass, self.data = path, from_pass, data
        self.passes = 0

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real = FolderContainer.chunks

        def chunks(container: FolderContainer, path: str) -> Iterator[bytes]:
            if path == self.path:
                self.passes += 1
                if self.passes > self.from_pass:
                    if self.data is None:
                        raise OSError(5, "Input/output error")
                    return iter(self.data)
            return real(container, path)

        monkeypatch.setattr(FolderContainer, "chunks", chunks)


def test_a_file_that_the_disk_cannot_read_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _Disk("README.txt", 0, None).install(monkeypatch)
    assert {f.subject for f in found(verify_bundle(folder), "file_unreadable")} == {"README.txt"}


@pytest.mark.parametrize("path", [layout.MANIFEST, layout.CHECKPOINT])
def test_a_file_that_fails_on_second_reading_is_named(path: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _Disk(path, 1, None).install(monkeypatch)
    assert {f.subject for f in found(verify_bundle(folder), "file_unreadable")} == {path}


def test_events_that_fail_on_second_reading_count_as_not_checked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _Disk(layout.EVENTS, 1, None).install(monkeypatch)
    report = verify_bundle(folder)
    assert "custody" in {finding.subject for finding in found(report, "check_not_run")}
    assert "logged" not in {claim["code"] for claim in report.claims}


def test_a_receipts_seal_that_fails_on_second_reading_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = next(path for path, _ in stored_files() if path.endswith(".p7s") and path.startswith("custody/"))
    _Disk(path, 1, None).install(monkeypatch)
    assert {f.subject for f in found(verify_bundle(folder), "file_unreadable")} == {path}


@pytest.mark.parametrize("path", [layout.MANIFEST, layout.EVENTS])
def test_a_file_exchanged_between_two_readings_is_named(
    path: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _Disk(path, 1, [b"other ", b"bytes"]).install(monkeypatch)
    assert {finding.subject for finding in found(verify_bundle(folder), "file_changed")} == {path}


def test_a_file_that_grows_meanwhile_is_read_as_far_as_it_was_measured(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = dict(stored_files())
    _Disk(layout.EVENTS, 1, [known[layout.EVENTS], b"more\n" * 3, b"more\n"]).install(monkeypatch)
    report = verify_bundle(folder)
    assert report.ok
    assert report.checked["events"] == 13


def test_a_list_too_large_to_be_real_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "MAX_LIST_BYTES", 3000)
    report = verify_bundle(folder)
    assert layout.MANIFEST in {finding.subject for finding in found(report, "file_too_large")}
    assert "manifest" in {finding.subject for finding in found(report, "check_not_run")}


@pytest.mark.parametrize(
    "path",
    [layout.CHECKPOINT, next(path for path, _ in stored_files() if path.startswith("custody/proofs/"))],
)
def test_a_proof_or_checkpoint_too_large_to_be_real_is_not_read(path: str, folder: Path) -> None:
    (folder / path).write_bytes(bytes(64 * 1024 + 1))
    assert {finding.subject for finding in found(verify_bundle(folder), "file_too_large")} == {path}


def test_a_key_too_large_to_be_real_is_not_read(folder: Path) -> None:
    (folder / layout.LOG_VKEY).write_bytes(b"#" * (1024 * 1024 + 1))
    assert {finding.subject for finding in found(verify_bundle(folder), "file_too_large")} == {layout.LOG_VKEY}


def test_a_manifest_that_repeats_an_object_makes_no_work_twice(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = json.loads((folder / layout.MANIFEST).read_bytes())
    entry = manifest["objects"][0]
    manifest["objects"] = [entry] * 5_000
    (folder / layout.MANIFEST).write_bytes(canonical_bytes(manifest))
    disk = _Disk(entry["proof"], 99, None)
    disk.install(monkeypatch)
    report = verify_bundle(folder)
    assert disk.passes == 2  # measured once, read once
    assert "5000 times" in next(f.detail for f in found(report, "manifest_repeats") if f.subject == entry["object"])


def test_a_manifest_with_more_entries_than_a_bundle_may_have_is_read_in_part(folder: Path) -> None:
    manifest = json.loads((folder / layout.MANIFEST).read_bytes())
    manifest["files"] = [0] * 100_000
    (folder / layout.MANIFEST).write_bytes(canonical_bytes(manifest))
    report = verify_bundle(folder)
    assert "100000 entries; the limit is 20000" in found(report, "manifest_malformed")[0].detail
    assert len(found(report, "manifest_malformed")) == MAX_PER_CODE
    assert "manifest_malformed" in {finding.subject for finding in found(report, "errors_capped")}


def test_a_million_lines_that_are_no_events_exhaust_nobody(folder: Path) -> None:
    (folder / layout.EVENTS).write_bytes(b"\n" * 1_000_000)
    tracemalloc.start()
    report = verify_bundle(folder)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 32 << 20
    assert report.checked["events"] == MAX_PER_CODE
    assert len(found(report, "event_malformed")) == MAX_PER_CODE
    assert f"line {MAX_PER_CODE} only" in next(
        f.detail for f in found(report, "check_not_run") if f.subject == "events"
    )
    assert not report.ok


def test_many_findings_of_one_kind_are_counted_and_the_first_are_named(folder: Path) -> None:
    extra = [f"data/extra{number:04d}" for number in range(MAX_PER_CODE + 7)]
    for path in extra:
        (folder / path).write_bytes(b"x")
    report = verify_bundle(folder)
    assert [finding.subject for finding in found(report, "file_unlisted")] == extra[:MAX_PER_CODE]
    capped = {finding.subject: finding.detail for finding in found(report, "errors_capped")}
    assert capped["file_unlisted"] == f"7 more, of {len(extra)} in all."


def test_many_notes_are_counted_and_leave_a_bundle_good(tmp_path: Path) -> None:
    many = SampleArchive("notes")
    item = many.deposit("a.jpg", b"a")
    for number in range(MAX_PER_CODE + 3):
        many.extra_files.append(ExtraFile(f"data/matches/{item}-{number}.json", b"[]", "matches", f"item:{item}"))
    report = verify_bundle(write_folder(many.files(), tmp_path / "bundle"))
    assert report.ok
    assert [(f.subject, f.detail) for f in found(report, "notes_capped")] == [
        ("file_sealed_only", f"3 more, of {MAX_PER_CODE + 3} in all.")
    ]


def test_a_check_that_crashes_is_an_error_and_the_others_still_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_data: bytes) -> dict[str, str]:
        raise RuntimeError("boom")

    monkeypatch.setattr(bagit, "parse_bag_info", crash)
    report = verify_bundle(folder)
    assert [(f.subject, f.detail) for f in found(report, "check_not_run")] == [("files", "RuntimeError: boom")]
    assert report.checked["receipts"] == 2


def test_a_folder_without_any_file_of_a_bundle_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(EvidenceStoreError) as caught:
        verify_bundle(tmp_path)
    assert caught.value.code == "not_a_bundle"


def test_large_originals_are_verified_with_flat_memory(tmp_path: Path) -> None:
    big = SampleArchive("big")
    big.deposit("big.bin", b"0123456789abcdef" * (2 << 20))
    path = tmp_path / "bundle.zip"
    path.write_bytes(big.bundle())
    folder = write_folder(unzip(path.read_bytes()), tmp_path / "bundle")
    tracemalloc.start()
    assert verify_bundle(path).ok
    assert verify_bundle(folder).ok
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20


# -- paths that are no bundle --------------------------------------------------------------------


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


NO_FILES: dict[str, Callable[[Path], Path]] = {
    "a pipe, which would be waited for": _pipe,
    "a device": lambda _: Path(os.devnull),
    "a file that cannot be read from its end": lambda _: Path("/proc/self/mem"),
    "a name with a zero byte": lambda _: Path("a\0b"),
    "a name too long": lambda _: Path("a" * 5000),
    "a link to itself": lambda folder: _linked(folder / "loop"),
}


def _linked(path: Path) -> Path:
    path.symlink_to(path)
    return path


@pytest.mark.parametrize("kind", NO_FILES)
@pytest.mark.parametrize("option", [None, "--trust", "--tsa", "--policy"])
def test_what_is_no_regular_file_is_refused_with_a_code_and_not_waited_for(
    kind: str, option: str | None, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(NO_FILES[kind](tmp_path))
    assert main([path] if option is None else [str(folder), option, path]) == BAD_USAGE
    assert capsys.readouterr().err.startswith("catena verify: unreadable: ")


@pytest.mark.parametrize("kind", NO_FILES)
def test_a_page_is_never_written_over_what_is_there(
    kind: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(folder), "--html", str(NO_FILES[kind](tmp_path))]) == BAD_USAGE
    assert "unwritable" in capsys.readouterr().err


def test_a_file_replaced_by_a_pipe_while_it_is_opened_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _pipe(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    seen = (tmp_path / "file").stat()
    monkeypatch.setattr(Path, "stat", lambda *_, **__: seen)  # as it was a moment ago
    with pytest.raises(EvidenceStoreError, match="is no regular file"):
        open_regular(path)


@pytest.mark.parametrize("locked", ["", "data/"])
def test_a_folder_that_cannot_be_listed_is_named_and_the_others_are_read(
    locked: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def scandir(path: Path) -> Iterator[os.DirEntry[str]]:
        if path == folder / locked:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    report = verify_bundle(folder)
    assert not report.ok
    if locked:
        assert [finding.subject for finding in found(report, "file_unreadable")] == [locked]
        assert report.checked["events"]
    else:
        assert "container" in {finding.subject for finding in found(report, "check_not_run")}


@pytest.mark.skipif(os.geteuid() != 0, reason="gives up the rights of root")
@pytest.mark.parametrize("locked", [".", "data", "custody/proofs"])
def test_a_folder_that_may_not_be_read_ends_without_a_traceback(locked: str, folder: Path) -> None:
    program = (
        "import os, sys\n"
        "from evidence_store.verify.__main__ import main\n"
        "from evidence_store.verify.report import catalogue\n"
        "catalogue()\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "sys.exit(main([sys.argv[1]]))\n"
    )
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are for their owner alone
        Path(name).chmod(0o755)
        there = shutil.copytree(folder, Path(name, "bundle"))
        (there / locked).chmod(0o000)
        done = subprocess.run([sys.executable, "-c", program, there], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    if locked == ".":
        assert (done.returncode, done.stderr[:26]) == (BAD_USAGE, "catena verify: unreadable:")
    else:
        assert done.returncode == FINDINGS
        assert f"ERROR   file_unreadable: {locked}/" in done.stdout


def test_a_manifest_of_millions_of_values_is_refused_before_it_is_read(folder: Path) -> None:
    """Sixteen megabytes of `{}` would be six hundred in memory."""
    manifest = (folder / layout.MANIFEST).read_bytes()
    many = b"[" + b",".join([b"{}"] * 5_000_000) + b"]"
    (folder / layout.MANIFEST).write_bytes(manifest.replace(b'"scope":{', b'"scope":{"many":' + many + b",", 1))
    del many
    tracemalloc.start()
    report = verify_bundle(folder)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "more than 500000 values" in found(report, "manifest_not_canonical")[0].detail
    assert peak < 48 << 20
