"""Incidents as shapes, timelines and pictures over HTTP: who may not, what is withheld, what is uncertain."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from defusedxml import ElementTree

from app.strings import message
from schemas.api.shapes import IncidentFeatures
from tests.apis import Api, opened, refused
from tests.checks import assert_clean
from tests.incident_samples import REF, body, document
from tests.rich_cases import files_of

HERE = {"lat": "46.64", "lon": "32.61", "uncertainty_m": 500, "method": "two landmarks", "city": "Town A"}
LATEST = "2025-06-02"
SVG = "{http://www.w3.org/2000/svg}"
DAY = "2025-07-05"
KML = "{http://www.opengis.net/kml/2.2}"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """INC-A by name, INC-B without a place, INC-P within 500 m, INC-S restricted, INC-X of unknown precision."""
    with opened(tmp_path_factory.mktemp("shapes"), "sqlite") as api:
        assert api.post("ana", "/incidents/import?case=T1", json=document()).status_code == 200
        secret = {**HERE, "lat": "49.98765", "text": "the shelter", "city": "Town S", "restricted": True}
        for ref, changed in (
            ("INC-P", {"place": HERE, "title": "Sample Person was driving & was hit"}),
            ("INC-S", {"place": secret, "date": {"value": "2025-06-01"}}),
            ("INC-X", {"place": {**HERE, "uncertainty_m": None}, "date": {"earliest": "2025-05-30", "latest": LATEST}}),
            ("INC-F", {"place": {"text": "=1+1", "handling": "confidentail"}, "title": "=cmd", "casualties": {}}),
        ):  # fmt: skip
            answer = api.post("ana", "/incidents?case=T1", json={"ref": ref, "body": body(**changed)})
            assert answer.status_code == 201, answer.text
        rule = {"title": "All of <2025>", "period": {"from": "2025-01-01", "to": "2025-12-31"}}
        assert api.post("ana", "/patterns/rules?case=T1", json={"ref": "all", "body": rule}).status_code == 201
        yield api
        assert_clean(api.services)


WITH_RULE = "case=T1&rule=all"
PATHS = (
    "/incidents.geojson?case=T1",
    "/incidents.kml?case=T1",
    "/incidents.csv?case=T1",
    "/incidents/timeline?case=T1",
    f"/patterns/months.svg?{WITH_RULE}",
    f"/patterns/map.svg?{WITH_RULE}",
    f"/patterns/page.html?{WITH_RULE}",
)


@pytest.mark.parametrize("path", PATHS)
def test_who_may_see_shapes(scene: Api, path: str) -> None:
    refused(scene.get(None, path), 401, "token_required")
    refused(scene.get("aud", path), 403, "not_allowed")
    refused(scene.get("outsider", path), 404, "unknown_case")
    for who in ("ana", "leo", "adm"):
        assert scene.get(who, path).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_restricted_places_and_names_of_persons_are_in_no_shape(scene: Api, path: str) -> None:
    told = scene.get("leo", path).text
    for word in ("49.98", "the shelter", "Town S", "Sample Person", "confidentail", "1+1"):
        assert word not in told, word
    assert "violat" not in told


def test_place_is_a_circle_or_nothing_and_never_a_point(scene: Api) -> None:
    answer = scene.get("ana", "/incidents.geojson?case=T1")
    assert answer.headers["content-type"] == "application/geo+json"
    collection = answer.json()
    IncidentFeatures.model_validate(collection)
    found = {one["properties"]["ref"]: one for one in collection["features"]}
    assert set(found) == {REF, "INC-B", "INC-P", "INC-S", "INC-X", "INC-F"}
    assert {one["geometry"]["type"] for one in found.values() if one["geometry"]} == {"Polygon"}
    assert {ref for ref, one in found.items() if one["geometry"] is None} == {REF, "INC-B", "INC-S", "INC-X", "INC-F"}
    shown = found["INC-P"]["properties"]
    assert (shown["place"]["uncertainty_m"], shown["place"]["method"]) == (500, "two landmarks")
    assert shown["title"] == "[personal data] was driving & was hit"
    assert len(shown["record_sha256"]) == 64
    assert found["INC-X"]["properties"]["geometry_note"].startswith("a point of unknown precision")
    assert found["INC-S"]["properties"]["place"]["restricted"] is True
    assert found["INC-F"]["properties"]["place"]["restricted"] is True  # a misspelt word restricts


def test_features_are_read_page_by_page_and_only_those_of_ones_cases(scene: Api) -> None:
    first = scene.get("ana", "/incidents.geojson?limit=4").json()
    rest = scene.get("ana", f"/incidents.geojson?limit=4&cursor={first['cursor']}").json()
    assert (len(first["features"]), len(rest["features"]), rest["cursor"]) == (4, 2, None)
    assert scene.get("outsider", "/incidents.geojson").json()["features"] == []
    assert scene.get("outsider", "/incidents/timeline").json()["events"] == []
    refused(scene.get("ana", "/incidents.geojson?cursor=x"), 422, "bad_cursor")


def test_timeline_is_in_order_with_what_is_uncertain_marked_and_what_is_undated_apart(scene: Api) -> None:
    told = scene.get("leo", "/incidents/timeline?case=T1").json()
    assert [one["ref"] for one in told["events"]] == ["INC-X", "INC-S", REF, "INC-F", "INC-P", "INC-B"]
    unsure = {one["ref"] for one in told["events"] if one["uncertain"]}
    assert unsure == {"INC-X", "INC-B"}
    assert [one["n"] for one in told["events"][2]["strikes"]] == [1, 2]
    assert told["undated"] == []


def test_open_end_of_a_date_is_left_open_in_every_shape(lite: Api) -> None:
    for ref, date in (
        ("FROM", {"earliest": "2025-07-06"}),
        ("TILL", {"latest": "2025-07-04"}),
        ("DAY", {"value": DAY}),
    ):
        answer = lite.post("ana", "/incidents?case=T1", json={"ref": ref, "body": body(date=date)})
        assert answer.status_code == 201, answer.text
    told = lite.get("leo", "/incidents/timeline?case=T1").json()
    assert [(one["ref"], one["uncertain"]) for one in told["events"]] == [
        ("TILL", True),
        ("DAY", False),
        ("FROM", True),
    ]
    spans = {}
    for mark in ElementTree.fromstring(lite.get("ana", "/incidents.kml?case=T1").content).iter(f"{KML}Placemark"):
        span = mark.find(f"{KML}TimeSpan")
        assert span is not None
        spans[str(mark.findtext(f"{KML}name")).split(":")[0]] = [(end.tag.removeprefix(KML), end.text) for end in span]
    assert spans == {
        "FROM": [("begin", "2025-07-06")],
        "TILL": [("end", "2025-07-04")],
        "DAY": [("begin", DAY), ("end", DAY)],
    }
    rows = {one["ref"]: one for one in csv.DictReader(io.StringIO(lite.get("ana", "/incidents.csv?case=T1").text))}
    assert [(rows[ref]["earliest"], rows[ref]["latest"]) for ref in ("FROM", "TILL")] == [
        ("2025-07-06", ""),
        ("", "2025-07-04"),
    ]
    rule = {"title": "all", "where": {"field": "killed", "op": "eq", "value": 0}}
    assert lite.post("ana", "/patterns/rules?case=T1", json={"ref": "all", "body": rule}).status_code == 201
    page = lite.get("ana", f"/patterns/page.html?{WITH_RULE}").text
    assert "2025-07-06/.." in page
    assert "../2025-07-04" in page


def test_kml_is_well_formed_with_time_spans_and_polygons(scene: Api) -> None:
    root = ElementTree.fromstring(scene.get("ana", "/incidents.kml?case=T1").content)
    marks = {str(one.findtext(f"{KML}name")).partition(":")[0]: one for one in root.iter(f"{KML}Placemark")}
    assert len(marks) == 6
    ring = marks["INC-P"].find(f".//{KML}coordinates")
    assert ring is not None
    lon, lat = str(ring.text).split()[0].split(",")
    assert (round(float(lon), 1), round(float(lat), 1)) == (32.6, 46.6)
    assert marks["INC-X"].findtext(f"{KML}TimeSpan/{KML}end") == "2025-06-02"
    assert not list(root.iter(f"{KML}Point"))
    assert marks["INC-S"].find(f".//{KML}coordinates") is None


def test_csv_has_uncertainty_and_basis_beside_each_place_and_no_formula(scene: Api) -> None:
    rows = {row["ref"]: row for row in csv.DictReader(io.StringIO(scene.get("ana", "/incidents.csv?case=T1").text))}
    assert (rows["INC-P"]["latitude"], rows["INC-P"]["uncertainty_m"]) == ("46.64", "500")
    assert rows["INC-P"]["geometry_wkt"].startswith("POLYGON ((")
    assert rows["INC-X"]["latitude"] == ""
    assert rows["INC-F"]["title"] == "'=cmd"
    assert rows["INC-S"]["place"] == "restricted: not shown"


@pytest.mark.parametrize("what", ["months", "map"])
def test_pictures_say_in_words_what_they_show_and_ask_no_other_host(scene: Api, what: str) -> None:
    words = {"en": "only", "uk": "суходолу"} if what == "map" else {"en": "counted", "uk": "враховано"}
    for lang, word in words.items():
        answer = scene.get("ana", f"/patterns/{what}.svg?{WITH_RULE}&lang={lang}")
        assert answer.headers["content-type"] == "image/svg+xml"
        root = ElementTree.fromstring(answer.content)
        assert root.get("role") == "img"
        named = str(root.get("aria-labelledby")).split()
        assert [one.get("id") for one in root[:2]] == named
        assert "All of <2025>" in str(root.findtext(f"{SVG}title"))
        assert word in answer.text
        assert "INC-X" in str(root.findtext(f"{SVG}desc"))
        assert not list(root.iter(f"{SVG}script")) + list(root.iter(f"{SVG}image"))
        assert "http" not in answer.text.replace("http://www.w3.org/2000/svg", "").replace("http://www.w3.org/XML", "")
    refused(scene.get("ana", f"/patterns/{what}.svg?{WITH_RULE}&lang=xx"), 422, "invalid_request")


def test_page_has_the_same_as_tables(scene: Api) -> None:
    page = scene.get("ana", f"/patterns/page.html?{WITH_RULE}&lang=uk").text
    assert '<html lang="uk">' in page
    assert page.count("<svg") == 2
    assert page.count("<table>") == 2
    assert "<td>2025-07</td>" in page
    assert "INC-X: 2025-05, 2025-06" in page
    assert "16 attacks in July" in page
    assert "<script" not in page
    for asked in ("&language=uk", ""):
        other = scene.get("ana", f"/patterns/page.html?{WITH_RULE}{asked}", headers={"Accept-Language": "uk"})
        assert (other.headers["content-language"], '<html lang="uk">' in other.text) == ("uk", True)
        assert message("pattern.months", "uk") in other.text
    chosen = scene.get("ana", f"/patterns/page.html?{WITH_RULE}&language=en", headers={"Accept-Language": "uk"})
    assert '<html lang="en">' in chosen.text
    refused(scene.get("ana", f"/patterns/page.html?{WITH_RULE}&language=xx"), 422, "invalid_request")
    empty: Any = scene.get("ana", "/patterns/map.svg?case=T1")
    assert empty.status_code == 200


def test_an_area_that_a_record_outlines_is_drawn_in_every_shape_and_in_a_bundle(lite: Api) -> None:
    ring = [["32.60", "46.60"], ["32.60", "46.70"], ["32.70", "46.60"], ["32.60", "46.60"]]
    area = {"text": "the east bank", "outline": {"type": "Polygon", "coordinates": [ring]}}
    sent = {"ref": "INC-O", "body": body(place={**area, "lat": "46.65"}, statements=[])}
    assert lite.post("ana", "/incidents?case=T1", json=sent).status_code == 201
    (feature,) = lite.get("ana", "/incidents.geojson?case=T1").json()["features"]
    drawn = [[32.6, 46.6], [32.7, 46.6], [32.6, 46.7], [32.6, 46.6]]
    assert feature["geometry"] == {"type": "Polygon", "coordinates": [drawn]}
    assert "32.6,46.7" in lite.get("ana", "/incidents.kml?case=T1").text
    (row,) = csv.DictReader(io.StringIO(lite.get("ana", "/incidents.csv?case=T1").text))
    assert (row["geometry_wkt"][:12], row["latitude"]) == ("POLYGON ((32", ""), "of an area no point is told"
    lite.deposit(b"a photo")
    answer = lite.post("leo", "/exports", json={"case": "T1"})
    assert answer.status_code == 201, answer.text
    files = files_of(lite.get("leo", f"/exports/{answer.json()['id']}/bundle").content)
    (told,) = json.loads(files["incidents.geojson"])["features"]
    assert told["geometry"] == {"type": "Polygon", "coordinates": [drawn]}
