"""`catena items track`: a summary, one second, a file; what is not known is no place."""

from __future__ import annotations

import json
from pathlib import Path

from tests.commands import Cli
from tests.telemetry_samples import LAT, LON, gps5_payload, movie


def test_track_is_shown_asked_and_written_out_once(bare_cli: Cli, tmp_path: Path) -> None:
    cli = bare_cli
    recording = tmp_path / "GX010001.MP4"
    payloads = [gps5_payload(at, [(LAT + at / 1e4, LON), (LAT + at / 1e4, LON)], fix=3 if at else 0) for at in range(4)]
    recording.write_bytes(movie(b"gpmd", payloads, 1000))
    item = cli.json("ingest", recording, "--case", "T1")["items"][0]["id"]

    summary = cli.json("items", "track", item)["summary"]
    assert (summary["points"], summary["without_fix"], summary["timing"]) == (8, 2, "recorded")
    assert "8 positions in 8 samples: GPMF GPS5" in cli("items", "track", item).out
    found = cli.json("items", "track", item, "--at", "2.75")
    assert (found["state"], found["certainty"], found["point"]["lat"]) == ("derived", "derived", LAT + 0.00025)
    assert "derived, between seconds 2.5 and 3" in cli("items", "track", item, "--at", "2.75").out
    assert cli("items", "track", item, "--at", "0.25").out.strip() == "no position at second 0.25: no_fix"
    assert cli("items", "track", item, "--at", "99").out.strip() == "no position at second 99: outside_track"

    gpx, geojson = tmp_path / "a.gpx", tmp_path / "a.geojson"
    assert cli.json("items", "track", item, "--gpx", "-o", gpx)["size"] == gpx.stat().st_size
    assert gpx.read_bytes().count(b"<trkpt") == 6
    cli("items", "track", item, "--geojson", "-o", geojson)
    assert json.loads(geojson.read_bytes())["features"][0]["geometry"]["type"] == "LineString"
    assert json.loads(cli("items", "track", item, "--geojson").out) == json.loads(geojson.read_bytes())

    cli("items", "track", item, "--gpx", "-o", gpx, code=2).refused("output_exists")
    cli("items", "track", item, "--gpx", "--at", "1", code=2).refused("bad_usage")
    cli("items", "track", item, "-o", tmp_path / "b", code=2).refused("bad_usage")
    cli("items", "track", item, "--at", "-1", code=2).refused("bad_second")
    cli("items", "track", "0" * 36, code=2).refused("unknown_item")
    cli("users", "add", "out", "--role", "investigator")
    cli("items", "track", item, "--gpx", "-o", tmp_path / "b", "--as", "out", code=2).refused("unknown_item")
    assert not (tmp_path / "b").exists()
    assert cli("audit").code == 0
