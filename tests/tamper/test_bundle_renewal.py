"""Attacks on the renewals in a bundle (RFC 4998), and what an honest one shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest

from evidence_store.bundle import layout, renewals
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
    assert "limit_time" not in claimed(report)


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
    "checkpoint record of an object": (
        f"{FOLDER}/checkpoint",
        lambda files: files.update({f"{FOLDER}/checkpoint.ers": files[record_of(0)]}),
    ),
}


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
