"""What contradicts goes along: what an attribution names, and what says itself that it contradicts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest

from app.verification.resolve import _Resolving
from tests.apis import OTHER_CASE, Api, opened, refused
from tests.assessing import Desk
from tests.checks import assert_clean
from tests.incident_samples import REF
from tests.rich_cases import files_of
from tests.verification_samples import attribution, same_truck


@pytest.fixture
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with opened(tmp_path_factory.mktemp("contradictions"), "sqlite") as api:
        yield Desk.of(api)
        assert_clean(api.services)


def said(desk: Desk, ref: str, **more: object) -> str:
    body = {"speaker": f"Witness {ref}", "summary": "The unit was elsewhere.", "kind": "witness", **more}
    made = desk.made("ana", "/entries?case=T1", {"kind": "statement", "ref": ref, "body": body})
    return str(made["id"])


def attributed(desk: Desk, ref: str, side: str = "contradicts", kind: str = "statement") -> None:
    evidence = [{"kind": kind, "ref": ref, "says": "the unit was elsewhere"}]
    sent = {"kind": "attribution", "ref": f"ATT-{ref[:8]}", "body": attribution(REF, **{side: evidence})}
    desk.made("ana", "/verifications?case=T1", sent)


def file_of(api: Api, case: str = "T1", ref: str = REF, who: str = "leo") -> dict[str, Any]:
    answer = api.get(who, f"/incidents/export?case={case}&incident={ref}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def bundle_of(desk: Desk, **asked: object) -> dict[str, bytes]:
    desk.link()  # a bundle holds an item at least
    answer = desk.api.post("leo", "/exports", json=asked)
    assert answer.status_code == 201, answer.text
    return files_of(desk.api.get("leo", f"/exports/{answer.json()['id']}/bundle").content)


def statements(document: dict[str, Any]) -> set[str]:
    return {one["id"] for one in document["statements"]}


@pytest.mark.parametrize("by_uuid", [False, True])
@pytest.mark.parametrize("side", ["contradicts", "supports"])
def test_statement_that_an_attribution_names_goes_along_and_both_come_into_another_case(
    desk: Desk, side: str, *, by_uuid: bool
) -> None:
    identity = said(desk, "ST-X")
    attributed(desk, identity if by_uuid else "ST-X", side)
    file = file_of(desk.api)
    assert "ST-X" in statements(file)
    there = desk.api.post("adm", f"/incidents/import?case={OTHER_CASE}", json=file)
    assert there.status_code == 200, there.text
    (incident,) = desk.api.get("adm", f"/incidents?case={OTHER_CASE}").json()["incidents"]
    left = file_of(desk.api, OTHER_CASE, incident["id"], "adm")
    assert left["statements"] == file["statements"]
    (record,) = left["verifications"]
    assert [one["ref"] for one in record["body"][side] if one["kind"] == "statement"] == ["ST-X"]


def test_attribution_that_was_written_with_a_uuid_before_is_known_here_and_comes_into_another_case(desk: Desk) -> None:
    identity = said(desk, "ST-X")
    with patch.object(_Resolving, "_attributed", lambda self, parsed: self._incident(parsed.incident)):
        attributed(desk, identity)
    file = file_of(desk.api)
    assert file["verifications"][0]["versions"][0]["body"]["contradicts"][0]["ref"] == identity, "the record as it is"
    again = desk.api.post("ana", "/incidents/import?case=T1", json=file).json()
    assert (again["created"], again["differs"]) == ([], [])
    there = desk.api.post("adm", f"/incidents/import?case={OTHER_CASE}", json=file)
    assert there.status_code == 200, there.text
    assert f"data/incidents/{identity}.1.json" in bundle_of(desk, incident=REF)


def test_statement_that_an_earlier_version_of_an_attribution_named_still_goes_along(desk: Desk) -> None:
    said(desk, "ST-X")
    attributed(desk, "ST-X")
    (record,) = desk.api.get("ana", "/verifications?case=T1").json()["verifications"]
    sent = {"body": attribution(REF), "reason": "withdrawn", "version": 1}
    desk.made("ana", f"/verifications/{record['id']}/versions", sent)
    assert "ST-X" in statements(file_of(desk.api))


def test_bundle_of_an_incident_holds_what_its_attribution_names_and_one_of_items_must_say_that_it_does_not(
    desk: Desk,
) -> None:
    identity = said(desk, "ST-X")
    attributed(desk, "ST-X")
    files = bundle_of(desk, incident=REF)
    assert f"data/incidents/{identity}.1.json" in files
    assert "ST-X" in statements(json.loads(files["incidents.json"]))
    body = refused(desk.api.post("leo", "/exports", json={"items": [desk.item]}), 409, "exculpatory_left_out")
    assert f"contradicting statement {identity}" in body["detail"]


def test_observation_and_items_that_verification_names_go_along(desk: Desk) -> None:
    other = str(desk.api.deposit(b"another recording")["item"]["id"])
    body = {"item": desk.item, "seen": "no vehicle of that unit", "segment": "1-2"}
    desk.made("ana", "/entries?case=T1", {"kind": "observation", "ref": "OB-X", "body": body})
    attributed(desk, "OB-X", kind="observation")
    sent = {"kind": "corroboration", "ref": "COR-1", "body": same_truck(desk.item, other, incident=REF)}
    desk.made("ana", "/verifications?case=T1", sent)
    assert [one["id"] for one in file_of(desk.api)["observations"]] == ["OB-X"]
    files = bundle_of(desk, incident=REF)
    assert all(any(one in name for name in files) for one in (desk.item, other))
    assert "left out" not in json.dumps(json.loads(files["manifest.json"])["claims"])


@pytest.mark.parametrize("direction", ["contradicts", "mixed: exonerating on intent"])
def test_witness_who_contradicts_goes_along_whatever_his_kind(desk: Desk, direction: str) -> None:
    identity = said(desk, "ST-W", direction=direction)
    assert "ST-W" in statements(file_of(desk.api))
    assert f"data/incidents/{identity}.1.json" in bundle_of(desk, incident=REF)
    (shown,) = [one for one in desk.matrix()["statements"] if one["ref"] == "ST-W"]
    assert (shown["denial"], shown["goes_along"]) == (False, "contradicts")
    refused(desk.api.post("leo", "/exports", json={"items": [desk.item]}), 409, "exculpatory_left_out")


def test_what_a_statement_that_contradicted_said_goes_along_after_it_was_turned_round(desk: Desk) -> None:
    identity = said(desk, "ST-W", direction="contradicts")
    turned = {"speaker": "Witness ST-W", "summary": "Nothing.", "kind": "witness", "direction": "supports"}
    desk.made("ana", f"/entries/{identity}/versions", {"body": turned, "reason": "reworded", "version": 1})
    file = file_of(desk.api)
    assert "ST-W" in statements(file)
    assert [one["summary"] for one in file["earlier_statements"]] == ["The unit was elsewhere."]


def test_statement_that_bears_on_the_incident_goes_along_with_it_alone(desk: Desk) -> None:
    identity = said(desk, "ST-B", bears_on=[REF], direction="supports")
    assert "ST-B" in statements(file_of(desk.api))
    assert "ST-B" not in statements(file_of(desk.api, ref="INC-B"))
    assert f"data/incidents/{identity}.1.json" in bundle_of(desk, incident=REF)
    assert "ST-B" in [one["ref"] for one in desk.matrix()["statements"]]


def test_plain_witness_of_something_else_stays_where_he_is(desk: Desk) -> None:
    said(desk, "ST-P", bears_on=["INC-B"], direction="supports")
    assert "ST-P" not in statements(file_of(desk.api))
