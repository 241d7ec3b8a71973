"""Bundles that would have the verifier say more than was shown: each sentence claims what was verified and no more."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_store import asn1
from evidence_store.bundle import layout, renewals
from evidence_store.bundle.plan import BundlePlan
from evidence_store.errors import EvidenceStoreError
from evidence_store.keys.cosigner import Cosigner
from evidence_store.keys.file import generate_mldsa44
from evidence_store.log.cosignature import MLDSA44_COSIGNER, add_lines, cosigner_key, format_cosigner_vkey
from evidence_store.log.note import split_note
from evidence_store.log.policy import Policy, parse_policy
from evidence_store.verify.bundle_report import BundleReport
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.facts import KINDS, PROVEN, Stamp, quoted
from evidence_store.verify.page import as_html
from evidence_store.verify.stamps import TOLERANCE
from evidence_store.verify.trust import Anchors, Trust, parse_trust
from tests import bundles
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
    stamped_archive,
    subjects,
    text_of,
    verify_plan,
)
from tests.bundles import SampleArchive, fingerprint, write_plan
from tests.tsa import END, LocalTsa, Wanted, authority

ROOTS = {"first": local_tsa("first").authority.roots_pem}


def archive(seed: str, **tsas: LocalTsa) -> SampleArchive:
    """An archive with one item."""
    made = SampleArchive(f"claims-{seed}", tsas=tsas)
    made.deposit("a.jpg", b"a")
    return made


def verified(made: SampleArchive, folder: Path, anchors: Anchors | None = None, **changes: object) -> BundleReport:
    return verify_plan(made, replace(made.plan(), **changes), folder, anchors)  # type: ignore[arg-type]


# -- a key history that was cut short ----------------------------------------------------------------------------------


@cache
def robbery() -> tuple[SampleArchive, BundlePlan]:
    """An archive whose log says since when the seal key is stolen; the thief's bundle has the same checkpoint.

    His bundle leaves the newest key event out, and proves the one before.
    """
    made = archive("robbed")
    before = made.index[made.keys_object]
    made.change_key("compromise", "seal", fingerprint(made.seal_certificate), rfc3339(EARLIER))
    with mock.patch.dict(made.events, {made.keys_object: made.events[made.keys_object][:-1]}):
        plan = made.plan()
    return made, replace(plan, proofs={**plan.proofs, made.keys_object: made.proof(before, plan.checkpoint)})


def robbed() -> SampleArchive:
    return robbery()[0]


def told(made: SampleArchive, *lines: str) -> Anchors:
    """A trust file of the archive's keys, with more lines."""
    text = f"{made.ca_pem.decode()}\n{made.log_vkey}\n{made.pq_vkey}\n" + "\n".join(lines)
    return Anchors(parse_trust(text.encode()))


def theft(made: SampleArchive, since: str = "2026-01-31") -> str:
    return f"compromised seal {fingerprint(made.seal_certificate)} since {since}"


def test_a_history_is_claimed_as_far_as_it_is_in_the_bundle_and_no_further(tmp_path: Path) -> None:
    report = verify_plan(*robbery(), tmp_path, robbed().anchors)
    assert errors(report) == []
    assert text_of(report, "keys_known").startswith("By the 4 key events in this bundle, the newest of 2026-11-22T10:0")
    limit = text_of(report, "limit_later_keys")
    assert "also among its first 7 entries" in limit
    assert "who makes a bundle can leave the newest out" in limit


def test_a_newer_trust_file_tells_of_a_theft_that_the_bundle_conceals(tmp_path: Path) -> None:
    report = verify_plan(*robbery(), tmp_path, told(robbed(), theft(robbed())))
    assert subjects(report, "key_history_older") == {layout.SEAL}
    assert {layout.SEAL} <= subjects(report, "key_compromised")
    assert not {"sealed", "received", "keys_known"} & claimed(report), "nothing rests on a stolen key"
    assert not report.ok


def test_a_trust_file_that_knows_no_more_than_the_bundle_says_nothing_of_its_history(tmp_path: Path) -> None:
    report = verified(robbed(), tmp_path, told(robbed(), theft(robbed(), rfc3339(LATER))))
    assert not found(report, "key_history_older")
    assert found(report, "key_compromised")


def test_a_theft_that_the_bundle_puts_later_than_the_trust_file_is_named(tmp_path: Path) -> None:
    made = archive("later-theft")
    made.change_key("compromise", "seal", fingerprint(made.seal_certificate), rfc3339(LATER))
    assert subjects(verified(made, tmp_path, told(made, theft(made))), "key_history_older") == set()  # as bad already
    stamped = archive("later-theft-stamped", first=local_tsa())
    stamped.change_key("compromise", "seal", fingerprint(stamped.seal_certificate), rfc3339(LATER))
    anchors = replace(told(stamped, theft(stamped)), time_roots=local_tsa().roots)
    report = verified(stamped, tmp_path, anchors)
    assert subjects(report, "key_history_older") == {layout.SEAL}
    assert found(report, "key_compromised")


def test_an_honest_bundle_from_before_the_theft_still_verifies_with_the_trust_file_of_today(tmp_path: Path) -> None:
    made = archive("before-theft", first=local_tsa())
    anchors = replace(told(made, theft(made, rfc3339(LATER))), time_roots=local_tsa().roots)
    report = verified(made, tmp_path, anchors)
    assert [f for f in report.findings if f.severity != "info"] == []
    assert "and by your trust file" in text_of(report, "keys_known")
    assert found(verified(made, tmp_path, told(made, theft(made, rfc3339(LATER)))), "key_compromised"), "unproven"


@pytest.mark.parametrize("use", ["ca", "seal", "log", "pq"])
def test_a_retirement_that_only_the_trust_file_knows_counts_for_every_use(use: str, tmp_path: Path) -> None:
    made = archive(f"retired-{use}")
    names = {"ca": fingerprint(made.ca), "seal": fingerprint(made.seal_certificate)}
    names |= {"log": made.log_vkey, "pq": made.pq_vkey}
    for word, code in (("retired {} {} at {}", "key_retired"), ("compromised {} {} since {}", "key_compromised")):
        line = word.format(use, names[use], "2025-01-31T12:00:00Z")
        report = verified(made, tmp_path, told(made, line))
        assert found(report, code)
        assert len(found(report, "key_history_older")) == 1


def test_without_any_history_the_trust_file_is_still_heard(tmp_path: Path) -> None:
    old = archive("old")
    path = tmp_path / "bundle.zip"
    path.write_bytes(write_plan(bundles.old_plan(old), old.bare_seal))
    report = verify_bundle(path, told(old, theft(old)))
    assert layout.SEAL in subjects(report, "key_compromised")
    assert not found(report, "key_history_older")
    assert {key.history for key in verify_bundle(path, old.anchors).facts.keys} == {""}


def test_of_several_dates_of_one_key_the_earliest_counts() -> None:
    made = robbed()
    lines = [theft(made, "2026-03-01"), theft(made, "2026-02-01T00:00:00.5Z"), theft(made, "2026-04-01")]
    retired = [theft(made, day).replace("compromised", "retired").replace("since", "at") for day in ("2027-01-01",)]
    trust = told(made, *lines, *retired).trust
    assert trust is not None
    (record,) = trust.told
    assert record.compromised == datetime(2026, 2, 1, 0, 0, 0, 500_000, tzinfo=UTC)
    assert record.retired == datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "line",
    [
        "compromised seal abc since 2026-01-31",
        "compromised king {} since 2026-01-31",
        "compromised seal {} since 2026-02-31",
        "compromised seal {} since yesterday",
        "compromised seal {} at 2026-01-31",
        "retired seal {} since 2026-01-31",
        "compromised seal {}",
        "compromised log {} since 2026-01-31",
        "compromised pq {} since 2026-01-31",
        "compromised seal {} since 2026-01-31T12:00:00",
        "Compromised seal {} since 2026-01-31",
    ],
)
def test_a_fate_with_a_typing_error_is_refused_and_not_passed_over(line: str) -> None:
    made = robbed()
    with pytest.raises(EvidenceStoreError, match="trust_file_malformed"):
        told(made, line.format(fingerprint(made.seal_certificate)))


@given(st.sampled_from(["compromised ", "retired ", "introduced "]), st.text(max_size=200), st.binary(max_size=20))
def test_any_line_on_the_fate_of_a_key_is_read_or_refused(word: str, rest: str, more: bytes) -> None:
    keys = f"{robbed().log_vkey}\n{word}".encode()
    with contextlib.suppress(EvidenceStoreError):
        trust = parse_trust(keys + rest.encode("utf-8", "surrogatepass") + more)
        assert trust.told or trust.pq_since


def test_more_fates_than_an_archive_can_have_are_refused() -> None:
    with pytest.raises(EvidenceStoreError, match="trust_file_malformed"):
        told(robbed(), *[theft(robbed())] * 1001)


# -- time: how far off, how old, how long ------------------------------------------------------------------------------


def odd_tsa(folder: Path, name: str, **changes: object) -> LocalTsa:
    return LocalTsa(folder / name, authority(name), **changes)  # type: ignore[arg-type]


def test_a_time_is_as_late_as_the_authority_says_that_its_clock_may_be(tmp_path: Path) -> None:
    accuracy = asn1.encode(asn1.SEQUENCE, asn1.integer(3600))
    made = archive("vague", vague=odd_tsa(tmp_path, "vague", at=NOW, changes={"after_time": accuracy}))
    later = (NOW + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    report = verified(made, tmp_path, made.anchors)
    assert errors(report) == []
    for code in ("existed", "sealed_before", "receipts_stamped"):
        assert f"before {later}" in text_of(report, code)
    stamp = report.as_json()["time_stamps"][0]
    assert (stamp["accuracy"], stamp["existed_before"]) == (3600.0, later)
    assert stamp["time"] != later
    assert "3600 s" in as_html(report, "x", NOW)
    half_an_hour = rfc3339(NOW + timedelta(minutes=30))  # after the token's time, before the end of its accuracy
    made.change_key("compromise", "seal", fingerprint(made.seal_certificate), half_an_hour)
    assert found(verified(made, tmp_path, made.anchors), "key_compromised")


def test_an_accuracy_beyond_all_calendars_proves_nothing_and_breaks_nothing() -> None:
    edge = datetime(9999, 12, 31, tzinfo=UTC)
    stamp = Stamp("x", edge, "CN=x", edge, trusted=True, accuracy=timedelta(days=365))
    assert stamp.before == datetime.max.replace(tzinfo=UTC)
    assert stamp.as_json()["existed_before"].startswith("9999-12-31T23:59:59")  # type: ignore[union-attr]


def test_a_time_stamp_older_than_what_it_is_over_is_named_and_proves_nothing(tmp_path: Path) -> None:
    made = archive("early", early=odd_tsa(tmp_path, "early", at=datetime(2021, 6, 1, tzinfo=UTC)))
    made.change_key("compromise", "seal", fingerprint(made.seal_certificate), rfc3339(EARLIER))
    report = verified(made, tmp_path, made.anchors)
    receipt = f"{layout.receipt_path(made.items[0].item)}.p7s"
    assert subjects(report, "timestamp_too_early") == {layout.token_path("early"), layout.SEAL, receipt}
    assert {f.severity for f in found(report, "timestamp_too_early")} == {"warning"}
    assert {layout.SEAL, receipt} == subjects(report, "key_compromised"), "no verdict rests on such a time"
    assert not {"existed", "sealed_before", "receipts_stamped"} & claimed(report)
    assert "time stamps" not in report.checked


def test_a_receipt_that_claims_to_be_younger_than_the_stamped_log_that_names_it_is_named(tmp_path: Path) -> None:
    made = SampleArchive("claims-young-receipt")
    made.started, begun = LATER, made.started
    made.deposit("a.jpg", b"a")
    made.started, made.tsas = begun, {"first": local_tsa()}
    report = verified(made, tmp_path, made.anchors)
    assert subjects(report, "timestamp_too_early") == {f"{layout.receipt_path(made.items[0].item)}.p7s"}
    assert "receipts_stamped" not in claimed(report)
    made.change_key("compromise", "seal", fingerprint(made.seal_certificate), rfc3339(LATER))
    receipt = f"{layout.receipt_path(made.items[0].item)}.p7s"
    assert receipt in subjects(verified(made, tmp_path, made.anchors), "key_compromised"), "its age is not proven"


def test_a_deposit_made_while_the_clock_was_ahead_stays_good_for_ever(tmp_path: Path) -> None:
    """Its time stamp counts for nothing; the bundle is as good as one without that time stamp."""
    made = SampleArchive("claims-clock-ahead", tsas={"first": local_tsa()})
    begun, made.started = made.started, NOW + timedelta(hours=1)
    made.deposit("ahead.jpg", b"a")
    made.started = begun
    made.deposit("right.jpg", b"b")
    report = verified(made, tmp_path, made.anchors)
    assert errors(report) == []
    assert report.as_json()["verdict"] == "verified"
    assert subjects(report, "timestamp_too_early") == {f"{layout.receipt_path(made.items[0].item)}.p7s"}
    assert {"sealed", "logged", "received", "existed", "sealed_before"} <= claimed(report)
    assert "1 of 2 receipts carry a time stamp" in text_of(report, "receipts_stamped")


def test_a_key_event_dated_ahead_makes_no_bundle_fail(tmp_path: Path) -> None:
    made = SampleArchive("claims-key-ahead", tsas={"first": local_tsa()})
    ahead = rfc3339(NOW + timedelta(hours=1))
    made.deposit("a.jpg", b"a")
    made.new_log_key()
    said = {"change": "introduction", "use": "log", "key": made.log_vkey, "material": made.log_vkey, "at": ahead}
    made.record(made.keys_object, "key change", details={**said, "reason": "a test"}, time=ahead)
    report = verified(made, tmp_path, made.anchors)
    assert errors(report) == []
    assert {layout.token_path("first"), layout.SEAL} <= subjects(report, "timestamp_too_early")
    assert not {"existed", "sealed_before"} & claimed(report)


def test_a_clock_that_is_a_little_ahead_is_not_named(tmp_path: Path) -> None:
    for off, wrong in ((TOLERANCE, False), (TOLERANCE + timedelta(seconds=2), True)):
        made = SampleArchive(f"claims-ahead-{wrong}")
        made.started = NOW
        made.tsas["ahead"] = odd_tsa(tmp_path, f"ahead-{wrong}", at=NOW - off)
        made.deposit("a.jpg", b"a")
        report = verified(made, tmp_path, made.anchors)
        assert (layout.SEAL in subjects(report, "timestamp_too_early")) == wrong


def test_an_evidence_record_older_than_its_events_is_named_and_proves_nothing(tmp_path: Path) -> None:
    tsa = replace(local_tsa("first"), at=datetime(2021, 6, 1, tzinfo=UTC))
    made = archive("early-record")
    plan = made.plan(renewals=renewal_files(made, tsa), authority_roots=ROOTS)
    report = verify_plan(made, plan, tmp_path, Anchors(made.trust, tsa.roots))
    name = f"{renewals.renewal_folder(1)}/{renewals.record_name(f'item:{made.items[0].item}')}"
    assert {name, f"{renewals.renewal_folder(1)}/{renewals.CHECKPOINT}"} <= subjects(report, "timestamp_too_early")
    assert "renewed" not in claimed(report)
    assert "limit_time" in claimed(report)


def test_a_time_stamp_whose_certificate_has_expired_is_said_to_have_lapsed(tmp_path: Path) -> None:
    made = stamped_archive()
    path = tmp_path / "bundle.zip"
    path.write_bytes(write_plan(made.plan(), made.seal))
    today = verify_bundle(path, made.anchors)
    assert not found(today, "timestamp_lapsed")
    assert "lapsed" not in text_of(today, "existed")
    report = verify_bundle(path, made.anchors, END + timedelta(days=1))
    assert errors(report) == []
    assert [f.severity for f in found(report, "timestamp_lapsed")] == ["warning", "warning"], "one for each authority"
    assert all("with 3 more" in f.detail for f in found(report, "timestamp_lapsed"))
    for code in ("existed", "sealed_before"):
        assert "expired at 2049-01-01T00:00:00Z and was not renewed" in text_of(report, code)
    assert "2 of these time stamps are by certificates that have expired" in text_of(report, "receipts_stamped")


def test_a_time_stamp_that_holds_is_named_rather_than_an_older_one_that_does_not(tmp_path: Path) -> None:
    brief = authority("brief")
    soon = NOW + timedelta(days=30)
    issued = Wanted("brief TSA", valid=(NOW - timedelta(days=30), soon)).issue(brief.root)
    short = LocalTsa(tmp_path / "brief", replace(brief, tsa=issued), at=NOW - timedelta(minutes=5))
    made = archive("brief", brief=short, first=local_tsa())
    path = tmp_path / "bundle.zip"
    path.write_bytes(write_plan(made.plan(), made.seal))
    assert "brief TSA" in text_of(verify_bundle(path, made.anchors), "existed")
    report = verify_bundle(path, made.anchors, soon + timedelta(days=1))
    assert len(found(report, "timestamp_lapsed")) == 1
    assert "first TSA" in text_of(report, "existed")
    assert "expired" not in text_of(report, "existed")


def renewed_plan(folder: Path, at: datetime | None = None) -> tuple[SampleArchive, BundlePlan, Anchors, datetime]:
    """An archive whose authority's certificate runs out soon, and which renewed its history, now or at another time."""
    brief = authority("brief")
    soon = NOW + timedelta(days=30)
    issued = Wanted("brief TSA", valid=(NOW - timedelta(days=30), soon)).issue(brief.root)
    short = LocalTsa(folder / "brief", replace(brief, tsa=issued))
    made = archive("renewed-brief", brief=short)
    plan, first = made.plan(), replace(local_tsa(), at=at)
    note, token, real = plan.checkpoint, plan.tokens["brief"], LocalTsa.token

    def kept(self: LocalTsa, imprint: bytes, algorithm: str = "sha256") -> bytes:
        """The renewal is of the very time stamp that the bundle has, too."""
        return token if imprint == sha256(note).digest() else real(self, imprint, algorithm)

    with mock.patch.object(made, "note", return_value=note), mock.patch.object(LocalTsa, "token", kept):
        files = renewal_files(made, first)
    roots = {**plan.authority_roots, "first": first.authority.roots_pem}
    anchors = Anchors(made.trust, [*short.roots, *first.roots])
    return made, replace(plan, renewals=files, authority_roots=roots), anchors, soon


def test_a_renewal_that_holds_keeps_a_time_stamp_from_lapsing(tmp_path: Path) -> None:
    made, plan, anchors, soon = renewed_plan(tmp_path)
    path = tmp_path / "bundle.zip"
    path.write_bytes(write_plan(plan, made.seal))
    report = verify_bundle(path, anchors, soon + timedelta(days=1))
    assert errors(report) == []
    (lapsed,) = found(report, "timestamp_lapsed")
    assert (lapsed.subject, "more" in lapsed.detail) == (layout.SEAL, False), "the seal alone is under no renewal"
    assert "expired" not in text_of(report, "existed")
    assert "expired" in text_of(report, "sealed_before")
    both = verify_bundle(path, anchors, END + timedelta(days=1))
    assert len(found(both, "timestamp_lapsed")) == 2
    assert "renewed" not in claimed(both), "a renewal that has lapsed itself holds nothing"


def test_a_renewal_made_after_the_expiry_carries_nothing_on(tmp_path: Path) -> None:
    made, plan, anchors, soon = renewed_plan(tmp_path, NOW + timedelta(days=31))
    path = tmp_path / "bundle.zip"
    path.write_bytes(write_plan(plan, made.seal))
    report = verify_bundle(path, anchors, soon + timedelta(days=2))
    (lapsed,) = found(report, "timestamp_lapsed")
    assert "with 3 more" in lapsed.detail, "the seal, the receipt, the checkpoint, and the renewed checkpoint"
    assert "expired" in text_of(report, "existed")
    assert "renewed" in claimed(report), "of the events themselves it shows that they existed when it was made"


# -- renewals: which events, and by what -------------------------------------------------------------------------------


def renewal_report(made: SampleArchive, files: Mapping[str, bytes], folder: Path) -> BundleReport:
    plan = made.plan(renewals=files, authority_roots=ROOTS)
    return verify_plan(made, plan, folder, Anchors(made.trust, local_tsa().roots))


def test_a_renewal_without_records_of_the_objects_holds_none_of_their_events(tmp_path: Path) -> None:
    made = archive("no-records")
    files = {path: data for path, data in renewal_files(made, local_tsa()).items() if "/checkpoint" in path}
    report = renewal_report(made, files, tmp_path)
    assert errors(report) == []
    assert "renewed" not in claimed(report)
    assert "limit_time" in claimed(report)


def test_a_record_over_the_oldest_events_holds_those_and_says_how_many(tmp_path: Path) -> None:
    made = archive("oldest")
    item = f"item:{made.items[0].item}"
    files = renewal_files(made, local_tsa())
    for _ in range(20):
        made.record(item, "access")
    report = renewal_report(made, files, tmp_path)
    assert text_of(report, "renewed").startswith("6 of 26 events, of 2 of 2 objects, the oldest of each, are also held")
    assert "the other 20 of 26 events" in text_of(report, "limit_time")
    again = renewal_files(made, local_tsa(), 2)
    whole = renewal_report(made, files | again, tmp_path)
    assert text_of(whole, "renewed").startswith("26 of 26 events, of 2 of 2 objects, are also held by SHA-512")
    assert "limit_time" not in claimed(whole)
    name = renewals.record_name(item)
    again[f"{renewals.renewal_folder(2)}/{name}"] = files[f"{renewals.renewal_folder(1)}/{name}"]
    assert text_of(renewal_report(made, again, tmp_path), "renewed").startswith("6 of 26 events")


def test_a_renewal_with_sha_256_is_not_said_to_survive_it(tmp_path: Path) -> None:
    made = archive("weak")
    files = renewal_files(made, local_tsa(), algorithm="sha256")
    report = renewal_report(made, files, tmp_path)
    assert errors(report) == []
    assert report.checked["evidence records"] == 2
    assert "held by SHA-512" not in text_of(report, "renewed")
    assert "should SHA-256 fail, they fail with it" in text_of(report, "renewed")


def test_survival_of_sha_256_is_claimed_only_when_the_authority_does_without_it_too(tmp_path: Path) -> None:
    for digest, survives in (("sha256", False), ("sha512", True)):
        tsa = LocalTsa(tmp_path / digest, authority("first"), signer_digest=digest)
        made = archive(f"signer-{digest}")
        plan = made.plan(renewals=renewal_files(made, tsa), authority_roots={"first": tsa.authority.roots_pem})
        report = verify_plan(made, plan, tmp_path, Anchors(made.trust, tsa.roots))
        assert "held by SHA-512" in text_of(report, "renewed")
        assert ("should SHA-256 or an older time stamp fail" in text_of(report, "renewed")) == survives


def test_a_record_is_compared_with_the_times_of_the_events_that_it_is_over(tmp_path: Path) -> None:
    """The middle one of three is the first over an event dated ahead; in what order they come makes no difference."""
    made = archive("event-ahead")
    item = f"item:{made.items[0].item}"
    files = renewal_files(made, local_tsa())
    for number, time in ((2, NOW + timedelta(hours=1)), (3, EARLIER)):
        made.record(item, "access", time=rfc3339(time))
        files |= renewal_files(made, local_tsa(), number)
    paths = [f"{renewals.renewal_folder(number)}/{renewals.record_name(item)}" for number in (1, 2, 3)]
    assert subjects(renewal_report(made, files, tmp_path), "timestamp_too_early") == {paths[1], paths[2]}
    files[paths[0]], files[paths[2]] = files[paths[2]], files[paths[0]]
    assert subjects(renewal_report(made, files, tmp_path), "timestamp_too_early") == {paths[0], paths[1]}


# -- receipts, witnesses, the second signature -------------------------------------------------------------------------


def test_of_several_stamped_receipts_the_oldest_and_all_are_dated_each_by_its_own(tmp_path: Path) -> None:
    tsa = odd_tsa(tmp_path, "two", at=NOW - timedelta(minutes=5))
    made = archive("receipts", two=tsa)
    oldest, newest = (time.isoformat().replace("+00:00", "Z") for time in (NOW - timedelta(minutes=5), NOW))
    text = text_of(verified(made, tmp_path, made.anchors), "receipts_stamped")
    assert text == f"1 of 1 receipts carry a time stamp of their own: it was sealed before {oldest}."
    tsa.at = NOW
    made.deposit("b.jpg", b"b")
    text = text_of(verified(made, tmp_path, made.anchors), "receipts_stamped")
    whole = f"all of these were sealed before {newest}, the oldest before {oldest}"
    assert text == f"2 of 2 receipts carry a time stamp of their own: {whole}."


def zero_witness() -> tuple[Cosigner, Policy]:
    key = generate_mldsa44()
    cosigner = Cosigner(cosigner_key("w.example", MLDSA44_COSIGNER, key.public_key().public_bytes_raw()), key.sign)
    vkey = format_cosigner_vkey(cosigner.key.name, cosigner.key.algorithm, cosigner.key.public_key)
    return cosigner, parse_policy(f"witness w {vkey}\nquorum w\n")


def test_a_co_signature_without_a_time_is_shown_so_and_witnesses_nothing(tmp_path: Path) -> None:
    cosigner, policy = zero_witness()
    made = archive("no-time")
    plan = made.plan()
    text = split_note(plan.checkpoint)[0]
    anchors = Anchors(made.trust, (), policy)
    lines = [cosigner.line(text, 0)]
    report = verify_plan(made, replace(plan, cosigned=add_lines(plan.checkpoint, lines)), tmp_path, anchors)
    assert [seen.time for seen in report.facts.witnesses] == ["no time"]
    assert found(report, "witness_quorum_unmet")
    assert "witnessed" not in claimed(report)
    for order in ([0, 1_700_000_000], [1_700_000_000, 0]):
        lines = [cosigner.line(text, at) for at in order]
        both = verify_plan(made, replace(plan, cosigned=add_lines(plan.checkpoint, lines)), tmp_path, anchors)
        assert errors(both) == [], "the same witness, once with a time"
        assert "witnessed" in claimed(both)


def test_a_second_signature_by_a_key_of_the_forgers_is_not_claimed(tmp_path: Path) -> None:
    """He has a genuine checkpoint and no key of the archive; the caller trusts the log's first key alone."""
    made, forger = archive("genuine"), SampleArchive("claims-forger")
    plan = made.plan()
    bare = b"".join(plan.checkpoint.splitlines(keepends=True)[:5])
    key = generate_mldsa44()
    own = cosigner_key(made.log_name, MLDSA44_COSIGNER, key.public_key().public_bytes_raw())
    note = add_lines(bare, [Cosigner(own, key.sign).line(split_note(bare)[0], 0)])
    forged = replace(
        plan,
        events=[line for line in plan.events if json.loads(line)["object"] != made.keys_object],
        proofs={name: made.proof(at, note) for name, at in made.index.items() if name != made.keys_object},
        checkpoint=note,
        log_vkey=f"{made.log_vkey}\n{format_cosigner_vkey(made.log_name, MLDSA44_COSIGNER, own.public_key)}",
        ca_pem=forger.ca_pem + made.ca_pem,
        seal_pem=bundles.pem(forger.certificates),
    )
    path = tmp_path / "bundle.zip"
    path.write_bytes(write_plan(forged, forger.seal))
    report = verify_bundle(path, Anchors(Trust([], made.trust.log_keys)))
    assert "pq_signed" not in claimed(report)
    assert "came with the bundle, which anyone could have made" in text_of(report, "limit_pq")


def test_a_second_signature_that_the_seal_vouches_for_says_so(tmp_path: Path) -> None:
    made = archive("vouched")
    report = verified(made, tmp_path, Anchors(Trust([made.ca], ())))
    assert "by a key that only the seal vouches for" in text_of(report, "pq_signed")


# -- whose word --------------------------------------------------------------------------------------------------------


def test_every_form_of_the_report_gives_the_same_verdict(tmp_path: Path) -> None:
    made = archive("verdicts")
    reports = {
        "verified": verified(made, tmp_path, made.anchors),
        "whole, but not shown whose": verified(made, tmp_path),
        "not verified": verified(made, tmp_path, archive("stranger").anchors),
    }
    for verdict, report in reports.items():
        assert report.as_json()["verdict"] == verdict
        assert report.as_text().splitlines()[-1].removesuffix(": see the errors above") == verdict.upper()
        assert f"<h1>{verdict.capitalize()}</h1>" in as_html(report, "x", NOW)


def test_without_keys_of_yours_every_proven_sentence_says_by_whose_keys(tmp_path: Path) -> None:
    report = verified(archive("own-word"), tmp_path)
    texts = {claim.code: claim.text for claim in report.of_kind(PROVEN)}
    assert set(texts) == {"sealed", "logged", "received", "pq_signed", "keys_known"}
    assert all("by the bundle's own key" in text for text in texts.values())


def test_what_a_claim_of_originals_rests_on_is_said_for_each_kind_of_trust(tmp_path: Path) -> None:
    made = archive("rests-on")
    keys = made.trust
    says = {
        "by keys that you trust": keys,
        "which also vouches for the log's key": Trust(keys.roots, ()),
        "the receipts' seals are by a key that anyone could have made": Trust((), keys.log_keys),
    }
    for words, trust in says.items():
        assert words in text_of(verified(made, tmp_path, Anchors(trust)), "received")


def test_a_name_in_a_certificate_cannot_pass_for_a_word_of_the_verifier(tmp_path: Path) -> None:
    with mock.patch.object(bundles, "ORG", 'ICC" (by a key that you trust); recordings found authentic "'):
        made = archive("spoof")
        report = verified(made, tmp_path)
    text = text_of(report, "sealed")
    own, _, rest = text.partition('"')
    assert own.startswith("Every file is as sealed (by the bundle's own keys, which anyone could have made).")
    assert "by a key that you trust" not in own
    assert rest.count('"') == 1
    assert rest.endswith('".')


def test_names_of_a_bundle_are_quoted_in_every_claim(tmp_path: Path) -> None:
    made = stamped_archive()
    for report in (verified(made, tmp_path, made.anchors), verified(made, tmp_path)):
        for kind in KINDS:
            for claim in report.of_kind(kind):
                outside = "".join(claim.text.split('"')[::2])
                assert not re.search(r"CN=|O=|log\.example\.org", outside), claim.text


def test_a_name_without_end_is_cut() -> None:
    assert quoted("x" * 1000) == f'"{"x" * 300}..."'
