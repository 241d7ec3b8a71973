"""Incidents over HTTP: who may not, what is kept, and what they may bear on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlmodel import select

from app.custody.models import EventRow
from app.incidents import store
from tests.apis import Api, opened, refused
from tests.archives import events_of
from tests.checks import assert_clean
from tests.incident_samples import REF, body, document

CLAIM = {"speaker": "Service A", "text": "Nobody of the crew was hurt."}


def entered(api: Api, ref: str = REF, **changed: object) -> dict[str, Any]:
    answer = api.post("ana", "/incidents?case=T1", json={"ref": ref, "body": body(**changed)})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/api/v1/incidents/{made['id']}"
    return made


def denials(api: Api) -> int:
    with api.services.archive.db.read() as session:
        return len(session.exec(select(EventRow).where(EventRow.type == "access denied")).all())


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Api, str]]:
    """An archive with an incident in T1 that no test changes."""
    with opened(tmp_path_factory.mktemp("incidents"), "sqlite") as api:
        yield api, entered(api)["id"]


READERS, WRITERS, EXPORTERS = {"ana", "leo", "adm"}, {"ana", "leo", "adm"}, {"leo", "adm"}


@pytest.mark.parametrize(
    ("method", "path", "sent", "allowed", "code"),
    [
        ("POST", "/incidents?case=T1", {"ref": "INC-{who}", "body": {"title": "t"}}, WRITERS, "unknown_case"),
        ("POST", "/incidents/import?case=T1", {"incidents": []}, WRITERS, "unknown_case"),
        ("GET", "/incidents?case=T1", None, READERS, "unknown_case"),
        ("GET", "/incidents/export?case=T1", None, EXPORTERS, "unknown_case"),
        ("GET", "/incidents/double-taps?case=T1", None, READERS, "unknown_case"),
        ("GET", "/incidents/{id}", None, READERS, "unknown_incident"),
        ("GET", "/incidents/INC-A", None, READERS, "unknown_incident"),
        ("GET", "/incidents/{id}?personal=true", None, READERS, "unknown_incident"),
        ("GET", "/incidents/{id}/versions", None, READERS, "unknown_incident"),
        ("GET", "/incidents/{id}/suggestions", None, READERS, "unknown_incident"),
        ("POST", "/incidents/{id}/claims", CLAIM, WRITERS, "unknown_incident"),
    ],
)
def test_who_may_do_what_with_incidents(
    scene: tuple[Api, str], method: str, path: str, sent: object, allowed: set[str], code: str
) -> None:
    api, incident = scene
    target = path.replace("{id}", incident)
    refused(api.call(None, method, target, json=sent), 401, "token_required")
    for who in ("ana", "leo", "aud", "adm"):
        before = denials(api)
        answer = api.call(who, method, target, json=json.loads(json.dumps(sent).replace("{who}", who)))
        if who in allowed:
            assert answer.status_code in {200, 201}, answer.text
        else:
            refused(answer, 403, "not_allowed")
            assert denials(api) == before + 1
    before = denials(api)
    refused(api.call("outsider" if "ana" in allowed else "outlaw", method, target, json=sent), 404, code)
    assert denials(api) == before + 1


@pytest.mark.parametrize(
    ("who", "path", "status", "code"),
    [
        ("aud", "/incidents?case=T1", 403, "not_allowed"),
        ("outsider", "/incidents?case=T1", 404, "unknown_case"),
        ("ana", "/incidents", 404, "unknown_case"),
        ("aud", "/incidents/import?case=T1", 403, "not_allowed"),
        ("outsider", "/incidents/{id}/versions", 404, "unknown_incident"),
        ("aud", "/incidents/{id}/claims", 403, "not_allowed"),
    ],
)
def test_who_may_not_is_refused_before_the_body_is_looked_at(
    scene: tuple[Api, str], who: str, path: str, status: int, code: str
) -> None:
    api, incident = scene
    for sent in (b'{"colour": 1}', b"{", b""):
        refused(
            api.post(who, path.replace("{id}", incident), content=sent, headers={"Content-Type": "application/json"}),
            status,
            code,
        )


def test_lists_show_only_the_incidents_of_ones_cases(scene: tuple[Api, str]) -> None:
    api, incident = scene
    assert api.get("outsider", "/incidents").json()["incidents"] == []
    assert incident in {one["id"] for one in api.get("leo", "/incidents").json()["incidents"]}
    refused(api.get("ana", "/incidents?case=T2"), 404, "unknown_case")


def test_incident_is_kept_in_versions_and_bound_to_the_log(api: Api) -> None:
    made = entered(api)
    path = f"/incidents/{made['id']}"
    assert (made["version"], made["date"]["earliest"], made["date"]["year"]) == (1, "2025-07-06", "inferred")
    revised = body(title="Petrol station, then an engine of the fire service")
    sent = {"body": revised, "reason": "the service's own report", "version": 1}
    answer = api.post("leo", f"{path}/versions", json=sent)
    assert (answer.status_code, answer.json()["version"]) == (201, 2)
    refused(api.post("ana", f"{path}/versions", json=sent), 409, "incident_changed")
    refused(api.post("ana", f"{path}/versions", json={**sent, "version": 2}), 422, "incident_unchanged")
    refused(api.post("ana", f"{path}/versions", json={**sent, "reason": " "}), 422, "reason_required")
    first, second = api.get("ana", f"{path}/versions").json()
    assert (first["body"]["title"], second["reason"]) == (body()["title"], "the service's own report")
    events = events_of(api.services, f"incident:{made['id']}")
    assert [event.type for event in events] == ["annotation", "metadata modification"]
    assert [event.details["outputs"][0]["sha256"] for event in events] == [first["sha256"], second["sha256"]]  # type: ignore[index, call-overload]
    assert_clean(api.services)


def test_names_of_persons_are_hidden_and_reading_them_is_recorded(lite: Api) -> None:
    made = entered(lite)
    path = f"/incidents/{made['id']}"
    assert "Sample Person" not in lite.get("leo", path).text + lite.get("leo", f"{path}/versions").text
    (flag,) = lite.get("leo", path).json()["standing"]["personal_data"]
    assert flag["field"] == "casualties.persons.0.name"
    assert flag["purpose"]
    assert flag["review_by"] > made["created_at"][:10]
    assert len(events_of(lite.services, f"incident:{made['id']}")) == 1
    assert "Sample Person" in lite.get("leo", f"{path}?personal=true").text
    last = events_of(lite.services, f"incident:{made['id']}")[-1]
    assert (last.type, last.actor.name, last.details) == ("access", "leo", {"part": "personal data"})
    again = {"body": lite.get("leo", path).json()["body"], "reason": "the title", "version": 1}
    again["body"]["title"] = "Another title"
    refused(lite.post("leo", f"{path}/versions", json=again), 422, "bad_incident_entry")  # it would hide it from all
    plain = entered(lite, "INC-P", casualties={})["id"]
    lite.get("leo", f"/incidents/{plain}?personal=true")
    assert len(events_of(lite.services, f"incident:{plain}")) == 1  # there was nothing to see


def test_claims_that_differ_coexist_and_only_their_author_replaces_one(api: Api) -> None:
    incident = entered(api)["id"]
    item = api.deposit(b"a recording")["item"]["id"]
    path = f"/incidents/{incident}/claims"
    seen = {"kind": "observation", "rests_on": [{"kind": "item", "ref": item, "segment": "12-19"}]}
    said = api.post("ana", path, json={**CLAIM, "fact": "killed", "value": 3}).json()
    api.post(
        "leo", path, json={**CLAIM, **seen, "text": "An engine.", "fact": "targets", "value": ["fire_rescue_vehicle"]}
    )
    api.post("leo", path, json={**CLAIM, "fact": "conflict_type", "value": "iac", "text": "Classified."})
    api.post("leo", path, json={**CLAIM, "fact": "struck", "value": False, "conditional": True})
    told = api.get("leo", f"/incidents/{incident}/suggestions").json()
    assert told["facts"]["killed"] == {"sources_differ": [0, 3]}
    assert told["conflicting_facts"] == ["killed"]
    assert "struck" not in told["facts"]  # a condition states no fact
    assert {one["rests_on"]["kind"] for one in told["facts_rest_on"] if one["fact"] == "killed"} == {"record", "claim"}
    (target,) = [one for one in told["facts_rest_on"] if one["fact"] == "targets"]
    assert target["rests_on"]["rests_on"] == [{"kind": "item", "ref": item, "segment": "12-19"}]
    assert "ap1-art62" in {one["provision"] for one in told["suggest"] if one["strength"] == "lead"}
    again = {**CLAIM, "text": "Two, on a second look.", "fact": "killed", "value": 2, "supersedes": said["claim"]}
    refused(api.post("leo", path, json=again), 403, "not_own_claim")
    assert api.post("ana", path, json=again).status_code == 201
    shown = {one["claim"]: one for one in api.get("leo", f"/incidents/{incident}").json()["claims"]}
    assert (shown[said["claim"]]["stands"], len(shown)) == (False, 5)
    told = api.get("leo", f"/incidents/{incident}/suggestions?without=R01").json()
    assert told["facts"]["killed"] == {"sources_differ": [0, 2]}
    assert [off["rule"] for off in told["rules"]["switched_off"]] == ["R01"]
    assert_clean(api.services)


def test_what_makes_no_sense_is_refused_whole(lite: Api) -> None:
    made = entered(lite)
    claims, add = f"/incidents/{made['id']}/claims", "/incidents?case=T1"
    refused(lite.post("ana", add, json={"ref": REF, "body": body()}), 409, "incident_exists")
    for ref in ("", " ", "a\nb", " a", "x" * 201):
        assert lite.post("ana", add, json={"ref": ref, "body": body()}).status_code == 422
    for wrong in (
        {},
        {"title": ""},
        body(sequence=[{"n": 2}]),
        body(casualties={"killed": -1}),
        body(casualties={"killed": 1.5}),
        body(casualties={"killed": "1"}),
        body(place={"lat": 46.6}),
        body(place={"lat": "north"}),
        body(date={"earliest": "July"}),
        body(more=2**60),
        body(more="\x00"),
    ):
        refused(lite.post("ana", add, json={"ref": "INC-W", "body": wrong}), 422, "bad_incident_entry")
    elsewhere = lite.deposit(b"theirs", who="outsider", case="T2")["item"]["id"]
    for changed, status, code in (
        ({"fact": "colour", "value": 1}, 422, "unknown_fact"),
        ({"fact": "killed", "value": "many"}, 422, "bad_fact_value"),
        ({"fact": "targets", "value": ["fire_engine"]}, 422, "unknown_fact_value"),
        ({"fact": "killed"}, 422, "bad_claim"),
        ({"value": 3}, 422, "bad_claim"),
        ({"kind": "observation"}, 422, "bad_claim"),
        ({"speaker": ""}, 422, "bad_claim"),
        ({"rests_on": [{"kind": "item", "ref": elsewhere}]}, 404, "unknown_item"),
        ({"rests_on": [{"kind": "statement", "ref": "ST-9"}]}, 404, "unknown_statement"),
        ({"supersedes": made["id"]}, 404, "unknown_claim"),
        ({"colour": 1}, 422, "invalid_request"),
    ):
        refused(lite.post("ana", claims, json={**CLAIM, **changed}), status, code)
    for path in ("/incidents?cursor=x", "/incidents?cursor=x~99999999999"):
        refused(lite.get("ana", path), 422, "bad_cursor")
    refused(lite.get("ana", f"/incidents/{made['id']}/suggestions?without=R99"), 422, "unknown_rule")
    refused(lite.get("ana", f"/incidents/{made['id']}/suggestions?date=soon"), 422, "bad_date")
    refused(lite.get("ana", "/incidents/%00"), 404, "unknown_incident")
    shown = lite.get("ana", "/incidents").json()["incidents"]
    assert [one["ref"] for one in shown] == [REF]
    assert lite.get("ana", f"/incidents/{made['id']}").json()["claims"] == []


def test_double_taps_are_triage_with_the_gaps_that_uncertainty_allows(lite: Api) -> None:
    there = {"lat": "46.6", "lon": "32.6", "uncertainty_m": 10}
    times = (("2025-07-06T09:00:00Z", "2025-07-06T09:05:00Z"), ("2025-07-06T09:20:00Z", "2025-07-06T09:20:00Z"))
    strikes = [{"n": n, "earliest": a, "latest": b, "place": there} for n, (a, b) in enumerate(times, 1)]
    entered(lite, sequence=strikes)
    entered(lite, "INC-DAY")
    told = lite.get("leo", "/incidents/double-taps?case=T1").json()
    sure, unsure = told["pairs"]
    assert (sure["verdict"], sure["order"]) == ("certain", "shown")
    assert sure["minutes"] == {"least": "15.0", "greatest": "20.0"}
    assert sure["needs"] == ["evidence that responders were there at the later strike"]
    assert (unsure["verdict"], unsure["metres"]["greatest"], told["more"]) == ("possible", None, False)
    for ref, year in (("INC-FIRST", "0001"), ("INC-LAST", "9999")):  # no clock counts beyond
        entered(lite, ref, date={"value": year})
        assert len(lite.get("leo", "/incidents/double-taps?case=T1").json()["pairs"]) > len(told["pairs"])
    nearer = lite.get("leo", "/incidents/double-taps?case=T1&minutes=10").json()["pairs"]
    assert {pair["verdict"] for pair in nearer} == {"possible"}
    refused(lite.get("leo", "/incidents/double-taps?case=T1&minutes=0"), 422, "invalid_request")


def test_strikes_that_contradict_their_order_or_day_are_told_with_the_incident_and_lead_to_nothing(lite: Api) -> None:
    there = {"lat": "46.6", "lon": "32.6", "uncertainty_m": 10}
    times = ("2025-07-06T10:30:00Z", "2025-07-06T10:00:00Z", "2025-08-06T10:00:00Z")
    strikes = [{"n": n, "earliest": at, "latest": at, "place": there} for n, at in enumerate(times, 1)]
    made = entered(lite, sequence=strikes, statements=[])
    assert [one["code"] for one in made["warnings"]] == ["strikes_out_of_order", "strike_outside_date"]
    (pair,) = lite.get("leo", "/incidents/double-taps?case=T1").json()["pairs"]
    assert (pair["verdict"], pair["order"]) == ("certain", "reversed")


def test_what_an_incident_names_and_nobody_knows_is_told_with_it_until_it_is_there(lite: Api) -> None:
    unknown: dict[str, Any] = {"statements": ["ST-1"], "candidate_provisions": ["ap1-art62", "ap1-art999"]}
    made = entered(lite, date={"value": "early July"}, **unknown)
    codes = ["unknown_statement", "unknown_provision", "date_not_understood"]
    assert [(one["code"], one["entry"]) for one in made["warnings"]] == [(code, f"incident:{REF}") for code in codes]
    assert "'ap1-art999'" in made["warnings"][1]["detail"]
    assert (made["date"]["understood"], made["body"]["date"]) == (False, {"value": "early July"})
    said = {"ref": "ST-1", "kind": "statement", "body": {"speaker": "Service A"}}
    assert lite.post("ana", "/entries?case=T1", json=said).status_code == 201
    stated = {"body": body(date={"value": "2025-07"}, **unknown), "reason": "the date", "version": 1}
    assert [one["code"] for one in lite.post("ana", f"/incidents/{REF}/versions", json=stated).json()["warnings"]] == [
        "unknown_provision"
    ]
    assert [one["code"] for one in lite.get("leo", f"/incidents/{REF}").json()["warnings"]] == ["unknown_provision"]
    with lite.services.archive.db.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE catalogue SET data = CAST('{}' AS BLOB)")
    lite.services.incidents.provisions.__self__._parsed.clear()  # type: ignore[attr-defined]  # as after a start
    assert lite.get("leo", f"/incidents/{REF}").json()["warnings"] == []  # read all the same; an audit names the edit


def test_file_says_what_it_names_that_is_not_there_and_is_taken_in_all_the_same(lite: Api) -> None:
    given = document()
    given["incidents"][1] |= {"date": {"value": "about noon"}, "statements": ["ST-DENIAL", "ST-9"]}
    given["aggregates"][0]["includes_possible"] = ["INC-9"]
    for _ in range(2):
        done = lite.post("ana", "/incidents/import?case=T1", json=given).json()
        assert [(one["code"], one["entry"]) for one in done["warnings"]] == [
            ("unknown_statement", "incident:INC-B"),
            ("date_not_understood", "incident:INC-B"),
            ("unknown_incident", "aggregate:AGG-1"),
        ]
    assert lite.get("leo", "/incidents/export?case=T1").json() == given
    given["incidents"][1]["date"]["value"] = "2024-13-45"
    problem = refused(lite.post("ana", "/incidents/import?case=T1", json=given), 422, "bad_incident_entry")
    assert "'INC-B': date.value '2024-13-45'" in problem["detail"]
    problem = refused(lite.post("ana", "/incidents/import?case=T1", json={"statements": []}), 422, "bad_incident_file")
    assert "no list `incidents`: expected" in problem["detail"]


def test_name_that_two_cases_have_is_ambiguous_to_who_sees_both(lite: Api) -> None:
    entered(lite)
    assert lite.post("outsider", "/incidents?case=T2", json={"ref": REF, "body": body()}).status_code == 201
    refused(lite.get("adm", f"/incidents/{REF}"), 409, "ambiguous_incident")
    assert lite.get("leo", f"/incidents/{REF}").status_code == 200


def test_file_is_imported_once_and_comes_out_as_it_went_in(api: Api) -> None:
    path, given = "/incidents/import?case=T1", document()
    done = api.post("ana", path, json=given).json()
    assert (len(done["created"]), done["unchanged"], done["differs"]) == (12, [], [])
    again = api.post("leo", path, json=given).json()
    assert (again["created"], len(again["unchanged"]), again["differs"]) == ([], 12, [])
    assert api.get("leo", "/incidents/export?case=T1").json() == given
    page = api.get("ana", "/incidents?case=T1&limit=1").json()
    rest = api.get("ana", f"/incidents?case=T1&limit=1&cursor={page['cursor']}").json()
    assert [one["ref"] for one in page["incidents"] + rest["incidents"]] == [REF, "INC-B"]
    assert rest["cursor"] is None
    assert_clean(api.services)


def test_import_resolves_no_conflict_by_itself(lite: Api) -> None:
    path, given = "/incidents/import?case=T1", document()
    lite.post("ana", path, json=given)
    changed = document()
    changed["incidents"][0]["casualties"]["killed"] = 3
    assert lite.post("ana", path, json=changed).json()["differs"] == [f"incident:{REF}"]
    assert lite.get("leo", "/incidents/export?case=T1").json() == given
    done = lite.post("ana", f"{path}&update=the%20service%20says%20three", json=changed).json()
    assert done["revised"] == [f"incident:{REF}"]
    assert lite.get("ana", f"/incidents/{REF}").json()["version"] == 2
    assert lite.post("ana", path, json=given).json()["differs"] == []  # the first version states that already
    assert lite.get("ana", f"/incidents/{REF}").json()["version"] == 2


def test_import_is_all_or_nothing(lite: Api) -> None:
    path = "/incidents/import?case=T1"
    attempts: tuple[tuple[Callable[[dict[str, Any]], object], str], ...] = (
        (lambda d: d["rule_base_cases"][0]["facts"].update(colour=1), "unknown_fact"),
        (lambda d: d["aggregates"][0].update(value=1.5), "bad_incident_entry"),
        (lambda d: d["incidents"].append(d["incidents"][0]), "entry_twice"),
        (lambda d: d["statements"].append({"speaker": "x"}), "bad_incident_file"),
        (lambda d: d.update(statements={}), "bad_incident_file"),
        (lambda d: d.pop("incidents"), "bad_incident_file"),
        (lambda d: d.update(claims=[{"incident": REF}]), "bad_claim"),
        (lambda d: d.update(claims=[{"incident": "\ud800", "ref": "c", **CLAIM}]), "bad_incident_entry"),
        (lambda d: d.update(claims=[{"incident": REF, "ref": "\ud800", **CLAIM}]), "bad_incident_entry"),
        (lambda d: d.update(claims=[{"incident": "INC-9", "ref": "c", **CLAIM}]), "unknown_incident"),
    )
    for spoil, code in attempts:
        given = document()
        spoil(given)
        sent = json.dumps(given)  # in ASCII: half a surrogate pair, too
        answer = lite.post("ana", path, content=sent, headers={"Content-Type": "application/json"})
        assert answer.json()["code"] == code, answer.text
    assert lite.get("ana", "/incidents").json()["incidents"] == []
    assert_clean(lite.services)


def test_importing_a_claim_reads_no_other_one(lite: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def reads_all(_session: object, incident_id: str) -> list[object]:
        read.append(incident_id)
        return []

    monkeypatch.setattr(store, "claims_of", reads_all)
    claims = [{"incident": REF, "ref": f"c{number}", **CLAIM} for number in range(5)]
    given = {**document(), "claims": claims}
    for _ in range(2):  # made, and then known
        answer = lite.post("ana", "/incidents/import?case=T1", json=given)
        assert answer.status_code == 200, answer.text
    assert len([name for name in answer.json()["unchanged"] if name.startswith("claim:")]) == len(claims)
    assert read == []  # thousands of claims would else be read thousands of times, while nobody can write


def test_claims_of_a_file_that_gives_them_no_ids_replace_none(lite: Api) -> None:
    known, further = ({"incident": REF, "ref": ref, **CLAIM} for ref in ("known", "further"))
    for claims in ([known], [further, known], [further, known]):
        answer = lite.post("ana", "/incidents/import?case=T1", json={**document(), "claims": claims})
    assert {"claim:known", "claim:further"} <= set(answer.json()["unchanged"])
    shown = lite.get("ana", f"/incidents/{REF}").json()["claims"]
    assert [(one["ref"], one["supersedes"], one["stands"]) for one in shown] == [
        ("known", None, True),
        ("further", None, True),
    ]


def test_export_of_one_incident_carries_denials_claims_and_what_speaks_against(lite: Api) -> None:
    lite.post("ana", "/incidents/import?case=T1", json=document())
    told = {
        **CLAIM,
        "ref": "CL-1",
        "text": "The engine had towed a gun.",
        "fact": "military_use_claimed",
        "value": True,
    }
    first = lite.post("ana", f"/incidents/{REF}/claims", json=told).json()
    lite.post("ana", f"/incidents/{REF}/claims", json={**CLAIM, "ref": "CL-2", "supersedes": first["claim"]})
    exported = lite.get("leo", f"/incidents/export?case=T1&incident={REF}").json()
    assert [one["id"] for one in exported["incidents"]] == [REF]
    assert [one["id"] for one in exported["statements"]] == ["ST-CAPTION", "ST-DENIAL"]
    assert [one["id"] for one in exported["aggregates"]] == ["AGG-1"]
    assert [one["ref"] for one in exported["claims"]] == ["CL-1", "CL-2"]  # a replaced claim goes along, too
    other = lite.get("leo", "/incidents/export?case=T1&incident=INC-B").json()
    said = [one["id"] for one in other["statements"]]
    assert said == ["ST-CAPTION", "ST-DENIAL"], "of the caption nobody has said what it is: it may be a denial"
    refused(lite.get("leo", "/incidents/export?case=T1&incident=INC-9"), 404, "unknown_incident")
    case = lite.get("leo", "/cases/T1").json()["id"]
    given_out = [event for event in events_of(lite.services, f"case:{case}") if event.type == "dissemination"]
    assert len(given_out) == 2
    done = lite.post("outsider", "/incidents/import?case=T2", json=exported).json()
    assert {"claim:CL-1", "claim:CL-2"} <= set(done["created"])
    assert lite.post("outsider", "/incidents/import?case=T2", json=exported).json()["created"] == []
    stands = {one["ref"]: one["stands"] for one in lite.get("outsider", f"/incidents/{REF}").json()["claims"]}
    assert stands == {"CL-1": False, "CL-2": True}
    assert_clean(lite.services)


@pytest.mark.parametrize(
    "body", [b'{"incidents": [], "incidents": []}', b'{"incidents": [{"id": "X", "title": "a", "title": "b"}]}']
)
def test_a_name_that_stands_twice_in_one_object_is_refused_and_loses_nothing(lite: Api, body: bytes) -> None:
    sent = {"content": body, "headers": {"Content-Type": "application/json"}}
    refused(lite.call(None, "POST", "/incidents/import?case=T1", **sent), 401, "token_required")
    refused(lite.call("aud", "POST", "/incidents/import?case=T1", **sent), 403, "not_allowed")
    refused(lite.call("ana", "POST", "/incidents/import?case=T1", **sent), 422, "invalid_request")
    assert lite.get("ana", "/incidents?case=T1").json()["incidents"] == []
