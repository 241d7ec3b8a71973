"""Keys that were changed, stolen or smuggled in: what the key history in a bundle says of each signature."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from evidence_store.bundle import layout
from evidence_store.keys.authority import create_ca
from evidence_store.log.note import sign_note, split_note
from evidence_store.seal import build_seal
from evidence_store.verify.bundle_report import BundleReport
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.checks_custody import MAX_KEY_CHANGES
from evidence_store.verify.trust import Anchors, Trust
from tests.attested import EARLIER, LATER, claimed, errors, found, local_tsa, rfc3339, subjects, text_of, verify_plan
from tests.bundles import (
    ORG,
    SampleArchive,
    fingerprint,
    old_plan,
    reseal,
    sample_archive,
    unzip,
    write_folder,
    write_plan,
)
from tests.tsa import LocalTsa


def archive(seed: str, *, stamped: bool = False) -> SampleArchive:
    """An archive with one item, under the first seal key."""
    tsas: dict[str, LocalTsa] = {"first": local_tsa("first")} if stamped else {}
    made = SampleArchive(f"keys-{seed}", tsas=tsas)
    made.deposit("a.jpg", b"a")
    return made


def rotate_seal_key(made: SampleArchive) -> str:
    """A new seal key on record; returns the former one's fingerprint."""
    former = fingerprint(made.seal_certificate)
    made.new_seal_key()
    made.introduce("seal", made.seal_certificate)
    return former


def receipt_of(made: SampleArchive) -> str:
    return f"{layout.receipt_path(made.items[0].item)}.p7s"


def verify(made: SampleArchive, folder: Path, anchors: Anchors | None = None) -> BundleReport:
    return verify_plan(made, made.plan(), folder, anchors or made.anchors)


def untimed(made: SampleArchive) -> Anchors:
    """The archive's keys without any authority for time."""
    return Anchors(made.trust)


# -- in good order -----------------------------------------------------------------------------


def test_keys_in_good_order_are_told_and_claimed(tmp_path: Path) -> None:
    made = archive("good", stamped=True)
    report = verify(made, tmp_path)
    assert errors(report) == []
    assert {key.use: key.history for key in report.facts.keys} == {
        "ca": "key_valid",
        "seal": "key_valid",
        "log": "key_valid",
        "pq": "key_valid",
    }
    assert all(key.trusted for key in report.facts.keys)
    assert "keys_known" in claimed(report)
    assert "The log may hold later key events" in text_of(report, "limit_later_keys")


def test_receipts_under_a_former_seal_key_stand(tmp_path: Path) -> None:
    made = archive("rotated", stamped=True)
    former = rotate_seal_key(made)
    made.change_key("retirement", "seal", former, rfc3339(LATER))
    report = verify(made, tmp_path)
    assert [f for f in report.findings if f.severity != "info"] == []
    assert {key.fingerprint for key in report.facts.keys if key.use == "seal"} == {
        fingerprint(certificate) for certificate in made.certificates
    }


def test_receipts_under_a_former_ca_stand_when_history_and_seal_vouch_for_it(tmp_path: Path) -> None:
    made = archive("new-ca")
    made.new_ca()
    made.introduce("ca", made.ca)
    rotate_seal_key(made)
    report = verify(made, tmp_path)
    assert errors(report) == []
    assert subjects(report, "ca_not_trusted") == {layout.CA_CERTIFICATE}  # the caller knows the new one only
    assert "received" in claimed(report)


def test_a_former_ca_that_the_history_does_not_know_is_not_vouched_for(tmp_path: Path) -> None:
    made = archive("smuggled-ca")
    forger = archive("forger")
    item, forged = made.items[0], forger.bare_seal(made.items[0].receipt)
    plan = made.plan(items=[replace(item, receipt_signature=forged)], ca_pem=made.ca_pem + forger.ca_pem)
    report = verify_plan(made, plan, tmp_path, made.anchors)
    assert receipt_of(made) in subjects(report, "receipt_seal_invalid")


def test_a_history_that_the_log_does_not_prove_vouches_for_no_former_ca(tmp_path: Path) -> None:
    made = archive("unproven-ca")
    made.new_ca()
    made.introduce("ca", made.ca)
    rotate_seal_key(made)
    files = unzip(made.bundle())
    path = layout.proof_path(made.keys_object)
    files[path] = files[layout.proof_path(f"item:{made.items[0].item}")]
    report = verify_bundle(write_folder(reseal(files, made), tmp_path / "bundle"), made.anchors)
    assert made.keys_object in subjects(report, "proof_invalid")
    assert subjects(report, "receipt_seal_invalid") == {receipt_of(made)}


def test_a_bundle_under_a_former_ca_needs_a_caller_who_trusts_that_one(tmp_path: Path) -> None:
    """The history knows the former CA; whoever stole its key could still seal bundles with it."""
    made = archive("stale-ca")
    sign, certificate, former = made._seal_signer.sign, made.seal_certificate, made.ca
    made.new_ca()
    made.introduce("ca", made.ca)
    rotate_seal_key(made)
    path = tmp_path / "bundle.zip"
    path.write_bytes(
        write_plan(made.plan(), lambda data: build_seal(data, certificate, sign, made.started, authority=former))
    )
    assert layout.SEAL in subjects(verify_bundle(path, made.anchors), "seal_invalid")
    assert errors(verify_bundle(path, Anchors(Trust([former], made.trust.log_keys)))) == []


def test_a_bundle_of_version_0_1_still_verifies_and_says_what_it_lacks(tmp_path: Path) -> None:
    old = sample_archive("old")
    path = tmp_path / "bundle.zip"
    path.write_bytes(write_plan(old_plan(old), old.bare_seal))
    for report in (verify_bundle(path), verify_bundle(path, Anchors(Trust([old.ca], old.trust.log_keys)))):
        assert errors(report) == []
        assert {"sealed", "logged", "received"} <= claimed(report)
        assert len(found(report, "key_history_missing")) == len(found(report, "pq_signature_missing")) == 1
        assert {"limit_keys", "limit_pq", "limit_time"} <= claimed(report)


# -- retired -------------------------------------------------------------------------------------


def test_a_seal_that_claims_to_be_older_than_the_retirement_needs_a_time_stamp_to_show_it(tmp_path: Path) -> None:
    made = archive("back-dated", stamped=True)
    former = rotate_seal_key(made)
    made.change_key("retirement", "seal", former, rfc3339(LATER))
    report = verify(made, tmp_path, untimed(made))
    assert errors(report) == []
    assert subjects(report, "key_retired_unproven") == {receipt_of(made)}
    assert "see --tsa" in found(report, "key_retired_unproven")[0].detail
    assert "keys_known" not in claimed(report)
    assert "limit_keys" in claimed(report)


def test_a_seal_made_with_a_retired_key_is_refused(tmp_path: Path) -> None:
    made = archive("retired")
    made.change_key("retirement", "seal", fingerprint(made.seal_certificate), rfc3339(EARLIER))
    report = verify(made, tmp_path)
    assert subjects(report, "key_retired") == {layout.SEAL, receipt_of(made)}
    assert "keys_known" not in claimed(report)
    assert not report.ok


def test_a_checkpoint_signed_with_a_retired_key_of_the_log_is_refused(tmp_path: Path) -> None:
    made = archive("retired-log")
    made.change_key("retirement", "log", made.log_vkey, rfc3339(EARLIER))
    made.change_key("retirement", "pq", made.pq_vkey, rfc3339(EARLIER))
    report = verify(made, tmp_path)
    assert [f.subject for f in found(report, "key_retired")] == [layout.CHECKPOINT, layout.CHECKPOINT]


# -- stolen --------------------------------------------------------------------------------------


def test_what_a_stolen_key_sealed_before_the_theft_counts_when_a_time_stamp_shows_it(tmp_path: Path) -> None:
    made = archive("stolen", stamped=True)
    former = rotate_seal_key(made)
    made.change_key("compromise", "seal", former, rfc3339(LATER))
    assert errors(verify(made, tmp_path)) == []
    report = verify(made, tmp_path, untimed(made))
    assert subjects(report, "key_compromised") == {receipt_of(made)}
    assert not report.ok


def test_a_bundle_sealed_with_a_stolen_key_is_refused_whatever_time_it_claims(tmp_path: Path) -> None:
    made = archive("thief", stamped=True)
    made.change_key("compromise", "seal", fingerprint(made.seal_certificate), rfc3339(EARLIER))
    report = verify(made, tmp_path)
    assert layout.SEAL in subjects(report, "key_compromised")
    assert not report.ok


def test_a_thief_cannot_prove_an_earlier_time_with_an_authority_of_his_own(tmp_path: Path) -> None:
    """He has the seal key since yesterday, and an authority that stamps whatever time he likes."""
    own = replace(local_tsa("thief"), at=EARLIER)
    made = SampleArchive("keys-own-time", tsas={"first": own})
    made.deposit("a.jpg", b"a")
    made.change_key("compromise", "seal", fingerprint(made.seal_certificate), rfc3339(EARLIER + timedelta(days=1)))
    report = verify(made, tmp_path, untimed(made))
    assert {layout.SEAL, receipt_of(made)} == subjects(report, "key_compromised")


def test_everything_under_a_stolen_ca_is_refused(tmp_path: Path) -> None:
    made = archive("stolen-ca")
    made.change_key("compromise", "ca", fingerprint(made.ca), rfc3339(EARLIER))
    report = verify(made, tmp_path)
    assert {layout.SEAL, receipt_of(made)} == subjects(report, "key_compromised")
    assert "CA certificate" in found(report, "key_compromised")[0].detail


def test_a_log_signed_with_a_stolen_key_is_refused(tmp_path: Path) -> None:
    made = archive("stolen-log")
    made.change_key("compromise", "log", made.log_vkey, rfc3339(EARLIER))
    report = verify(made, tmp_path)
    assert subjects(report, "key_compromised") == {layout.CHECKPOINT}


# -- smuggled in ---------------------------------------------------------------------------------


def test_a_seal_key_that_the_history_does_not_know_is_refused_though_the_ca_certified_it(tmp_path: Path) -> None:
    made = archive("unknown")
    made.new_seal_key()
    report = verify(made, tmp_path)
    assert subjects(report, "key_unknown") == {layout.SEAL}
    assert fingerprint(made.seal_certificate) in found(report, "key_unknown")[0].detail


def test_a_log_key_that_the_history_does_not_know_is_refused(tmp_path: Path) -> None:
    made = archive("unknown-log")
    made.new_log_key()
    report = verify(made, tmp_path)
    assert subjects(report, "key_unknown") == {layout.CHECKPOINT}


def test_a_signature_that_claims_a_time_before_its_key_was_introduced_is_refused(tmp_path: Path) -> None:
    made = archive("too-early")
    made.new_seal_key()
    made.introduce("seal", made.seal_certificate, rfc3339(LATER))
    report = verify(made, tmp_path)
    assert subjects(report, "key_not_yet") == {layout.SEAL}


# -- the history itself --------------------------------------------------------------------------


def test_a_history_with_something_else_in_it_is_malformed(tmp_path: Path) -> None:
    made = archive("odd")
    made.change_key("introduction", "seal", fingerprint(made.seal_certificate), material="")
    report = verify(made, tmp_path)
    assert subjects(report, "key_history_malformed") == {made.keys_object}
    assert "limit_keys" in claimed(report)


def test_a_history_longer_than_any_archives_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("checks_custody", "checks_history"):
        monkeypatch.setattr(f"evidence_store.verify.{module}.MAX_KEY_CHANGES", 3)
    made = archive("endless")
    report = verify(made, tmp_path)
    assert "more than 3 changes" in found(report, "key_history_malformed")[0].detail
    assert MAX_KEY_CHANGES >= 1_000


def test_a_history_cut_short_by_the_holder_of_the_seal_key_is_found(tmp_path: Path) -> None:
    made = archive("cut")
    made.change_key("compromise", "seal", fingerprint(made.seal_certificate), rfc3339(EARLIER))
    files = unzip(made.bundle())
    lines = files[layout.EVENTS].splitlines(keepends=True)
    files[layout.EVENTS] = b"".join(lines[:-1])
    report = verify_bundle(write_folder(reseal(files, made), tmp_path / "bundle"), made.anchors)
    assert made.keys_object in subjects(report, "event_head_differs") | subjects(report, "proof_invalid")
    assert not report.ok


def test_a_history_left_out_is_said(tmp_path: Path) -> None:
    made = archive("left-out")
    events = [line for line in made.plan().events if json.loads(line)["object"] != made.keys_object]
    proofs = {name: proof for name, proof in made.plan().proofs.items() if name != made.keys_object}
    note = made.note()
    plan = made.plan(checkpoint=note, events=events, proofs={n: made.proof(made.index[n], note) for n in proofs})
    report = verify_plan(made, plan, tmp_path, made.anchors)
    assert [f.severity for f in found(report, "key_history_missing")] == ["warning"]
    assert "keys_known" not in claimed(report)


# -- two archives in one trust file ------------------------------------------------------------


def test_one_log_that_you_trust_cannot_speak_for_another(tmp_path: Path) -> None:
    """Whoever runs log B signs, with B's key, a checkpoint that says it is of log A; you trust the keys of both."""
    mine, other = archive("log-a"), archive("log-b")
    text = split_note(mine.note())[0]
    note = sign_note(text, other.log_name, other._log_public, other._log_signer.sign)
    files = mine.files() | {layout.CHECKPOINT: note, layout.LOG_VKEY: other.log_vkey.encode()}
    files |= {layout.proof_path(name): mine.proof(index, note) for name, index in mine.index.items()}
    both = Trust([*mine.trust.roots, *other.trust.roots], [*mine.trust.log_keys, *other.trust.log_keys])
    report = verify_bundle(write_folder(reseal(files, mine), tmp_path / "bundle"), Anchors(both))
    assert "checkpoint_origin" in found(report, "checkpoint_invalid")[0].detail
    assert not report.ok
    assert "logged" not in claimed(report)


def test_a_trust_file_for_two_archives_takes_the_bundles_of_each(tmp_path: Path) -> None:
    mine, other = archive("log-a"), archive("log-b")
    both = Trust(
        [*mine.trust.roots, *other.trust.roots],
        [*mine.trust.log_keys, *other.trust.log_keys],
        [*mine.trust.pq_keys, *other.trust.pq_keys],
    )
    for made in (mine, other):
        report = verify(made, tmp_path, Anchors(both))
        assert errors(report) == []
        assert "pq_signed" in claimed(report)


# -- one authority, two certificates -----------------------------------------------------------


@pytest.mark.parametrize("step", [1, -1])
def test_an_authority_that_was_certified_anew_takes_no_older_seal_with_it(step: int, tmp_path: Path) -> None:
    """The second certificate has the same name and key, and is valid from a later day."""
    made = archive("certified-anew")
    anew = create_ca(made._ca_key, ORG, made.archive_id, made.started + timedelta(days=400))
    report = verify(made, tmp_path, Anchors(Trust([anew, made.ca][::step], made.trust.log_keys, made.trust.pq_keys)))
    assert errors(report) == []


def test_of_two_certificates_of_an_authority_the_one_in_the_seal_counts(tmp_path: Path) -> None:
    """The history in the log knows that one."""
    made = archive("certified-twice")
    twin = create_ca(made._ca_key, ORG, made.archive_id, made.started - timedelta(days=1))
    report = verify(made, tmp_path, Anchors(Trust([twin, made.ca], made.trust.log_keys, made.trust.pq_keys)))
    assert errors(report) == []
