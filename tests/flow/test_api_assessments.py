"""Assessment over HTTP: who may not, who cannot approve his own, and what no route can lose."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlmodel import select

from app.assessment.models import AssessmentEntry, AssessmentReview
from app.custody.models import EventRow
from app.custody.service import SYSTEM
from app.law.catalogue import packaged_catalogue
from app.strings import message
from evidence_store.seal import verify_seal
from tests.apis import Api, opened, refused
from tests.archives import events_of
from tests.assessing import LOSS, SEARCH, Desk, E, P, element_of, links_in
from tests.checks import assert_clean
from tests.incident_samples import REF

NOBODY = "00000000-0000-4000-8000-000000000000"


def denials(api: Api) -> int:
    with api.services.archive.db.read() as session:
        return len(session.exec(select(EventRow).where(EventRow.type == "access denied")).all())


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, dict[str, str]]]:
    """An incident with an entry of each kind by `adm`, for the table of rights."""
    with opened(tmp_path_factory.mktemp("assessments"), "sqlite") as api:
        desk = Desk.of(api)
        link = desk.link("adm")["entry"]
        for panel in ("contradicting", "loss_of_protection"):
            desk.panel(panel, "adm")
        yield desk, {"link": link, "item": desk.item}


WRITERS, DECIDERS = {"ana", "leo", "adm"}, {"leo", "liz", "adm"}
LINK = {
    "provision": P,
    "element": E,
    "source": "item",
    "ref": "{item}",
    "direction": "supports",
    "weight": "direct",
    "reasoning": "Seen.",
}
STATE = {"provision": P, "element": E, "state": "contested", "reasoning": "Both sides speak."}
PANEL = {"provision": P, "panel": "contradicting", "answer": "answered", "text": "Nothing yet."}
ASSESSMENT = {"provision": P, "standard": "reasonable_basis", "reasoning": "Enough to inquire."}


@pytest.mark.parametrize(
    ("method", "path", "sent", "allowed", "code"),
    [
        ("POST", f"/incidents/{REF}/element-links", LINK, WRITERS, "unknown_incident"),
        ("POST", f"/incidents/{REF}/element-links/bulk", {"links": [LINK]}, WRITERS, "unknown_incident"),
        ("POST", f"/incidents/{REF}/element-states", STATE, WRITERS, "unknown_incident"),
        ("POST", f"/incidents/{REF}/panels", PANEL, WRITERS, "unknown_incident"),
        ("POST", f"/incidents/{REF}/assessments", ASSESSMENT, {"leo", "adm"}, "unknown_incident"),
        ("GET", f"/incidents/{REF}/matrix", None, WRITERS, "unknown_incident"),
        ("GET", f"/incidents/{REF}/matrix.html", None, WRITERS, "unknown_incident"),
        ("GET", f"/incidents/{REF}/matrix.csv", None, WRITERS, "unknown_incident"),
        ("GET", f"/incidents/{REF}/matrix.json", None, WRITERS, "unknown_incident"),
        ("GET", "/assessment-entries/{link}", None, WRITERS, "unknown_entry"),
    ],
)
def test_who_may_do_what_with_assessments(
    scene: tuple[Desk, dict[str, str]], method: str, path: str, sent: object, allowed: set[str], code: str
) -> None:
    desk, names = scene
    api = desk.api
    target, body = path, json.dumps(sent)
    for name, value in names.items():
        target, body = target.replace(f"{{{name}}}", value), body.replace(f"{{{name}}}", value)
    refused(api.call(None, method, target, json=json.loads(body)), 401, "token_required")
    for who in ("ana", "leo", "aud", "adm"):
        before = denials(api)
        answer = api.call(who, method, target, json=json.loads(body))
        if who in allowed:
            assert answer.status_code in {200, 201}, answer.text
        else:
            refused(answer, 403, "not_allowed")
            assert denials(api) == before + 1
    before = denials(api)
    refused(api.call("outsider" if "ana" in allowed else "outlaw", method, target, json=json.loads(body)), 404, code)
    assert denials(api) == before + 1


@pytest.mark.parametrize(
    ("path", "who", "status", "code"),
    [
        ("/assessment-entries/{link}/review", "ana", 403, "not_allowed"),
        ("/assessment-entries/{link}/review", "aud", 403, "not_allowed"),
        ("/assessment-entries/{link}/review", "outlaw", 404, "unknown_entry"),
        (f"/assessment-entries/{NOBODY}/review", "leo", 404, "unknown_entry"),
        ("/assessment-entries/no-id/review", "leo", 404, "unknown_entry"),
        ("/assessment-entries/{link}/withdrawal", "aud", 403, "not_allowed"),
        ("/assessment-entries/{link}/versions", "outsider", 404, "unknown_entry"),
        ("/assessment-entries/reviews", "ana", 403, "not_allowed"),
    ],
)
def test_who_may_not_is_told_before_the_body_is_read(
    scene: tuple[Desk, dict[str, str]], path: str, who: str, status: int, code: str
) -> None:
    desk, names = scene
    target = path.replace("{link}", names["link"])
    refused(desk.api.post(None, target, json={}), 401, "token_required")
    refused(desk.api.post(who, target, content=b"no JSON"), status, code)


def test_an_author_cannot_approve_his_own_by_any_route(lite: Api) -> None:
    api, desk = lite, Desk.of(lite)
    for panel in ("contradicting", "loss_of_protection"):
        desk.panel(panel)
    own = [
        desk.link("leo"),
        desk.state("leo"),
        desk.panel("contradicting", answer="answered", text="So."),
        desk.assess(),
    ]
    before = denials(api)
    for entry in own:
        refused(desk.review("leo", entry["entry"]), 403, "own_work")
    many = [{"entry": entry["entry"], "decision": "approve"} for entry in own]
    done = api.post("leo", "/assessment-entries/reviews", json={"reviews": many}).json()
    assert (done["made"], done["refused"]) == (0, 4)
    assert {one["code"] for one in done["results"]} == {"own_work"}
    assert denials(api) == before + 8
    with api.services.archive.db.read() as session:
        assert session.exec(select(AssessmentReview)).all() == []
    changed = {name: value for name, value in desk.link_body().items() if name not in {"provision", "element"}}
    newer = desk.made("leo", f"/assessment-entries/{own[0]['thread']}/versions", {**changed, "reason": "clearer"})
    refused(desk.review("leo", newer["entry"]), 403, "own_work")
    assert desk.review("adm", newer["entry"]).status_code == 201
    assert desk.element()["supports"][0]["review"] == "approved"
    assert_clean(api.services)


def test_nothing_of_a_link_can_be_deleted_and_a_withdrawn_one_is_still_shown(api: Api) -> None:
    desk = Desk.of(api)
    link = desk.link(direction="contradicts", reasoning="No livery is visible.")
    for method in ("DELETE", "PUT", "PATCH"):
        for path in (f"/assessment-entries/{link['entry']}", f"/incidents/{REF}/element-links"):
            assert api.call("adm", method, path, json={}).status_code in {404, 405}
    refused(
        api.post("leo", f"/assessment-entries/{link['thread']}/withdrawal", json={"reason": "x"}), 403, "not_own_entry"
    )
    body = {
        **{k: v for k, v in desk.link_body().items() if k not in {"provision", "element"}},
        "reason": "looked again",
    }
    refused(api.post("leo", f"/assessment-entries/{link['thread']}/versions", json=body), 403, "not_own_entry")
    newer = desk.made("ana", f"/assessment-entries/{link['thread']}/versions", body)
    (shown,) = desk.element()["supports"]
    assert (shown["number"], shown["reason"], shown["earlier"][0]["direction"]) == (2, "looked again", "contradicts")
    refused(desk.review("leo", link["entry"]), 409, "entry_changed")
    refused(
        api.post("ana", f"/assessment-entries/{link['thread']}/withdrawal", json={"reason": " "}),
        422,
        "reason_required",
    )
    desk.made("ana", f"/assessment-entries/{newer['entry']}/withdrawal", {"reason": "another day"})
    element = desk.element()
    assert [len(element[way]) for way in ("supports", "contradicts", "withdrawn")] == [0, 0, 1]
    assert [old["number"] for old in element["withdrawn"][0]["earlier"]] == [1, 2]
    refused(
        api.post("ana", f"/assessment-entries/{link['thread']}/withdrawal", json={"reason": "x"}),
        409,
        "entry_withdrawn",
    )
    refused(api.post("ana", f"/assessment-entries/{link['thread']}/versions", json=body), 409, "entry_withdrawn")
    versions = api.get("ana", f"/assessment-entries/{link['thread']}").json()["versions"]
    assert [(one["number"], one["record"]["withdrawn"]) for one in versions] == [(1, False), (2, False), (3, True)]
    with api.services.archive.db.read() as session:
        assert len(session.exec(select(AssessmentEntry)).all()) == 3
    made = events_of(api.services, f"incident:{versions[0]['record']['incident']}")
    assert [event.details["number"] for event in made if event.type == "link"] == [1, 2, 3]
    assert_clean(api.services)


def test_no_export_of_a_matrix_is_without_its_contradicting_links(lite: Api) -> None:
    desk = Desk.of(lite)
    links = [
        desk.link(),
        desk.link(direction="contradicts", reasoning="AGAINST-ONE"),
        desk.link(provision="ap1-art61", element="ap1-art61-e1", direction="contradicts", reasoning="AGAINST-TWO"),
        desk.link(element=LOSS, reasoning="AGAINST-THREE: the crew was armed."),
        desk.link("leo", direction="contradicts", reasoning="AGAINST-FOUR"),
    ]
    assert desk.review("adm", links[4]["entry"], "reject", "not seen there").status_code == 201
    against = {f"AGAINST-{one}" for one in ("ONE", "TWO", "THREE", "FOUR")}
    tricks = (
        "",
        "direction=supports",
        "provision=ap1-art52",
        f"provision={P}&direction=supports&review=approved",
        "limit=1&cursor=x",
        "supports=true&side=for",
    )
    for query in tricks:
        for suffix in ("", ".json", ".html", ".csv"):
            answer = lite.get("leo", f"/incidents/{REF}/matrix{suffix}?{query}")
            assert answer.status_code == 200, answer.text
            assert all(one in answer.text for one in against), (query, suffix)
            assert "Only military aims." in answer.text  # the denial, which nobody has linked
    wanted = {one["entry"] for one in links}
    assert links_in(desk.matrix()) == wanted
    assert wanted - {links[0]["entry"]} <= links_in(desk.matrix("ap1-art52"))


def test_formats_by_accept_and_by_suffix(lite: Api) -> None:
    desk = Desk.of(lite)
    desk.link(reasoning="=HYPERLINK(0) <b>bold</b>")
    kinds = {"text/html": ".html", "text/csv": ".csv", "application/json": ".json"}
    for kind, suffix in kinds.items():
        answers = [
            lite.get("ana", f"/incidents/{REF}/matrix", headers={"Accept": kind}),
            lite.get("ana", f"/incidents/{REF}/matrix{suffix}"),
        ]
        assert {answer.headers["content-type"].partition(";")[0] for answer in answers} == {kind}
    page = lite.get("ana", f"/incidents/{REF}/matrix.html")
    assert "<b>bold" not in page.text
    assert "default-src 'none'; style-src 'sha256-" in page.headers["content-security-policy"]
    assert "may bear on" in page.text
    assert not [word for word in ("violates", "violated") if word in page.text]
    rows = list(csv.DictReader(io.StringIO(lite.get("ana", f"/incidents/{REF}/matrix.csv").text, newline="")))
    assert [row["text"] for row in rows if row["row"] == "link"] == ["'=HYPERLINK(0) <b>bold</b>"]
    refused(lite.get("ana", f"/incidents/{REF}/matrix?provision=no-such"), 404, "unknown_provision")
    refused(lite.get("ana", "/incidents/INC-NONE/matrix"), 404, "unknown_incident")


def test_the_printed_matrix_speaks_the_language_that_is_asked_for_and_leaves_what_people_wrote(lite: Api) -> None:
    desk = Desk.of(lite)
    entry = desk.link(reasoning="The livery is legible.", element=LOSS)["entry"]
    desk.review("leo", entry)
    desk.panel("contradicting")
    path = f"/incidents/{REF}/matrix"
    pages = [
        lite.get("ana", f"{path}.html", headers={"Accept-Language": "uk-UA, en;q=0.5"}),
        lite.get("ana", f"{path}.html?language=uk"),
        lite.get("ana", f"{path}?language=uk", headers={"Accept": "text/html", "Accept-Language": "en"}),
    ]
    for page in pages:
        assert page.headers["content-language"] == "uk"
        assert '<html lang="uk">' in page.text
        for said in (message("matrix.panels", "uk"), message("group.loss_of_protection", "uk"), "схвалює, leo"):
            assert said in page.text, said
        assert "The livery is legible." in page.text
        text = re.sub("<style>.*?</style>", "", page.text, flags=re.DOTALL)
        for word in (
            "Element matrix",
            "Mandatory panels",
            "Gaps",
            "Evidence tasks",
            "supports",
            "no evidence is",
            "none",
        ):
            assert f">{word}" not in text, word
    english = lite.get("ana", f"{path}.html?language=en", headers={"Accept-Language": "uk"})
    assert (english.headers["content-language"], "Element matrix: " in english.text) == ("en", True)
    assert lite.get("ana", f"{path}.html").headers["content-language"] == "en"
    assert "Accept-Language" in english.headers["vary"]
    refused(lite.get("ana", f"{path}.html?language=xx"), 422, "invalid_request")


def test_a_standard_is_refused_while_a_panel_is_open_and_what_is_a_courts_always(lite: Api) -> None:
    api, desk = lite, Desk.of(lite)
    path = f"/incidents/{REF}/assessments"
    refused(api.post("leo", path, json=desk.assessment_body(standard="beyond reasonable doubt")), 403, "court_only")
    refused(api.post("leo", path, json=desk.assessment_body(standard="proven")), 422, "bad_standard")
    refused(api.post("leo", path, json=desk.assessment_body()), 409, "panel_unanswered")
    desk.panel("contradicting")
    refused(api.post("leo", path, json=desk.assessment_body()), 409, "panel_unanswered")
    desk.panel("loss_of_protection")
    first = desk.assess()
    against = desk.link(direction="contradicts")
    refused(api.post("leo", path, json=desk.assessment_body()), 409, "panel_unanswered")  # it came after the answer
    body = {"provision": P, "panel": "contradicting", "answer": "searched_none_found", "searches": [SEARCH]}
    refused(api.post("leo", f"/incidents/{REF}/panels", json=body), 422, "panel_not_empty")
    refused(desk.review("adm", first["entry"]), 409, "panel_unanswered")
    answer = desk.panel("contradicting", answer="answered", text="One photo shows no livery.")
    refused(desk.review("adm", first["entry"]), 409, "basis_changed")
    second = desk.assess(outcome="not_reached")
    assert (second["number"], second["thread"]) == (2, first["thread"])
    assert {one["entry"] for one in second["record"]["rests_on"]} >= {against["entry"], answer["entry"]}
    assert second["record"]["applicability"]["status_data"]["parties"]
    assert desk.review("adm", answer["entry"], "reject", "that is no answer").status_code == 201
    refused(desk.review("adm", second["entry"]), 409, "panel_unanswered")  # who rejects an answer opens the panel
    assert_clean(api.services)


def test_a_decision_on_an_assessment_is_signed_and_dissent_is_kept(api: Api) -> None:
    desk = Desk.of(api)
    for panel in ("contradicting", "loss_of_protection"):
        desk.panel(panel)
    made = desk.assess("adm")
    assert desk.review("leo", made["entry"], "approve", "Agreed.").status_code == 201
    refused(desk.review("liz", made["entry"], "reject"), 422, "comment_required")
    dissent = desk.review("liz", made["entry"], "reject", "One source is not enough.").json()
    assert desk.review("liz", made["entry"], "maybe").status_code == 422
    (shown,) = desk.matrix(P)["provisions"][0]["assessments"]
    assert (shown["review"], shown["basis_changed"]) == ("disputed", False)
    assert [(one["decision"], one["sealed"]) for one in shown["reviews"]] == [("approve", True), ("reject", True)]
    record, seal = (base64.b64decode(dissent[name]) for name in ("record_base64", "seal_base64"))
    authority = api.services.archive.seal_key().authority
    assert verify_seal(seal, record, [authority]).signer
    assert json.loads(record)["entry_sha256"] == made["sha256"]
    event = events_of(api.services, f"incident:{made['record']['incident']}")[-1]
    assert [one["role"] for one in event.details["outputs"]] == [  # type: ignore[index, union-attr, call-overload]
        "assessment review",
        "assessment review signature",
    ]
    late = desk.link("ana")
    assert desk.matrix(P)["provisions"][0]["assessments"][0]["basis_changed"]
    unsigned = desk.review("leo", late["entry"]).json()
    assert unsigned["seal_base64"] is None
    assert_clean(api.services)


def test_bulk_links_tell_each_result_in_its_place(lite: Api) -> None:
    api, desk = lite, Desk.of(lite)
    given = [
        desk.link_body(),
        desk.link_body(direction="proves"),
        desk.link_body(element="ap1-art61-e1"),
        desk.link_body(ref=NOBODY),
        desk.link_body(reasoning=" "),
        desk.link_body(segment="9-1"),
        desk.link_body(weight="heavy"),
        desk.link_body(source="statement", ref="ST-DENIAL", segment=None, direction="contradicts"),
        desk.link_body(source="statement", ref="ST-DENIAL"),
        desk.link_body(source="claim", ref="CL-1", segment=None),
        desk.link_body(source="dream"),
        desk.link_body(provision="no-such"),
    ]
    answer = api.post("ana", f"/incidents/{REF}/element-links/bulk", json={"links": given})
    assert answer.status_code == 200, answer.text
    assert [one["code"] for one in answer.json()["results"]] == [
        None,
        "bad_direction",
        "unknown_element",
        "unknown_item",
        "reasoning_required",
        "bad_segment",
        "bad_weight",
        None,
        "bad_segment",
        "unknown_claim",
        "bad_source",
        "unknown_provision",
    ]
    assert answer.json()["made"] == 2
    reviews = [{"entry": one["id"] or NOBODY, "decision": "approve"} for one in answer.json()["results"][6:9]]
    done = api.post("leo", "/assessment-entries/reviews", json={"reviews": reviews}).json()
    assert [one["code"] for one in done["results"]] == ["unknown_entry", None, "unknown_entry"]
    refused(api.post("ana", f"/incidents/{REF}/element-links/bulk", json={"links": given * 50}), 422, "invalid_request")
    assert_clean(api.services)


def test_an_item_of_another_case_is_no_evidence_here(lite: Api) -> None:
    desk = Desk.of(lite)
    other = lite.deposit(b"\xff\xd8\xff another", who="outsider", case="T2")["item"]["id"]
    body = desk.link_body(ref=other)
    refused(lite.post("adm", f"/incidents/{REF}/element-links", json=body), 404, "unknown_item")


def test_states_are_stated_and_never_computed(lite: Api) -> None:
    desk = Desk.of(lite)
    for _ in range(3):
        desk.link()
    assert desk.element()["state"] == {"value": None, "standing": "not_stated", "stated": []}
    first = desk.state("ana", "supported")
    assert desk.element()["state"]["value"] == "supported"
    desk.state("leo", "contradicted")
    differing = desk.element()["state"]
    assert (differing["value"], differing["standing"], len(differing["stated"])) == (None, "people_differ", 2)
    assert desk.review("liz", first["entry"]).status_code == 201
    assert desk.element()["state"]["standing"] == "reviewed"
    again = desk.state("ana", "contested")
    assert (again["number"], desk.element()["state"]["standing"]) == (2, "people_differ")
    gaps = {(one["code"], one["element"]) for one in desk.matrix(P)["provisions"][0]["gaps"]}
    assert {("nothing_reviewed", E), ("state_disputed", E), ("no_evidence_linked", LOSS)} <= gaps
    assert {("panel_unanswered", None)} <= gaps
    refused(lite.post("ana", f"/incidents/{REF}/element-states", json={**STATE, "state": "proven"}), 422, "bad_state")


def test_links_keep_the_catalogue_that_they_were_made_against(lite: Api) -> None:
    desk = Desk.of(lite)
    link = desk.link()
    entries: list[dict[str, Any]] = json.loads(packaged_catalogue())
    for entry in entries:
        entry["elements"] = [one for one in entry["elements"] if one["id"] != E]
    lite.services.law.ensure_catalogue(SYSTEM, json.dumps(entries).encode())
    document = desk.matrix(P)
    assert document["catalogue"]["version"] == 2
    element = element_of(document["provisions"][0], E)
    assert (element["in_catalogue"], element["supports"][0]["catalogue_version"]) == (False, 1)
    body = {k: v for k, v in desk.link_body().items() if k not in {"provision", "element"}}
    path = f"/assessment-entries/{link['thread']}"
    refused(lite.post("ana", f"{path}/versions", json={**body, "reason": "x"}), 404, "unknown_element")
    desk.made("ana", f"{path}/withdrawal", {"reason": "the element is gone"})
    assert desk.element()["withdrawn"][0]["catalogue_version"] == 1
    assert_clean(lite.services)
