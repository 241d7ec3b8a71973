"""Attacks on the time stamps of a bundle: taken away, exchanged, damaged, invented; and stamps that are late."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest

from evidence_store import cades
from evidence_store.bundle import layout
from evidence_store.bundle.manifest import Stamp, TimeStatement
from evidence_store.bundle.plan import BundlePlan
from evidence_store.seal import seal_imprint, without_tokens
from evidence_store.verify.bundle_report import BundleReport
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.trust import Anchors, Trust
from tests.attested import NOW, claimed, errors, found, local_tsa, stamped_archive, subjects, text_of, verify_plan
from tests.bundles import SampleArchive, reseal, sample_archive, unzip, write_folder, write_plan

FIRST, SECOND = "CN=first TSA,O=Time for tests", "CN=second TSA,O=Time for tests"


@cache
def plan() -> BundlePlan:
    return stamped_archive().plan()


@cache
def stored() -> tuple[tuple[str, bytes], ...]:
    return tuple(unzip(write_plan(plan(), stamped_archive().seal)).items())


def anchors() -> Anchors:
    return stamped_archive().anchors


def verify(folder: Path, trusted: Anchors | None = None, **changes: object) -> BundleReport:
    return verify_plan(stamped_archive(), replace(plan(), **changes), folder, trusted)  # type: ignore[arg-type]


def insider(folder: Path, files: dict[str, bytes], trusted: Anchors | None = None) -> BundleReport:
    """The holder of the seal key lists and seals everything again."""
    return verify_bundle(write_folder(reseal(files, stamped_archive()), folder / "bundle"), trusted)


def receipt_seals() -> list[str]:
    return sorted(path for path, _ in stored() if path.endswith(".json.p7s"))


def with_tokens(seal: bytes, *tokens: bytes) -> bytes:
    """A seal with any tokens at all, which no program of ours would make."""
    return replace(cades.parse(without_tokens(seal)), tokens=tokens).encode()


def foreign_token() -> bytes:
    """A good token over something else."""
    return local_tsa("first").token(sha256(b"something else").digest())


# -- what is shown -----------------------------------------------------------------------------


def test_under_roots_that_you_gave_time_is_shown_for_events_bundle_and_receipts(tmp_path: Path) -> None:
    report = verify(tmp_path, anchors())
    assert [f for f in report.findings if f.severity != "info"] == []
    assert {"existed", "sealed_before", "receipts_stamped"} <= claimed(report)
    assert "limit_time" not in claimed(report)
    assert "under a root that you gave" in text_of(report, "existed")
    assert text_of(report, "receipts_stamped").startswith("2 of 2 receipts")
    assert report.checked["time stamps"] == 8
    assert {stamp.authority for stamp in report.facts.stamps} == {FIRST, SECOND}


def test_without_roots_of_yours_time_stamps_are_whole_and_prove_no_time(tmp_path: Path) -> None:
    report = verify(tmp_path)
    assert errors(report) == []
    assert len(found(report, "tsa_not_anchored")) == 2
    assert not {"existed", "sealed_before", "receipts_stamped"} & claimed(report)
    assert "anyone could have made one" in text_of(report, "limit_time")


def test_the_root_of_one_authority_anchors_that_one_alone(tmp_path: Path) -> None:
    report = verify(tmp_path, Anchors(anchors().trust, local_tsa("second").roots))
    assert errors(report) == []
    assert [f.detail for f in found(report, "tsa_not_anchored")] == [f"The time stamp is by {FIRST}."]
    assert "CN=second TSA" in text_of(report, "existed")


def test_an_archives_trust_file_cannot_vouch_for_time(tmp_path: Path) -> None:
    own = anchors().trust
    assert own is not None
    generous = Trust([*own.roots, *local_tsa("first").roots, *local_tsa("second").roots], own.log_keys, own.pq_keys)
    report = verify(tmp_path, Anchors(generous))
    assert len(found(report, "tsa_not_anchored")) == 2
    assert "existed" not in claimed(report)


def test_a_bundle_without_any_authority_says_that_nothing_is_stamped(tmp_path: Path) -> None:
    plain = sample_archive("unstamped")
    report = verify_plan(plain, plain.plan(), tmp_path, plain.anchors)
    assert [f.severity for f in found(report, "timestamp_none")] == ["info"]
    assert "there is no trusted time stamp" in text_of(report, "limit_time")


# -- late, refused, taken away -----------------------------------------------------------------


@pytest.mark.parametrize(("state", "code"), [("pending", "timestamp_pending"), ("failed", "timestamp_failed")])
def test_a_time_stamp_that_did_not_come_is_said_and_never_claimed(state: str, code: str, tmp_path: Path) -> None:
    late = sample_archive("late", tsas={"first": local_tsa("first")})
    statement = TimeStatement(["first"], [Stamp(f"checkpoint:{late.log.size}", "first", state)])
    bare = replace(late.plan(), tokens={}, time=statement)
    path = tmp_path / "bundle.zip"
    path.write_bytes(write_plan(bare, late.bare_seal))
    report = verify_bundle(path, late.anchors)
    assert errors(report) == []
    assert layout.CHECKPOINT in subjects(report, code)
    assert [f.detail for f in found(report, "timestamp_pending") if f.subject == layout.SEAL] == [
        "It has 0 of 1 time stamps."
    ]
    assert not {"existed", "sealed_before"} & claimed(report)
    assert not found(report, "timestamp_none")


def test_a_receipt_whose_time_stamp_is_late_is_named(tmp_path: Path) -> None:
    archive = stamped_archive()
    item = archive.items[0]
    bare = replace(item, receipt_signature=without_tokens(item.receipt_signature))
    time = plan().time
    assert time is not None
    stamps = [replace(s, state="pending") if s.subject == f"receipt:{item.item}" else s for s in time.stamps]
    report = verify(tmp_path, anchors(), items=[bare, *archive.items[1:]], time=TimeStatement(time.authorities, stamps))
    assert errors(report) == []
    assert subjects(report, "timestamp_pending") == {f"{layout.receipt_path(item.item)}.p7s"}
    assert text_of(report, "receipts_stamped").startswith("1 of 2 receipts")


def test_a_time_stamp_taken_off_a_receipt_is_named_and_the_receipt_stands(tmp_path: Path) -> None:
    archive = stamped_archive()
    item = archive.items[0]
    bare = replace(item, receipt_signature=without_tokens(item.receipt_signature))
    report = verify(tmp_path, anchors(), items=[bare, *archive.items[1:]])
    place = f"{layout.receipt_path(item.item)}.p7s"
    assert errors(report) == [
        f"timestamp_invalid {place}: manifest.json says 2 time stamp(s), 0 are here.",
    ]


def test_a_time_stamp_taken_off_the_seal_is_said_to_be_missing(tmp_path: Path) -> None:
    files = dict(stored())
    files[layout.SEAL] = without_tokens(files[layout.SEAL])
    report = verify_bundle(write_folder(files, tmp_path / "bundle"), anchors())
    assert errors(report) == []
    assert [f.detail for f in found(report, "timestamp_pending")] == ["It has 0 of 2 time stamps."]
    assert "sealed_before" not in claimed(report)


def test_a_time_stamp_taken_off_the_checkpoint_is_named(tmp_path: Path) -> None:
    files = dict(stored())
    del files[layout.token_path("first")]
    report = insider(tmp_path, files, anchors())
    assert [f.detail for f in found(report, "timestamp_invalid")] == [
        "The time stamp of first should be here and is not."
    ]


# -- exchanged, damaged, invented ----------------------------------------------------------------


@pytest.mark.parametrize("der", [b"", b"trust me", b"0\x00"], ids=["empty", "text", "empty-sequence"])
def test_a_token_that_is_none_is_named(der: bytes, tmp_path: Path) -> None:
    path = layout.token_path("second")
    report = insider(tmp_path, dict(stored()) | {path: der}, anchors())
    assert subjects(report, "timestamp_invalid") == {path}
    assert "existed" in claimed(report)  # by the other authority


def test_a_token_over_another_checkpoint_is_refused(tmp_path: Path) -> None:
    path = layout.token_path("first")
    report = insider(tmp_path, dict(stored()) | {path: foreign_token()}, anchors())
    assert [f.subject for f in found(report, "timestamp_invalid")] == [path]
    assert "timestamp_imprint_mismatch" in found(report, "timestamp_invalid")[0].detail


def test_a_token_of_another_seal_spoils_itself_and_not_the_seal(tmp_path: Path) -> None:
    first, second = receipt_seals()
    files = dict(stored())
    others = cades.parse(files[second]).tokens
    files[first] = with_tokens(files[first], *others)
    report = verify_bundle(write_folder(files, tmp_path / "bundle"), anchors())
    assert {first} <= subjects(report, "timestamp_invalid")
    assert not found(report, "receipt_seal_invalid")


def test_a_token_in_the_bundles_seal_over_something_else_is_named(tmp_path: Path) -> None:
    files = dict(stored())
    files[layout.SEAL] = with_tokens(files[layout.SEAL], foreign_token())
    report = verify_bundle(write_folder(files, tmp_path / "bundle"), anchors())
    assert subjects(report, "timestamp_invalid") == {layout.SEAL}
    assert not found(report, "seal_invalid")
    assert "sealed_before" not in claimed(report)


def test_a_forgers_own_authority_under_a_known_name_is_not_trusted(tmp_path: Path) -> None:
    """He dates everything back, with an authority of his own that bears the name of a known one."""
    forger = replace(local_tsa("third"), at=NOW - timedelta(minutes=30))
    archive = SampleArchive("forger", tsas={"first": forger})
    archive.deposit("a.jpg", b"a")
    report = verify_plan(archive, archive.plan(), tmp_path, Anchors(archive.trust, local_tsa("first").roots))
    assert len(found(report, "tsa_not_anchored")) == 1
    assert "existed" not in claimed(report)
    assert "No time stamp over them stands under a root that you gave" in text_of(report, "limit_time")


def test_a_token_without_any_root_to_check_it_against_is_an_error(tmp_path: Path) -> None:
    files = dict(stored())
    for name in ("first", "second"):
        del files[layout.authority_roots_path(name)]
    report = insider(tmp_path, files)
    assert layout.token_path("first") in subjects(report, "timestamp_invalid")
    assert "timestamp_untrusted" in found(report, "timestamp_invalid")[0].detail
    assert errors(insider(tmp_path, files, anchors())) == []


def test_roots_that_are_none_are_named(tmp_path: Path) -> None:
    path = layout.authority_roots_path("first")
    report = insider(tmp_path, dict(stored()) | {path: b"trust me"})
    assert path in subjects(report, "key_malformed")


def test_a_state_that_nobody_knows_makes_the_manifest_malformed(tmp_path: Path) -> None:
    files = dict(stored())
    files[layout.MANIFEST] = files[layout.MANIFEST].replace(b'"state":"done"', b'"state":"best"', 1)
    report = insider(tmp_path, files, anchors())
    assert f"{layout.MANIFEST} time.stamps[0]" in subjects(report, "manifest_malformed")


def test_a_seals_imprint_is_that_of_the_bare_seal() -> None:
    seal = dict(stored())[layout.SEAL]
    assert seal_imprint(seal) == seal_imprint(without_tokens(seal))
