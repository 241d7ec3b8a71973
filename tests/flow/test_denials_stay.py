"""What was once a denial stays one for every reader, whatever it is called later; so does what nobody can place."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.apis import OTHER_CASE, Api, opened, refused
from tests.assessing import Desk
from tests.checks import assert_clean
from tests.incident_samples import REF
from tests.rich_cases import files_of

DENIED = "Only military aims."
SMOOTHED = {"speaker": "Ministry A", "summary": "It spoke of the matter.", "kind": "witness"}
STRANGE = {"id": "ST-UK", "speaker": "Міноборони", "summary": "Цього не було.", "kind": "démenti"}


@pytest.fixture
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with opened(tmp_path_factory.mktemp("denials"), "sqlite") as api:
        yield Desk.of(api)


def renamed(desk: Desk) -> str:
    """The denial of the sample case, called a witness in its second version; its id."""
    (found,) = [one for one in entries(desk.api) if one["ref"] == "ST-DENIAL"]
    sent = {"body": SMOOTHED, "reason": "reworded", "version": 1}
    desk.made("ana", f"/entries/{found['id']}/versions", sent)
    return str(found["id"])


def entries(api: Api, case: str = "T1", who: str = "ana") -> list[dict[str, Any]]:
    return list(api.get(who, f"/entries?case={case}&kind=statement").json()["entries"])


def file_of(desk: Desk, query: str = "&incident=INC-B") -> dict[str, Any]:
    answer = desk.api.get("leo", f"/incidents/export?case=T1{query}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.parametrize("query", ["", "&incident=INC-B"])
def test_a_denial_that_is_called_a_witness_later_leaves_with_every_file_and_with_what_it_said(
    desk: Desk, query: str
) -> None:
    renamed(desk)
    file = file_of(desk, query)
    assert {"id": "ST-DENIAL", **SMOOTHED} in file["statements"]
    assert [(one["id"], one["summary"]) for one in file["earlier_statements"]] == [("ST-DENIAL", DENIED)]
    assert_clean(desk.api.services)


def test_on_both_databases_a_denial_goes_along_and_an_experts_opinion_does_not(api: Api) -> None:
    renamed(desk := Desk.of(api))
    file = file_of(desk)
    assert [one["id"] for one in file["statements"]] == ["ST-CAPTION", "ST-DENIAL"]
    assert [one["id"] for one in file["earlier_statements"]] == ["ST-DENIAL"]
    assert_clean(api.services)


def test_a_file_with_an_earlier_denial_is_taken_in_as_versions_and_leaves_the_second_case_with_both(desk: Desk) -> None:
    renamed(desk)
    file = file_of(desk)
    again = desk.api.post("ana", "/incidents/import?case=T1", json=file).json()
    assert (again["created"], again["revised"], again["differs"]) == ([], [], []), "it is all known here"
    there = desk.api.post("adm", f"/incidents/import?case={OTHER_CASE}", json=file)
    assert there.status_code == 200, there.text
    (found,) = [one for one in entries(desk.api, OTHER_CASE, "adm") if one["ref"] == "ST-DENIAL"]
    history = desk.api.get("adm", f"/entries/{found['id']}/versions").json()
    assert [one["body"]["summary"] for one in history] == [DENIED, SMOOTHED["summary"]]
    (incident,) = desk.api.get("adm", f"/incidents?case={OTHER_CASE}").json()["incidents"]
    left = desk.api.get("adm", f"/incidents/export?case={OTHER_CASE}&incident={incident['id']}").json()
    assert left["earlier_statements"] == file["earlier_statements"]
    assert left["statements"] == file["statements"]
    assert_clean(desk.api.services)


def test_an_earlier_version_is_never_taken_in_over_what_is_here_without_a_reason(desk: Desk) -> None:
    file = {**file_of(desk), "earlier_statements": [{**STRANGE, "id": "ST-DENIAL"}]}
    told = desk.api.post("ana", "/incidents/import?case=T1", json=file).json()
    assert told["differs"] == ["statement:ST-DENIAL"]
    told = desk.api.post("ana", "/incidents/import?case=T1&update=compared", json=file).json()
    assert told["revised"] == ["statement:ST-DENIAL"]
    assert [one["kind"] for one in file_of(desk)["earlier_statements"]] == ["denial", "démenti"]
    file["earlier_statements"] = [STRANGE]
    refused(desk.api.post("ana", "/incidents/import?case=T1", json=file), 422, "bad_incident_file")


def test_a_bundle_and_the_matrix_tell_a_denial_that_was_renamed(desk: Desk) -> None:
    statement = renamed(desk)
    desk.link()
    (shown,) = [one for one in desk.matrix()["statements"] if one["statement"] == statement]
    assert (shown["denial"], shown["goes_along"], shown["kind"]) == (True, "earlier denial", "witness")
    assert [(one["version"], one["summary"]) for one in shown["earlier"]] == [(1, DENIED)]
    for path in ("matrix.csv", "matrix.html"):
        assert DENIED in desk.api.get("ana", f"/incidents/{REF}/{path}").text
    answer = desk.api.post("leo", "/exports", json={"incident": REF})
    assert answer.status_code == 201, answer.text
    files = files_of(desk.api.get("leo", f"/exports/{answer.json()['id']}/bundle").content)
    assert [one["summary"] for one in json.loads(files["incidents.json"])["earlier_statements"]] == [DENIED]
    assert {f"data/incidents/{statement}.{number}.json" for number in (1, 2)} <= files.keys()


def test_a_bundle_of_items_alone_is_refused_while_a_renamed_denial_stays_behind(desk: Desk) -> None:
    statement = renamed(desk)
    body = refused(desk.api.post("leo", "/exports", json={"items": [desk.item]}), 409, "exculpatory_left_out")
    assert f"denial {statement}" in body["detail"]


def test_a_statement_whose_kind_is_no_word_of_the_list_goes_along(desk: Desk) -> None:
    desk.made("ana", "/entries?case=T1", {"kind": "statement", "ref": "ST-UK", "body": STRANGE})
    assert "ST-UK" in [one["id"] for one in file_of(desk)["statements"]]
    (shown,) = [one for one in desk.matrix()["statements"] if one["ref"] == "ST-UK"]
    assert (shown["denial"], shown["goes_along"]) == (False, "kind not known")
    assert "may be a denial" in desk.api.get("ana", f"/incidents/{REF}/matrix.html").text
    body = refused(desk.api.post("leo", "/exports", json={"items": [desk.item]}), 409, "exculpatory_left_out")
    assert "statement of unknown kind" in body["detail"]


def test_a_matrix_hides_the_texts_of_a_statement_that_is_personal_data(desk: Desk) -> None:
    private = {"speaker": "Sample Witness", "summary": "I was on the roof.", "kind": "denial", "personal_data": True}
    desk.made("ana", "/entries?case=T1", {"kind": "statement", "ref": "ST-P", "body": private})
    for path in ("matrix.json", "matrix.csv", "matrix.html"):
        told = desk.api.get("ana", f"/incidents/{REF}/{path}").text
        assert "ST-P" in told
        assert "Sample Witness" not in told
        assert "on the roof" not in told


def approved_then_contradicted(desk: Desk) -> dict[str, Any]:
    desk.link()
    for panel in ("contradicting", "loss_of_protection"):
        desk.panel(panel, answer="answered", text="Looked at.", searches=[])
    made = desk.assess()
    assert made["basis_changed"] is False
    assert desk.review("liz", made["entry"]).status_code == 201
    assert desk.api.get("ana", f"/assessment-entries/{made['entry']}").json()["versions"][0]["basis_changed"] is False
    desk.link(direction="contradicts", segment=None)
    return made


def test_no_output_says_approved_without_saying_that_the_basis_has_changed_since(desk: Desk) -> None:
    made = approved_then_contradicted(desk)
    (version,) = desk.api.get("ana", f"/assessment-entries/{made['entry']}").json()["versions"]
    assert (version["review"], version["basis_changed"]) == ("approved", True)
    provision = desk.matrix()["provisions"][0]
    assert [(one["review"], one["basis_changed"]) for one in provision["assessments"]] == [("approved", True)]
    assert "basis_changed" in [one["code"] for one in provision["gaps"]]
    rows = list(csv.DictReader(io.StringIO(desk.api.get("ana", f"/incidents/{REF}/matrix.csv").text, newline="")))
    told = [(row["review"], row["basis_changed"]) for row in rows if row["row"] == "assessment"]
    assert told == [("approved", "yes")]
    assert "What it rests on has changed since." in desk.api.get("ana", f"/incidents/{REF}/matrix.html").text
    (entry,) = [one for one in file_of(desk, f"&incident={REF}")["element_entries"] if one["kind"] == "assessment"]
    assert (entry["standing"], entry["basis_changed"]) == ("approved", True)


def test_a_bundle_and_its_report_say_that_the_basis_of_an_approved_assessment_has_changed(desk: Desk) -> None:
    approved_then_contradicted(desk)
    answer = desk.api.post("leo", "/exports", json={"incident": REF})
    assert answer.status_code == 201, answer.text
    files = files_of(desk.api.get("leo", f"/exports/{answer.json()['id']}/bundle").content)
    (name,) = [one for one in files if one.startswith("data/matrices/")]
    (assessment,) = json.loads(files[name])["provisions"][0]["assessments"]
    assert (assessment["review"], assessment["basis_changed"]) == ("approved", True)
    assert "What it rests on has changed since." in files["report.html"].decode()
    assert DENIED in files["report.html"].decode()
