"""The files' part of an audit: what is hashed, what is only looked at, and what comes in while it runs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from app.api.services import Services
from app.audit.checks import Options
from app.audit.meter import Step
from app.audit.scratch import Scratch
from evidence_store.blobs.local import LocalBlobStore
from evidence_store.digests import digest_stream
from tests.archives import close_archive, deposit, make_archive
from tests.checks import assert_clean, audit, errors_of, work_off

FILES = 12


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    made = make_archive(tmp_path)
    admin = made.access.local_operator()
    case = made.evidence.create_case(admin, "T1")
    for number in range(FILES):
        deposit(made, admin, case, b"file %d" % number * 1000, f"{number}.bin")
    work_off(made)
    yield made
    close_archive(made)


def blob(services: Services, sha256: str) -> Path:
    return services.archive.settings.blobs / "sha256" / sha256[:2] / sha256[2:4] / sha256


def test_sample_hashes_so_many_and_looks_at_the_rest(services: Services) -> None:
    who = services.access.local_auditor()
    report = services.audits.run(who, sample=5)
    assert (report["checked"]["blobs hashed"], report["checked"]["blobs present"]) == (5, FILES - 5)
    assert report["sample"] == 5
    assert any("not chosen" in claim["text"] for claim in report["claims"])
    whole = services.audits.run(who, sample=FILES + 1)
    assert whole["checked"]["blobs hashed"] == FILES
    assert "blobs present" not in whole["checked"]


def test_sample_is_another_one_each_time_and_every_file_has_its_chance(services: Services) -> None:
    names = list(services.archive.blobs.list())
    path = blob(services, names[3])
    path.chmod(0o600)
    path.write_bytes(b"x" * path.stat().st_size)  # the right size: only hashing tells
    who = services.access.local_auditor()
    found = Counter(services.audits.run(who, sample=FILES // 2)["ok"] for _ in range(40))
    assert set(found) == {True, False}


def test_wrong_size_and_absence_are_found_without_hashing(services: Services) -> None:
    for name in services.archive.blobs.list():
        path = blob(services, name)
        path.chmod(0o600)
        path.write_bytes(path.read_bytes() + b"x")
    gone = next(iter(services.archive.blobs.list()))
    blob(services, gone).unlink()
    report = services.audits.run(services.access.local_auditor(), sample=1)
    codes = Counter(code for code, _ in errors_of(report))
    assert codes == {"blob_altered": FILES - 1, "blob_missing": 1}


def test_all_digests_tell_a_row_that_was_wrong_from_the_beginning(services: Services) -> None:
    """SHA-512 is bound to the log by row and event; only hashing it again shows that it was right."""
    from app.custody.service import SYSTEM
    from app.evidence.models import Blob

    with services.archive.blobs.stage() as staged:
        staged.write(b"a file whose SHA-512 was recorded wrongly")
        stored = staged.commit().digests
    with services.archive.db.write() as session:
        wrong = Blob(
            sha256=stored.sha256, sha512="0" * 128, crc32=stored.crc32, size=stored.size, stored_at="2026-01-01"
        )
        services.archive.custody.record(session, services.archive.about, "annotation", SYSTEM, rows=[wrong])
    who = services.access.local_auditor()
    assert services.audits.run(who)["ok"]
    report = services.audits.conduct(who, Options(all_digests=True)).document
    (finding,) = [one for one in report["findings"] if one["severity"] == "error"]
    assert finding["detail"] == "differs from what was stored: sha512"


def test_file_that_comes_in_while_the_audit_runs_is_no_stranger(services: Services) -> None:
    who = services.access.local_operator()
    case = services.evidence.find_case(who, "T1")
    new: list[str] = []

    def busy(step: Step) -> None:
        if step.stage == "files" and not new:
            new.append(deposit(services, who, case, b"came in during the audit").digests.sha256)

    report = services.audits.conduct(who, Options(), listener=busy).document
    assert new
    assert blob(services, new[0]).exists()
    assert report["ok"]
    assert "blob_unreferenced" not in {finding["code"] for finding in report["findings"]}
    assert report["checked"]["blobs hashed"] == FILES
    assert_clean(services)


def test_medium_that_fails_on_one_file_does_not_keep_the_others_from_being_hashed(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = next(iter(services.archive.blobs.list()))
    original = LocalBlobStore.open

    def opened(store: LocalBlobStore, sha256: str) -> BinaryIO:
        return _unreadable() if sha256 == bad else original(store, sha256)

    monkeypatch.setattr(LocalBlobStore, "open", opened)
    report = audit(services)
    assert {(code, bad in subject) for code, subject in errors_of(report)} == {("blob_unreadable", True)}
    assert report["checked"]["blobs hashed"] == FILES - 1


def _unreadable() -> BinaryIO:
    """The memory of this process at address 0: open, and EIO when read."""
    return Path("/proc/self/mem").open("rb", buffering=0)


@pytest.mark.parametrize("planted", ["a pipe", "a folder", "nothing"])
def test_what_stands_in_for_a_bundle_is_named_and_not_waited_for(services: Services, planted: str) -> None:
    row = services.exports.create(services.access.local_operator(), case_ref="T1", purpose="test")
    path = services.archive.settings.exports / f"{row.id}.zip"
    assert path.is_file()
    path.unlink()
    if planted == "a pipe":
        os.mkfifo(path)
    elif planted == "a folder":
        path.mkdir()
    report = audit(services)
    codes = {finding["code"] for finding in report["findings"] if row.id in finding["subject"]}
    assert codes == ({"export_absent"} if planted == "nothing" else {"check_not_run"})
    assert report["ok"] is (planted == "nothing")


def test_finding_names_the_item_that_a_damaged_file_belongs_to(services: Services) -> None:
    who = services.access.local_operator()
    case = services.evidence.find_case(who, "T1")
    item = deposit(services, who, case, b"mine").item
    path = blob(services, item.sha256)
    path.chmod(0o600)
    path.write_bytes(b"other")
    assert errors_of(audit(services)) == {("blob_altered", f"blob {item.sha256} (item {item.id})")}
    assert digest_stream([b"mine"]).sha256 == item.sha256


def test_audit_needs_no_place_of_its_own_on_the_data_disk(services: Services) -> None:
    before = {path for path in services.archive.settings.data.rglob("*") if path.is_file()}
    report = audit(services)
    after = {path for path in services.archive.settings.data.rglob("*") if path.is_file()}
    made = {path.relative_to(services.archive.settings.data).as_posix() for path in after - before}
    assert made <= {
        f"audits/{report['id']}.json",
        f"audits/{report['id']}.p7s",
        "audits/lock",
        "catena.db-wal",
        "catena.db-shm",
    }


def test_scratch_file_that_is_full_is_told_and_never_reads_as_clean(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = Scratch.__init__

    def small(scratch: Scratch) -> None:
        begun(scratch)
        scratch.do("PRAGMA max_page_count=12")  # then SQLite itself says: database or disk is full

    monkeypatch.setattr(Scratch, "__init__", small)
    report = audit(services)
    assert report["ok"] is False
    assert {("check_not_run", "events"), ("check_not_run", "list of files")} <= errors_of(report)
    assert any("full" in finding["detail"] for finding in report["findings"])
