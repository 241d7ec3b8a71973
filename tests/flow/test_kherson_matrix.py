"""The matrix of a fire engine's case from a real investigation: what leads, what is suppressed and why, both sides.

The file stays outside the project: its victims are real. Where it is not here, these tests are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.incidents.dossier import read_file
from tests.apis import Api, opened
from tests.assessing import element_of, links_in
from tests.checks import assert_clean

KHERSON, CAPTION = "INC-KHERSON-20250706", "ST-BRIGADE-CAPTION"
DENIALS = {"ST-RF-EMBASSY", "ST-LAVROV"}
AIM, PERSONS = "ap1-art52-e3", "ap1-art62-e3"


@pytest.fixture(scope="module")
def kherson(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The dossier; the caption of the brigade is linked for and against by one person, reviewed by a second one."""
    data = (shared / "ihl" / "incidents.json").read_bytes()
    with opened(tmp_path_factory.mktemp("kherson"), "sqlite") as api:
        who = api.services.access.local_operator()
        api.services.incident_files.take_in(who, api.services.evidence.find_case(who, "T1"), read_file(data))
        for provision, element, direction, why in (
            ("ap1-art52", AIM, "supports", "It names the service as a possible target and says the aim was met."),
            ("ap1-art62", PERSONS, "contradicts", "It says that people were spared and the vehicle was the aim."),
        ):
            body = {
                "provision": provision,
                "element": element,
                "source": "statement",
                "ref": CAPTION,
                "direction": direction,
                "weight": "circumstantial",
                "reasoning": why,
            }
            made = api.post("ana", f"/incidents/{KHERSON}/element-links", json=body)
            assert made.status_code == 201, made.text
            path = f"/assessment-entries/{made.json()['entry']}/review"
            assert api.post("leo", path, json={"decision": "approve"}).status_code == 201
        yield api
        assert_clean(api.services)


def matrix(api: Api, query: str = "") -> dict[str, Any]:
    answer = api.get("leo", f"/incidents/{KHERSON}/matrix{query}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_the_articles_on_civil_defence_and_civilian_objects_lead(kherson: Api) -> None:
    document = matrix(kherson)
    leads = {one["provision"] for one in document["suggestions"]["suggest"] if one["strength"] == "lead"}
    assert {"ap1-art61", "ap1-art62", "ap1-art52", "ap1-art65"} <= leads
    shown = {one["provision"]: one for one in document["provisions"]}
    assert {"ap1-art61", "ap1-art62", "ap1-art52", "ap1-art65"} <= set(shown)
    assert all(shown[one]["suggestion"]["counter_questions"] for one in ("ap1-art62", "ap1-art52"))


def test_article_15_and_the_emblem_crime_are_suppressed_with_the_reason_shown(kherson: Api) -> None:
    document = matrix(kherson)
    why = {one["provision"]: one["why"] for one in document["suggestions"]["suppressed"]}
    assert {"ap1-art15", "icc-8-2-b-xxiv"} <= set(why)
    assert all(why[one] for one in ("ap1-art15", "icc-8-2-b-xxiv"))
    assert {"ap1-art15", "icc-8-2-b-xxiv"}.isdisjoint(one["provision"] for one in document["provisions"])
    asked = matrix(kherson, "?provision=ap1-art15")["provisions"][0]  # somebody looks at it nevertheless
    assert asked["suggestion"]["standing"] == "suppressed"
    page = kherson.get("leo", f"/incidents/{KHERSON}/matrix.html").text
    assert all(text[:30] in page for text in (why["ap1-art15"].split("'")[0], why["icc-8-2-b-xxiv"].split("'")[0]))


def test_the_caption_is_stored_for_and_against(kherson: Api) -> None:
    document = matrix(kherson)
    provisions = {one["provision"]: one for one in document["provisions"]}
    (speaks_for,) = element_of(provisions["ap1-art52"], AIM)["supports"]
    (against,) = element_of(provisions["ap1-art62"], PERSONS)["contradicts"]
    assert {speaks_for["source"]["ref"], against["source"]["ref"]} == {CAPTION}
    assert (speaks_for["side"], against["side"]) == ("for", "against")
    assert (speaks_for["review"], against["review"]) == ("approved", "approved")
    (caption,) = [one for one in document["statements"] if one["ref"] == CAPTION]
    assert caption["directions"] == ["supports", "contradicts"]
    assert (caption["author"], caption["authentication"]) == ("unknown", "pending")
    assert set(caption["links"]) == {speaks_for["entry"], against["entry"]}


def test_denials_go_along_in_every_form_and_nothing_says_that_a_rule_was_broken(kherson: Api) -> None:
    assert {one["ref"] for one in matrix(kherson)["statements"] if one["denial"]} >= DENIALS
    for suffix in (".json", ".html", ".csv"):
        for query in ("", "?provision=ap1-art61"):
            text = kherson.get("leo", f"/incidents/{KHERSON}/matrix{suffix}{query}").text
            assert all(one in text for one in DENIALS)
            assert not [word for word in ("violates", "violated", "a violation occurred", "is guilty") if word in text]
    narrow = matrix(kherson, "?provision=ap1-art61")
    assert len(links_in(narrow)) == 1  # the contradicting one, which is about another provision


def test_what_is_missing_becomes_gaps_and_tasks(kherson: Api) -> None:
    (one,) = matrix(kherson, "?provision=ap1-art62")["provisions"]
    codes = {gap["code"] for gap in one["gaps"]}
    assert {"no_evidence_linked", "state_not_stated", "panel_unanswered"} <= codes
    assert one["applicability"]["status_data"]["parties"]
    assert any(each["tasks"] for each in matrix(kherson)["provisions"])
