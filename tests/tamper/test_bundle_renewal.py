"""Attacks on the renewals in a bundle (RFC 4998), and what an honest one shows."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest

from evidence_store import asn1
from evidence_store.bundle import layout, renewals
from evidence_store.log.note import Checkpoint, checkpoint_text, sign_note
from evidence_store.timestamps.evidence_record import ArchiveTimeStamp, EvidenceRecord
from evidence_store.verify import checks_renewals
from evidence_store.verify.bundle_report import BundleReport
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.trust import Anchors, Trust
from tests.attested import (
    EARLIER,
    LATER,
    NOW,
    claimed,
    errors,
    found,
    local_tsa,
    renewal_files,
    rfc3339,
    subjects,
    text_of,
    verify_plan,
)
from tests.bundles import SampleArchive, fingerprint, reseal, unzip, write_folder, write_plan

Files = dict[str, bytes]
FOLDER = renewals.renewal_folder(1)


def renewed_archive(seed: str) -> tuple[SampleArchive, Files]:
    """An archive with two items that renewed its history, and recorded more after that; no other time stamps."""
    made = SampleArchive(f"renewal-{seed}")
    first = made.deposit("a.jpg", b"a")
    made.deposit("b.jpg", b"b")
    files = renewal_files(made, local_tsa("first"))
    made.record(f"item:{first}", "access")
    return made, files


@cache
def archive() -> tuple[SampleArchive, Files]:
    return renewed_archive("usual")


def anchors(made: SampleArchive) -> Anchors:
    return Anchors(made.trust, local_tsa("first").roots)


@cache
def stored() -> tuple[tuple[str, bytes], ...]:
    made, files = archive()
    plan = made.plan(renewals=files, authority_roots={"first": local_tsa("first").authority.roots_pem})
    return tuple(unzip(write_plan(plan, made.seal)).items())


def insider(folder: Path, change: Callable[[Files], object]) -> BundleReport:
    """The holder of the seal key changes files, lists and seals everything again."""
    files = dict(stored())
    change(files)
    made = archive()[0]
    return verify_bundle(write_folder(reseal(files, made), folder / "bundle"), anchors(made))


def record_of(position: int) -> str:
    return f"{FOLDER}/{renewals.record_name(f'item:{archive()[0].items[position].item}')}"


def test_a_renewal_is_verified_and_told(tmp_path: Path) -> None:
    report = insider(tmp_path, lambda _: None)
    assert errors(report) == []
    assert report.checked["renewals"] == 1
    assert report.checked["evidence records"] == 3
    assert "SHA-512" in text_of(report, "renewed")
    assert not found(report, "renewal_none")
    assert "the other 1 of 9 events" in text_of(report, "limit_time"), "the event after it is not covered"


def test_without_roots_of_yours_a_renewal_is_whole_and_not_claimed(tmp_path: Path) -> None:
    files = dict(stored())
    report = verify_bundle(write_folder(files, tmp_path / "bundle"), Anchors(archive()[0].trust))
    assert errors(report) == []
    assert len(found(report, "tsa_not_anchored")) == 1
    assert "renewed" not in claimed(report)


def test_a_bundle_without_renewals_says_so(tmp_path: Path) -> None:
    made = archive()[0]
    report = verify_plan(made, made.plan(), tmp_path)
    assert [f.severity for f in found(report, "renewal_none")] == ["info"]


def signed(made: SampleArchive, size: int) -> bytes:
    """A checkpoint that the holder of the log key signs over no events at all."""
    text = checkpoint_text(Checkpoint(made.log_name, size, b"\x66" * 32))
    return sign_note(text, made.log_name, made._log_public, made._log_signer.sign)


def without_last_hash(files: Files) -> None:
    files[record_of(0)] = files[record_of(1)]


ATTACKS: dict[str, tuple[str, Callable[[Files], object]]] = {
    "record of another object": (record_of(0), without_last_hash),
    "record that is none": (record_of(0), lambda files: files.update({record_of(0): b"trust me"})),
    "record that is empty": (record_of(0), lambda files: files.update({record_of(0): b""})),
    "record of an object that is not here": (
        f"{FOLDER}/item_{'0' * 8}-0000-0000-0000-{'0' * 12}.ers",
        lambda files: files.update({f"{FOLDER}/item_{'0' * 8}-0000-0000-0000-{'0' * 12}.ers": files[record_of(0)]}),
    ),
    "checkpoint that is none": (
        f"{FOLDER}/checkpoint",
        lambda files: files.update({f"{FOLDER}/checkpoint": b"trust me"}),
    ),
    "checkpoint of now": (
        f"{FOLDER}/checkpoint",
        lambda files: files.update({f"{FOLDER}/checkpoint": files[layout.CHECKPOINT]}),
    ),
    "checkpoint of another log": (
        f"{FOLDER}/checkpoint",
        lambda files: files.update({f"{FOLDER}/checkpoint": renewed_archive("other")[0].note()}),
    ),
    "checkpoint newer than the bundle's": (
        f"{FOLDER}/checkpoint",
        lambda files: files.update({f"{FOLDER}/checkpoint": signed(archive()[0], archive()[0].log.size + 1)}),
    ),
    "checkpoint record of an object": (
        f"{FOLDER}/checkpoint",
        lambda files: files.update({f"{FOLDER}/checkpoint.ers": files[record_of(0)]}),
    ),
}


def without_proof(files: Files) -> None:
    del files[f"{FOLDER}/{renewals.CONSISTENCY}"]


CONTINUATIONS: dict[str, Callable[[Files], object]] = {
    "no proof": without_proof,
    "a proof that is none": lambda files: files.update({f"{FOLDER}/consistency": b"trust me\n"}),
    "a proof of nothing": lambda files: files.update({f"{FOLDER}/consistency": b"old 8\n"}),
    "a proof for another size": lambda files: files.update(
        {f"{FOLDER}/consistency": files[f"{FOLDER}/consistency"].replace(b"old 8", b"old 7")}
    ),
    "a proof of another log": lambda files: files.update({f"{FOLDER}/consistency": of_another_log()}),
}


def of_another_log() -> bytes:
    made, files = renewed_archive("another")
    return made.plan(renewals=files).renewals[f"{FOLDER}/consistency"]


@pytest.mark.parametrize("attack", CONTINUATIONS)
def test_a_renewal_that_the_bundles_log_is_not_shown_to_continue_does_not_count(attack: str, tmp_path: Path) -> None:
    report = insider(tmp_path, CONTINUATIONS[attack])
    assert subjects(report, "renewal_invalid") == {f"{FOLDER}/checkpoint"}
    assert "renewed" not in claimed(report)


def forked(made: SampleArchive, folder: Path, *, later: bool) -> BundleReport:
    """The holder of the log key renews another history than he tells in the bundle."""
    honest, lie = made.note, signed(made, made.log.size)
    made.note = lambda: lie  # type: ignore[method-assign]
    files = renewal_files(made, local_tsa("first"))
    made.note = honest  # type: ignore[method-assign]
    if later:
        made.record(f"item:{made.items[0].item}", "access")
    plan = made.plan(renewals=files, authority_roots={"first": local_tsa("first").authority.roots_pem})
    return verify_plan(made, plan, folder, anchors(made))


def test_a_renewal_of_another_log_of_the_same_size_proves_a_fork(tmp_path: Path) -> None:
    report = forked(renewed_archive("forked")[0], tmp_path, later=False)
    assert subjects(report, "log_forked") == {f"{FOLDER}/checkpoint"}
    assert not report.ok
    assert "renewed" not in claimed(report)


def test_a_renewal_of_another_log_that_was_smaller_does_not_count(tmp_path: Path) -> None:
    report = forked(renewed_archive("forked-before")[0], tmp_path, later=True)
    assert "consistency_invalid" in found(report, "renewal_invalid")[0].detail
    assert "renewed" not in claimed(report)


def test_a_renewal_of_the_very_checkpoint_of_the_bundle_needs_no_proof(tmp_path: Path) -> None:
    made = SampleArchive("renewal-same-size")
    made.deposit("a.jpg", b"a")
    files = renewal_files(made, local_tsa("first"))
    plan = made.plan(renewals=files, authority_roots={"first": local_tsa("first").authority.roots_pem})
    kept = {path: data for path, data in plan.renewals.items() if not path.endswith(renewals.CONSISTENCY)}
    files_of = unzip(write_plan(plan, made.seal))
    for path in plan.renewals.keys() - kept.keys():
        del files_of[path]
    report = verify_bundle(write_folder(reseal(files_of, made), tmp_path / "bundle"), anchors(made))
    assert errors(report) == []
    assert "renewed" in claimed(report)


def test_a_folder_of_a_renewal_with_more_digits_is_not_taken_for_another(tmp_path: Path) -> None:
    """`custody/renewals/0001` is none of `001`: what is missing in one is not looked for in the other."""
    path = f"{renewals.FOLDER}/0001/checkpoint.ers"
    report = insider(tmp_path, lambda files: files.update({path: files[f"{FOLDER}/checkpoint.ers"]}))
    assert "renewal 0001" in subjects(report, "check_not_run")


def test_an_evidence_record_too_large_to_be_real_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {len(data) for path, data in stored() if path.endswith(renewals.RECORD_SUFFIX)}
    monkeypatch.setattr(checks_renewals, "MAX_EVIDENCE_RECORD", max(sizes) - 1)
    report = insider(tmp_path, lambda _: None)
    (large,) = subjects(report, "file_too_large")
    assert large in subjects(report, "check_not_run")


def test_evidence_records_of_one_object_are_held_one_at_a_time(tmp_path: Path) -> None:
    """Each of a megabyte: six of them need no more memory than one."""
    hashes = tuple(number.to_bytes(64, "big") for number in range(16_000))
    empty = asn1.encode(asn1.SEQUENCE, b"")
    record = EvidenceRecord(((ArchiveTimeStamp("sha512", (hashes,), empty),),)).encode()
    made = archive()[0]
    name = renewals.record_name(f"item:{made.items[0].item}")
    peaks = []
    for number in (1, 6):
        more = {f"{renewals.renewal_folder(place)}/{name}": record for place in range(1, number + 1)}
        path = write_folder(reseal(dict(stored()) | more, made), tmp_path / f"bundle-{number}")
        tracemalloc.start()
        report = verify_bundle(path, anchors(made))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(found(report, "renewal_invalid")) == number
    assert peaks[1] < peaks[0] + 2 * len(record)


def test_evidence_records_larger_than_any_real_ones_together_count_as_not_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(dict(stored())[record_of(0)])
    monkeypatch.setattr(checks_renewals, "MAX_EVIDENCE_RECORDS", size + 10)
    report = insider(tmp_path, lambda _: None)
    assert report.checked["evidence records"] == 1
    assert len(found(report, "check_not_run")) == 2
    assert not report.ok


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_renewal_of_something_else_is_named(attack: str, tmp_path: Path) -> None:
    place, change = ATTACKS[attack]
    report = insider(tmp_path, change)
    assert place in subjects(report, "renewal_invalid"), errors(report)
    assert not report.ok
    assert "renewed" not in claimed(report)


def test_a_token_of_a_renewal_over_something_else_is_named(tmp_path: Path) -> None:
    path = f"{FOLDER}/{renewals.token_name('first')}"
    report = insider(tmp_path, lambda files: files.update({path: local_tsa("first").token(bytes(32))}))
    assert subjects(report, "timestamp_invalid") == {path}
    assert f"{FOLDER}/checkpoint" in subjects(report, "renewal_invalid")


@pytest.mark.parametrize("name", ["checkpoint", "checkpoint.ers"])
def test_a_renewal_without_a_part_counts_as_not_checked(name: str, tmp_path: Path) -> None:
    report = insider(tmp_path, lambda files: files.pop(f"{FOLDER}/{name}"))
    assert "renewal 001" in subjects(report, "check_not_run")
    assert not report.ok


def test_events_larger_than_any_real_ones_count_as_not_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks_renewals, "MAX_MEMBERS", 100)
    report = insider(tmp_path, lambda _: None)
    assert f"renewals of item:{archive()[0].items[0].item}" in subjects(report, "check_not_run")


def test_a_renewal_shows_that_a_receipt_is_older_than_the_theft_of_its_key(tmp_path: Path) -> None:
    made, files = renewed_archive("theft")
    stolen = fingerprint(made.seal_certificate)
    made.new_seal_key()
    made.introduce("seal", made.seal_certificate)
    made.change_key("compromise", "seal", stolen, rfc3339(LATER))
    plan = made.plan(renewals=files, authority_roots={"first": local_tsa("first").authority.roots_pem})
    assert errors(verify_plan(made, plan, tmp_path, anchors(made))) == []
    report = verify_plan(made, replace(plan, renewals={}), tmp_path, anchors(made))
    assert len(found(report, "key_compromised")) == 2


def test_a_renewal_shows_nothing_of_what_came_after_it(tmp_path: Path) -> None:
    """The receipt that the stolen key made later is named by an event that the evidence record is not over."""
    made = SampleArchive("renewal-after")
    made.deposit("a.jpg", b"a")
    item = made.items[0]
    events = made.events[f"item:{item.item}"]
    last = events.pop()  # as it was before the receipt's own event
    files = renewal_files(made, local_tsa("first"))
    events.append(last)
    stolen = fingerprint(made.seal_certificate)
    made.new_seal_key()
    made.introduce("seal", made.seal_certificate)
    made.change_key("compromise", "seal", stolen, rfc3339(LATER))
    plan = made.plan(renewals=files, authority_roots={"first": local_tsa("first").authority.roots_pem})
    report = verify_plan(made, plan, tmp_path, anchors(made))
    assert subjects(report, "key_compromised") == {f"{layout.receipt_path(item.item)}.p7s"}


def test_a_renewed_checkpoint_under_a_former_log_key_is_judged_by_the_history(tmp_path: Path) -> None:
    made, files = renewed_archive("former-log-key")
    former = made.log_vkey
    made.new_log_key()
    made.change_key("introduction", "log", made.log_vkey, rfc3339(EARLIER), material=made.log_vkey)
    roots = {"first": local_tsa("first").authority.roots_pem}
    report = verify_plan(made, made.plan(renewals=files, authority_roots=roots), tmp_path, anchors(made))
    assert errors(report) == []
    made.change_key("compromise", "log", former, rfc3339(NOW - timedelta(days=1)))
    report = verify_plan(made, made.plan(renewals=files, authority_roots=roots), tmp_path, anchors(made))
    assert subjects(report, "key_compromised") == {f"{FOLDER}/checkpoint"}


def test_a_trusted_log_key_is_enough_for_renewals(tmp_path: Path) -> None:
    made = archive()[0]
    trusted = Anchors(Trust([], made.trust.log_keys), local_tsa("first").roots)
    report = verify_bundle(write_folder(dict(stored()), tmp_path / "bundle"), trusted)
    assert errors(report) == []
    assert "renewed" in claimed(report)
