"""Care of the law over HTTP: versions, sign-offs, rules that a lawyer switches off, and what applies when."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from app.law.catalogue import packaged_catalogue
from app.law.suggestions_rules import packaged_rules
from schemas.records.v1.provision import DRAFT_MARK
from tests.apis import Api, opened, refused
from tests.checks import assert_clean, audit, errors_of
from tests.incident_samples import REF, document

SIGN = {"decision": "sign", "scope": "compared with the authentic text"}
OFF = {"rule": "R01", "on": False, "reason": "too wide for strikes by artillery"}
AT_REVIEW = "/rules/changes/1/review"


def edited(**changed: object) -> bytes:
    """The packaged catalogue with ap1-art62 changed."""
    entries = json.loads(packaged_catalogue())
    for entry in entries:
        if entry["id"] == "ap1-art62":
            entry.update(changed)
    return json.dumps(entries, ensure_ascii=False).encode()


def rule_file(**changed: object) -> bytes:
    from importlib.resources import files

    made = json.loads((files("app.law") / "data" / "rules.json").read_bytes())
    made["version"] = "0.2-test"
    made.update(changed)
    return json.dumps(made).encode()


def bring(api: Api, who: str, data: bytes, path: str = "/provisions/import") -> Any:  # noqa: ANN401 - an answer
    headers = {"Content-Type": "application/json"}
    return api.post(who, f"{path}?reason=corrected", content=data, headers=headers)


def with_case(api: Api) -> None:
    given = document()
    given["rule_base_cases"][0]["facts"]["actor"] = "rf_forces"
    assert api.post("ana", "/incidents/import?case=T1", json=given).status_code == 200


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with opened(tmp_path_factory.mktemp("law"), "sqlite") as api:
        api.post("leo", "/rules/changes", json={**OFF, "rule": "R40"})
        yield api


EVERYBODY, LAWYERS = {"ana", "leo", "aud", "adm"}, {"leo"}


@pytest.mark.parametrize(
    ("method", "path", "sent", "allowed"),
    [
        ("GET", "/provisions/versions", None, EVERYBODY),
        ("GET", "/provisions/export", None, EVERYBODY),
        ("GET", "/provisions/applicability", None, EVERYBODY),
        ("GET", "/provisions/ap1-art62/applicability", None, EVERYBODY),
        ("GET", "/provisions/ap1-art62/signoffs", None, EVERYBODY),
        ("POST", "/provisions/ap1-art62/signoffs", SIGN, LAWYERS),
        ("POST", "/provisions/import?reason=x", [], {"leo", "adm"}),
        ("GET", "/rules", None, EVERYBODY),
        ("GET", "/rules/file", None, EVERYBODY),
        ("GET", "/rules/changes", None, EVERYBODY),
        ("POST", "/rules/changes", OFF, LAWYERS),
        ("POST", "/rules/import?reason=x", {}, LAWYERS),
        ("POST", AT_REVIEW, {"decision": "confirm"}, LAWYERS),
    ],
)
def test_only_a_lawyer_signs_and_changes_rules(
    scene: Api, method: str, path: str, sent: object, allowed: set[str]
) -> None:
    refused(scene.call(None, method, path, json=sent), 401, "token_required")
    for who in sorted(EVERYBODY):
        answer = scene.call(who, method, path, json=sent)
        if who in allowed:
            assert answer.status_code in {200, 201, 422} or answer.json()["code"] == "own_work", answer.text
        else:
            refused(answer, 403, "not_allowed")


def test_draft_mark_vanishes_only_for_what_is_signed_off_in_exactly_that_version(api: Api) -> None:
    assert api.get("ana", "/provisions/ap1-art62").json()["status"] == DRAFT_MARK
    made = api.post("leo", "/provisions/ap1-art62/signoffs", json=SIGN).json()
    assert (made["catalogue"]["version"], made["lawyer"]["name"], made["number"]) == (1, "leo", 1)
    shown = api.get("ana", "/provisions/ap1-art62").json()
    assert shown["status"].startswith("signed off in version 1: leo, ")
    assert shown["signed_off"][0]["scope"] == SIGN["scope"]
    assert api.get("ana", "/provisions/ap1-art61").json()["status"] == DRAFT_MARK

    answer = bring(api, "adm", edited(notes="said anew"))
    assert (answer.status_code, answer.json()["version"], answer.json()["changed"]) == (201, 2, ["ap1-art62"])
    for name in ("ap1-art62", "ap1-art61"):
        assert api.get("ana", f"/provisions/{name}").json()["status"] == DRAFT_MARK
    assert api.get("ana", "/provisions/ap1-art62?version=1").json()["status"].startswith("signed off")
    api.post("leo", "/provisions/ap1-art61/signoffs", json={**SIGN, "version": 1})
    same = api.get("ana", "/provisions/ap1-art61").json()
    assert (same["status"], same["signed_off_before"]) == (DRAFT_MARK, 1)  # the very entry, and yet a draft here
    assert api.get("ana", "/provisions/ap1-art62").json()["signed_off_before"] is None

    refused(
        api.post("liz", "/provisions/ap1-art62/signoffs", json={**SIGN, "decision": "withdraw"}), 409, "not_signed_off"
    )
    back = {"decision": "withdraw", "scope": "the text was amended", "version": 1}
    assert api.post("leo", "/provisions/ap1-art62/signoffs", json=back).json()["number"] == 2
    assert api.get("ana", "/provisions/ap1-art62?version=1").json()["status"] == DRAFT_MARK
    history = api.get("aud", "/provisions/ap1-art62/signoffs").json()["signoffs"]
    assert [one["decision"] for one in history] == ["sign", "withdraw"]
    assert_clean(api.services)


def test_who_brought_an_entry_does_not_sign_it_off(lite: Api) -> None:
    assert bring(lite, "leo", edited(notes="said anew")).status_code == 201
    refused(lite.post("leo", "/provisions/ap1-art62/signoffs", json=SIGN), 403, "own_work")
    assert lite.post("liz", "/provisions/ap1-art62/signoffs", json=SIGN).status_code == 201
    assert lite.post("leo", "/provisions/ap1-art61/signoffs", json=SIGN).status_code == 201  # his import left it alone
    assert bring(lite, "liz", edited(notes="once more")).status_code == 201
    refused(lite.post("liz", "/provisions/ap1-art62/signoffs", json=SIGN), 403, "own_work")
    assert lite.post("leo", "/provisions/ap1-art62/signoffs", json=SIGN).status_code == 201


def test_link_keeps_the_version_that_it_was_made_against(lite: Api) -> None:
    item = lite.deposit(b"a recording")["item"]["id"]
    link = {"provision": "ap1-art62", "direction": "supports", "rationale": "seen"}
    first = lite.post("ana", f"/items/{item}/links", json=link).json()
    changed = edited(notes="said anew")
    bring(lite, "adm", changed)
    second = lite.post("ana", f"/items/{item}/links", json=link).json()
    assert (first["catalogue_version"], second["catalogue_version"]) == (1, 2)
    assert lite.get("ana", f"/links/{first['id']}").json()["catalogue_version"] == 1
    assert lite.get("aud", "/provisions/export?version=1").content == packaged_catalogue()
    assert lite.get("aud", "/provisions/export").content == changed
    versions = lite.get("aud", "/provisions/versions").json()["versions"]
    assert [(one["version"], one["reason"]) for one in versions] == [(1, "came with the program"), (2, "corrected")]
    refused(lite.get("aud", "/provisions/export?version=3"), 404, "unknown_catalogue_version")
    assert_clean(lite.services)


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 422, "bad_catalogue"),
        (b"[]", 422, "bad_catalogue"),
        (b'[{"id": "x"}]', 422, "bad_catalogue"),
        (edited(summary=""), 422, "bad_catalogue"),
        (edited(related=["nowhere"]), 422, "bad_catalogue"),
        (edited(id="ap1-art6200", related=[]), 422, "bad_catalogue"),  # the rules in force name ap1-art62
        (packaged_catalogue(), 409, "catalogue_known"),
    ],
)
def test_catalogue_that_cannot_be_used_is_refused_whole(scene: Api, data: bytes, status: int, code: str) -> None:
    refused(bring(scene, "adm", data), status, code)
    assert len(scene.get("aud", "/provisions/versions").json()["versions"]) == 1


def test_rule_that_a_lawyer_switches_off_is_off_for_everybody_and_every_answer_says_so(api: Api) -> None:
    with_case(api)
    path = f"/incidents/{REF}/suggestions"
    before = api.get("ana", path).json()
    assert "R01" in {rule for one in before["suggest"] for rule in one["rules"]}
    assert before["rules"]["changes"] == []
    made = api.post("leo", "/rules/changes", json=OFF).json()
    assert (made["state"], made["lawyer"], made["reason"]) == ("unconfirmed", "leo", OFF["reason"])
    told = api.get("ana", path).json()
    assert "R01" not in {rule for one in told["suggest"] for rule in one["rules"]}
    assert [one["rule"] for one in told["rules"]["switched_off"]] == ["R01"]
    (change,) = told["rules"]["changes"]
    assert (change["state"], change["reason"]) == ("unconfirmed", OFF["reason"])
    assert told["rules"]["version"] == packaged_rules().version

    refused(api.post("leo", AT_REVIEW, json={"decision": "confirm"}), 403, "own_work")
    refused(api.post("liz", AT_REVIEW, json={"decision": "refuse"}), 422, "comment_required")
    refused(api.post("liz", "/rules/changes/9/review", json={"decision": "confirm"}), 404, "unknown_rule_change")
    assert api.post("liz", AT_REVIEW, json={"decision": "confirm"}).json()["state"] == "confirmed"
    assert api.get("ana", path).json()["rules"]["changes"][0]["state"] == "confirmed"
    refused(api.post("liz", "/rules/changes", json=OFF), 409, "rules_unchanged")
    # who has second thoughts refuses what he confirmed, and the rule is on again
    answer = api.post("liz", AT_REVIEW, json={"decision": "refuse", "comment": "it fits after all"})
    assert answer.json()["state"] == "refused"
    assert api.get("ana", path).json()["suggest"] == before["suggest"]
    assert_clean(api.services)


def test_rule_is_switched_on_again_and_thresholds_are_the_lawyers(lite: Api) -> None:
    lite.post("leo", "/rules/changes", json=OFF)
    assert lite.post("liz", "/rules/changes", json={**OFF, "on": True}).status_code == 201
    limit = {"threshold": "double_tap_minutes", "value": "30", "reason": "as the team agreed"}
    assert lite.post("leo", "/rules/changes", json=limit).status_code == 201
    shown = lite.get("aud", "/rules").json()
    assert (shown["thresholds"]["double_tap_minutes"], shown["default_thresholds"]["double_tap_minutes"]) == (
        "30",
        "60",
    )
    assert all(one["on"] for one in shown["rules"])
    assert [one["kind"] for one in shown["changes"]] == ["threshold"]
    assert len(lite.get("aud", "/rules/changes").json()["changes"]) == 3
    lite.post("leo", "/rules/changes", json={"threshold": "double_tap_minutes", "reason": "back to the file's"})
    assert lite.get("aud", "/rules").json()["changes"] == []
    for wrong, code in (
        ({"rule": "R99", "on": False}, "unknown_rule"),
        ({"rule": "R01"}, "bad_rule_change"),
        ({"rule": "R01", "on": False, "threshold": "double_tap_minutes"}, "bad_rule_change"),
        ({"threshold": "minutes", "value": "3"}, "unknown_threshold"),
        ({"threshold": "double_tap_minutes", "value": "0"}, "bad_threshold"),
        ({"threshold": "double_tap_minutes", "value": "-1"}, "bad_threshold"),
        ({"rule": "R01", "on": False, "reason": " "}, "reason_required"),
    ):
        refused(lite.post("leo", "/rules/changes", json={"reason": "x", **wrong}), 422, code)
    assert_clean(lite.services)


def test_rule_file_holds_only_once_a_second_lawyer_confirmed_it(api: Api) -> None:
    with_case(api)
    data = rule_file()
    waiting = bring(api, "leo", data, "/rules/import")
    assert (waiting.status_code, waiting.json()["state"]) == (201, "waiting")
    assert api.get("ana", "/rules").json()["sha256"] == packaged_rules().sha256
    refused(api.post("leo", AT_REVIEW, json={"decision": "confirm"}), 403, "own_work")
    assert api.post("liz", AT_REVIEW, json={"decision": "confirm"}).json()["state"] == "confirmed"
    told = api.get("ana", f"/incidents/{REF}/suggestions").json()["rules"]
    assert (told["version"], told["sha256"]) == ("0.2-test", waiting.json()["file_sha256"])
    assert api.get("aud", "/rules/file").content == data
    refused(bring(api, "leo", data, "/rules/import"), 409, "rules_unchanged")
    for wrong in (b"{", b"[]", rule_file(facts={}), rule_file(rules=[{"id": "R01"}])):
        refused(bring(api, "leo", wrong, "/rules/import"), 422, "bad_rules")
    assert_clean(api.services)


def test_sign_off_shows_beside_each_suggestion(lite: Api) -> None:
    with_case(lite)
    lite.post("leo", "/provisions/ap1-art62/signoffs", json=SIGN)
    told = lite.get("ana", f"/incidents/{REF}/suggestions").json()
    status = {one["provision"]: one["entry_status"] for one in told["suggest"]}
    assert status.pop("ap1-art62").startswith("signed off in version 1: leo")
    assert set(status.values()) == {DRAFT_MARK}


def test_what_applies_is_told_by_conflict_date_party_and_place(lite: Api) -> None:
    path = "/provisions/ap1-art62/applicability?conflict_type=iac&actor=rf_forces&date=2025-07-06&territory=Ukraine"
    told = lite.get("aud", path).json()
    assert (told["applies"], told["territory"]) == ("yes", {"state": "Ukraine", "in_force_then": "yes"})
    assert {one["confidence"] for one in told["parties"]}
    assert lite.get("aud", path.replace("=iac", "=niac")).json()["applies"] == "no"
    assert lite.get("aud", path.replace("2025", "1970")).json()["applies"] == "no"
    assert lite.get("aud", "/provisions/ap1-art62/applicability").json()["applies"] == "unknown"
    emblem = "/provisions/ap3-art2/applicability?conflict_type=iac&actor=ua_forces&date=2010-0"
    party, bound = (lite.get("aud", f"{emblem}{day}").json() for day in ("3-01", "7-19"))
    assert (party["applies"], "2010-07-19" in party["why"]) == ("no", True)  # a party since January, and not yet bound
    assert (bound["applies"], bound["why"].endswith("in force for Ukraine then, since 2010-07-19")) == ("yes", True)
    everything = lite.get("aud", f"/provisions/applicability?{path.partition('?')[2]}").json()["provisions"]
    assert len(everything) == len(json.loads(packaged_catalogue()))
    crimes = [one for one in everything if one["provision"].startswith("icc-8")]
    assert crimes
    assert {one["applies"] for one in crimes} <= {"unknown", "no"}  # never by ratification: its declarations are shown
    refused(lite.get("aud", "/provisions/none/applicability"), 404, "unknown_provision")
    refused(lite.get("aud", "/provisions/applicability?actor=martians"), 422, "unknown_fact_value")
    refused(lite.get("aud", "/provisions/applicability?territory=Mars"), 404, "unknown_state")
    refused(lite.get("aud", "/provisions/applicability?date=soon"), 422, "bad_date")


@pytest.mark.parametrize(
    ("edit", "path", "code"),
    [
        ("UPDATE rule_change SET record = CAST(replace(record, 'R01', 'R02') AS BLOB)", "/rules", None),
        ("UPDATE rule_change SET record = x'00'", "/rules", "rules_damaged"),
        ("UPDATE provision_signoff SET catalogue_version = 2", "/provisions/ap1-art62", "signoff_damaged"),
        ("UPDATE rule_change_review SET decision = 'refuse'", "/rules", None),
        ("UPDATE catalogue_import SET reason = 'none'", "/provisions/versions", None),
    ],
)
def test_edit_behind_the_logs_back_is_named(lite: Api, edit: str, path: str, code: str | None) -> None:
    bring(lite, "adm", edited(notes="said anew"))
    lite.post("leo", "/rules/changes", json=OFF)
    lite.post("liz", AT_REVIEW, json={"decision": "confirm"})
    lite.post("leo", "/provisions/ap1-art62/signoffs", json={**SIGN, "version": 1})
    assert_clean(lite.services)
    with lite.services.archive.db.engine.begin() as connection:
        assert connection.execute(text(edit)).rowcount == 1
    if code is not None:
        refused(lite.get("ana", path), 500, code)
    assert {found for found, _ in errors_of(audit(lite.services))} == {"row_altered"}
