"""Openings, redacted copies, what speaks against, and the register: over the use-cases and the commands' rooms."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any, cast

import pytest
from PIL import Image

from app.disclosure.rules import Wishes, parse_parts
from app.errors import CatenaError, ConflictError, DeniedError, InvalidInputError, NotFoundError
from app.export.register import as_csv
from evidence_store.bundle.withheld import parse_opening_file
from evidence_store.canonical import canonical_bytes
from evidence_store.errors import EvidenceStoreError
from evidence_store.verify.checks import verify_bundle
from schemas.records.v1.source import SourceContext
from tests.archives import events_of
from tests.checks import assert_clean
from tests.disclosing import COLLECTOR, COURT, NAME, Stage, assert_nowhere, entry_of, errors, manifest_of

WITHHOLD = Wishes(COURT, "withhold")


def provision(stage: Stage) -> str:
    return stage.services.law.list_provisions(stage.lawyer)[0].provision.id


def test_what_was_kept_back_can_be_opened_later_and_anything_else_is_named(stage: Stage) -> None:
    row = stage.export(WITHHOLD)
    bundle = stage.path(row)
    opened = stage.services.openings.disclose(stage.lawyer, row.id, COURT, "Order of 3 June", release="Agreed")
    assert min(opened.values, opened.events, opened.files) > 0
    report = verify_bundle(bundle, openings=parse_opening_file(opened.data))
    assert report.ok, report.as_text()
    assert report.checked["values opened"] == opened.values
    assert report.checked["events opened"] == opened.events
    assert report.checked["files opened"] == opened.files
    record = json.loads(opened.data)
    told = {name.partition("/")[2]: value for _, name, value in record["openings"]}
    assert (told["source.collector"], told["original.name"]) == (COLLECTOR, NAME)
    assert told["original.sha256"] == hashlib.sha256(stage.hidden_data).hexdigest()
    for forged in (
        {**record, "bundle_id": "00000000-0000-4000-8000-000000000000"},
        {**record, "openings": [["0" * 64, *record["openings"][0][1:]]]},
        {**record, "openings": [[*record["openings"][0][:2], "another value"]]},
        {**record, "openings": [[record["openings"][0][0], f"item:{stage.first}/source.url", "x"]]},
        {**record, "events": [record["events"][0].replace("ingestion", "migration")]},
        {**record, "files": [{**record["files"][0], "base64": "AAAA"}]},
    ):
        wrong = verify_bundle(bundle, openings=parse_opening_file(canonical_bytes(forged)))
        assert "opening_wrong" in {one.code for one in wrong.findings}, forged
    for nonsense in (b"", b"[]", b"{}", opened.data[:-1], canonical_bytes({**record, "openings": [["x", "y", 1]]})):
        with pytest.raises(EvidenceStoreError):
            parse_opening_file(nonsense)


def test_one_value_is_opened_alone(stage: Stage) -> None:
    row = stage.export(WITHHOLD)
    one = stage.services.openings.disclose(
        stage.lawyer, row.id, COURT, "x", names=["source.collector"], release="Agreed"
    )
    assert (one.values, one.events, one.files) == (1, 0, 0)
    with pytest.raises(InvalidInputError):
        stage.services.openings.disclose(stage.lawyer, row.id, COURT, "x", names=["nothing of that name"])
    with pytest.raises(InvalidInputError):
        stage.services.openings.disclose(stage.lawyer, row.id, COURT, " ")
    with pytest.raises(NotFoundError) as strange:
        stage.services.openings.disclose(stage.lawyer, row.id, COURT, "x", items=[stage.first[:-4] + "0000"])
    assert strange.value.code == "unknown_item"
    whole = stage.export(Wishes(COURT), item_ids=[stage.first])
    with pytest.raises(ConflictError):
        stage.services.openings.disclose(stage.lawyer, whole.id, COURT, "x")
    with pytest.raises(DeniedError):
        stage.services.openings.disclose(stage.depositor, row.id, COURT, "x")


def test_restrictions_are_asked_again_when_something_is_opened(stage: Stage) -> None:
    row = stage.export(WITHHOLD)
    with pytest.raises(ConflictError) as refused:
        stage.services.openings.disclose(stage.lawyer, row.id, COURT, "x", names=["source.collector"])
    assert refused.value.code == "restricted_items"
    assert "protect_source" in refused.value.detail
    made = stage.services.openings.disclose(stage.lawyer, row.id, COURT, "x", release="She agreed on 2 June")
    (entry,) = [one for one in stage.services.register.entries(stage.lawyer) if one.as_json()["id"] == made.id]
    (marked,) = cast("list[Any]", entry.as_json()["marked"])
    assert (marked["terms"], marked["released"]) == (["handling protect_source"], "She agreed on 2 June")


def test_a_redacted_copy_goes_in_the_place_of_an_original_once_a_second_person_approved_it(stage: Stage) -> None:
    redactions = stage.services.redactions
    made = redactions.redact(stage.lawyer, stage.hidden, [(8, 8, 30, 20)], "fill", "A face")
    assert not [name for name in names(stage.bundle(WITHHOLD)) if name.startswith("data/redacted/")]
    with pytest.raises(DeniedError) as refused:
        redactions.review(stage.lawyer, made.row.id, "approve")
    assert refused.value.code == "own_work"
    assert redactions.review(stage.second, made.row.id, "approve").state == "approved"
    bundle = stage.bundle(WITHHOLD)
    assert errors(bundle) == []
    assert_nowhere(bundle, [COLLECTOR, NAME, hashlib.sha256(stage.hidden_data).hexdigest()])
    with zipfile.ZipFile(bundle) as opened:
        data = opened.read(f"data/redacted/{stage.hidden}.1.jpg")
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.size == (64, 48)
        assert not picture.getexif()
        assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        inside = picture.convert("L").crop((9, 9, 37, 27))
        assert max(inside.tobytes()) <= 40
        outside = picture.convert("L").crop((44, 8, 64, 48))
        assert max(outside.tobytes()) > 150
    event = next(one for one in events_of(stage.services, f"item:{stage.hidden}") if one.type == "redaction")
    assert cast("Any", event.details["outputs"])[0]["sha256"] == hashlib.sha256(data).hexdigest()
    assert event.sha256 is None
    assert redactions.review(stage.second, made.row.id, "reject", "an ear is seen").state == "rejected"
    assert not [name for name in names(stage.bundle(WITHHOLD)) if name.startswith("data/redacted/")]


def names(bundle: Path) -> list[str]:
    with zipfile.ZipFile(bundle) as opened:
        return opened.namelist()


def test_regions_that_cannot_be_hidden_make_no_copy(stage: Stage) -> None:
    redact = stage.services.redactions.redact
    for region, method, code in (
        ((0, 0, 65, 48), "fill", "region_outside"),
        ((-1, 0, 5, 5), "fill", "bad_region"),
        ((0, 0, 0, 5), "fill", "bad_region"),
        ((0, 0, 5), "fill", "bad_region"),
        ((0, 0, 5, 5), "blur", "bad_method"),
    ):
        with pytest.raises(CatenaError) as refused:
            redact(stage.lawyer, stage.hidden, [region], method, "x")
        assert code in {refused.value.code, getattr(refused.value, "reason", None)}
    text = stage.put(b"no picture", "a.txt", SourceContext())
    with pytest.raises(CatenaError):
        redact(stage.lawyer, text, [], "fill", "x")
    assert stage.services.redactions.of_item(stage.lawyer, stage.hidden) == []


def test_a_mosaic_keeps_nothing_but_mean_colours(stage: Stage) -> None:
    made = stage.services.redactions.redact(stage.lawyer, stage.hidden, [(0, 0, 64, 48)], "mosaic", "x")
    with stage.services.archive.blobs.open(made.row.sha256) as stream, Image.open(stream) as picture:
        assert len({picture.convert("L").getpixel((x, y)) for x in range(64) for y in range(48)}) <= 40


def test_what_speaks_against_is_told_before_anything_is_signed_and_stands_in_log_register_and_manifest(
    stage: Stage,
) -> None:
    law, case = stage.services.law, stage.case
    against = law.create_link(stage.lawyer, stage.last, provision(stage), "contradicts", "It shows a barracks.")
    law.create_link(stage.lawyer, stage.first, provision(stage), "supports", "It shows a school.")
    with pytest.raises(ConflictError, match=against.id) as refused:
        stage.export(Wishes(COURT), item_ids=[stage.first])
    assert refused.value.code == "exculpatory_left_out"
    assert stage.services.exports.list(stage.admin) == []
    wishes = Wishes(COURT, acknowledge="Disclosed on 2 May already.")
    row = stage.export(wishes, item_ids=[stage.first])
    bundle = stage.path(row)
    assert errors(bundle) == []
    stated = manifest_of(bundle)["disclosure"]["exculpatory"]
    assert stated == {"left_out": {"contradicting link": 1}, "acknowledged": "Disclosed on 2 May already."}
    assert "limit_withheld" in {claim["code"] for claim in verify_bundle(bundle).claims}
    begun = events_of(stage.services, f"export:{row.id}")[0].details
    assert begun["exculpatory_left_out"] == {"contradicting link": 1}
    (entry,) = stage.services.register.entries(stage.lawyer, case_ref=case.ref)
    assert entry.as_json()["left_out"] == [
        {"kind": "contradicting link", "id": against.id, "about": f"item:{stage.last}"}
    ]
    # a link that is withheld with its original is shown without the way to the original; withheld itself, it is told
    partly = stage.bundle(Wishes(COURT, "withhold", {stage.last: parse_parts(["original"])}))
    shown = {name.partition("/")[2]: value for _, name, value in entry_of(partly, stage.last)["shown"]}
    assert shown[f"link/{against.id}"]["direction"] == "contradicts"
    assert errors(partly) == []
    with pytest.raises(ConflictError):
        stage.export(Wishes(COURT, "withhold", {stage.last: parse_parts(["links"])}))


def test_a_rejecting_review_is_not_left_out_in_silence(stage: Stage) -> None:
    link = stage.services.law.create_link(stage.lawyer, stage.first, provision(stage), "supports", "A school.")
    stage.services.reviews.review_link(stage.second, link.id, "reject", "It is a factory, see the chimney.")
    wishes = {stage.first: parse_parts(["reviews"])}
    with pytest.raises(ConflictError, match="rejecting review"):
        stage.export(Wishes(COURT, "withhold", wishes))
    bundle = stage.bundle(Wishes(COURT, "withhold", wishes, acknowledge="Under seal."))
    assert errors(bundle) == []
    assert_nowhere(bundle, ["It is a factory, see the chimney."])


def test_the_register_tells_who_got_what_why_and_what_was_kept_back(stage: Stage) -> None:
    row = stage.export(Wishes(COURT, "withhold", {stage.first: parse_parts(())}))
    stage.export(Wishes(COURT), item_ids=[stage.last])
    stage.services.openings.disclose(stage.lawyer, row.id, COURT, "=1+1", items=[stage.hidden], release="Agreed")
    register = stage.services.register
    assert [one.as_json()["kind"] for one in register.entries(stage.lawyer)] == ["opening", "bundle", "bundle"]
    of_hidden = register.entries(stage.lawyer, item_id=stage.hidden)
    assert [one.as_json()["kind"] for one in of_hidden] == ["opening", "bundle"]
    shown = of_hidden[1].as_json()
    assert (shown["sha256"], shown["recipient"], shown["purpose"]) == (row.sha256, COURT.as_json(), "Request 17")
    assert shown["marked"] == [
        {"item": stage.first, "place": 0, "state": "withheld", "parts": ["item"], "terms": [], "released": None},
        {
            "item": stage.hidden,
            "place": 1,
            "state": "partly withheld",
            "parts": ["original", "source"],
            "terms": ["handling protect_source"],
            "released": None,
        },
    ]
    table = list(csv.DictReader(io.StringIO(as_csv(register.entries(stage.lawyer)))))
    assert [line["purpose"] for line in table] == ["'=1+1", "Request 17", "Request 17"]
    assert table[2]["withheld"] == f"{stage.first}:item {stage.hidden}:original+source"
    with pytest.raises(DeniedError):
        register.entries(stage.depositor)


def test_every_row_of_the_register_is_bound_to_the_log(stage: Stage) -> None:
    stage.export(WITHHOLD)
    engine = stage.services.archive.db.engine
    for statement, undo in (
        ("UPDATE disclosure SET recipient = 'Nobody'", "UPDATE disclosure SET recipient = 'Example Court, chamber 2'"),
        (
            "UPDATE disclosure_item SET terms = '[]'",
            "UPDATE disclosure_item SET terms = '[\"handling protect_source\"]'",
        ),
        (
            "UPDATE disclosure_openings SET created_at = created_at || 'x'",
            "UPDATE disclosure_openings SET created_at = rtrim(created_at, 'x')",
        ),
    ):
        with engine.begin() as connection:
            connection.exec_driver_sql(statement)
        with pytest.raises(AssertionError, match="row_altered"):
            assert_clean(stage.services)
        with engine.begin() as connection:
            connection.exec_driver_sql(undo)
