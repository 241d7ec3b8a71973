"""Verification over HTTP: first the attacks on the four-eyes rule by every route, then what is kept and computed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
from sqlmodel import Session

from app.access.service import Principal
from app.verification.store import View
from tests.apis import Api, opened, refused
from tests.archives import events_of
from tests.checks import assert_clean
from tests.incident_samples import REF, body
from tests.verification_samples import attribution, place, reviewed, same_truck, time

OK = {"decision": "approve", "version": 1}


def entered(api: Api, kind: str, sent: dict[str, Any], who: str = "ana", ref: str | None = None) -> dict[str, Any]:
    answer = api.post(who, "/verifications?case=T1", json={"kind": kind, "ref": ref, "body": sent})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/api/v1/verifications/{made['id']}"
    assert made["state"] == "proposed"
    return made


def item_in(api: Api, data: bytes = b"a recording", **headers: str) -> str:
    return str(api.deposit(data, **headers)["item"]["id"])


def incident_in(api: Api, ref: str = REF) -> str:
    answer = api.post("ana", "/incidents?case=T1", json={"ref": ref, "body": body()})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def sign(api: Api, record: str, who: str = "leo", version: int = 1, **changed: object) -> dict[str, Any]:
    answer = api.post(who, f"/verifications/{record}/reviews", json={**OK, "version": version, **changed})
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Api, str, str]]:
    """An archive with a geolocation by ana of an item in T1 that no test signs off."""
    with opened(tmp_path_factory.mktemp("verifications"), "sqlite") as api:
        item = item_in(api)
        incident_in(api)
        yield api, item, entered(api, "geolocation", place("item", item), ref="GEO-1")["id"]


MEMBERS = {"ana", "leo", "adm"}


@pytest.mark.parametrize(
    ("method", "path", "sent", "allowed", "code"),
    [
        ("POST", "/verifications?case=T1", {"kind": "geolocation", "body": {}}, MEMBERS, "unknown_case"),
        ("POST", "/verifications/import?case=T1", {"verifications": []}, MEMBERS, "unknown_case"),
        ("GET", "/verifications?case=T1", None, MEMBERS, "unknown_case"),
        ("GET", "/verifications/{id}", None, MEMBERS, "unknown_verification"),
        ("GET", "/verifications/GEO-1", None, MEMBERS, "unknown_verification"),
        ("GET", "/verifications/{id}/versions", None, MEMBERS, "unknown_verification"),
        ("GET", "/verifications/{id}/print", None, MEMBERS, "unknown_verification"),
        (
            "POST",
            "/verifications/{id}/versions",
            {"body": {}, "reason": "r", "version": 1},
            MEMBERS,
            "unknown_verification",
        ),
        ("POST", "/verifications/{id}/reviews", {"decision": "colour", "version": 1}, MEMBERS, "unknown_verification"),
        ("GET", "/items/{item}/status", None, MEMBERS, "unknown_item"),
        ("GET", "/incidents/INC-A/status", None, MEMBERS, "unknown_incident"),
        ("GET", "/incidents/INC-A/status/print", None, MEMBERS, "unknown_incident"),
        ("GET", "/incidents/INC-A/conflicts", None, MEMBERS, "unknown_incident"),
        ("POST", "/entries?case=T1", {"kind": "statement", "ref": "S", "body": {}}, MEMBERS, "unknown_case"),
        ("GET", "/entries?case=T1", None, MEMBERS, "unknown_case"),
    ],
)
def test_who_may_do_what_with_verifications(
    scene: tuple[Api, str, str], method: str, path: str, sent: object, allowed: set[str], code: str
) -> None:
    api, item, record = scene
    target = path.replace("{id}", record).replace("{item}", item)
    refused(api.call(None, method, target, json=sent), 401, "token_required")
    refused(api.call("aud", method, target, json=sent), 403, "not_allowed")
    refused(api.call("outsider", method, target, json=sent), 404, code)
    for who in allowed:  # let in: what is refused then is the body
        assert api.call(who, method, target, json=sent).status_code in {200, 422}


def test_many_reviews_at_once_are_refused_to_whom_may_not_and_to_strangers(scene: tuple[Api, str, str]) -> None:
    api, _, record = scene
    sent = {"reviews": [{"verification": record, **OK}]}
    refused(api.post(None, "/verifications/reviews", json=sent), 401, "token_required")
    refused(api.post("aud", "/verifications/reviews", content=b"{"), 403, "not_allowed")
    refused(api.post("outlaw", "/verifications/reviews", json=sent), 404, "unknown_verification")
    assert api.get("ana", f"/verifications/{record}").json()["state"] == "proposed"


# -- four eyes ----------------------------------------------------------------------------------


def test_an_author_cannot_decide_on_his_own_record_by_any_route(lite: Api) -> None:
    item = item_in(lite)
    mine = entered(lite, "geolocation", place("item", item))["id"]
    theirs = entered(lite, "geolocation", place("item", item, reasoning="another way"), who="leo")["id"]
    for decision in ("approve", "reject", "dissent"):
        sent = {"decision": decision, "version": 1, "comment": "mine"}
        refused(lite.post("ana", f"/verifications/{mine}/reviews", json=sent), 403, "own_work")
    last = events_of(lite.services, f"verification:{mine}")[-1]
    assert (last.type, last.actor.name) == ("access denied", "ana")
    bulk = {"reviews": [{"verification": theirs, **OK}, {"verification": mine, **OK}]}
    refused(lite.post("ana", "/verifications/reviews", json=bulk), 403, "own_work")
    told = lite.get("ana", f"/verifications/{theirs}").json()
    assert (told["state"], told["reviews"]) == ("proposed", [])  # all or none
    assert lite.get("ana", f"/verifications/{mine}").json()["reviews"] == []


def test_an_admin_cannot_decide_on_his_own_record(lite: Api) -> None:
    record = entered(lite, "geolocation", place("item", item_in(lite)), who="adm")["id"]
    refused(lite.post("adm", f"/verifications/{record}/reviews", json=OK), 403, "own_work")


def test_an_author_does_not_become_a_second_person_when_another_states_his_record_anew(lite: Api) -> None:
    item = item_in(lite)
    record = entered(lite, "geolocation", place("item", item))["id"]
    assert sign(lite, record)["state"] == "approved"
    anew = {"body": place("item", item, reasoning="a comma"), "reason": "a comma", "version": 1}
    told = lite.post("leo", f"/verifications/{record}/versions", json=anew).json()
    assert (told["state"], told["version"]) == ("proposed", 2)  # a sign-off does not pass on to the next version
    assert [(one["reviewer"]["name"], one["stands"]) for one in told["reviews"]] == [("leo", False)]
    for who in ("ana", "leo"):
        refused(lite.post(who, f"/verifications/{record}/reviews", json={**OK, "version": 2}), 403, "own_work")
    assert sign(lite, record, "liz", 2)["state"] == "approved"
    versions = lite.get("ana", f"/verifications/{record}/versions").json()
    assert [one["version"] for one in versions] == [1, 2]
    assert versions[0]["body"]["reasoning"] != versions[1]["body"]["reasoning"]


@pytest.mark.parametrize("times", [1, 2])
def test_an_author_does_not_become_a_second_person_when_another_imports_his_record(lite: Api, times: int) -> None:
    entered(lite, "geolocation", place("item", item_in(lite)), ref="GEO-0")
    for n in range(times):  # the file of a file still tells who worked it out
        (told,) = [
            one
            for one in lite.get("leo", "/incidents/export?case=T1").json()["verifications"]
            if one["ref"] == f"GEO-{n}"
        ]
        sent = {"verifications": [{**told, "ref": f"GEO-{n + 1}"}]}
        assert lite.post("leo", "/verifications/import?case=T1", json=sent).json()["created"]
    for who in ("ana", "leo"):
        refused(lite.post(who, f"/verifications/GEO-{times}/reviews", json=OK), 403, "own_work")
    assert sign(lite, f"GEO-{times}", "liz")["state"] == "approved"


def test_an_import_signs_nothing_off_and_makes_the_importer_the_author(lite: Api) -> None:
    item = item_in(lite)
    forged = {
        "kind": "geolocation",
        "ref": "GEO-F",
        "body": place("item", item),
        "state": "approved",
        "author": {"id": "u", "name": "leo", "auth": "token"},
        "reviews": [{"decision": "approve", "reviewer": {"id": "v", "name": "leo", "auth": "token"}, "version": 1}],
    }
    for path, sent in (
        ("/verifications/import?case=T1", {"verifications": [forged]}),
        ("/incidents/import?case=T1", {"incidents": [], "verifications": [{**forged, "ref": "GEO-G"}]}),
    ):
        assert len(lite.post("ana", path, json=sent).json()["created"]) == 1
    for ref in ("GEO-F", "GEO-G"):
        told = lite.get("ana", f"/verifications/{ref}").json()
        assert (told["state"], told["reviews"], told["author"]["name"]) == ("proposed", [], "ana")
        assert told["elsewhere"]["state"] == "approved"  # kept as said elsewhere
        refused(lite.post("ana", f"/verifications/{ref}/reviews", json=OK), 403, "own_work")
    assert lite.get("ana", f"/items/{item}/status").json()["level"] == "collected"
    again = lite.post("leo", "/verifications/import?case=T1", json={"verifications": [forged]}).json()
    assert again["unchanged"] == ["verification:GEO-F"]
    other = {**forged, "body": place("item", item, reasoning="otherwise")}
    assert lite.post("leo", "/verifications/import?case=T1", json={"verifications": [other]}).json()["differs"]
    assert_clean(lite.services)


def test_a_translator_or_contributor_is_not_the_second_reader_under_another_account(lite: Api) -> None:
    lite.post("ana", "/entries?case=T1", json={"kind": "statement", "ref": "ST-1", "body": STATEMENT})
    record = entered(lite, "translation", TRANSLATION | {"translator": " Leo ", "contributors": ["LIZ"]})["id"]
    for who in ("ana", "leo", "liz"):
        refused(lite.post(who, f"/verifications/{record}/reviews", json=OK), 403, "own_work")
    assert sign(lite, record, "adm")["state"] == "approved"


STATEMENT = {"speaker": "Brigade A", "text": "Ціль - транспорт.", "language": "uk", "kind": "denial"}
TRANSLATION: dict[str, Any] = {
    "about": {"kind": "statement", "ref": "ST-1"},
    "field": "text",
    "original": {"text": "Ціль - транспорт.", "language": "uk"},
    "translation": {"text": "The aim is transport.", "language": "en"},
    "translator": "ana",
    "reasoning": "Word for word.",
}


def test_a_statement_cannot_name_its_translator_as_second_reader(lite: Api) -> None:
    sent = {**STATEMENT, "translation": "t", "translator": "Ana A", "second_reader": "ana  a"}
    path = "/entries?case=T1"
    refused(lite.post("ana", path, json={"kind": "statement", "ref": "S", "body": sent}), 422, "bad_incident_entry")
    file = {"incidents": [], "statements": [{"id": "S", **sent}]}
    refused(lite.post("ana", "/incidents/import?case=T1", json=file), 422, "bad_incident_entry")
    made = lite.post(
        "ana", path, json={"kind": "statement", "ref": "S", "body": sent | {"second_reader": "Leo"}}
    ).json()
    assert made["standing"]["translation"] == "second reader named, not signed off here"


def test_a_review_of_what_one_has_not_seen_is_refused(lite: Api) -> None:
    item = item_in(lite)
    record = entered(lite, "geolocation", place("item", item))["id"]
    anew = {"body": place("item", item, reasoning="moved"), "reason": "moved", "version": 1}
    assert lite.post("ana", f"/verifications/{record}/versions", json=anew).status_code == 201
    refused(lite.post("leo", f"/verifications/{record}/reviews", json=OK), 409, "verification_changed")
    for wrong, code in (
        ({"decision": "reject"}, "comment_required"),
        ({"decision": "dissent", "comment": " "}, "comment_required"),
        ({"decision": "colour"}, "invalid_request"),
    ):
        refused(lite.post("leo", f"/verifications/{record}/reviews", json={"version": 2, **wrong}), 422, code)


# -- what is kept, and where it stands ------------------------------------------------------------


def test_dissent_is_kept_and_no_majority_overrules_it(api: Api) -> None:
    item = item_in(api)
    record = entered(api, "geolocation", place("item", item), ref="GEO-1")["id"]
    assert api.get("leo", f"/items/{item}/status").json()["level"] == "collected"
    assert sign(api, record)["state"] == "approved"
    assert api.get("leo", f"/items/{item}/status").json()["level"] == "located"
    assert sign(api, record, "adm")["state"] == "approved"
    told = sign(api, record, "liz", decision="dissent", comment="the tower was pulled down in May")
    assert told["state"] == "disputed"
    status = api.get("leo", f"/items/{item}/status").json()
    assert status["level"] == "collected"
    assert status["steps"][1]["dissent"][0]["comment"] == "the tower was pulled down in May"
    assert [one["level"] for one in status["history"]] == ["collected", "located", "collected"]
    assert sign(api, record, "liz", comment="the other tower")["state"] == "approved"
    assert [one["stands"] for one in api.get("ana", f"/verifications/{record}").json()["reviews"]].count(False) == 1
    assert api.get("leo", f"/items/{item}/status").json()["history"][-1]["level"] == "located"
    page = api.get("ana", "/verifications?case=T1&limit=1").json()
    assert [one["ref"] for one in page["verifications"]] == ["GEO-1"]
    types = [event.type for event in events_of(api.services, f"verification:{record}")]
    assert types == ["annotation", "review", "review", "review", "review"]
    assert_clean(api.services)


def test_ladder_of_an_incident_is_climbed_by_signed_off_records_alone(api: Api) -> None:
    incident_in(api)
    video, photo = item_in(api, b"a drone video"), item_in(api, b"a photo of the truck")
    records = [
        ("geolocation", place("incident", REF), "located"),
        ("chronolocation", time("incident", REF), "time_fixed"),
        ("corroboration", same_truck(video, photo, incident=REF), "corroborated"),
        ("status", reviewed("incident", REF), "reviewed"),
    ]
    level = "collected"
    for kind, sent, step in records:
        record = entered(api, kind, sent)["id"]
        assert api.get("leo", f"/incidents/{REF}/status").json()["level"] == level
        sign(api, record)
        level = step
        told = api.get("leo", f"/incidents/{REF}/status").json()
        assert told["level"] == level
    assert [one["level"] for one in told["history"]] == ["collected", *(step for _, _, step in records)]
    assert api.get("leo", f"/items/{video}/status").json()["steps"][3]["reached"] is True
    assert api.get("leo", f"/items/{video}/status").json()["level"] == "collected"  # its place is not known
    doubt = entered(api, "status", reviewed("incident", REF, step="corroborated", holds=False), who="liz")["id"]
    assert api.get("leo", f"/incidents/{REF}/status").json()["level"] == "reviewed"
    sign(api, doubt)
    told = api.get("leo", f"/incidents/{REF}/status").json()
    assert (told["level"], told["steps"][3]["why_not"]) == (
        "time_fixed",
        "a signed-off decision says that it does not hold",
    )
    listed = api.get("leo", f"/verifications?subject={video}").json()["verifications"]
    assert [one["kind"] for one in listed] == ["corroboration"]
    assert [event.type for event in events_of(api.services, f"item:{video}")].count("annotation") == 1
    assert_clean(api.services)


def test_signed_off_places_that_exclude_one_another_locate_nothing(lite: Api) -> None:
    item = item_in(lite)
    far = {"lat": "46.735", "lon": "32.617", "precision": "building", "uncertainty_m": 25}
    for sent in (place("item", item), place("item", item, position=far)):
        sign(lite, entered(lite, "geolocation", sent)["id"])
    step = lite.get("leo", f"/items/{item}/status").json()["steps"][1]
    assert (step["reached"], "exclude one another" in step["why_not"]) == (False, True)


def test_sun_is_computed_by_the_archive_and_can_be_computed_again(lite: Api) -> None:
    item = item_in(lite)
    made = entered(lite, "geolocation", place("item", item))
    (sun,) = made["computed"]["sun"]
    assert (sun["at"], sun["by"].startswith("astral ")) == ("2025-07-06T06:30:00Z", True)
    asked = lite.get("ana", "/sun?lat=46.635&lon=32.617&at=2025-07-06T06:30:00Z").json()
    assert (float(sun["altitude"]), float(sun["azimuth"])) == (asked["altitude"], asked["azimuth"])
    assert abs(float(sun["shadow_differs_by"]) - abs(270 - asked["shadow_direction"])) < 0.002
    (again,) = lite.get("leo", f"/verifications/{made['id']}").json()["sun_again"]
    assert (again["same"], again["stored"]) == (True, sun)
    assert made["computed"]["items"] == [{"item": item, "sha256": lite.get("ana", f"/items/{item}").json()["sha256"]}]


def test_what_makes_no_sense_is_refused_whole(lite: Api) -> None:
    item, incident = item_in(lite), incident_in(lite)
    elsewhere = str(lite.deposit(b"theirs", who="outsider", case="T2")["item"]["id"])
    ok = place("item", item)
    cases: list[tuple[str, dict[str, Any], int, str]] = [
        ("geolocation", {**ok, "colour": 1}, 422, "bad_verification"),
        ("geolocation", {**ok, "landmarks": []}, 422, "bad_verification"),
        ("geolocation", {**ok, "imagery": []}, 422, "bad_verification"),
        ("geolocation", {**ok, "method": "shadows", "sun": []}, 422, "bad_verification"),
        ("geolocation", {**ok, "position": {**ok["position"], "lat": "91"}}, 422, "bad_verification"),
        ("geolocation", {**ok, "position": {**ok["position"], "lat": 46.6}}, 422, "bad_verification"),
        ("geolocation", {**ok, "strike": 1}, 422, "bad_verification"),
        ("geolocation", {**ok, "sun": [{"lat": "1", "lon": "1", "at": "2025-02-30T00:00:00Z"}]}, 422, "bad_time"),
        (
            "geolocation",
            {**ok, "landmarks": [{"feature": "f", "map_reference": "m", "segment": "9-1"}]},
            422,
            "bad_verification",
        ),
        ("geolocation", place("item", elsewhere), 404, "unknown_item"),
        ("geolocation", place("statement", "ST-1"), 422, "bad_verification"),
        ("chronolocation", time("item", item, interval={}), 422, "bad_verification"),
        ("chronolocation", time("incident", "INC-9"), 404, "unknown_incident"),
        ("corroboration", same_truck(item, item), 422, "bad_verification"),
        ("corroboration", same_truck(item, elsewhere), 404, "unknown_item"),
        ("status", reviewed("item", item, step="located"), 422, "bad_verification"),
        ("attribution", attribution(REF, contradicts_search=None), 422, "bad_verification"),
        ("attribution", attribution(REF, standard="beyond_reasonable_doubt"), 422, "bad_verification"),
        ("attribution", attribution(REF, supports=[]), 422, "bad_verification"),
        ("attribution", attribution(REF, supports=[{"kind": "claim", "ref": "C", "says": "s"}]), 404, "unknown_claim"),
        ("decision", {"incident": REF, "fact": "colour", "held": 1, "reasoning": "r"}, 422, "unknown_fact"),
        ("decision", {"incident": REF, "fact": "killed", "held": 7, "reasoning": "r"}, 422, "value_not_stated"),
        ("decision", {"incident": REF, "held": 7, "reasoning": "r"}, 422, "bad_verification"),
        ("colour", {}, 422, "invalid_request"),
    ]
    for kind, sent, status, code in cases:
        refused(lite.post("ana", "/verifications?case=T1", json={"kind": kind, "body": sent}), status, code)
    record = entered(lite, "geolocation", ok, ref="GEO-1")["id"]
    path = f"/verifications/{record}/versions"
    again = {"body": ok, "reason": "r", "version": 1}
    refused(
        lite.post("ana", "/verifications?case=T1", json={"kind": "geolocation", "ref": "GEO-1", "body": ok}),
        409,
        "verification_exists",
    )
    refused(lite.post("ana", path, json=again), 422, "verification_unchanged")
    refused(lite.post("ana", path, json={**again, "version": 2}), 409, "verification_changed")
    refused(lite.post("ana", path, json={**again, "body": place("incident", incident)}), 422, "subject_fixed")
    refused(lite.get("ana", "/verifications?cursor=x"), 422, "bad_cursor")
    refused(lite.get("ana", "/verifications?kind=colour"), 422, "bad_verification_kind")
    refused(lite.get("ana", "/verifications/%00"), 404, "unknown_verification")
    assert len(lite.get("ana", "/verifications").json()["verifications"]) == 1


def test_personal_data_are_hidden_and_reading_them_is_recorded(lite: Api) -> None:
    lite.post(
        "ana",
        "/entries?case=T1",
        json={"kind": "statement", "ref": "ST-1", "body": STATEMENT | {"personal_data": True}},
    )
    record = entered(lite, "translation", TRANSLATION | {"personal_data": True})["id"]
    paths = (
        f"/verifications/{record}",
        f"/verifications/{record}/versions",
        f"/verifications/{record}/print",
        "/verifications",
        "/entries/ST-1",
        "/entries",
    )
    for path in paths:
        assert "transport" not in (text := lite.get("leo", path).text), path
        assert "транспорт" not in text, path
    assert len(events_of(lite.services, f"verification:{record}")) == 1
    assert "The aim is transport." in lite.get("leo", f"/verifications/{record}?personal=true").text
    assert events_of(lite.services, f"verification:{record}")[-1].details == {"part": "personal data"}
    assert "транспорт" in lite.get("leo", "/entries/ST-1?personal=true").text
    hidden = lite.get("leo", f"/verifications/{record}").json()["body"]
    sent = {"body": json.loads(json.dumps(hidden)), "reason": "r", "version": 1}
    refused(lite.post("leo", f"/verifications/{record}/versions", json=sent), 422, "bad_verification")


def test_reviewer_who_becomes_an_author_while_he_reviews_is_refused(lite: Api) -> None:
    item = item_in(lite)
    record = entered(lite, "geolocation", place("item", item))["id"]
    verifications = lite.services.verifications
    asked: list[bool] = []
    real = verifications._may_review

    def slow(session: Session, who: Principal, view: View) -> bool:
        allowed = real(session, who, view)
        if not asked:  # between the first question and the lock, his own version comes in
            asked.append(allowed)
            anew = {"body": place("item", item, reasoning="mine"), "reason": "mine", "version": 1}
            assert lite.post("leo", f"/verifications/{record}/versions", json=anew).status_code == 201
        return allowed

    with patch.object(verifications, "_may_review", slow):
        refused(lite.post("leo", f"/verifications/{record}/reviews", json={**OK, "version": 2}), 403, "own_work")
    assert asked == [True]
    assert lite.get("leo", f"/verifications/{record}").json()["reviews"] == []
