"""Attacks on what others signed: co-signatures of witnesses, and the log's own second signature."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest

from evidence_store.bundle import layout
from evidence_store.bundle.manifest import Stamp, TimeStatement
from evidence_store.bundle.plan import BundlePlan
from evidence_store.errors import EvidenceStoreError
from evidence_store.keys.cosigner import Cosigner
from evidence_store.keys.file import generate_mldsa44
from evidence_store.log.cosignature import MLDSA44_COSIGNER, add_lines, cosigner_key, format_cosigner_vkey
from evidence_store.log.keyfile import parse_key_file
from evidence_store.log.note import split_note
from evidence_store.log.policy import Policy, parse_policy
from evidence_store.verify.bundle_report import BundleReport
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.trust import Anchors, Trust, parse_trust
from tests.attested import (
    EARLIER,
    LATER,
    claimed,
    errors,
    found,
    local_tsa,
    policy_of,
    policy_text,
    rfc3339,
    subjects,
    text_of,
    verify_plan,
    witness,
)
from tests.bundles import SampleArchive, old_plan, reseal, sample_archive, unzip, write_folder, write_plan

NAMES = ("w1.example", "w2.example", "w3.example")


@cache
def archive() -> SampleArchive:
    """Two of three witnesses co-sign."""
    made = sample_archive("witnessed", witnesses=[witness(name) for name in NAMES[:2]])
    made.policy = policy_text(NAMES, "2")
    return made


@cache
def plan() -> BundlePlan:
    return archive().plan()


def verify(folder: Path, policy: Policy | None, **changes: object) -> BundleReport:
    anchors = Anchors(archive().trust, policy=policy)
    return verify_plan(archive(), replace(plan(), **changes), folder, anchors)  # type: ignore[arg-type]


def insider(folder: Path, files: dict[str, bytes], policy: Policy | None) -> BundleReport:
    """The holder of the seal key lists and seals everything again."""
    path = write_folder(reseal(files, archive()), folder / "bundle")
    return verify_bundle(path, Anchors(archive().trust, policy=policy))


def stored() -> dict[str, bytes]:
    return unzip(write_plan(plan(), archive().seal))


# -- witnesses -----------------------------------------------------------------------------------


def test_a_quorum_of_your_policy_is_shown_and_claimed(tmp_path: Path) -> None:
    report = verify(tmp_path, policy_of(NAMES, "2"))
    assert [f for f in report.findings if f.severity != "info"] == []
    assert report.checked["co-signatures"] == 2
    assert '"w1.example", "w2.example"' in text_of(report, "witnessed")
    assert [(seen.name, seen.trusted) for seen in report.facts.witnesses] == [(NAMES[0], True), (NAMES[1], True)]


def test_a_quorum_of_your_policy_that_is_not_met_is_an_error(tmp_path: Path) -> None:
    report = verify(tmp_path, policy_of(NAMES, "3"))
    assert [f.severity for f in found(report, "witness_quorum_unmet")] == ["error"]
    assert "2 of 3 witnesses" in found(report, "witness_quorum_unmet")[0].detail
    assert "witnessed" not in claimed(report)


def test_a_quorum_of_the_archives_own_policy_is_no_proof(tmp_path: Path) -> None:
    report = verify(tmp_path, None)
    assert errors(report) == []
    assert "witnessed" not in claimed(report)
    assert "proves nothing about who they are" in text_of(report, "limit_witnesses")


def test_the_archives_own_policy_unmet_is_a_warning(tmp_path: Path) -> None:
    report = verify(tmp_path, None, witness_policy=policy_text(NAMES, "all").encode())
    assert [f.severity for f in found(report, "witness_quorum_unmet_own")] == ["warning"]
    assert errors(report) == []


def test_a_generous_policy_in_the_bundle_does_not_replace_yours(tmp_path: Path) -> None:
    report = verify(tmp_path, policy_of(NAMES, "3"), witness_policy=policy_text(NAMES[:1], "any").encode())
    assert found(report, "witness_quorum_unmet")


def test_a_policy_that_asks_for_nobody_claims_nothing(tmp_path: Path) -> None:
    report = verify(tmp_path, parse_policy("quorum none\n"))
    assert errors(report) == []
    assert "witnessed" not in claimed(report)


def test_your_policy_for_another_log_is_not_met(tmp_path: Path) -> None:
    text = f"log {sample_archive('another').log_vkey}\n" + policy_text(NAMES, "2")
    assert "another log" in found(verify(tmp_path, parse_policy(text)), "witness_quorum_unmet")[0].detail
    own = f"log {archive().log_vkey}\n" + policy_text(NAMES, "2")
    assert errors(verify(tmp_path, parse_policy(own))) == []


def test_no_co_signatures_at_all_meet_no_quorum(tmp_path: Path) -> None:
    report = verify(tmp_path, policy_of(NAMES, "any"), cosigned=None)
    assert "0 of 3 witnesses" in found(report, "witness_quorum_unmet")[0].detail


def _swap(files: dict[str, bytes]) -> bytes:
    """A true co-signature, over another checkpoint of the same log."""
    other = sample_archive("witnessed", witnesses=archive().witnesses)
    other_note = other.cosigned(other.note()) or b""
    return files[layout.CHECKPOINT] + b"".join(other_note.splitlines(keepends=True)[-2:])


FORGERIES: dict[str, Callable[[dict[str, bytes]], bytes]] = {
    "a line of another checkpoint": _swap,
    "a changed signature": lambda files: _flipped(files[layout.COSIGNED]),
    "another note": lambda files: files[layout.COSIGNED].replace(b"\n", b"x\n", 1),
    "no note": lambda _: b"trust me",
    "nothing": lambda _: b"",
}


def _flipped(note: bytes) -> bytes:
    *head, last = note.splitlines(keepends=True)
    start, encoded = last.rstrip().rsplit(b" ", 1)
    raw = bytearray(base64.b64decode(encoded))
    raw[-1] ^= 1
    return b"".join(head) + start + b" " + base64.b64encode(raw) + b"\n"


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_co_signature_is_named_and_counts_for_nobody(forgery: str, tmp_path: Path) -> None:
    files = stored()
    files[layout.COSIGNED] = FORGERIES[forgery](files)
    report = insider(tmp_path, files, policy_of(NAMES, "any"))
    assert subjects(report, "cosignature_invalid") == {layout.COSIGNED}
    assert found(report, "witness_quorum_unmet")
    assert not report.facts.witnesses


def test_the_same_witness_twice_counts_once(tmp_path: Path) -> None:
    note = plan().checkpoint
    text = split_note(note)[0]
    lines = [witness(NAMES[0]).line(text, at) for at in (1_700_000_000, 1_700_000_001)]
    report = verify(tmp_path, policy_of(NAMES, "2"), cosigned=add_lines(note, lines))
    assert "1 of 3 witnesses" in found(report, "witness_quorum_unmet")[0].detail


def test_a_time_beyond_all_calendars_is_shown_as_it_is(tmp_path: Path) -> None:
    note = plan().checkpoint
    line = witness(NAMES[0]).line(split_note(note)[0], 2**63 - 1)
    report = verify(tmp_path, policy_of(NAMES, "any"), cosigned=add_lines(note, [line]))
    assert report.facts.witnesses[0].time == f"{2**63 - 1} seconds after 1970"


def test_a_co_signed_note_too_large_to_be_real_is_not_read(tmp_path: Path) -> None:
    files = stored() | {layout.COSIGNED: bytes((1 << 20) + 1)}
    report = insider(tmp_path, files, policy_of(NAMES, "any"))
    assert subjects(report, "file_too_large") == {layout.COSIGNED}
    assert "witnesses" in subjects(report, "check_not_run")


def test_a_policy_in_the_bundle_that_is_none_is_named(tmp_path: Path) -> None:
    report = verify(tmp_path, None, witness_policy=b"trust me\n")
    assert subjects(report, "key_malformed") == {layout.WITNESS_POLICY}


# -- the log's second signature ------------------------------------------------------------------


def without_second(made: SampleArchive | None = None) -> BundlePlan:
    """The bundle without the log's second signature, which nothing else covers: seal and proofs are made again."""
    whole, made = (plan(), archive()) if made is None else (made.plan(tokens={}, time=None), made)
    note = b"".join(whole.checkpoint.splitlines(keepends=True)[:5])
    proofs = {name: made.proof(index, note) for name, index in made.index.items()}
    return replace(whole, checkpoint=note, proofs=proofs, cosigned=None)


def test_the_second_signature_taken_away_is_said(tmp_path: Path) -> None:
    trust = archive().trust
    report = verify_plan(archive(), without_second(), tmp_path, Anchors(Trust(trust.roots, trust.log_keys)))
    assert subjects(report, "pq_signature_missing") == {layout.CHECKPOINT}
    assert {"limit_pq", "logged"} <= claimed(report)


def test_the_second_signature_taken_away_is_an_error_for_who_trusts_its_key(tmp_path: Path) -> None:
    report = verify_plan(archive(), without_second(), tmp_path, Anchors(archive().trust))
    assert [f.severity for f in found(report, "pq_signature_required")] == ["error"]
    assert not report.ok
    assert not found(report, "pq_signature_missing")
    assert not {"logged", "received", "pq_signed"} & claimed(report)


def stamped() -> SampleArchive:
    """The usual archive of version 0.1, whose seals carry the time stamps of an authority."""
    return sample_archive("before-second", tsas={"first": local_tsa()})


def since(made: SampleArchive, *times: datetime) -> Anchors:
    """A trust file of today, which tells since when the log has its second key."""
    lines = [f"introduced pq {made.pq_vkey} at {rfc3339(time)}" for time in times]
    text = "\n".join([made.ca_pem.decode(), made.log_vkey, made.pq_vkey, *lines])
    return Anchors(parse_trust(text.encode()), local_tsa().roots)


def of_version_0_1(made: SampleArchive) -> BundlePlan:
    """What the archive exported before it had a second key; only the seal over the bundle is stamped."""
    return replace(old_plan(made), tokens={})


def test_a_bundle_shown_to_be_older_than_the_second_key_needs_no_signature_of_it(tmp_path: Path) -> None:
    made = stamped()
    report = verify_plan(made, of_version_0_1(made), tmp_path, since(made, LATER))
    assert errors(report) == []
    assert report.as_json()["verdict"] == "verified"
    (missing,) = found(report, "pq_signature_missing")
    assert f"such a key of the log of {LATER.isoformat().replace('+00:00', 'Z')}" in missing.detail
    assert {"sealed", "logged", "received", "existed", "limit_pq"} <= claimed(report)


def test_a_time_stamp_over_the_checkpoint_alone_shows_its_age_too(tmp_path: Path) -> None:
    made = stamped()
    plan = of_version_0_1(made)
    plan = replace(
        plan,
        tokens={"first": local_tsa().token(sha256(plan.checkpoint).digest())},
        time=TimeStatement([], [Stamp(f"checkpoint:{made.log.size}", "first", "done")]),
    )
    path = tmp_path / "bundle.zip"
    path.write_bytes(write_plan(plan, made.bare_seal))
    assert errors(verify_bundle(path, since(made, LATER))) == []
    assert found(verify_bundle(path, since(made, EARLIER)), "pq_signature_required")


def test_a_checkpoint_that_is_not_shown_to_be_older_than_the_second_key_needs_its_signature(tmp_path: Path) -> None:
    """Whoever takes the signature away, or forges the first one, has no time stamp from before the key."""
    made = stamped()
    for seal, anchors, says in (
        (made.seal, since(made, EARLIER), "and not for before"),
        (made.seal, since(made, LATER, EARLIER), "and not for before"),
        (made.bare_seal, since(made, LATER), "see --tsa"),
        (made.seal, replace(since(made, LATER), time_roots=()), "see --tsa"),
    ):
        path = tmp_path / "bundle.zip"
        path.write_bytes(write_plan(of_version_0_1(made), seal))
        report = verify_bundle(path, anchors)
        (required,) = found(report, "pq_signature_required")
        assert required.severity == "error"
        assert "The log has it since" in required.detail
        assert says in required.detail
        assert not {"logged", "received", "existed"} & claimed(report)


def test_a_trust_file_that_does_not_tell_since_when_says_which_one_would(tmp_path: Path) -> None:
    made = stamped()
    for plan, older in ((of_version_0_1(made), True), (without_second(made), False)):
        report = verify_plan(made, plan, tmp_path, since(made))
        (required,) = found(report, "pq_signature_required")
        assert "'catena keys export' writes 'introduced pq KEY at TIME'" in required.detail
        assert ("it may be older" in required.detail) == older, "what the bundle tells changes the hint alone"


def test_of_two_second_keys_the_first_counts_and_each_must_be_dated(tmp_path: Path) -> None:
    made = stamped()
    private = generate_mldsa44()
    other = cosigner_key(made.log_name, MLDSA44_COSIGNER, private.public_key().public_bytes_raw())
    vkey = format_cosigner_vkey(other.name, other.algorithm, other.public_key)
    one = since(made, LATER)
    assert one.trust is not None
    both = replace(one.trust, pq_keys=[*one.trust.pq_keys, other])
    path = tmp_path / "bundle.zip"
    path.write_bytes(write_plan(of_version_0_1(made), made.seal))
    for more, code in (({}, "required"), ({vkey: EARLIER}, "required"), ({vkey: LATER}, "missing")):
        trust = replace(both, pq_since={**both.pq_since, **more})
        assert found(verify_bundle(path, replace(one, trust=trust)), f"pq_signature_{code}")


@pytest.mark.parametrize(
    "line",
    [
        "introduced pq {} since 2026-01-31",
        "introduced pq {} at yesterday",
        "introduced pq {} at 2026-02-31",
        "introduced pq {}x at 2026-01-31",
        "introduced log {} at 2026-01-31",
        "introduced pq",
    ],
)
def test_an_introduction_with_a_typing_error_is_refused_and_not_passed_over(line: str) -> None:
    made = archive()
    with pytest.raises(EvidenceStoreError, match="trust_file_malformed"):
        parse_trust("\n".join([made.ca_pem.decode(), made.pq_vkey, line.format(made.pq_vkey)]).encode())


def test_the_second_key_of_another_log_in_the_trust_file_asks_nothing_of_this_one(tmp_path: Path) -> None:
    mine, other = archive().trust, sample_archive("another").trust
    both = Trust([*mine.roots, *other.roots], [*mine.log_keys, *other.log_keys], other.pq_keys)
    report = verify_plan(archive(), without_second(), tmp_path, Anchors(both))
    assert found(report, "pq_signature_missing")
    assert errors(report) == []


def test_a_forged_second_signature_is_named(tmp_path: Path) -> None:
    note = _flipped(plan().checkpoint)
    proofs = {name: archive().proof(index, note) for name, index in archive().index.items()}
    report = verify(tmp_path, None, checkpoint=note, proofs=proofs, cosigned=None)
    assert subjects(report, "pq_signature_invalid") == {layout.CHECKPOINT}
    assert not report.ok


def test_a_second_key_of_somebody_else_in_the_bundle_does_not_replace_the_one_you_trust(tmp_path: Path) -> None:
    made = archive()
    private = generate_mldsa44()
    key = cosigner_key(made.log_name, MLDSA44_COSIGNER, private.public_key().public_bytes_raw())
    note = b"".join(plan().checkpoint.splitlines(keepends=True)[:5])
    note = add_lines(note, [Cosigner(key, private.sign).line(split_note(note)[0], 1_700_000_000)])
    proofs = {name: made.proof(index, note) for name, index in made.index.items()}
    report = verify(tmp_path, None, checkpoint=note, proofs=proofs, cosigned=None)
    assert found(report, "pq_signature_required")


@pytest.mark.parametrize("at", [0, 2**63 - 1])
def test_a_second_signature_that_claims_no_time_or_one_beyond_all_calendars_still_verifies(
    at: int, tmp_path: Path
) -> None:
    made = archive()
    note = b"".join(plan().checkpoint.splitlines(keepends=True)[:5])
    note = add_lines(note, [made._log_cosigner.line(split_note(note)[0], at)])
    proofs = {name: made.proof(index, note) for name, index in made.index.items()}
    report = verify(tmp_path, None, checkpoint=note, proofs=proofs, cosigned=None)
    assert errors(report) == []
    assert "pq_signed" in claimed(report)


def test_a_trust_file_takes_the_second_key_and_no_witness(tmp_path: Path) -> None:
    keys = parse_key_file(f"{archive().log_vkey}\n{archive().pq_vkey}\n".encode())
    report = verify_plan(archive(), plan(), tmp_path, Anchors(Trust([], keys.log_keys, keys.cosigner_keys)))
    assert "by a key that you trust" in text_of(report, "pq_signed")
