"""A catalogue import takes nothing from what speaks against: links keep the side that they were made with."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from app.custody.service import SYSTEM
from app.disclosure import exculpatory
from app.law.catalogue import packaged_catalogue
from app.law.versions import Catalogues
from tests.apis import Api, refused
from tests.archives import events_of
from tests.assessing import LOSS, SEARCH, Desk, E, P, element_of
from tests.checks import assert_clean
from tests.incident_samples import REF

OTHER = "ap1-art61"
NONE_FOUND = {"provision": P, "panel": "loss_of_protection", "answer": "searched_none_found", "searches": [SEARCH]}


def sorted_as(element: str, kind: str | None) -> bytes:
    """The packaged catalogue with an element of another kind, or without it."""
    entries: list[dict[str, Any]] = json.loads(packaged_catalogue())
    for entry in entries:
        entry["elements"] = [
            {**one, "kind": kind} if one["id"] == element else one
            for one in entry["elements"]
            if kind is not None or one["id"] != element
        ]
    return json.dumps(entries, ensure_ascii=False).encode()


def bring(api: Api, data: bytes, who: str = "leo") -> Any:  # noqa: ANN401 - an answer
    headers = {"Content-Type": "application/json"}
    return api.post(who, "/provisions/import?reason=corrected", content=data, headers=headers)


def only(desk: Desk, element: str, way: str) -> dict[str, Any]:
    """The only link of an element in one direction."""
    (link,) = desk.element(element)[way]
    return dict(link)


def group_with(desk: Desk, element: str) -> str:
    groups = desk.matrix(P)["provisions"][0]["groups"]
    return next(str(group["group"]) for group in groups if element in {one["id"] for one in group["elements"]})


def panels(desk: Desk) -> dict[str, Any]:
    found: dict[str, Any] = desk.matrix(P)["provisions"][0]["panels"]
    return found


def test_an_import_does_not_turn_a_link_against_into_one_for(api: Api) -> None:
    desk = Desk.of(api)
    entry = desk.link(element=LOSS)["entry"]
    assert bring(api, sorted_as(LOSS, "material")).status_code == 201

    link = only(desk, LOSS, "supports")
    assert (link["catalogue_version"], link["side"], group_with(desk, LOSS)) == (1, "against", "loss_of_protection")
    assert link["sides_differ"] == [
        {"catalogue_version": 1, "group": "loss_of_protection", "side": "against"},
        {"catalogue_version": 2, "group": "conduct", "side": "for"},
    ]
    assert panels(desk)["loss_of_protection"]["links"] == [entry]
    assert [one["entry"] for one in desk.matrix(OTHER)["contradicting_elsewhere"]] == [entry]
    refused(api.post("leo", f"/incidents/{REF}/panels", json=NONE_FOUND), 422, "panel_not_empty")
    told = "Versions of the catalogue differ; counted as against."
    assert told in api.get("ana", f"/incidents/{REF}/matrix.html?provision={P}").text
    rows = csv.DictReader(io.StringIO(api.get("ana", f"/incidents/{REF}/matrix.csv?provision={P}").text, newline=""))
    (row,) = [row for row in rows if row["row"] == "link"]
    assert (row["side"], row["sides_differ"].partition(";")[0]) == (
        "against",
        "catalogue 1: loss_of_protection, against",
    )
    assert_clean(api.services)


def test_a_link_that_only_the_newest_catalogue_calls_against_counts_as_against(lite: Api) -> None:
    desk = Desk.of(lite)
    entry = desk.link()["entry"]
    desk.panel("loss_of_protection")
    assert only(desk, E, "supports")["sides_differ"] == []
    assert bring(lite, sorted_as(E, "loss_of_protection_exception")).status_code == 201
    assert only(desk, E, "supports")["side"] == "against"
    assert panels(desk)["loss_of_protection"] | {"answers": []} == {
        "standing": "outdated",
        "links": [entry],
        "answers": [],
    }


def test_what_contradicts_a_loss_stands_in_both_panels_once_the_catalogue_moved_it(lite: Api) -> None:
    desk = Desk.of(lite)
    entry = desk.link(element=LOSS, direction="contradicts")["entry"]
    assert only(desk, LOSS, "contradicts")["side"] == "for"
    bring(lite, sorted_as(LOSS, "material"))
    assert only(desk, LOSS, "contradicts")["side"] == "against"
    assert [panels(desk)[one]["links"] for one in ("contradicting", "loss_of_protection")] == [[entry], [entry]]


def test_an_element_that_is_gone_leaves_its_links_the_side_they_had(lite: Api) -> None:
    desk = Desk.of(lite)
    entry = desk.link(element=LOSS)["entry"]
    done = bring(lite, sorted_as(LOSS, None)).json()
    assert [(one["element"], one["kind_now"], one["links"]) for one in done["warnings"]] == [(LOSS, None, 1)]
    assert only(desk, LOSS, "supports")["side"] == "against"
    assert panels(desk)["loss_of_protection"]["links"] == [entry]


def test_a_link_made_after_the_change_is_judged_by_its_own_version(lite: Api) -> None:
    desk = Desk.of(lite)
    bring(lite, sorted_as(LOSS, "material"))
    desk.link(element=LOSS)
    assert (only(desk, LOSS, "supports")["side"], group_with(desk, LOSS)) == ("for", "conduct")


def test_a_bundle_that_leaves_such_a_link_out_says_so_by_either_version(lite: Api) -> None:
    desk = Desk.of(lite)
    entry = desk.link()["entry"]
    archive, case = lite.services.archive, desk.api.get("ana", "/cases").json()["cases"][0]["id"]

    def told() -> set[str]:
        with archive.db.read() as session:
            return {one.id for one in exculpatory.left_out(session, Catalogues(archive), [case], {})}

    assert entry not in told()
    bring(lite, sorted_as(E, "loss_of_protection_exception"))
    assert entry in told()
    bring(lite, packaged_catalogue())
    late = desk.link(element=LOSS)["entry"]
    bring(lite, sorted_as(LOSS, "material"))
    assert late in told()


def test_whoever_brings_it_is_told_which_links_are_touched_and_the_log_which_elements(lite: Api) -> None:
    desk = Desk.of(lite)
    entry = desk.link(element=LOSS)["entry"]
    gone = desk.link(element=LOSS)
    desk.made("ana", f"/assessment-entries/{gone['thread']}/withdrawal", {"reason": "twice"})
    (warning,) = bring(lite, sorted_as(LOSS, "material")).json()["warnings"]
    kinds = {"kind_before": "loss_of_protection_exception", "kind_now": "material"}
    named = [{"entry": entry, "incident": REF}]
    assert warning == {
        "provision": P,
        "element": LOSS,
        "links": 1,
        "named": named,
        "text": warning["text"],
        **kinds,
    }
    assert "still counts as against" in warning["text"]
    assert last_change(lite)["protection_changed"] == [LOSS]
    assert bring(lite, packaged_catalogue()).json()["warnings"][0]["kind_now"] == "loss_of_protection_exception"
    assert bring(lite, json.dumps(json.loads(packaged_catalogue()), indent=3).encode()).json()["warnings"] == []
    assert "protection_changed" not in last_change(lite)


def test_links_of_cases_that_one_may_not_read_are_counted_and_not_named(lite: Api) -> None:
    desk = Desk.of(lite)
    desk.link(element=LOSS)
    (warning,) = bring(lite, sorted_as(LOSS, "material"), "outlaw").json()["warnings"]
    assert (warning["links"], warning["named"]) == (1, [])


def test_bytes_of_an_earlier_version_go_back_to_it_under_a_new_number(api: Api) -> None:
    refused(bring(api, packaged_catalogue()), 409, "catalogue_known")
    bring(api, sorted_as(LOSS, "material"))
    back = bring(api, packaged_catalogue())
    assert (back.status_code, back.json()["version"], back.json()["changed"]) == (201, 3, [P])
    assert element_kind(api, 3) == element_kind(api, 1) == "loss_of_protection_exception"
    assert json.loads(api.get("ana", "/provisions/export").content) == json.loads(packaged_catalogue())
    assert last_change(api)["content_of"] == 1
    refused(bring(api, packaged_catalogue()), 409, "catalogue_known")  # it is the newest again
    bring(api, sorted_as(LOSS, "material"))
    assert bring(api, packaged_catalogue()).json()["version"] == 5
    refused(
        api.post("liz", f"/provisions/{P}/signoffs", json={"decision": "sign", "scope": "x", "version": 9}),
        404,
        "unknown_catalogue_version",
    )
    refused(api.post("leo", f"/provisions/{P}/signoffs", json={"decision": "sign", "scope": "x"}), 403, "own_work")
    assert_clean(api.services)


def test_a_program_that_starts_does_not_go_back(lite: Api) -> None:
    bring(lite, sorted_as(LOSS, "material"))
    catalogues = Catalogues(lite.services.archive)
    assert catalogues.load(SYSTEM, packaged_catalogue())[1] is False
    assert catalogues.current()[0] == 2


def element_kind(api: Api, version: int) -> str:
    entry = api.get("ana", f"/provisions/{P}?version={version}").json()
    return next(str(one["kind"]) for one in entry["elements"] if one["id"] == LOSS)


def last_change(api: Api) -> dict[str, Any]:
    events = events_of(api.services, api.services.archive.about)
    return dict([one for one in events if one.type == "catalogue change"][-1].details)


def test_element_of_a_provision_is_what_the_tests_take_it_for() -> None:
    entries = {one["id"]: one for one in json.loads(packaged_catalogue())}
    kinds = {one["id"]: one["kind"] for one in entries[P]["elements"]}
    assert (kinds[LOSS], kinds[E] != kinds[LOSS]) == ("loss_of_protection_exception", True)
    assert element_of({"groups": [{"elements": entries[P]["elements"]}]}, LOSS)
