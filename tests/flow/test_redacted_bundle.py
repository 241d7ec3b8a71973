"""A redacted bundle: nothing withheld can be recovered, and it verifies; what is disclosed later can be checked.

The values to hide are looked for in every byte by a search of this test's own, and the commitments are attacked by
guessing.
"""

from __future__ import annotations

import hashlib
import json
import zipfile

import pytest

from app.disclosure.rules import Wishes, parse_parts
from app.errors import ConflictError, InvalidInputError
from evidence_store.canonical import canonical_bytes
from evidence_store.verify.checks import verify_bundle
from schemas.records.v1.source import SourceContext
from tests.disclosing import (
    CAPTION,
    COLLECTOR,
    COURT,
    NAME,
    NOTE,
    URL,
    Stage,
    assert_nowhere,
    errors,
    manifest_of,
    photo,
)


def test_a_restricted_item_is_refused_with_its_reason_when_nobody_says_what_to_do(stage: Stage) -> None:
    with pytest.raises(ConflictError, match=f"{stage.hidden}: handling protect_source") as refused:
        stage.export()
    assert refused.value.code == "restricted_items"
    with pytest.raises(ConflictError) as again:
        stage.export(Wishes(COURT))
    assert again.value.code == "restricted_items"
    assert stage.services.exports.list(stage.admin) == []


def test_nothing_withheld_is_in_any_byte_and_the_bundle_verifies(stage: Stage) -> None:
    item, _ = stage.services.evidence.find_item(stage.admin, stage.hidden)
    bundle = stage.bundle(Wishes(COURT, "withhold"))
    assert errors(bundle) == []
    with zipfile.ZipFile(bundle) as opened:
        names = set(opened.namelist())
        page = opened.read("report.html").decode()
    assert {"report.html", "report.pdf", "premis.xml", "case.jsonld"} <= names
    assert "What is withheld" in page
    assert stage.hidden in page
    digests = hashlib.sha256(stage.hidden_data).hexdigest(), hashlib.sha512(stage.hidden_data).hexdigest()
    with zipfile.ZipFile(bundle) as opened:
        assert not [name for name in opened.namelist() if stage.hidden in name and "proofs" not in name]
    assert stage.hidden_data[200:] not in bundle.read_bytes()
    secrets = [COLLECTOR, CAPTION, NAME, NOTE, URL, *digests]
    assert_nowhere(bundle, secrets)
    assert item.sha256 == digests[0]
    entry = next(one for one in manifest_of(bundle)["disclosure"]["items"] if one["item"] == stage.hidden)
    assert (entry["place"], entry["state"]) == (1, "partly withheld")
    assert [one["item"] for one in manifest_of(bundle)["items"]] == sorted([stage.first, stage.last])


def test_low_entropy_values_cannot_be_guessed_from_commitments_or_stubs(stage: Stage) -> None:
    bundle = stage.bundle(Wishes(COURT, "withhold"))
    entry = next(one for one in manifest_of(bundle)["disclosure"]["items"] if one["item"] == stage.hidden)
    committed = {one["name"]: one["sha256"] for one in entry["commitments"]}
    consent = f"item:{stage.hidden}/source.consent"
    assert consent in committed
    terms = ("given", "given_with_conditions", "not_sought", "refused", "withdrawn")
    for term in terms:
        for guess in (term, [consent, term], ["", consent, term], ["0" * 64, consent, term], {"consent": term}):
            data = guess.encode() if isinstance(guess, str) else canonical_bytes(guess)
            assert hashlib.sha256(data).hexdigest() not in committed.values()
    assert len(set(committed.values())) == len(committed)
    again = stage.bundle(Wishes(COURT, "withhold"))  # the same values, other salts
    other = next(one for one in manifest_of(again)["disclosure"]["items"] if one["item"] == stage.hidden)
    assert not set(committed.values()) & {one["sha256"] for one in other["commitments"]}


def test_an_item_that_is_withheld_whole_keeps_its_place_and_its_chain(stage: Stage) -> None:
    wishes = Wishes(COURT, "withhold", {stage.first: parse_parts(()), stage.hidden: parse_parts(())})
    bundle = stage.bundle(wishes)
    assert errors(bundle) == []
    entries = manifest_of(bundle)["disclosure"]["items"]
    assert [(one["place"], one["item"], one["state"]) for one in entries] == [
        (0, stage.first, "withheld"),
        (1, stage.hidden, "withheld"),
    ]
    assert all(one["shown"] == [] for one in entries)
    with zipfile.ZipFile(bundle) as opened:
        lines = [json.loads(line) for line in opened.read("custody/events.jsonl").splitlines()]
    of_first = [line for line in lines if line["object"] == f"item:{stage.first}"]
    assert of_first
    assert all(line["withheld"] == "event" for line in of_first)
    everything = Wishes(COURT, "withhold", {item: parse_parts(()) for item in (stage.first, stage.hidden, stage.last)})
    assert errors(stage.bundle(everything)) == []


def test_a_release_needs_its_reason_and_stands_in_the_log(stage: Stage) -> None:
    row = stage.export(Wishes(COURT, release={stage.hidden: "The source agreed in writing."}))
    assert errors(stage.path(row)) == []
    assert len(manifest_of(stage.path(row))["items"]) == 3
    with pytest.raises(InvalidInputError) as refused:
        stage.export(Wishes(COURT, release={"00000000-0000-4000-8000-000000000000": "x"}))
    assert refused.value.code == "not_in_the_export"


def test_the_words_of_the_request_must_not_tell_what_is_withheld(stage: Stage) -> None:
    with pytest.raises(ConflictError) as refused:
        stage.services.exports.create(
            stage.lawyer, case_ref="T1", purpose=f"About {COLLECTOR}", wishes=Wishes(COURT, "withhold")
        )
    assert refused.value.code == "withheld_value_leaks"


def test_an_original_that_says_what_is_withheld_does_not_go_out(stage: Stage) -> None:
    talking = stage.put(
        photo(4, artist="Secret Artist Name"), "talking.jpg", SourceContext(collector="Secret Artist Name")
    )
    stage.work()
    wishes = {talking: parse_parts(["source"]), stage.hidden: parse_parts(())}
    with pytest.raises(ConflictError) as refused:
        stage.export(Wishes(COURT, "withhold", wishes))
    assert refused.value.code in {"original_not_looked_into", "withheld_value_leaks"}
    wishes[talking] = parse_parts(["source", "original"])
    bundle = stage.bundle(Wishes(COURT, "withhold", wishes))
    assert errors(bundle) == []
    assert_nowhere(bundle, ["Secret Artist Name", "talking.jpg"])


def test_only_the_source_is_withheld_and_the_receipt_still_binds_the_original(stage: Stage) -> None:
    quiet = stage.put(photo(5), "quiet.jpg", SourceContext(collector="Quiet Collector"))
    stage.work()
    wishes = Wishes(COURT, "withhold", {quiet: parse_parts(["source"])})
    bundle = stage.bundle(wishes, item_ids=[quiet])
    report = verify_bundle(bundle)
    assert report.ok, report.as_text()
    codes = {(one.code, one.subject) for one in report.findings}
    assert {("ingestion_withheld", quiet), ("withheld", quiet)} <= codes
    assert_nowhere(bundle, ["Quiet Collector", "depositor-of-the-photo"])
    assert [one["item"] for one in manifest_of(bundle)["items"]] == [quiet]
    assert "limit_withheld" in {claim["code"] for claim in report.claims}
