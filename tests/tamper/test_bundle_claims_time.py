"""Claims of time: how far off, how old and for how long, and which events a renewal holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from unittest import mock

from evidence_store import asn1
from evidence_store.bundle import layout, renewals
from evidence_store.bundle.plan import BundlePlan
from evidence_store.verify.bundle_report import BundleReport
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.facts import Stamp
from evidence_store.verify.page import as_html
from evidence_store.verify.stamps import TOLERANCE
from evidence_store.verify.trust import Anchors
from tests.attested import (
    EARLIER,
    LATER,
    NOW,
    archive,
    claimed,
    errors,
    found,
    local_tsa,
    odd_tsa,
    renewal_files,
    rfc3339,
    stamped_archive,
    subjects,
    text_of,
    verified,
    verify_plan,
)
from tests.bundles import SampleArchive, fingerprint, write_plan
from tests.tsa import END, LocalTsa, Wanted, authority

ROOTS = {"first": local_tsa("first").authority.roots_pem}


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
