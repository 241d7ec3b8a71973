"""No number wins in a shape without a signed-off decision, and no shape is silent on what speaks against."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from defusedxml import ElementTree

from tests.apis import Api, opened
from tests.assessing import Desk
from tests.flow.test_api_conflicts import claimed
from tests.flow.test_api_verifications import entered, incident_in, sign
from tests.incident_samples import REF
from tests.verification_samples import attribution

KML = "{http://www.opengis.net/kml/2.2}"
FORMS = ("geojson", "timeline", "csv", "kml")


@pytest.fixture
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with opened(tmp_path_factory.mktemp("shapes-conflicts"), "sqlite") as made:
        yield made


def shown(api: Api, form: str, ref: str = REF) -> dict[str, Any]:
    """What a shape tells of an incident, by name; of CSV and KML as text."""
    path = "/incidents/timeline" if form == "timeline" else f"/incidents.{form}"
    answer = api.get("leo", f"{path}?case=T1")
    assert answer.status_code == 200, answer.text
    if form == "csv":
        rows = csv.DictReader(io.StringIO(answer.text, newline=""))
        return next(dict(row) for row in rows if row["ref"] == ref)
    if form == "kml":
        marks = [
            {str(one.get("name")): one.findtext(f"{KML}value") or "" for one in mark.iter(f"{KML}Data")}
            for mark in ElementTree.fromstring(answer.content).iter(f"{KML}Placemark")
        ]
        return next(mark for mark in marks if mark["ref"] == ref)
    told = answer.json()
    found = [one["properties"] for one in told["features"]] if form == "geojson" else told["events"]
    return next(dict(one) for one in found if one["ref"] == ref)


def told(api: Api, form: str) -> tuple[Any, ...]:
    """The count of the dead as a shape tells it: value, all values, how they stand, and whether any sources differ."""
    one = shown(api, form)
    return one["killed"], one["killed_stated"], one["killed_standing"], one.get("conflicting")


@pytest.mark.parametrize("form", FORMS)
def test_no_count_wins_until_a_second_person_signs_off_and_the_others_stay_told(api: Api, form: str) -> None:
    incident_in(api)
    text = form in {"csv", "kml"}

    def as_told(value: Any, values: list[int], standing: str, *, conflict: bool) -> tuple[Any, ...]:  # noqa: ANN401
        if text:
            return value, " | ".join(map(str, values)), standing, None
        return value if isinstance(value, int) else None, values, standing, conflict

    alone = as_told("0" if text else 0, [0], "stated", conflict=False)
    assert told(api, form) == alone
    claimed(api, "CL-0", 0)
    assert told(api, form) == alone, "who says the same contradicts nobody"
    claimed(api, "CL-1", 3)
    differ = as_told("0 | 3 (sources differ)", [0, 3], "sources differ", conflict=True)
    assert told(api, form) == differ
    sent = {"incident": REF, "fact": "killed", "held": 3, "reasoning": "the service counted"}
    made = entered(api, "decision", sent, ref="V-DEC")
    assert told(api, form) == differ, "its author alone decides nothing"
    sign(api, made["id"])
    assert told(api, form) == as_told("3" if text else 3, [0, 3], "held by decision V-DEC", conflict=False)
    claimed(api, "CL-2", 5)
    assert told(api, form) == as_told("0 | 3 | 5 (sources differ)", [0, 3, 5], "sources differ", conflict=True)


@pytest.mark.parametrize("form", FORMS)
def test_decision_that_none_is_held_and_claims_that_were_replaced(api: Api, form: str) -> None:
    incident_in(api)
    claimed(api, "CL-1", 3)
    claim = api.get("ana", f"/incidents/{REF}").json()["claims"][0]["claim"]
    sent = {"ref": "CL-2", "speaker": "S", "text": "4 were", "fact": "killed", "value": 4, "supersedes": claim}
    assert api.post("ana", f"/incidents/{REF}/claims", json=sent).status_code == 201
    made = entered(api, "decision", {"incident": REF, "fact": "killed", "held": None, "reasoning": "open"}, ref="V-0")
    sign(api, made["id"])
    one = shown(api, form)
    assert one["killed_standing"] == "none held by decision V-0"
    if form in {"csv", "kml"}:
        assert one["killed"] == "0 | 4 (none held by decision V-0)"
    else:
        assert (one["killed"], one["killed_stated"]) == (None, [0, 4])


def test_every_shape_tells_which_statements_speak_against_and_names_the_incidents_own_first(api: Api) -> None:
    desk = Desk.of(api)
    witness = {"speaker": "Witness X", "summary": "The unit was elsewhere.", "kind": "witness"}
    desk.made("ana", "/entries?case=T1", {"kind": "statement", "ref": "ST-X", "body": witness})
    evidence = [{"kind": "statement", "ref": "ST-X", "says": "it was elsewhere"}]
    entered(api, "attribution", attribution(REF, contradicts=evidence))
    for form in FORMS:
        (own, other) = (shown(api, form, ref)["speaks_against"] for ref in (REF, "INC-B"))
        text = form in {"csv", "kml"}
        assert own == ("ST-CAPTION; ST-X; ST-DENIAL" if text else ["ST-CAPTION", "ST-X", "ST-DENIAL"]), form
        assert other == ("ST-CAPTION; ST-DENIAL" if text else ["ST-CAPTION", "ST-DENIAL"]), form


def test_many_denials_are_counted_and_the_first_ones_named(api: Api) -> None:
    denial = {"speaker": "Ministry", "summary": "No.", "kind": "denial"}
    sent = {"incidents": [{"id": REF, "title": "t", "date": {"value": "2025-07-06"}}]}
    sent["statements"] = [{"id": f"D-{n:02}", **denial} for n in range(25)]
    assert api.post("ana", "/incidents/import?case=T1", json=sent).status_code == 200
    one = shown(api, "geojson")
    assert (one["speaks_against"][:2], len(one["speaks_against"])) == (["D-00", "D-01"], 20)
    assert one["speaks_against_in_all"] == 25
    assert shown(api, "csv")["speaks_against"].endswith("D-19; and 5 more")


def test_what_other_sources_say_otherwise_is_told_in_every_shape_without_names(api: Api) -> None:
    person = {"killed": 1, "persons": [{"name": "Sample Person"}]}
    other = [{"source": "s", "says": "x", "conflict_with_seed": "Sample Person and two more, not one"}]
    given = {"id": REF, "title": "t", "date": {"value": "2025-07-06"}, "casualties": person, "outside_seed": other}
    assert api.post("ana", "/incidents/import?case=T1", json={"incidents": [given]}).status_code == 200
    for form in FORMS:
        text = json.dumps(shown(api, form)["accounts_differ"])
        assert "and two more, not one" in text
        assert "Sample Person" not in text
