"""Bundles that would have the verifier say more than was shown: each sentence claims what was verified and no more."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from unittest import mock

from evidence_store.keys.cosigner import Cosigner
from evidence_store.keys.file import generate_mldsa44
from evidence_store.log.cosignature import MLDSA44_COSIGNER, add_lines, cosigner_key, format_cosigner_vkey
from evidence_store.log.note import split_note
from evidence_store.log.policy import Policy, parse_policy
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.facts import KINDS, PROVEN, quoted
from evidence_store.verify.page import as_html
from evidence_store.verify.trust import Anchors, Trust
from tests import bundles
from tests.attested import (
    NOW,
    archive,
    claimed,
    errors,
    found,
    odd_tsa,
    stamped_archive,
    text_of,
    verified,
    verify_plan,
)
from tests.bundles import SampleArchive, write_plan


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
