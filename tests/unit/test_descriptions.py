"""Descriptions of a bundle: one form for one plan, no guess as a fact, no name that breaks a format."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import Any

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given, settings
from hypothesis import strategies as st

from app.export.descriptions import NAMES, describe
from app.export.descriptions.load_file import DELIMITER, FIELDS, QUOTE
from app.export.descriptions.stated import place_of, time_of
from app.export.descriptions.table import COLUMNS
from evidence_store.bundle.plan import BundlePlan, ExtraFile
from tests.bundles import sample_archive

ARCHIVE = sample_archive("descriptions")
KML = {"k": "http://www.opengis.net/kml/2.2"}
PREMIS = {"p": "http://www.loc.gov/premis/v3"}


def fact(value: object, certainty: str = "recorded") -> dict[str, Any]:
    return {"value": value, "certainty": certainty, "source": "a tool and a tag"}


def metadata(**changed: object) -> dict[str, Any]:
    record: dict[str, Any] = {
        "time": {"capture_utc": fact("2025-07-06T07:30:00Z", "derived"), "capture_local": fact("2025-07-06T10:30:00")},
        "position": {"lat": fact(48.5), "lon": fact(37.25), "horizontal_error": fact(4.5)},
        "findings": [],
    }
    return {**record, **changed}


def plan(name: str = "a.jpg", **changed: object) -> BundlePlan:
    """A plan of one item with this name and metadata record."""
    whole = ARCHIVE.plan()
    item = replace(whole.items[0], original_name=name)
    data = json.dumps(metadata(**changed)).encode()
    record = ExtraFile(f"data/metadata/{item.item}.json", data, "metadata", f"item:{item.item}")
    return replace(whole, items=[item], extra_files=[record])


def described(of: BundlePlan) -> dict[str, bytes]:
    return {one.path: one.data for one in describe(of)}


def row(of: BundlePlan) -> dict[str, str]:
    (found,) = csv.DictReader(io.StringIO(described(of)["index.csv"].decode(), newline=""))
    return found


def test_same_plan_gives_the_same_bytes_whatever_its_order() -> None:
    whole = ARCHIVE.plan()
    first = described(whole)
    turned = replace(whole, items=[*reversed(whole.items)], extra_files=[*reversed(whole.extra_files)])
    assert described(turned) == first == described(whole)
    assert set(first) <= set(NAMES)


def test_descriptions_are_tag_files_that_the_manifests_and_the_seal_cover() -> None:
    whole = ARCHIVE.plan()
    files = ARCHIVE.files(extra_files=[*whole.extra_files, *describe(whole)])
    listed = files["tagmanifest-sha256.txt"].decode() + files["META-INF/ASiCManifest001.xml"].decode()
    for name in described(whole):
        assert listed.count(f"  {name}\n") == 1
        assert listed.count(f'URI="{name}"') == 1


def test_what_the_plan_does_not_hold_is_in_no_description() -> None:
    """So whoever withholds something from the plan need not think of the descriptions."""
    secret = "48.1234567"
    told = plan(position={"lat": fact(float(secret)), "lon": fact(37.25)})
    assert any(secret.encode() in data for data in described(told).values())
    silent = described(replace(told, extra_files=[]))
    assert not any(secret.encode() in data for data in silent.values())


@pytest.mark.parametrize("certainty", ["inferred", "conflicting", "absent"])
def test_place_and_time_that_are_not_sure_are_told_apart_and_drawn_nowhere(certainty: str) -> None:
    unsure = plan(
        position={"lat": fact(48.5, certainty), "lon": fact(37.25)},
        time={"capture_utc": fact("2025-07-06T07:30:00Z", certainty), "capture_local": fact(None, "absent")},
    )
    files = described(unsure)
    (feature,) = json.loads(files["items.geojson"])["features"]
    assert feature["geometry"] is None
    assert feature["properties"]["place_certainty"] == certainty
    tree = fromstring(files["items.kml"])
    assert tree.findall(".//k:Point", KML) == tree.findall(".//k:TimeStamp", KML) == []
    assert len(tree.findall(".//k:Placemark", KML)) == 1
    assert (row(unsure)["lat"], row(unsure)["time"], row(unsure)["place_certainty"]) == ("", "", certainty)
    for name in ("case.jsonld", "ro-crate-metadata.json"):
        assert b"48.5" not in files[name]
        assert b"2025-07-06" not in files[name]


def test_sure_place_and_time_say_what_they_rest_on() -> None:
    found = row(plan())
    assert (found["lat"], found["lon"], found["place_error_m"]) == ("48.5000000", "37.2500000", "4.5")
    assert (found["time"], found["time_certainty"]) == ("2025-07-06T07:30:00Z", "derived")
    assert found["time_basis"] == found["place_basis"] == "a tool and a tag"


def test_local_time_is_no_utc_time() -> None:
    local = plan(time={"capture_utc": fact(None, "absent"), "capture_local": fact("2025-07-06T10:30:00")})
    files = described(local)
    assert row(local)["time"] == "2025-07-06T10:30:00"
    assert fromstring(files["items.kml"]).findall(".//k:TimeStamp", KML) == []


def test_position_at_zero_is_no_place() -> None:
    nowhere = metadata(position={"lat": fact(0.0), "lon": fact(0.0)}, findings=[{"code": "position_zero"}])
    assert place_of(nowhere).lat is None
    assert place_of({"position": {"lat": fact(48.5)}}).certainty == "absent"
    assert time_of({}).certainty == "absent"


@pytest.mark.parametrize("name", ["=1+1", "+cmd", "-2+3", "@SUM(1)", "\t=1", "\uff1d1", "\r=1", " =1"])
def test_name_that_a_spreadsheet_would_run_is_guarded(name: str) -> None:
    assert row(plan(name))["original_name"] == f"'{name}"


def test_load_file_keeps_its_fields_whatever_a_name_holds() -> None:
    named = plan(f"a{QUOTE}b{DELIMITER}c\u00aed\ne\r\nf,g\u2028.jpg")
    text = described(named)["load.dat"].decode("utf-8-sig")
    lines = text.split("\r\n")
    assert [len(line.split(DELIMITER)) for line in lines[:-1]] == [len(FIELDS)] * 2
    assert lines[-1] == ""
    fields = dict(zip((one.strip(QUOTE) for one in lines[0].split(DELIMITER)), lines[1].split(DELIMITER), strict=True))
    assert fields["FILENAME"] == f"{QUOTE}athb c(R)d\u00aee\u00aef,g\u00ae.jpg{QUOTE}"
    assert fields["NATIVELINK"].startswith(f"{QUOTE}data\\originals\\")


@settings(max_examples=60, deadline=None)
@given(name=st.text(st.characters(exclude_categories=()), min_size=1, max_size=60))
def test_any_name_leaves_every_format_whole(name: str) -> None:
    """Names come from whoever deposits: any text, control characters and lone surrogates included."""
    whole = replace(ARCHIVE.plan(), events=[])
    files = described(replace(whole, items=[replace(whole.items[0], original_name=name)], extra_files=[]))
    assert len(fromstring(files["items.kml"]).findall(".//k:Placemark", KML)) == 1
    assert len(fromstring(files["premis.xml"]).findall("p:object", PREMIS)) == 1
    for document in ("case.jsonld", "items.geojson", "ro-crate-metadata.json"):
        json.loads(files[document])
    (header, only) = csv.reader(io.StringIO(files["index.csv"].decode(), newline=""))
    assert len(header) == len(only) == len(COLUMNS)
    assert files["load.dat"].decode("utf-8-sig").count("\r\n") == 2


def test_restriction_is_never_none_by_silence() -> None:
    assert row(plan())["restriction"] == "not stated"
