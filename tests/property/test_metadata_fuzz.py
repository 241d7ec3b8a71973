"""Broken and invented bytes: every reader ends, and a record comes out that is valid JSON."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from app.analysis.extract import inspect_file
from app.analysis.probes.flir import read_flir
from app.analysis.probes.srt import read_srt
from app.analysis.probes.tiff import read_tiff
from app.analysis.probes.xmp import read_xmp
from app.analysis.record_bytes import to_bytes
from schemas.records.v1.media_metadata import MediaMetadata
from tests.media_samples import encoded, exif_bytes, gps, ratio, xmp_packet

BLOCK = exif_bytes(
    {0x010F: "Maker", 0x0110: "Model", 0x0132: "2025:06:14 10:31:07"},
    {0x9003: "2025:06:14 10:31:07", 0x9011: "+02:00", 0xA431: "1"},
    gps((ratio(47), ratio(30), ratio(4444, 100)), "N", (ratio(19), ratio(59), ratio(1556, 100)), "W")
    | {6: ratio(12, 5)},
)
PACKET = xmp_packet('exif:GPSLatitude="50,51.75N" drone-dji:RelativeAltitude="+80.2"', "<tiff:Make>Maker</tiff:Make>")
PICTURE = Image.radial_gradient("L").resize((32, 32)).convert("RGB")
SEEDS = {
    "JPEG": encoded(PICTURE, "JPEG", exif=BLOCK, xmp=PACKET),
    "PNG": encoded(PICTURE, "PNG", exif=BLOCK),
    "WEBP": encoded(PICTURE, "WEBP", exif=BLOCK, xmp=PACKET),
    "TIFF": encoded(PICTURE, "TIFF", exif=BLOCK),
    "AVIF": encoded(PICTURE, "AVIF", exif=BLOCK, xmp=PACKET),
}
# A cut, then some bytes overwritten: (where, with what).
mutations = st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 255)), max_size=12)
relaxed = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def mutated(seed: bytes, changes: list[tuple[int, int]], cut: int) -> bytes:
    data = bytearray(seed[: len(seed) - cut % len(seed)] if cut else seed)
    for where, value in changes:
        if data:
            data[where % len(data)] = value
    return bytes(data)


@pytest.mark.parametrize("seed", SEEDS)
@given(changes=mutations, cut=st.one_of(st.just(0), st.integers(1, 4_000)))
@relaxed
def test_mutated_photo_ends_as_a_valid_record(seed: str, changes: list[tuple[int, int]], cut: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo"
        path.write_bytes(mutated(SEEDS[seed], changes, cut))
        record = inspect_file(path, "photo")
    assert MediaMetadata.model_validate_json(to_bytes(record)) == record
    for fact, limit in ((record.position.lat, 90), (record.position.lon, 180)):
        assert fact.value is None or abs(fact.value) <= limit


@given(st.binary(max_size=600))
@relaxed
def test_any_bytes_end_in_every_small_reader(data: bytes) -> None:
    read_tiff(io.BytesIO(b"II*\0" + data))
    read_tiff(io.BytesIO(b"MM\0*\0\0\0\x08" + data))
    read_flir(b"FFF\0" + data)
    read_xmp([data, b"<x>" + data])
    read_srt(data.decode("latin-1"))


@given(st.text(max_size=300))
@relaxed
def test_any_subtitle_text_gives_places_on_earth_or_none(text: str) -> None:
    track = read_srt(f"1\n00:00:00,000 --> 00:00:01,000\nGPS(1,2,3) {text}")
    for point in track.points:
        assert point.lat is None or abs(point.lat) <= 90
        assert point.lon is None or abs(point.lon) <= 180


def test_ifd_that_points_at_itself_ends() -> None:
    entry = (
        (0x8769).to_bytes(2, "little")
        + (4).to_bytes(2, "little")
        + (1).to_bytes(4, "little")
        + (8).to_bytes(4, "little")
    )
    looped = b"II*\0\x08\0\0\0" + b"\x01\0" + entry + (8).to_bytes(4, "little")
    assert set(read_tiff(io.BytesIO(looped))) == {("IFD0", 0x8769)}
