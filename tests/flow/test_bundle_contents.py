"""What a bundle holds: all that the log names, both sides of an incident, and nothing of another case."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.export import making
from app.export.dossier import ids_in
from evidence_store.verify.checks import verify_bundle
from schemas.records.v1.matches import Matches
from tests.apis import Api, opened, refused
from tests.checks import assert_clean
from tests.incident_samples import REF
from tests.rich_cases import COURT, SECRET, RichCase, files_of, manifest_of, rich_case


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RichCase]:
    with opened(tmp_path_factory.mktemp("rich"), "sqlite") as api:
        yield rich_case(api)
        assert_clean(api.services)


@pytest.fixture(scope="module")
def whole(rich: RichCase) -> tuple[dict[str, Any], bytes]:
    """The case with everything."""
    return rich.export(case="T1", derivatives="all")


@pytest.fixture(scope="module")
def incident(rich: RichCase) -> tuple[dict[str, Any], bytes]:
    """One incident."""
    return rich.export(incident=REF)


def paths_of(files: dict[str, bytes], folder: str) -> set[str]:
    return {name.removeprefix(f"{folder}/") for name in files if name.startswith(f"{folder}/")}


def test_export_of_an_incident_needs_a_token_the_role_and_the_case(rich: RichCase) -> None:
    asked = {"incident": REF}
    for who, status, code in [
        (None, 401, "token_required"),
        ("aud", 403, "not_allowed"),
        ("ana", 403, "not_allowed"),
        ("outlaw", 404, "unknown_incident"),
    ]:
        refused(rich.api.post(who, "/exports", json=asked), status, code)
    for sent, status, code in [
        ({"incident": "INC-T2"}, 404, "unknown_incident"),
        ({"incident": REF, "items": ["00000000-0000-4000-8000-000000000000"]}, 422, "bad_scope"),
        ({"incident": REF, "case": "T1", "items": ["00000000-0000-4000-8000-000000000000"]}, 422, "bad_scope"),
        ({"incident": "INC-B"}, 422, "nothing_to_export"),
        ({"incident": REF, "derivatives": "some"}, 422, "invalid_request"),
        ({"case": "T1", "analyses": "none"}, 422, "invalid_request"),
    ]:
        refused(rich.api.post("leo", "/exports", json=sent), status, code)


def test_both_bundles_verify(
    whole: tuple[dict[str, Any], bytes], incident: tuple[dict[str, Any], bytes], tmp_path: Path
) -> None:
    for _, data in (whole, incident):
        path = tmp_path / "bundle.zip"
        path.write_bytes(data)
        report = verify_bundle(path)
        assert [one for one in report.findings if one.severity == "error"] == []
        sealed_only = {one.subject for one in report.findings if one.code == "file_sealed_only"}
        assert {"incidents.json", "index.csv", "premis.xml", "ro-crate-metadata.json"} < sealed_only
        assert not [name for name in sealed_only if name.startswith(("data/incidents/", "data/proxies/"))]


def test_bundle_of_an_incident_holds_the_items_that_it_and_claims_about_it_name(
    rich: RichCase, incident: tuple[dict[str, Any], bytes]
) -> None:
    row, data = incident
    assert set(row["items"]) == {rich.placed, rich.drive}
    assert {item["item"] for item in manifest_of(files_of(data))["items"]} == {rich.placed, rich.drive}
    assert row["scope"]["incident"] == REF


def test_dossier_holds_denials_and_every_claim_and_is_a_file_that_can_be_imported(
    rich: RichCase, incident: tuple[dict[str, Any], bytes]
) -> None:
    document = json.loads(files_of(incident[1])["incidents.json"])
    assert [one["id"] for one in document["incidents"]] == [REF]
    assert {one["id"] for one in document["statements"]} == {"ST-CAPTION", "ST-DENIAL"}
    assert {one["ref"] for one in document["claims"]} == {"C-1", "C-2"}
    assert [one["id"] for one in document["aggregates"]] == ["AGG-1"]
    answer = rich.api.post("ana", "/incidents/import?case=T1", json=document)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["created"], answer.json()["differs"]) == ([], [])


def test_whole_dossier_goes_with_the_case_unless_it_is_left_out(
    rich: RichCase, whole: tuple[dict[str, Any], bytes]
) -> None:
    document = json.loads(files_of(whole[1])["incidents.json"])
    assert [one["id"] for one in document["incidents"]] == [REF, "INC-B"]
    assert document["remarks"] == ["kept as they are", {"n": 1}]
    row, data = rich.export(case="T1", incidents="none")
    files = files_of(data)
    assert row["scope"]["incidents"] == "none"
    assert "incidents.json" not in files
    assert paths_of(files, "data/incidents") == set()


def test_every_version_of_an_incident_is_the_stored_record_that_its_events_name(api: Api) -> None:
    item = api.deposit(b"seen")["item"]["id"]
    first, second = {"title": "first", "items": [item]}, {"title": "second", "items": []}
    assert api.post("ana", "/incidents?case=T1", json={"ref": "INC-V", "body": first}).status_code == 201
    sent = {"body": second, "reason": "misread", "version": 1}
    assert api.post("ana", "/incidents/INC-V/versions", json=sent).status_code == 201
    row = api.post("leo", "/exports", json={"incident": "INC-V"}).json()
    assert row["items"] == [item], "an item that an earlier version names is left out"
    files = files_of(api.get("leo", f"/exports/{row['id']}/bundle").content)
    records = [json.loads(data) for name, data in sorted(files.items()) if name.startswith("data/incidents/")]
    assert [(record["number"], record["body"]["title"]) for record in records] == [(1, "first"), (2, "second")]
    events = [json.loads(line) for line in files["custody/events.jsonl"].splitlines()]
    about = [event for event in events if event["object"] == f"incident:{records[0]['entry']}"]
    named = [output["sha256"] for event in about for output in event["details"].get("outputs", [])]
    assert named == [
        hashlib.sha256(files[f"data/incidents/{records[0]['entry']}.{n}.json"]).hexdigest() for n in (1, 2)
    ]
    assert about[-1]["type"] == "dissemination"
    assert_clean(api.services)


def test_links_for_and_against_leave_together(rich: RichCase, incident: tuple[dict[str, Any], bytes]) -> None:
    files = files_of(incident[1])
    said = [json.loads(data)["direction"] for name, data in files.items() if name.startswith("data/links/")]
    assert sorted(said) == ["contradicts", "supports"]


@pytest.mark.parametrize(
    ("table", "change", "asked"),
    [
        ("incident_claim", "DELETE FROM incident_claim WHERE ref = 'C-2'", {"incident": REF}),
        ("incident_claim", "DELETE FROM incident_claim WHERE ref = 'C-1'", {"case": "T1"}),
        ("incident_version", "UPDATE incident_version SET record = replace(record, '16', '61')", {"case": "T1"}),
        ("provision_link", "DELETE FROM provision_link WHERE direction = 'contradicts'", {"incident": REF}),
        ("match_decision", "DELETE FROM match_decision WHERE decision = 'confirm'", {"case": "T1"}),
        ("match_decision", "UPDATE match_decision SET reason = 'x' WHERE decision = 'confirm'", {"case": "T1"}),
    ],
)
def test_what_was_cut_out_of_the_database_or_changed_there_stops_the_export(
    rich: RichCase, table: str, change: str, asked: dict[str, str]
) -> None:
    """Who would leave out what contradicts has to explain that the log names it."""
    with altered(rich, table, change):
        answer = rich.api.post("leo", "/exports", json={"disclosure": COURT, **asked})
        assert answer.status_code >= 400, answer.text
        assert answer.json()["code"] in {"record_missing", "incident_changed", "incident_damaged"}
    assert rich.api.post("leo", "/exports", json={"disclosure": COURT, **asked}).status_code == 201


@contextmanager
def altered(rich: RichCase, table: str, change: str) -> Iterator[None]:
    """What somebody with the database does, undone at the end."""

    def run(*statements: str) -> None:
        with rich.api.services.archive.db.engine.begin() as connection:
            for statement in ("PRAGMA defer_foreign_keys=ON", *statements):
                connection.exec_driver_sql(statement)

    run(f"CREATE TABLE kept AS SELECT * FROM {table}", change)  # noqa: S608 - names of this file
    try:
        yield
    finally:
        run(f"DELETE FROM {table}", f"INSERT INTO {table} SELECT * FROM kept", "DROP TABLE kept")  # noqa: S608


def test_options_say_which_derivatives_leave(rich: RichCase, whole: tuple[dict[str, Any], bytes]) -> None:
    def derived(**asked: object) -> tuple[set[str], set[str]]:
        row, data = rich.export(items=[rich.placed, rich.drive], **asked)
        assert row["scope"] == {"items": sorted([rich.placed, rich.drive]), **asked}
        files = files_of(data)
        return paths_of(files, "data/previews"), paths_of(files, "data/tracks")

    track = {f"{rich.drive}.{ending}" for ending in ("json", "geojson", "gpx")}
    assert derived() == ({f"{rich.placed}.jpg"}, track)
    assert derived(derivatives="none") == (set(), track)
    assert whole[0]["scope"]["derivatives"] == "all"


def test_track_is_the_stored_one_and_its_views_are_those_of_the_archive(
    rich: RichCase, whole: tuple[dict[str, Any], bytes]
) -> None:
    files = files_of(whole[1])
    for ending in ("geojson", "gpx"):
        shown = rich.api.get("leo", f"/items/{rich.drive}/track.{ending}").content
        assert files[f"data/tracks/{rich.drive}.{ending}"] == shown
    events = [json.loads(line) for line in files["custody/events.jsonl"].splitlines()]
    outputs = [output for event in events for output in event["details"].get("outputs", [])]
    (named,) = {output["sha256"] for output in outputs if output["role"] == "track"}
    assert hashlib.sha256(files[f"data/tracks/{rich.drive}.json"]).hexdigest() == named


def test_relations_carry_all_decisions_and_the_cluster_among_items_of_the_bundle(
    rich: RichCase, whole: tuple[dict[str, Any], bytes]
) -> None:
    files = files_of(whole[1])
    record = Matches.model_validate_json(files[f"data/matches/{rich.placed}.json"])
    decided = {one.item: [row.decision for row in one.decisions] for one in record.matches}
    assert decided == {rich.copy: ["reject", "confirm"], rich.other: ["reject"]}
    assert record.cluster == tuple(sorted([rich.placed, rich.copy]))
    alone = Matches.model_validate_json(files[f"data/matches/{rich.other}.json"])
    assert alone.cluster == ()
    _, data = rich.export(items=[rich.placed])
    single = Matches.model_validate_json(files_of(data)[f"data/matches/{rich.placed}.json"])
    assert (single.matches, single.cluster) == ((), ())


def test_earlier_analyses_leave_too_unless_the_newest_alone_are_asked_for(lite: Api) -> None:
    item = lite.deposit(b"\x00 nothing", X_Filename="a.bin")["item"]["id"]
    lite.work()
    services = lite.services
    first = services.analysis.history(item)[0].record or b""
    assert lite.post("adm", f"/items/{item}/analyses").status_code in {200, 201, 202}
    lite.work()
    assert len(services.analysis.history(item)) == 2

    def records(**asked: object) -> set[str]:
        row = lite.post("leo", "/exports", json={"items": [item], **asked}).json()
        return paths_of(files_of(lite.get("leo", f"/exports/{row['id']}/bundle").content), "data/metadata")

    same = services.analysis.history(item)[1].record == first
    assert records() == {f"{item}.json"} | (set() if same else {f"{item}.1.json"})
    assert records(analyses="newest") == {f"{item}.json"}


def test_dossier_of_a_set_lies_in_its_first_part_and_relations_reach_over_all(
    rich: RichCase, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(making, "FILES_PER_PART", 75)
    answer = rich.api.post("leo", "/exports", json={"case": "T1", "disclosure": COURT})
    assert answer.status_code == 201, answer.text
    parts = []
    for part in answer.json()["parts"]:
        data = rich.api.get("leo", part["href"].removeprefix("/api/v1")).content
        (tmp_path / "part.zip").write_bytes(data)
        report = verify_bundle(tmp_path / "part.zip")
        assert [one for one in report.findings if one.severity == "error"] == []
        parts.append(files_of(data))
    assert len(parts) == 5
    assert ["incidents.json" in files for files in parts] == [True, False, False, False, False]
    assert {len(json.loads(files["items.geojson"])["features"]) for files in parts} == {1}
    together = {name: data for files in parts for name, data in files.items()}
    for item in (rich.placed, rich.copy):
        record = Matches.model_validate_json(together[f"data/matches/{item}.json"])
        assert record.cluster == tuple(sorted([rich.placed, rich.copy]))


def test_nothing_of_another_case_is_in_any_byte(
    rich: RichCase, whole: tuple[dict[str, Any], bytes], incident: tuple[dict[str, Any], bytes]
) -> None:
    services = rich.api.services
    hidden, _ = services.evidence.find_item(services.access.local_operator(), rich.hidden)
    for _, data in (whole, incident):
        assert SECRET.encode() not in data
        assert hidden.sha256.encode() not in data
        files = files_of(data)
        for name, content in files.items():
            if hidden.id.encode() in content:  # its own author wrote the id into the incident of this case
                assert name in {"incidents.json", "report.html"} or name.startswith("data/incidents/")


def test_ids_are_found_in_whatever_an_entry_holds() -> None:
    one, other = "0" * 8 + "-0000-4000-8000-" + "0" * 12, "1" * 8 + "-0000-4000-8000-" + "1" * 12
    assert ids_in({"a": [one, {"b": other}], "c": 3, "d": None, "e": one.upper(), "f": f"see {one}"}) == {one, other}
