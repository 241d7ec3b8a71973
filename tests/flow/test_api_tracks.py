"""Tracks over HTTP: who may read them, what is said of a second, and what never is."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from defusedxml.ElementTree import fromstring

from tests.apis import Api, refused
from tests.checks import assert_clean
from tests.telemetry_samples import LAT, LON, gps5_payload, movie

GPX = {"g": "http://www.topografix.com/GPX/1/1"}
FORMS = ("/track", "/track?at=1", "/track.geojson", "/track.gpx")


def recording() -> bytes:
    """Ten positions a second; from second 3 to 4 the receiver has no fix."""
    payloads = [
        gps5_payload(second, [(LAT + (second * 10 + at) / 1e5, LON) for at in range(10)], fix=0 if second == 3 else 3)
        for second in range(6)
    ]
    return movie(b"gpmd", payloads, 1000)


def log_beside(seconds: int = 6) -> bytes:
    blocks = [
        f"{at + 1}\n00:00:{at:02d},000 --> 00:00:{at + 1:02d},000\n"
        f"2025-06-14 10:44:{at:02d}.000\n[latitude: 47.0000{at}] [longitude: -19.5] [rel_alt: 1.5 abs_alt: 30.5]\n"
        for at in range(seconds)
    ]
    return "\n".join(blocks).encode()


def deposited(api: Api, data: bytes, name: str) -> str:
    item: str = api.deposit(data, X_Filename=name)["item"]["id"]
    return item


def reads(api: Api, item: str) -> list[str]:
    return [
        event["actor"]["name"]
        for event in api.events(item)
        if event["type"] == "access" and event["details"]["part"] == "track"
    ]


@pytest.mark.parametrize("form", FORMS)
def test_track_is_for_readers_of_the_case_only(lite: Api, form: str) -> None:
    item = deposited(lite, recording(), "GX010001.MP4")
    refused(lite.get(None, f"/items/{item}{form}"), 401, "token_required")
    refused(lite.get("aud", f"/items/{item}{form}"), 403, "not_allowed")
    for stranger in ("outsider", "outlaw"):
        refused(lite.get(stranger, f"/items/{item}{form}"), 404, "unknown_item")
    refused(lite.get("ana", f"/items/{item}{form}"), 404, "analysis_pending")
    lite.work()
    assert lite.get("ana", f"/items/{item}{form}").status_code == 200
    assert reads(lite, item) == ["ana"]
    note = deposited(lite, b"plain text", "note.txt")
    lite.work()
    refused(lite.get("ana", f"/items/{note}{form}"), 404, "track_missing")
    assert_clean(lite.services)


def test_track_of_a_recording_says_what_is_recorded_derived_and_not_known(api: Api) -> None:
    item = deposited(api, recording(), "GX010001.MP4")
    api.work()

    shown = api.get("ana", f"/items/{item}/track").json()
    (made,) = [one for one in api.get("ana", f"/items/{item}").json()["derivatives"] if one["role"] == "track"]
    assert (shown["track_of"], shown["basis"], shown["sha256"]) == (item, None, made["sha256"])
    assert (shown["summary"]["points"], shown["summary"]["without_fix"]) == (60, 10)
    assert api.get("ana", f"/items/{item}/metadata").json()["track"] == shown["summary"]
    (event,) = [event for event in api.events(item) if event["type"] == "metadata extraction"]
    assert {one["role"]: one["sha256"] for one in event["details"]["outputs"]}["track"] == made["sha256"]

    def at(second: float) -> dict[str, Any]:
        answer = api.get("ana", f"/items/{item}/track?at={second}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    recorded, derived = at(1.2), at(1.25)
    assert (recorded["state"], recorded["point"]["lat"], recorded["between"]) == ("recorded", LAT + 12e-5, None)
    assert (derived["state"], derived["certainty"], derived["between"]) == ("derived", "derived", [1.2, 1.3])
    assert derived["point"]["lat"] == pytest.approx(LAT + 12.5e-5, abs=1e-8)
    assert derived["point"]["utc"] == "2025-06-14T10:44:01.250Z"
    for second, reason in ((3.2, "no_fix"), (2.95, "no_fix"), (5.95, "outside_track"), (77, "outside_track")):
        none = at(second)
        assert (none["state"], none["reason"], none["point"]) == ("none", reason, None)
    for bad in ("-1", "nan", "x", "inf"):
        refused(api.get("ana", f"/items/{item}/track?at={bad}"), 422, "invalid_request")
    assert_clean(api.services)


def test_geojson_and_gpx_join_no_positions_across_what_is_not_known(lite: Api) -> None:
    item = deposited(lite, recording(), "GX010001.MP4")
    lite.work()
    answer = lite.get("ana", f"/items/{item}/track.geojson")
    assert answer.headers["content-type"] == "application/geo+json"
    features = answer.json()["features"]
    assert [feature["geometry"]["type"] for feature in features] == ["LineString", "LineString", "MultiPoint"]
    assert [len(feature["geometry"]["coordinates"]) for feature in features] == [30, 20, 10]
    assert features[0]["geometry"]["coordinates"][0] == [LON, LAT], "longitude first, and no height of unknown datum"
    assert (features[0]["properties"]["t"][:2], features[0]["properties"]["alt"][0]) == ([0.0, 0.1], 100.0)
    assert (features[2]["properties"]["usable"], features[2]["properties"]["reason"]) == (False, "no_fix")

    answer = lite.get("ana", f"/items/{item}/track.gpx")
    assert answer.headers["content-type"] == "application/gpx+xml"
    root = fromstring(answer.content)
    runs = root.findall("g:trk/g:trkseg", GPX)
    assert [len(run) for run in runs] == [30, 20]
    first = runs[0][0]
    assert (float(first.attrib["lat"]), float(first.attrib["lon"])) == (LAT, LON)
    assert [child.tag.partition("}")[2] for child in first] == ["ele", "time", "cmt", "fix"]
    assert_clean(lite.services)


def test_video_offers_the_track_of_its_sidecar_and_says_whose_it_is(lite: Api) -> None:
    video, log = deposited(lite, movie(b"none", [b"x"], 1000), "DJI_1.MP4"), deposited(lite, log_beside(), "DJI_1.SRT")
    lite.work()
    refused(lite.get("ana", f"/items/{video}/track"), 404, "track_missing")
    related = lite.post(
        "ana", f"/items/{log}/relations", json={"related": video, "kind": "sidecar", "basis": "the same name"}
    )
    assert related.status_code == 201
    shown = lite.get("ana", f"/items/{video}/track").json()
    assert (shown["track_of"], shown["basis"], shown["summary"]["points"]) == (log, "the same name", 6)
    assert [finding["code"] for finding in shown["findings"]] == ["track_length_differs"], "the video has one second"
    found = lite.get("ana", f"/items/{video}/track?at=1.5").json()
    assert (found["track_of"], found["state"], found["point"]["lat"]) == (log, "derived", 47.000015)
    assert (found["point"]["alt_relative"], found["point"]["time"]) == (1.5, "2025-06-14T10:44:01.500")
    assert reads(lite, log) == reads(lite, video) == ["ana", "ana"]
    refused(lite.get("outsider", f"/items/{video}/track"), 404, "unknown_item")
    assert_clean(lite.services)


def test_track_whose_stored_bytes_are_others_is_not_handed_out(lite: Api) -> None:
    item = deposited(lite, log_beside(), "DJI_1.SRT")
    lite.work()
    sha256 = lite.get("ana", f"/items/{item}/track").json()["sha256"]
    with lite.services.archive.blobs.local_path(sha256) as path:
        data = path.read_bytes()
        assert hashlib.sha256(data).hexdigest() == sha256
        path.chmod(0o600)
        path.write_bytes(json.dumps({**json.loads(data), "rows": []}).encode())
    refused(lite.get("ana", f"/items/{item}/track?at=1"), 500, "fixity_mismatch")
