"""Claims that differ and what is decided on them; entries; translations; files; pages to be printed."""

from __future__ import annotations

from typing import Any

from app.strings import message
from tests.apis import Api, refused
from tests.archives import events_of
from tests.checks import assert_clean
from tests.flow.test_api_verifications import OK, STATEMENT, TRANSLATION, entered, incident_in, item_in, sign
from tests.incident_samples import REF
from tests.verification_samples import attribution, place, same_truck


def claimed(api: Api, ref: str, value: int, who: str = "ana") -> None:
    sent = {"ref": ref, "speaker": f"Source {ref}", "text": f"{value} were killed", "fact": "killed", "value": value}
    assert api.post(who, f"/incidents/{REF}/claims", json=sent).status_code == 201


def killed(api: Api) -> dict[str, Any]:
    (found,) = api.get("leo", f"/incidents/{REF}/conflicts").json()["conflicts"]
    assert found["fact"] == "killed"
    suggested = api.get("leo", f"/incidents/{REF}/suggestions").json()
    assert ("killed" in suggested["conflicting_facts"]) is not found["decided"]
    assert [one["fact"] for one in suggested["decided_conflicts"]] == (["killed"] if found["decided"] else [])
    result: dict[str, Any] = found
    return result


def test_no_value_wins_without_a_decision_that_a_second_person_signed_off(api: Api) -> None:
    incident_in(api)
    claimed(api, "CL-1", 3)
    told = killed(api)
    assert (told["decided"], told["held"], told["why_not"]) == (False, None, "nobody has decided")
    assert [one["value"] for one in told["values"]] == [0, 3]
    sent = {"incident": REF, "fact": "killed", "held": 3, "reasoning": "the service counted", "claims": ["CL-1"]}
    made = entered(api, "decision", sent, ref="DEC-1")
    assert [one["value"] for one in made["computed"]["values"]] == [0, 3]
    assert killed(api)["why_not"] == "no decision is signed off: proposed"
    refused(api.post("ana", "/verifications/DEC-1/reviews", json=OK), 403, "own_work")
    sign(api, made["id"])
    told = killed(api)
    assert (told["decided"], told["held"]) == (True, 3)
    assert api.get("leo", f"/incidents/{REF}/suggestions").json()["facts"]["killed"] == 3
    sign(api, made["id"], "liz", decision="dissent", comment="the service was not there")
    assert killed(api)["why_not"] == "no decision is signed off: disputed"
    sign(api, made["id"], "liz")
    claimed(api, "CL-2", 5)
    assert killed(api)["why_not"] == "a value was stated that the decision did not consider"
    again = {"body": sent, "reason": "CL-2 was read", "version": 1}
    assert api.post("ana", "/verifications/DEC-1/versions", json=again).status_code == 201
    assert killed(api)["decided"] is False  # the new version is nobody's but its author's
    sign(api, made["id"], version=2)
    assert killed(api)["held"] == 3
    other = entered(api, "decision", {**sent, "held": None, "claims": []}, who="liz")
    sign(api, other["id"])
    assert killed(api)["why_not"] == "signed-off decisions differ"
    values = {one["value"] for one in killed(api)["values"]}
    assert values == {0, 3, 5}  # all stay, whatever was decided
    assert_clean(api.services)


def test_decision_on_a_question_holds_one_of_the_claims_that_differ(lite: Api) -> None:
    incident_in(lite)
    for ref, text in (("V-1", "an ambulance"), ("V-2", "a service vehicle")):
        lite.post("ana", f"/incidents/{REF}/claims", json={"ref": ref, "speaker": "S", "text": text})
    sent = {"incident": REF, "question": "which vehicle was hit", "claims": ["V-1", "V-2"], "reasoning": "the livery"}
    for held in ("V-3", 7):
        wrong = {"kind": "decision", "body": {**sent, "held": held}}
        refused(lite.post("ana", "/verifications?case=T1", json=wrong), 422, "value_not_stated")
    made = entered(lite, "decision", {**sent, "held": "V-2"})
    assert made["body"]["held"] == "V-2"
    assert sign(lite, made["id"])["state"] == "approved"
    assert {one["stands"] for one in lite.get("leo", f"/incidents/{REF}").json()["claims"]} == {True}


def test_entries_beside_incidents_are_entered_stated_anew_and_read(api: Api) -> None:
    item = item_in(api)
    incident_in(api)
    given: list[tuple[str, str, dict[str, Any]]] = [
        ("statement", "ST-1", STATEMENT),
        ("aggregate", "AGG-1", {"claim": "16 in July", "value": 16, "inclusion_rule": "struck", "denominator": "all"}),
        ("organisation", "Service A", {"role": "rescue service"}),
        ("observation", "OB-1", {"item": item, "seen": "a red truck", "segment": "0:12.50-0:19@10,20,300,200"}),
    ]
    for kind, ref, sent in given:
        answer = api.post("ana", "/entries?case=T1", json={"kind": kind, "ref": ref, "body": sent})
        assert answer.status_code == 201, answer.text
        refused(api.post("leo", "/entries?case=T1", json={"kind": kind, "ref": ref, "body": sent}), 409, "entry_exists")
    page = api.get("leo", "/entries?case=T1&limit=3").json()
    rest = api.get("leo", f"/entries?case=T1&limit=3&cursor={page['cursor']}").json()
    assert [one["ref"] for one in page["entries"] + rest["entries"]] == [ref for _, ref, _ in given]
    assert rest["cursor"] is None
    (one,) = api.get("leo", "/entries?kind=statement").json()["entries"]
    assert (one["standing"]["denial"], one["standing"]["translation"]) == (True, "none")
    path = f"/entries/{one['id']}/versions"
    anew = {"body": {**STATEMENT, "summary": "a denial"}, "reason": "summed up", "version": 1}
    assert api.post("leo", path, json=anew).json()["version"] == 2
    refused(api.post("leo", path, json=anew), 409, "entry_changed")
    refused(api.post("leo", path, json={**anew, "version": 2}), 422, "entry_unchanged")
    assert [one["reason"] for one in api.get("ana", path).json()] == [None, "summed up"]
    for ref, sent, status, code in (
        ("OB-2", {"item": item, "seen": "s", "segment": "soon"}, 422, "bad_incident_entry"),
        ("OB-2", {"item": "none", "seen": "s"}, 404, "unknown_item"),
        ("OB-2", {"item": item, "seen": "s", "incident": "INC-9"}, 404, "unknown_incident"),
        ("OB-2", {"item": item, "seen": "s", "id": "OB-3"}, 422, "bad_incident_entry"),
    ):
        wrong = {"kind": "observation", "ref": ref, "body": sent}
        refused(api.post("ana", "/entries?case=T1", json=wrong), status, code)
    refused(api.get("ana", "/entries/none"), 404, "unknown_entry")
    refused(
        api.post("ana", "/entries?case=T1", json={"kind": "incident", "ref": "I", "body": {}}), 422, "bad_entry_kind"
    )
    exported = api.get("leo", "/incidents/export?case=T1").json()
    assert [one["id"] for one in exported["observations"]] == ["OB-1"]
    assert api.post("leo", "/incidents/import?case=T1", json=exported).json()["created"] == []
    assert_clean(api.services)


def test_translation_keeps_the_original_and_is_of_what_was_said(lite: Api) -> None:
    lite.post("ana", "/entries?case=T1", json={"kind": "statement", "ref": "ST-1", "body": STATEMENT})
    made = entered(lite, "translation", TRANSLATION)
    assert made["body"]["original"] == {"text": STATEMENT["text"], "language": "uk"}
    assert len(made["computed"]["original_sha256"]) == 64
    item = item_in(lite, X_Source='{"caption": "Fire engine hit", "caption_language": "en"}')
    original = {"text": "Fire engine hit", "language": "en"}
    caption = {"about": {"kind": "item", "ref": item}, "field": "caption", "original": original}
    entered(lite, "translation", {**TRANSLATION, **caption})
    for changed, code in (
        ({**caption, "original": {**original, "text": "Fire engines hit"}}, "original_differs"),
        ({**caption, "original": {**original, "language": "Ukrainian (old)"}}, "bad_verification"),
        ({"original": {"text": "x", "language": "uk"}}, "original_differs"),
        ({"field": "summary"}, "original_differs"),
        ({"translator": ""}, "bad_verification"),
    ):
        wrong = {"kind": "translation", "body": {**TRANSLATION, **changed}}
        refused(lite.post("ana", "/verifications?case=T1", json=wrong), 422, code)


def test_export_of_an_incident_carries_its_records_with_all_dissent(lite: Api) -> None:
    incident_in(lite)
    lite.post("ana", "/entries?case=T1", json={"kind": "statement", "ref": "ST-1", "body": STATEMENT})
    made = entered(lite, "attribution", attribution(REF), ref="ATT-1")
    assert made["computed"]["denials_of_the_case"] == ["ST-1"]
    entered(lite, "translation", TRANSLATION, ref="TR-1")
    item = item_in(lite)
    entered(lite, "geolocation", place("item", item), ref="GEO-OTHER")
    seen = item_in(lite, b"another recording")
    observed = {"item": seen, "seen": "a red truck", "incident": REF}
    lite.post("ana", "/entries?case=T1", json={"kind": "observation", "ref": "OB-1", "body": observed})
    entered(lite, "geolocation", place("item", seen), ref="GEO-SEEN")
    sign(lite, made["id"], decision="dissent", comment="another unit flew there, too")
    exported = lite.get("leo", f"/incidents/export?case=T1&incident={REF}").json()
    found = {one["ref"]: one for one in exported["verifications"]}
    assert set(found) == {"ATT-1", "TR-1", "GEO-SEEN"}
    assert [one["comment"] for one in found["ATT-1"]["reviews"]] == ["another unit flew there, too"]
    whole = lite.get("leo", "/incidents/export?case=T1").json()
    assert {one["ref"] for one in whole["verifications"]} == {"ATT-1", "TR-1", "GEO-SEEN", "GEO-OTHER"}
    refused(lite.post("outsider", "/incidents/import?case=T2", json=exported), 404, "unknown_item")
    del exported["observations"]
    exported["verifications"] = [one for one in exported["verifications"] if one["ref"] != "GEO-SEEN"]
    done = lite.post("outsider", "/incidents/import?case=T2", json=exported).json()
    assert {"verification:ATT-1", "verification:TR-1"} <= set(done["created"])
    told = lite.get("outsider", "/verifications?case=T2&kind=attribution").json()["verifications"][0]
    assert (told["state"], told["reviews"], told["author"]["name"]) == ("proposed", [], "outsider")
    assert told["elsewhere"]["reviews"][0]["decision"] == "dissent"
    again = lite.post("outsider", "/incidents/import?case=T2", json=exported).json()
    assert (again["created"], again["differs"]) == ([], [])
    assert_clean(lite.services)


def test_page_to_be_printed_speaks_english_and_ukrainian_and_loads_nothing(lite: Api) -> None:
    incident_in(lite)
    first, second = item_in(lite, b"one"), item_in(lite, b"two")
    sent = same_truck(first, second, incident=REF, common="<script>alert(1)</script>")
    record = entered(lite, "corroboration", sent, ref="COR-1")["id"]
    sign(lite, record, decision="dissent", comment="<b>another truck</b>")
    path = f"/verifications/{record}/print"
    english, ukrainian = lite.get("ana", path), lite.get("ana", f"{path}?language=uk")
    assert ("Verification record" in english.text, "Запис про перевірку" in ukrainian.text) == (True, True)
    assert lite.get("ana", path, headers={"Accept-Language": "uk-UA, en;q=0.5"}).headers["content-language"] == "uk"
    for page in (english.text, ukrainian.text):
        assert "<script>" not in page
        assert "&lt;b&gt;another truck&lt;/b&gt;" in page
        assert "http" not in page.replace("http-equiv", "")
        assert "violat" not in page
    status = lite.get("ana", f"/incidents/{REF}/status/print?language=uk").text
    assert "має окрему думку" not in status
    assert "Окрема думка: leo" in status
    refused(lite.get("ana", f"{path}?language=xx"), 422, "invalid_request")


def test_problem_has_its_title_in_ukrainian_for_whom_asks_and_the_same_code(lite: Api) -> None:
    plain = lite.get("ana", "/verifications/none").json()
    asked = lite.get("ana", "/verifications/none", headers={"Accept-Language": "uk"}).json()
    assert (plain["title"], asked["title"], asked["code"]) == ("Not Found", message("title.404", "uk"), plain["code"])
    assert len(events_of(lite.services, lite.services.archive.about)) >= 2  # both refusals are on record
