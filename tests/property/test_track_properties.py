"""Broken and invented telemetry: every reader ends, places lie on earth, and no doubtful place becomes a certain one.

`python -m tests.property.test_track_properties [FILES]` runs that many mutated files of each kind through the whole
reading of a file (1,000 unless told otherwise); the tests run a few of each.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.analysis.extract import inspect_with_track
from app.analysis.probes.djmd import read_djmd
from app.analysis.probes.gpmf_track import Payload, read_gpmf, split_raw
from app.analysis.probes.klv_track import read_klv
from app.analysis.probes.srt import read_srt
from app.analysis.probes.telemetry import Sample, Telemetry
from app.analysis.record_bytes import to_bytes
from app.analysis.track_at import position_at, segments
from app.analysis.track_facts import read_track, summarise, whole_track
from app.analysis.track_files import geojson, gpx
from schemas.records.v1.media_metadata import MediaMetadata
from schemas.records.v1.track import TrackRecord
from tests.telemetry_samples import (
    LAT,
    LON,
    djmd,
    gps5_payload,
    gps9_payload,
    karma_payload,
    klv_place,
    klv_stream,
    movie,
)

relaxed = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LONGEST_S = 20.0
_LOG = (
    "1\n00:00:01,000 --> 00:00:02,000\nHOME(149.0251,-20.2532) 2017.08.05 14:11:51\nGPS(149.0251,-20.2533,16) "
    "BAROMETER:1.9\n\n2\n00:00:02,000 --> 00:00:03,000\nF/5.6, GPS (-58.85, -34.23, 15), D 698.70m, H 85.80m, "
    "F.PRY (2.7°, -7.0°, 110.1°)\n\n3\n00:00:03,000 --> 00:00:04,000\n2022-08-07 13:40:40,774,808\n[latitude: 41.42] "
    "[longitude: 2.23] [rel_alt: 1.2 abs_alt: 3.4] [gb_yaw: 1.0]\n"
)


@cache
def seeds() -> dict[str, bytes]:
    """A small file of each kind."""
    place = [(LAT, LON), (LAT + 1e-5, LON)]
    with tempfile.TemporaryDirectory() as folder:
        stream = klv_stream(Path(folder) / "a.ts", [(at / 5, klv_place(at / 5, LAT, LON)) for at in range(5)], 1.2)
        transported = stream.read_bytes()
    return {
        "srt": _LOG.encode(),
        "gpmf": gps5_payload(0, place) + gps9_payload(place) + karma_payload(place),
        "gpmd.mp4": movie(b"gpmd", [gps5_payload(at, place) for at in range(4)], 1000, edit_ms=100),
        "djmd.mp4": movie(b"djmd", [djmd(LAT, LON, protocol="dvtm_Air3.proto"), djmd(LAT, LON)] * 2, 33),
        "klv": klv_place(0, LAT, LON) + klv_place(1, LAT, LON),
        "klv.ts": transported,
    }


def mutated(seed: bytes, chance: random.Random) -> bytes:
    """Some bytes written over, left out or doubled; perhaps cut off."""
    data = bytearray(seed)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(data))
        what = chance.random()
        if what < 0.6:
            data[at] = chance.choice((0, 0xFF, 0x7F, 0x80, chance.randrange(256)))
        elif what < 0.8:
            del data[at : at + chance.randint(1, 8)]
        else:
            data[at:at] = data[at : at + chance.randint(1, 64)]
        if not data:
            return b""
    return bytes(data[: chance.randrange(len(data))] if chance.random() < 0.2 else data)


def check(data: bytes, name: str) -> float:
    """Read a file as the sandbox would; returns the seconds it took."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        start = time.perf_counter()
        record, whole = inspect_with_track(path, name)
        taken = time.perf_counter() - start
    assert MediaMetadata.model_validate_json(to_bytes(record)) == record
    if whole is None:
        assert record.track.samples == 0
        return taken
    track = read_track(whole)
    assert track.summary == record.track
    assert len(track.rows) == record.track.samples
    json.loads(geojson(track, "item"))
    assert gpx(track, "item").startswith(b"<?xml")
    for second in (0.0, 0.5, 1.5, 1e5):
        found = position_at(track, second)
        assert (found.point is None) == (found.state == "none")
    return taken


@pytest.mark.parametrize("kind", ["srt", "gpmf", "gpmd.mp4", "djmd.mp4", "klv", "klv.ts"])
def test_mutated_file_ends_as_a_valid_record(kind: str) -> None:
    chance = random.Random(f"track {kind}")  # noqa: S311 (the same files each time)
    for _ in range(25):
        assert check(mutated(seeds()[kind], chance), f"a.{kind.rpartition('.')[2]}") < LONGEST_S


def _on_earth(track: Telemetry) -> None:
    summary = summarise(track)
    assert summary.samples == len(track.points)
    read_track(whole_track(track, summary))
    for point in track.points:
        assert (point.lat is None) == (point.lon is None)
        assert point.lat is None or (abs(point.lat) <= 90 and abs(point.lon or 0) <= 180)


@given(st.binary(max_size=400), st.integers(0, 3))
@relaxed
def test_any_bytes_end_in_every_reader(data: bytes, where: int) -> None:
    _on_earth(read_srt(data.decode("latin-1")))
    _on_earth(read_gpmf([Payload(data), Payload(gps5_payload(0, [(LAT, LON)])[: 40 * where] + data)], "gpmf"))
    _on_earth(read_gpmf(split_raw(b"DEVC\0\1" + data), "gpmf"))
    packet = klv_place(0, LAT, LON)
    _on_earth(read_klv([(0.0, packet[: 16 + 9 * where] + data)], "klv"))
    _on_earth(read_djmd([(0.0, data), (1.0, djmd(LAT, LON)[: 20 * where] + data)], "djmd track"))


numbers = st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.floats(-200, 200))


@given(numbers, numbers)
@relaxed
def test_any_numbers_give_a_place_on_earth_or_none(lat: float, lon: float) -> None:
    message = djmd(0.5, 0.5, protocol="dvtm_Air3.proto", degrees=True)
    packed = message.replace(_double(0.5), _double(lat), 1).replace(_double(0.5), _double(lon), 1)
    _on_earth(read_djmd([(0.0, packed)], "djmd track"))


def _double(value: float) -> bytes:
    import struct

    return struct.pack("<d", value)


samples = st.builds(
    Sample,
    t=st.one_of(st.none(), st.floats(0, 60)),
    lat=st.floats(-90, 90),
    lon=st.floats(-180, 180),
    fix=st.sampled_from([None, 0, 2, 3]),
    checksum=st.sampled_from([None, "right", "wrong"]),
)


def _recorded(points: list[Sample]) -> TrackRecord:
    track = Telemetry(points=points)
    return read_track(whole_track(track, summarise(track)))


@given(st.lists(samples, min_size=1, max_size=12), st.floats(0, 70))
@relaxed
def test_position_rests_on_usable_samples_near_it_or_is_none(points: list[Sample], at: float) -> None:
    found = position_at(_recorded(points), at)
    times = [point.t for point in points if point.t is not None]
    if not times or at > max(times) + 0.001 or at < min(times) - 0.001:
        assert found.state == "none"
    if found.state == "derived":
        assert found.between is not None
        first, second = found.between
        assert first < at < second <= first + 10
        ends = [point for point in points if point.t in found.between]
        assert {point.t for point in ends if point.usable} == {first, second}


@given(st.lists(samples, min_size=1, max_size=12))
@relaxed
def test_lines_hold_every_usable_position_once_and_no_other(points: list[Sample]) -> None:
    record = _recorded(points)
    from app.analysis.track_at import points_of

    joined = [point for run in segments(points_of(record)) for point in run]
    assert [(point.lat, point.lon) for point in joined] == [(p.lat, p.lon) for p in points if p.usable]


def main(count: int) -> int:
    """Run the campaign and print one line for each kind."""
    for kind, seed in seeds().items():
        chance, slowest = random.Random(f"campaign {kind}"), 0.0  # noqa: S311 (likewise)
        for _ in range(count):
            slowest = max(slowest, check(mutated(seed, chance), f"a.{kind.rpartition('.')[2]}"))
        print(f"{kind}: {count} mutated files, each a valid record; slowest {slowest:.2f} s", flush=True)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000))
