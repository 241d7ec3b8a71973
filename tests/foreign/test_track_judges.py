"""Tracks before foreign judges: exiftool reads the same positions, and reads our GPX as the tracks of other makers."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from app.analysis.extract import inspect_with_track
from app.analysis.probes.gpmf_track import split_raw
from app.analysis.track_at import points_of
from app.analysis.track_facts import read_track
from app.analysis.track_files import gpx
from schemas.records.v1.track import TrackRecord
from tests.judges import require
from tests.telemetry_samples import LAT, LON, gps9_payload, movie


def exiftool(*arguments: object) -> list[Any]:
    command = [require("exiftool"), *(str(argument) for argument in arguments)]
    return list(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def track_of(path: Path) -> TrackRecord:
    _, data = inspect_with_track(path, path.name)
    assert data is not None
    return read_track(data)


def values(path: Path, tag: str) -> list[float]:
    """All values of a tag, in the order of the file, as exiftool reads them from embedded tracks."""
    command = [require("exiftool"), "-ee", "-n", "-a", "-s3", f"-{tag}", str(path)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [float(line) for line in told.splitlines()]


def test_positions_of_a_recording_are_those_that_exiftool_reads(corpus: Path, tmp_path: Path) -> None:
    payloads = [payload.data for payload in split_raw((corpus / "telemetry" / "hero7.raw").read_bytes())]
    path = tmp_path / "hero7.mp4"
    path.write_bytes(movie(b"gpmd", payloads, 1001))
    points = points_of(track_of(path))
    assert len(points) == 308
    for tag, name in (("GPSLatitude", "lat"), ("GPSLongitude", "lon"), ("GPSAltitude", "alt")):
        assert values(path, tag) == [pytest.approx(getattr(point, name), abs=1e-7) for point in points], tag


def test_gpx_is_read_by_exiftool_with_the_positions_and_times_of_the_track(tmp_path: Path) -> None:
    path = tmp_path / "hero11.mp4"
    path.write_bytes(movie(b"gpmd", [gps9_payload([(LAT + at / 1e4, LON)], at) for at in range(5)], 1000))
    (tmp_path / "a.gpx").write_bytes(gpx(track_of(path), "item"))
    (told,) = exiftool("-j", "-n", "-a", "-G4", "-s", tmp_path / "a.gpx")
    lats = [value for name, value in told.items() if name.endswith("GpxTrkTrksegTrkptLat")]
    times = [value for name, value in told.items() if name.endswith("GpxTrkTrksegTrkptTime")]
    assert [float(lat) for lat in lats] == [pytest.approx(LAT + at / 1e4, abs=1e-7) for at in range(5)]
    assert len(times) == 5
    assert str(times[0]).startswith("2025:06:14 10:44:00")
