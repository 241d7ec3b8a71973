"""Targets and strikes: what is said of one holds for no other, claims that differ coexist, and none wins undecided."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from app.law.incident_suggestions import MAX_PARTS
from tests.apis import OTHER_CASE, Api, opened, refused
from tests.assessing import Desk
from tests.checks import assert_clean
from tests.flow.test_api_verifications import OK, entered, sign
from tests.incident_samples import REF, body
from tests.rich_cases import files_of

EMBLEM_RULE, NO_EMBLEM = "icc-8-2-b-xxiv", "icc-8-2-b-ii"
AMBULANCE, ENGINE = "T-AMB", "T-ENG"
TARGETS = [
    {"id": AMBULANCE, "kind": "object", "text": "ambulance at the station", "strikes": [1]},
    {"id": ENGINE, "kind": "object", "text": "fire engine", "strikes": [2]},
    {"id": "T-DRIVER", "kind": "person", "text": "driver of the engine"},
]
OF_AMBULANCE = {"targets": ["ambulance"], "insignia": ["ngo_branding"], "insignia_lawful": True}
OF_ENGINE = {"targets": ["fire_rescue_vehicle"], "insignia": ["red_cross"], "insignia_lawful": True}


@pytest.fixture
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with opened(tmp_path_factory.mktemp("targets"), "sqlite") as made:
        answer = made.post("ana", "/incidents?case=T1", json={"ref": REF, "body": body(targets=TARGETS, statements=[])})
        assert answer.status_code == 201, answer.text
        yield made


def claimed(api: Api, fact: str, value: object, who: str = "ana", **part: object) -> dict[str, Any]:
    sent = {"speaker": f"Source of {who}", "text": f"{fact} is {value}", "fact": fact, "value": value, **part}
    answer = api.post(who, f"/incidents/{REF}/claims", json=sent)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def two_vehicles(api: Api) -> None:
    claimed(api, "conflict_type", "iac")
    for target, facts in ((AMBULANCE, OF_AMBULANCE), (ENGINE, OF_ENGINE)):
        for fact, value in facts.items():
            claimed(api, fact, value, target=target)


def suggested(api: Api, query: str = "") -> set[str]:
    answer = api.get("leo", f"/incidents/{REF}/suggestions{query}")
    assert answer.status_code == 200, answer.text
    return {one["provision"] for one in answer.json()["suggest"]}


def of_part(api: Api, **part: object) -> dict[str, Any]:
    wanted = {"strike": None, "target": None, **part}
    told = api.get("leo", f"/incidents/{REF}/suggestions").json()["by_part"]
    (found,) = [one for one in told if {"strike": one["strike"], "target": one["target"]} == wanted]
    return dict(found)


def conflicts(api: Api) -> list[tuple[str, object, object, bool]]:
    told = api.get("leo", f"/incidents/{REF}/conflicts").json()["conflicts"]
    return [(one["fact"], one["strike"], one["target"], one["decided"]) for one in told]


def test_the_emblem_of_one_vehicle_is_never_read_as_the_emblem_of_another(api: Api) -> None:
    two_vehicles(api)
    everywhere = suggested(api) | suggested(api, f"?target={AMBULANCE}") | suggested(api, f"?target={ENGINE}")
    assert EMBLEM_RULE not in everywhere, "an ambulance without and an engine with it are no ambulance with it"
    assert NO_EMBLEM in suggested(api, f"?target={AMBULANCE}")
    assert "ap1-art21" in suggested(api, f"?target={AMBULANCE}")
    assert "ap1-art21" not in suggested(api, f"?target={ENGINE}")
    assert {one["provision"] for one in of_part(api, strike=1, target=AMBULANCE)["suggest"]} >= {"ap1-art21", NO_EMBLEM}
    assert conflicts(api) == [], "different things are said of different vehicles: nobody contradicts anybody"
    assert_clean(api.services)


def test_what_is_said_of_a_target_is_told_beside_the_answer_for_the_whole_and_never_lost(api: Api) -> None:
    two_vehicles(api)
    told = api.get("leo", f"/incidents/{REF}/suggestions").json()
    assert {(one["fact"], one["target"]) for one in told["said_of_other_parts"]} == {
        (fact, target) for target, facts in ((AMBULANCE, OF_AMBULANCE), (ENGINE, OF_ENGINE)) for fact in facts
    }
    seen = [(one["fact"], one.get("target")) for part in told["by_part"] for one in part["facts_rest_on"]]
    assert {(one["fact"], one["target"]) for one in told["said_of_other_parts"]} <= set(seen)
    assert {(one["strike"], one["target"]) for one in told["by_part"]} == {
        (1, AMBULANCE),
        (2, ENGINE),
        (None, "T-DRIVER"),
    }


def test_a_fact_that_is_missing_of_a_target_is_a_task_for_that_target(api: Api) -> None:
    claimed(api, "conflict_type", "iac")
    claimed(api, "targets", ["ambulance"], target=AMBULANCE)
    claimed(api, "insignia", ["red_cross"], target=AMBULANCE)
    part = of_part(api, strike=1, target=AMBULANCE)
    assert EMBLEM_RULE in {one["provision"] for one in part["possible"]}
    assert "insignia_lawful" in {one["fact"] for one in part["tasks"]}
    claimed(api, "insignia_lawful", value=True, target=AMBULANCE)
    assert EMBLEM_RULE in {one["provision"] for one in of_part(api, strike=1, target=AMBULANCE)["suggest"]}


def test_claims_on_one_target_that_differ_coexist_until_a_second_person_signs_a_decision_on_that_target(
    api: Api,
) -> None:
    two_vehicles(api)
    claimed(api, "insignia_complete", value=True, target=AMBULANCE)
    claimed(api, "insignia", ["red_cross"], who="leo", target=AMBULANCE)
    assert conflicts(api) == [("insignia", None, AMBULANCE, False)]
    assert EMBLEM_RULE not in suggested(api, f"?target={AMBULANCE}")
    sent = {
        "incident": REF,
        "target": AMBULANCE,
        "fact": "insignia",
        "held": ["red_cross"],
        "reasoning": "the second photo shows the door",
    }
    elsewhere = {"kind": "decision", "body": {**sent, "target": ENGINE, "held": ["ngo_branding"]}}
    refused(api.post("ana", "/verifications?case=T1", json=elsewhere), 422, "value_not_stated")
    unknown = {"kind": "decision", "body": {**sent, "target": "T-NONE"}}
    refused(api.post("ana", "/verifications?case=T1", json=unknown), 404, "unknown_target")
    made = entered(api, "decision", sent, ref="DEC-1")
    refused(api.post("ana", f"/verifications/{made['id']}/reviews", json=OK), 403, "own_work")
    assert conflicts(api) == [("insignia", None, AMBULANCE, False)]
    sign(api, made["id"])
    assert conflicts(api) == [("insignia", None, AMBULANCE, True)]
    assert EMBLEM_RULE in suggested(api, f"?target={AMBULANCE}")
    assert EMBLEM_RULE not in suggested(api) | suggested(api, f"?target={ENGINE}")
    claimed(api, "insignia", ["press"], target=AMBULANCE)
    assert conflicts(api) == [("insignia", None, AMBULANCE, False)], "it considered less than is said now"
    assert_clean(api.services)


def test_a_decision_on_the_whole_does_not_reach_a_target_of_which_something_else_is_said(api: Api) -> None:
    claimed(api, "insignia_complete", value=True)
    claimed(api, "insignia", ["press"])
    claimed(api, "insignia", ["un"], who="leo")
    sent = {"incident": REF, "fact": "insignia", "held": ["un"], "reasoning": "the roof"}
    sign(api, entered(api, "decision", sent)["id"])
    query = f"/incidents/{REF}/suggestions?target={AMBULANCE}"
    assert api.get("leo", query).json()["facts"]["insignia"] == ["un"], "of the ambulance nothing else is said"
    claimed(api, "insignia", ["press"], target=AMBULANCE)
    assert "insignia" in api.get("leo", query).json()["conflicting_facts"]
    assert conflicts(api) == [("insignia", None, None, True), ("insignia", None, AMBULANCE, False)]


def test_a_sign_that_a_second_person_saw_is_no_conflict_and_takes_no_suggestion_away(api: Api) -> None:
    claimed(api, "conflict_type", "iac")
    for fact, value in {"targets": ["ambulance"], "insignia": ["red_cross"], "insignia_lawful": True}.items():
        claimed(api, fact, value)
    assert EMBLEM_RULE in suggested(api)
    claimed(api, "insignia", ["service_livery"], who="leo")
    told = api.get("leo", f"/incidents/{REF}/suggestions").json()
    assert {"icc-8-2-b-xxiv", "cihl-rule30"} <= suggested(api)
    assert (told["conflicting_facts"], told["facts"]["insignia"]) == ([], ["red_cross", "service_livery"])
    assert len([one for one in told["facts_rest_on"] if one["fact"] == "insignia"]) == 2, "each with its source"
    assert conflicts(api) == []
    sent = {"incident": REF, "fact": "insignia", "held": ["service_livery"], "reasoning": "the cross is a shadow"}
    sign(api, entered(api, "decision", sent)["id"])
    assert conflicts(api) == [("insignia", None, None, True)], "two people may hold one of them all the same"
    assert EMBLEM_RULE not in suggested(api)


def test_a_sign_outside_of_a_set_that_somebody_calls_whole_is_a_conflict_of_claims(api: Api) -> None:
    claimed(api, "insignia", ["red_cross"])
    claimed(api, "insignia", ["service_livery"], who="leo")
    claimed(api, "insignia_complete", value=True, who="leo")
    assert conflicts(api) == [("insignia", None, None, False)]
    assert api.get("leo", f"/incidents/{REF}/suggestions").json()["conflicting_facts"] == ["insignia"]


def test_each_strike_has_its_own_weapon(api: Api) -> None:
    claimed(api, "weapon", "fpv_drone", strike=1)
    claimed(api, "weapon", "tube_artillery", strike=2)
    assert conflicts(api) == []
    assert of_part(api, strike=1, target=AMBULANCE)["facts"]["weapon"] == "fpv_drone"
    assert of_part(api, strike=2, target=ENGINE)["facts"]["weapon"] == "tube_artillery"
    assert "weapon" not in api.get("leo", f"/incidents/{REF}/suggestions").json()["facts"]
    one = api.get("leo", f"/incidents/{REF}/suggestions?strike=2").json()
    assert (one["scope"], one["facts"]["weapon"]) == ({"strike": 2, "target": None}, "tube_artillery")


def test_parts_that_the_record_does_not_list_are_refused(api: Api) -> None:
    said = {"speaker": "S", "text": "t", "fact": "struck", "value": True}
    for part, code in (({"target": "T-NONE"}, "unknown_target"), ({"strike": 3}, "unknown_strike")):
        refused(api.post("ana", f"/incidents/{REF}/claims", json={**said, **part}), 404, code)
        query = "&".join(f"{name}={value}" for name, value in part.items())
        refused(api.get("leo", f"/incidents/{REF}/suggestions?{query}"), 404, code)
    for who, code in ((None, "token_required"), ("outsider", "unknown_incident")):
        answer = api.get(who, f"/incidents/{REF}/suggestions?target={AMBULANCE}")
        assert answer.json()["code"] == code


def test_a_claim_outlives_the_target_in_the_record(api: Api) -> None:
    two_vehicles(api)
    sent = {"body": body(targets=[], statements=[]), "reason": "stated anew", "version": 1}
    assert api.post("ana", f"/incidents/{REF}/versions", json=sent).status_code == 201
    assert of_part(api, target=AMBULANCE)["facts"]["insignia"] == ["ngo_branding"], "nothing falls silent"


@pytest.mark.parametrize(
    "wrong",
    [
        [{"id": "T-1", "kind": "vehicle", "text": "x"}],
        [{"id": "T-1", "kind": "person", "text": "x", "name": "Sample Person"}],
        [{"id": "T-1", "kind": "object", "text": "x", "strikes": [3]}],
        [{"id": "T-1", "kind": "object", "text": "x"}, {"id": "T-1", "kind": "person", "text": "y"}],
        {"id": "T-1"},
    ],
)
def test_a_target_without_an_id_of_its_own_or_with_a_name_is_refused(api: Api, wrong: object) -> None:
    sent = {"ref": "INC-W", "body": body(targets=wrong)}
    refused(api.post("ana", "/incidents?case=T1", json=sent), 422, "bad_incident_entry")


def test_targets_in_the_givers_own_words_are_kept_as_they_are(api: Api) -> None:
    sent = {"ref": "INC-W", "body": body(targets=["an ambulance"])}
    made = api.post("ana", "/incidents?case=T1", json=sent).json()
    assert made["body"]["targets"] == ["an ambulance"]
    assert api.get("leo", f"/incidents/{made['id']}/suggestions").json()["by_part"] == []


def test_an_incident_of_very_many_targets_says_which_were_not_asked(api: Api) -> None:
    many = [{"id": f"T-{n}", "kind": "object", "text": "x"} for n in range(MAX_PARTS + 2)]
    made = api.post("ana", "/incidents?case=T1", json={"ref": "INC-M", "body": body(targets=many)}).json()
    told = api.get("leo", f"/incidents/{made['id']}/suggestions").json()
    assert len(told["by_part"]) == MAX_PARTS
    assert [one["target"] for one in told["parts_not_asked"]] == [f"T-{MAX_PARTS}", f"T-{MAX_PARTS + 1}"]


def counted(*sources: dict[str, str]) -> dict[str, Any]:
    return body(statements=[], casualties={"killed": 1, "injured": 0, "rests_on": [*sources]})


def test_a_count_of_casualties_names_an_item_a_statement_or_a_claim_that_is_there(api: Api) -> None:
    said = {"speaker": "Hospital A", "summary": "One died.", "kind": "organisation statement"}
    assert (
        api.post("ana", "/entries?case=T1", json={"kind": "statement", "ref": "ST-H", "body": said}).status_code == 201
    )
    claim = claimed(api, "killed", 1, target="T-DRIVER")
    for kind, code in (("item", "unknown_item"), ("statement", "unknown_statement"), ("claim", "unknown_claim")):
        sent = {"body": counted({"kind": kind, "ref": "NONE"}), "reason": "x", "version": 1}
        refused(api.post("ana", f"/incidents/{REF}/versions", json=sent), 404, code)
        refused(api.post("ana", "/incidents?case=T1", json={"ref": "INC-N", "body": sent["body"]}), 404, code)
    wrong = {"body": counted({"kind": "rumour", "ref": "x"}), "reason": "x", "version": 1}
    refused(api.post("ana", f"/incidents/{REF}/versions", json=wrong), 422, "bad_incident_entry")
    sources = ({"kind": "statement", "ref": "ST-H"}, {"kind": "claim", "ref": claim["ref"]})
    sent = {"body": counted(*sources), "reason": "sources added", "version": 1}
    assert api.post("ana", f"/incidents/{REF}/versions", json=sent).status_code == 201
    told = api.get("leo", f"/incidents/{REF}/suggestions").json()["facts_rest_on"]
    (killed,) = [one for one in told if one["fact"] == "killed"]
    assert [(one["kind"], one["ref"]) for one in killed["rests_on"]["rests_on"]] == [
        ("statement", "ST-H"),
        ("claim", claim["ref"]),
    ]
    file = api.get("leo", f"/incidents/export?case=T1&incident={REF}").json()
    assert [one["id"] for one in file["statements"]] == ["ST-H"], "what a count rests on goes along"
    assert_clean(api.services)


def test_targets_and_what_is_said_of_them_leave_in_a_file_and_come_in_elsewhere_as_they_were(api: Api) -> None:
    two_vehicles(api)
    said = {"speaker": "Expert A", "summary": "An opinion.", "kind": "expert opinion"}
    assert (
        api.post("ana", "/entries?case=T1", json={"kind": "statement", "ref": "ST-E", "body": said}).status_code == 201
    )
    claimed(api, "weapon", "fpv_drone", strike=1, rests_on=[{"kind": "statement", "ref": "ST-E"}])
    sources = ({"kind": "statement", "ref": "ST-E"},)
    sent = {"body": {**counted(*sources), "targets": TARGETS}, "reason": "sources added", "version": 1}
    assert api.post("ana", f"/incidents/{REF}/versions", json=sent).status_code == 201
    file = api.get("leo", f"/incidents/export?case=T1&incident={REF}").json()
    again = api.post("ana", "/incidents/import?case=T1", json=file).json()
    assert (again["created"], again["revised"], again["differs"]) == ([], [], [])
    there = api.post("adm", f"/incidents/import?case={OTHER_CASE}", json=file)
    assert there.status_code == 200, there.text
    (incident,) = api.get("adm", f"/incidents?case={OTHER_CASE}").json()["incidents"]
    left = api.get("adm", f"/incidents/export?case={OTHER_CASE}&incident={incident['id']}").json()
    assert left["incidents"] == file["incidents"]
    parts = [(one["fact"], one["value"], one["strike"], one["target"]) for one in file["claims"]]
    assert parts == [(one["fact"], one["value"], one["strike"], one["target"]) for one in left["claims"]]
    assert ("weapon", "fpv_drone", 1, None) in parts
    assert_clean(api.services)


def test_a_matrix_and_a_bundle_say_of_which_target_a_provision_is_suggested(api: Api) -> None:
    two_vehicles(api)
    item = api.deposit(b"\xff\xd8\xff a photo", X_Filename="a.jpg")["item"]["id"]
    assert Desk(api, item).link()["number"] == 1
    document = api.get("leo", f"/incidents/{REF}/matrix").json()
    (one,) = [each for each in document["provisions"] if each["provision"] == "ap1-art21"]
    assert one["suggestion"]["standing"] != "suggest"
    first = one["suggestion"]["of_parts"][0]
    assert (first["target"], first["standing"]) == (AMBULANCE, "suggest")
    assert f"target {AMBULANCE}: suggest" in api.get("leo", f"/incidents/{REF}/matrix.html").text
    answer = api.post("leo", "/exports", json={"incident": REF})
    assert answer.status_code == 201, answer.text
    files = files_of(api.get("leo", f"/exports/{answer.json()['id']}/bundle").content)
    assert f"of target {AMBULANCE}" in files["report.html"].decode()
    claims = [json.loads(data) for path, data in files.items() if path.startswith("data/incidents/claims/")]
    assert {one["target"] for one in claims} == {None, AMBULANCE, ENGINE}
