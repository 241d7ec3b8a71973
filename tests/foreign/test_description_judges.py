"""Standard readers judge the descriptions of a bundle: CASE's own validator, XML, CSV and JSON parsers, RFC 7946."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from defusedxml.ElementTree import fromstring

from app.export.descriptions import describe
from evidence_store.bundle.plan import BundlePlan, ExtraFile
from tests.bundles import SampleArchive, sample_archive
from tests.judges import require

PREMIS = "{http://www.loc.gov/premis/v3}"
KML = "{http://www.opengis.net/kml/2.2}"
ORDER = {
    "premis": ("object", "event", "agent"),
    "object": ("objectIdentifier", "objectCharacteristics", "originalName", "storage", "relationship"),
    "objectCharacteristics": ("fixity", "size", "format"),
    "fixity": ("messageDigestAlgorithm", "messageDigest"),
    "relationship": ("relationshipType", "relationshipSubType", "relatedObjectIdentifier"),
    "event": (
        "eventIdentifier",
        "eventType",
        "eventDateTime",
        "eventDetailInformation",
        "eventOutcomeInformation",
        "linkingAgentIdentifier",
        "linkingObjectIdentifier",
    ),
    "agent": ("agentIdentifier", "agentName", "agentType"),
}
"""PREMIS 3.0's schema: sequences, each element of which stands before those after it."""


def fact(value: object) -> dict[str, Any]:
    return {"value": value, "certainty": "recorded", "source": "tool tag"}


@cache
def archive() -> SampleArchive:
    return sample_archive("description-judges")


@cache
def plan() -> BundlePlan:
    """A plan whose first item states a time and a place, with an incident."""
    made = archive().plan()
    item = made.items[0].item
    record = {
        "time": {"capture_utc": fact("2025-07-06T07:30:00Z")},
        "position": {"lat": fact(48.5), "lon": fact(37.25)},
    }
    entry = {
        "entry": archive().archive_id,
        "ref": "INC-1",
        "number": 1,
        "standing": {"date": {"earliest": "2025-07-06", "latest": "2025-07-06"}},
        "body": {
            "title": "t",
            "place": {
                "lat": "48.5",
                "lon": "37.25",
                "uncertainty_m": 500,
                "precision": "street",
                "method": "geolocation",
            },
            "sequence": [{"n": 1, "place": {"lat": "48.5", "lon": "37.25"}}],
        },
    }
    files = [one for one in made.extra_files if one.path != f"data/metadata/{item}.json"]
    files.append(ExtraFile(f"data/metadata/{item}.json", json.dumps(record).encode(), "metadata", f"item:{item}"))
    about = f"incident:{archive().archive_id}"
    files.append(ExtraFile(f"data/incidents/{about[9:]}.1.json", json.dumps(entry).encode(), "entry", about))
    return replace(made, extra_files=files)


@cache
def files() -> dict[str, bytes]:
    return {one.path: one.data for one in describe(plan())}


def payload() -> dict[str, tuple[str, int]]:
    """SHA-256 and size of every file that the descriptions speak of."""
    found = {one.path: (hashlib.sha256(one.data).hexdigest(), len(one.data)) for one in plan().extra_files}
    for item in archive().items:
        (path,) = [name for name in archive().files() if name.startswith(f"data/originals/{item.item}/")]
        found[path] = (item.digests.sha256, item.digests.size)
    return found


def test_the_validator_of_case_accepts_the_graph_and_refuses_a_broken_one(tmp_path: Path) -> None:
    judge = require("case_validate")
    good, bad = tmp_path / "good.jsonld", tmp_path / "bad.jsonld"
    good.write_bytes(files()["case.jsonld"])
    bad.write_bytes(files()["case.jsonld"].replace(b'"xsd:hexBinary"', b'"xsd:string"'))

    def verdict(path: Path) -> tuple[int, str]:
        done = subprocess.run([judge, path], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    code, told = verdict(good)
    assert code == 0, told
    assert "Conforms: True" in told
    assert "Warning" not in told
    assert verdict(bad)[0] == 1


def test_graph_names_every_file_with_its_hash_and_every_event_with_its_actor() -> None:
    graph = json.loads(files()["case.jsonld"])["@graph"]
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for node in graph:
        by_kind.setdefault(node["@type"].split(":")[1], []).append(node)
    assert len(by_kind["InvestigativeAction"]) == len(plan().events)
    hashes = {
        one["uco-types:hashValue"]["@value"].lower()
        for node in by_kind["File"]
        for facet in node["uco-core:hasFacet"]
        for one in facet.get("uco-observable:hash", [])
    }
    assert {item.digests.sha256 for item in plan().items} < hashes
    here = {node["@id"] for node in graph}
    assert all(one in here for node in graph for one in references(node))


def references(value: object) -> Iterator[str]:
    """The ids of nodes that a node refers to and does not hold itself."""
    if isinstance(value, dict):
        if set(value) == {"@id"}:
            yield value["@id"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_crate_has_the_parts_that_ro_crate_asks_for_and_describes_every_file_as_it_is() -> None:
    document = json.loads(files()["ro-crate-metadata.json"])
    assert document["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    entities = {entity["@id"]: entity for entity in document["@graph"]}
    assert len(entities) == len(document["@graph"])
    descriptor, root = entities["ro-crate-metadata.json"], entities["./"]
    assert descriptor["@type"] == "CreativeWork"
    assert descriptor["about"] == {"@id": "./"}
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert root["@type"] == "Dataset"
    assert {"name", "description", "datePublished", "license"} <= root.keys()
    assert {part["@id"] for part in root["hasPart"]} == set(payload())
    assert all(one in entities for one in references(document["@graph"]) if one != descriptor["conformsTo"]["@id"])
    for path, (digest, size) in payload().items():
        assert entities[path]["@type"] == "File"
        assert (entities[path]["sha256"], entities[path]["contentSize"]) == (digest, str(size))


def test_premis_has_the_order_of_its_schema_and_every_link_resolves() -> None:
    root = fromstring(files()["premis.xml"])
    assert (root.tag, root.attrib["version"]) == (f"{PREMIS}premis", "3.0")
    for node in root.iter():
        order = ORDER.get(node.tag.removeprefix(PREMIS))
        if order is not None:
            places = [order.index(child.tag.removeprefix(PREMIS)) for child in node]
            assert places == sorted(places)
    known = {one.text for one in root.iter(f"{PREMIS}objectIdentifierValue")}
    linked = {one.text for one in root.iter(f"{PREMIS}linkingObjectIdentifierValue")}
    assert set(payload()) < known
    assert linked <= known
    agents = {one.text for one in root.iter(f"{PREMIS}agentIdentifierValue")}
    assert {one.text for one in root.iter(f"{PREMIS}linkingAgentIdentifierValue")} <= agents
    kinds = {one.text: one.attrib.get("valueURI") for one in root.iter(f"{PREMIS}eventType")}
    assert kinds["ingestion"] == "http://id.loc.gov/vocabulary/preservation/eventType/ing"
    assert kinds["key change"] is None, "a type that the vocabulary does not have gets no term of it"
    assert len(root.findall(f"{PREMIS}event")) == len(plan().events)


def test_maps_are_geojson_and_kml_with_longitude_first() -> None:
    for name, count in (("items.geojson", len(plan().items)), ("incidents.geojson", 2)):
        document = json.loads(files()[name])
        assert document["type"] == "FeatureCollection"
        assert len(document["features"]) == count
        for feature in document["features"]:
            assert feature["type"] == "Feature"
            assert {"geometry", "properties"} <= feature.keys()
            if feature["geometry"] is not None:
                assert feature["geometry"] == {"type": "Point", "coordinates": [37.25, 48.5]}
    drawn = [one["geometry"] is not None for one in json.loads(files()["incidents.geojson"])["features"]]
    assert drawn == [True, False], "a point of which nobody says how it was found is not drawn"
    root = fromstring(files()["items.kml"])
    assert root.tag == f"{KML}kml"
    assert [one.text for one in root.iter(f"{KML}coordinates")] == ["37.2500000,48.5000000"]


def test_index_is_csv_with_one_row_for_each_item_and_paths_that_exist() -> None:
    rows = list(csv.DictReader(io.StringIO(files()["index.csv"].decode(), newline=""), strict=True))
    assert {(row["item"], row["path"], row["sha256"]) for row in rows} == {
        (path.split("/")[2], path, digest)
        for path, (digest, _) in payload().items()
        if path.startswith("data/originals/")
    }
