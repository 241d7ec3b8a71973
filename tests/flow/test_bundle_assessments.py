"""What a bundle holds of the assessment of an incident: every record, and a matrix with both sides, or no bundle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence_store.verify.checks import verify_bundle
from tests.apis import opened
from tests.assessing import Desk, links_in
from tests.checks import assert_clean
from tests.incident_samples import REF
from tests.rich_cases import files_of


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, set[str], str]]:
    """An incident with links both ways, one withdrawn, panels, and an assessment that was approved."""
    with opened(tmp_path_factory.mktemp("bundle-assessments"), "sqlite") as api:
        made = Desk.of(api)
        other = api.deposit(b"another", X_Filename="b.bin")["item"]["id"]
        links = {made.link()["entry"], made.link(direction="contradicts", ref=other, segment=None)["entry"]}
        gone = made.link(direction="neutral")["entry"]
        api.post("ana", f"/assessment-entries/{gone}/withdrawal", json={"reason": "seen twice"})
        for panel in ("contradicting", "loss_of_protection"):
            made.panel(panel, answer="answered", text="Looked at.", searches=[])
        entry = made.assess()["entry"]
        assert made.review("liz", entry, "approve", "read").status_code == 201
        yield made, links | {gone}, other
        assert_clean(api.services)


def exported(desk: Desk, **asked: object) -> dict[str, bytes]:
    answer = desk.api.post("leo", "/exports", json=asked)
    assert answer.status_code == 201, answer.text
    return files_of(desk.api.get("leo", f"/exports/{answer.json()['id']}/bundle").content)


def test_matrix_with_both_sides_and_every_record_go_with_the_incident(desk: tuple[Desk, set[str], str]) -> None:
    made, links, other = desk
    files = exported(made, incident=REF)
    (name,) = [one for one in files if one.startswith("data/matrices/")]
    document = json.loads(files[name])
    assert links <= links_in(document) | {str(one) for one in _entries(document)}
    items = {one["item"] for one in json.loads(files["manifest.json"])["items"]}
    assert items == {made.item, other}, "an item that only a contradicting link names goes along"
    events = [json.loads(line) for line in files["custody/events.jsonl"].splitlines()]
    named = {output["sha256"] for event in events for output in event["details"].get("outputs", [])}
    records = [data for path, data in files.items() if path.startswith("data/assessments/")]
    assert len(records) >= 8
    assert all(hashlib.sha256(data).hexdigest() in named for data in records)


def test_statement_that_only_a_contradicting_link_names_goes_with_the_incident(tmp_path: Path) -> None:
    with opened(tmp_path, "sqlite") as api:
        made = Desk.of(api)
        made.link()
        made.link(source="statement", ref="ST-OTHER", segment=None, direction="contradicts")
        bundle = json.loads(exported(made, incident=REF)["incidents.json"])
        file = api.get("leo", f"/incidents/export?case=T1&incident={REF}").json()
        said = {one["id"] for one in bundle["statements"]}
        assert said == {one["id"] for one in file["statements"]} == {"ST-CAPTION", "ST-DENIAL", "ST-OTHER"}
        assert_clean(api.services)


def _entries(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        yield value.get("entry")
        for inner in value.values():
            yield from _entries(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _entries(inner)


@pytest.mark.parametrize("asked", [{"incident": REF}, {"case": "T1"}])
def test_contradicting_link_that_was_cut_out_stops_the_export(
    desk: tuple[Desk, set[str], str], asked: dict[str, str]
) -> None:
    engine = desk[0].api.services.archive.db.engine
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE kept AS SELECT * FROM assessment_entry")
        connection.exec_driver_sql(
            "DELETE FROM assessment_entry WHERE kind = 'link' AND CAST(record AS TEXT) LIKE '%contradicts%'"
        )
    try:
        answer = desk[0].api.post("leo", "/exports", json=asked)
        assert (answer.status_code, answer.json()["code"]) == (500, "record_missing")
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql("INSERT OR IGNORE INTO assessment_entry SELECT * FROM kept")
            connection.exec_driver_sql("DROP TABLE kept")


def test_bundle_with_a_matrix_verifies(
    desk: tuple[Desk, set[str], str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    answer = desk[0].api.post("leo", "/exports", json={"case": "T1"}).json()
    path = tmp_path_factory.mktemp("verify") / "bundle.zip"
    path.write_bytes(desk[0].api.get("leo", f"/exports/{answer['id']}/bundle").content)
    report = verify_bundle(path)
    assert [one for one in report.findings if one.severity == "error"] == []
