"""Files of incidents and the links to elements: none leaves without what speaks against or brings links in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.apis import OTHER_CASE, Api, opened
from tests.assessing import Desk
from tests.checks import assert_clean
from tests.incident_samples import REF


@pytest.fixture
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with opened(tmp_path_factory.mktemp("file-links"), "sqlite") as api:
        yield Desk.of(api)


def exported(api: Api, query: str = "") -> dict[str, Any]:
    answer = api.get("leo", f"/incidents/export?case=T1{query}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def links_of(document: dict[str, Any]) -> dict[str, str]:
    found = [one for one in document.get("element_entries", []) if one["kind"] == "link"]
    return {one["id"]: one["record"]["direction"] for one in found}


@pytest.mark.parametrize("query", ["", f"&incident={REF}"])
def test_no_file_of_an_incident_leaves_without_its_contradicting_links(desk: Desk, query: str) -> None:
    made = {
        desk.link()["entry"]: "supports",
        desk.link(direction="contradicts")["entry"]: "contradicts",
        desk.link(direction="contradicts", reasoning="Seen once more.")["entry"]: "contradicts",
    }
    gone = list(made)[2]
    taken_back = desk.made("ana", f"/assessment-entries/{gone}/withdrawal", {"reason": "seen twice"})["entry"]
    assert desk.review("liz", list(made)[1], "reject", "Another vehicle.").status_code == 201
    document = exported(desk.api, query)
    assert links_of(document) == {**made, taken_back: "contradicts"}
    said = {one["id"]: one for one in document["element_entries"]}
    assert [one["comment"] for one in said[list(made)[1]]["reviews"]] == ["Another vehicle."]
    assert (said[gone]["newest"], said[taken_back]["standing"]) == (False, "withdrawn")
    assert_clean(desk.api.services)


def test_a_link_that_was_cut_out_of_the_database_stops_the_file(desk: Desk) -> None:
    desk.link(direction="contradicts")
    with desk.api.services.archive.db.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM assessment_entry")
    answer = desk.api.get("leo", f"/incidents/export?case=T1&incident={REF}")
    assert (answer.status_code, answer.json()["code"]) == (500, "record_missing")


def test_a_file_brings_no_link_in_and_what_it_says_goes_along_again(desk: Desk) -> None:
    link = desk.link(direction="contradicts")["entry"]
    document = exported(desk.api, f"&incident={REF}")
    here = desk.api.post("ana", "/incidents/import?case=T1", json=document).json()
    assert (here["created"], here["differs"]) == ([], []), "in its own archive all of it is known"
    assert exported(desk.api, f"&incident={REF}") == document

    there = desk.api.post("adm", f"/incidents/import?case={OTHER_CASE}", json=_elsewhere(document))
    assert there.status_code == 200, there.text
    assert f"other:element_entry:{NEW}" in there.json()["created"]
    matrix = desk.api.get("adm", f"/incidents/{_incident(desk.api)}/matrix").json()
    assert link not in json.dumps(matrix)
    assert NEW not in json.dumps(matrix), "what somebody else linked counts for nothing here"
    again = desk.api.get("adm", f"/incidents/export?case={OTHER_CASE}&incident={_incident(desk.api)}").json()
    assert [one["id"] for one in again["element_entries"]] == [NEW]
    assert_clean(desk.api.services)


def test_a_file_taken_into_another_case_of_the_archive_leaves_it_with_both_sides(desk: Desk) -> None:
    made = {desk.link()["entry"]: "supports", desk.link(direction="contradicts")["entry"]: "contradicts"}
    document = exported(desk.api, f"&incident={REF}")
    there = desk.api.post("adm", f"/incidents/import?case={OTHER_CASE}", json=document)
    assert there.status_code == 200, there.text
    again = desk.api.get("adm", f"/incidents/export?case={OTHER_CASE}&incident={_incident(desk.api)}").json()
    assert again["element_entries"] == document["element_entries"]
    assert links_of(again) == made
    one_sided = [one for one in document["element_entries"] if one["record"]["direction"] == "supports"]
    cut = {**document, "element_entries": one_sided}
    assert desk.api.post("adm", f"/incidents/import?case={OTHER_CASE}", json=cut).status_code == 200
    assert links_of(desk.api.get("adm", f"/incidents/export?case={OTHER_CASE}").json()) == made
    matrix = desk.api.get("adm", f"/incidents/{_incident(desk.api)}/matrix").json()
    assert not any(link in json.dumps(matrix) for link in made), "nobody linked anything in that case"
    assert_clean(desk.api.services)


NEW = "11111111-1111-4111-8111-111111111111"


def _elsewhere(document: dict[str, Any]) -> dict[str, Any]:
    (entry,) = document["element_entries"]
    return {**document, "element_entries": [{**entry, "id": NEW}]}


def _incident(api: Api) -> str:
    listed = api.get("adm", f"/incidents?case={OTHER_CASE}").json()["incidents"]
    return str(next(one["id"] for one in listed if one["ref"] == REF))


@pytest.mark.parametrize("broken", [{}, {"id": "x"}, {"id": 1, "incident": REF, "sha256": ""}, "x", None])
def test_an_entry_of_a_file_that_names_nothing_is_refused(desk: Desk, broken: object) -> None:
    answer = desk.api.post("ana", "/incidents/import?case=T1", json={"incidents": [], "element_entries": [broken]})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_incident_file")
