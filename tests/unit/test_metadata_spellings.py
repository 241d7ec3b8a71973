"""One fact in the spellings of many writers: the same value, or none; a guess never."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.analysis.extract import inspect_file
from app.analysis.gathered import Gathered
from app.analysis.normalise_time import gps_clock
from app.analysis.normalise_values import coordinate, gps_moment, parse_offset, xmp_coordinate
from app.analysis.probes.filetype import UNKNOWN
from app.analysis.probes.tiff import TagValue
from app.analysis.probes.xmp import read_xmp
from schemas.records.v1.media_metadata import MediaMetadata
from tests.media_samples import exif_bytes, gps, photo, ratio, xmp_packet

CAPTURE = {0x9003: "2025:06:14 10:31:07"}
LAT, LON = (ratio(47), ratio(30), ratio(4444, 100)), (ratio(19), ratio(59), ratio(1556, 100))


def jpeg(folder: Path, xmp: bytes | None = None, **blocks: Any) -> MediaMetadata:  # noqa: ANN401 (groups of tags)
    exif = exif_bytes(**blocks) if blocks else None
    return inspect_file(photo(folder / "photo.jpg", exif=exif, xmp=xmp), "photo.jpg")


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("+05:45", 345), ("-03:30", -210), ("+0545", 345), ("+5:45", 345), ("Z", 0), ("-00:30", -30), ("+14:00", 840),
        ("+02:00:00", 120), ("+14:30", None), ("+02:60", None), ("02:00", None), ("CEST", None), ("   :  ", None),
    ],
)  # fmt: skip
def test_offsets(text: str, minutes: int | None) -> None:
    found = parse_offset(text)
    assert (None if found is None else found.total_seconds() / 60) == minutes


@pytest.mark.parametrize(
    ("text", "limit", "value"),
    [
        ("12,34.567S", 90, -12.576116667), ("12,34,34.02S", 90, -12.57611667),
        ("+12.34", 90, 12.34), ("-12.34", 90, -12.34),
        ("12.34 S", 90, -12.34), ("179,59.999W", 180, -179.99998333),
        ("12,34.567n", 90, 12.576116667), ("0,0.0S", 90, 0.0),
        ("12,34.567E", 90, None), ("91,0.0N", 90, None),
        ("12,60.0N", 90, None), ("12,34.567", 90, None), ("", 90, None),
        ("nan", 90, None), ("1e400", 90, None), ("181.0", 180, None),
    ],
)  # fmt: skip
def test_xmp_coordinates(text: str, limit: int, value: float | None) -> None:
    found = xmp_coordinate(text, limit=limit)
    assert found == (None if value is None else pytest.approx(value, abs=1e-8))


@pytest.mark.parametrize(
    ("parts", "letter", "value"),
    [
        ((12, 34.5), "S", -12.575), ((12.5,), "S", -12.5),
        ((12, 34, 30), "n", 12.575), ((12, 34, 30), "South", -12.575),
        ((12, None, 30), "S", None), ((-12, 0, 0), "S", None),
        ((12, 0, 0), "", None), ((90, 0, 1), "N", None), ((), "N", None),
    ],
)  # fmt: skip
def test_exif_coordinates(parts: tuple[float | None, ...], letter: str, value: float | None) -> None:
    assert coordinate(parts, letter, limit=90) == (None if value is None else pytest.approx(value, abs=1e-9))


@pytest.mark.parametrize(
    "day", ["2025:06:14", "2025-06-14", "2025/06/14", "2025:6:14", "20250614", "2025:06:14 08:31:05"]
)
def test_satellite_days(day: str) -> None:
    found = gps_moment(day, (8, 31, 5.5))
    assert found is not None
    assert (found[0].isoformat(), found[1]) == ("2025-06-14T08:31:05+00:00", "5")


@pytest.mark.parametrize("day", ["2014:09:259", "0000:00:00", "2025:13:01", "25:06:14", "", "1979:01:01", "2025:0614"])
def test_satellite_days_that_are_none(day: str) -> None:
    assert gps_moment(day, (8, 31, 5)) is None


def test_satellite_time_as_text_is_read_and_one_with_an_undefined_part_is_named(tmp_path: Path) -> None:
    written = Gathered("a.jpg", 1, UNKNOWN, exif={("GPS", 7): TagValue("08:31:05", "tiff")})
    assert gps_clock(written) == (8, 31, 5)
    undefined = gps(LAT, "S", LON, "W") | {0x1D: "2025:06:14", 7: (ratio(8), ratio(0, 0), ratio(5))}
    record = jpeg(tmp_path, exif=CAPTURE, gps=undefined)
    assert record.time.gps_utc.value is None
    assert "value_unusable" in {finding.code for finding in record.findings}


def test_time_zone_of_exif_of_before_offsets_is_recorded(tmp_path: Path) -> None:
    offset = jpeg(tmp_path, exif=CAPTURE | {0x882A: -4}).time.utc_offset
    assert (offset.value, offset.certainty) == ("-04:00", "recorded")
    assert "TimeZoneOffset" in str(offset.source)


def test_clock_of_dji_at_the_exposure_gives_an_inferred_offset(tmp_path: Path) -> None:
    packet = xmp_packet('drone-dji:UTCAtExposure="2025-06-14T08:31:07.250"')
    time = jpeg(tmp_path, xmp=packet, exif=CAPTURE).time
    assert (time.utc_offset.value, time.utc_offset.certainty) == ("+02:00", "inferred")
    assert "UTCAtExposure" in str(time.utc_offset.source)
    recorded = jpeg(tmp_path, xmp=packet, exif=CAPTURE | {0x9011: "+03:00"}).time
    assert (recorded.utc_offset.value, recorded.utc_offset.certainty) == ("+03:00", "recorded")


def test_rtk_speed_and_errors_are_read(tmp_path: Path) -> None:
    packet = xmp_packet(
        'drone-dji:RtkFlag="50" drone-dji:RtkStdLon="0.01" drone-dji:RtkStdLat="0.02" drone-dji:RtkStdHgt="0.03" '
        'drone-dji:FlightXSpeed="+1.20" drone-dji:FlightYSpeed="-0.40" drone-dji:GpsStatus="RTK"'
    )
    place = gps(LAT, "N", LON, "E") | {
        0x0B: ratio(12, 10), 0x0C: "N", 0x0D: ratio(10), 0x0E: "M",
        0x0F: ratio(90), 0x1F: ratio(35, 10), 8: "07", 0x0A: "3",
        0x1B: b"ASCII\0\0\0GPS\0",
    }  # fmt: skip
    record = jpeg(tmp_path, xmp=packet, exif=CAPTURE, gps=place)
    found = record.position
    assert (found.rtk_flag.value, found.rtk_std_lat.value, found.rtk_std_alt.value) == (50, 0.02, 0.03)
    assert (found.dop.value, found.horizontal_error.value, found.satellites.value) == (1.2, 3.5, "07")
    assert (found.track.value, found.track.unit, found.processing_method.value) == (90, "deg magnetic", "GPS")
    assert found.speed.value == pytest.approx(5.14444, abs=1e-4)
    assert (record.attitude.speed_x.value, record.attitude.speed_y.value) == (1.2, -0.4)


def test_exposure_is_told_in_words_with_the_number_beside(tmp_path: Path) -> None:
    tags = {
        0x829A: ratio(1, 250), 0x829D: ratio(28, 10), 0x8827: 65535, 0x8832: 102400, 0x8822: 3, 0x9207: 5, 0x9209: 0x19,
        0x9204: ratio(-2, 3), 0xA406: 3, 0x9208: 0, 0xA405: 0, 0x9206: ratio(0xFFFFFFFF, 1),
    }  # fmt: skip
    found = jpeg(tmp_path, exif=CAPTURE | tags).exposure
    assert (found.iso.value, found.program.value, found.program.raw) == (102400, "aperture priority", "3")
    assert (found.metering.value, found.flash.value, found.scene.value) == ("pattern", "fired, auto", "night scene")
    assert found.exposure_bias.value == pytest.approx(-2 / 3)
    assert [found.light_source.value, found.focal_length_35mm.value, found.subject_distance.value] == [None] * 3


def test_comment_by_its_character_code(tmp_path: Path) -> None:
    wide = b"UNICODE\0" + "Příklad".encode("utf-16-be")
    assert jpeg(tmp_path, exif=CAPTURE | {0x9286: b"ASCII\0\0\0 plain "}).description.comment.value == "plain"
    assert jpeg(tmp_path, exif=CAPTURE | {0x9286: wide}).description.comment.value == "Příklad"
    assert jpeg(tmp_path, exif=CAPTURE | {0x9286: b"ASCII\0\0\0" + b"\0" * 40}).description.comment.value is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-16"])
def test_xmp_in_every_encoding(encoding: str) -> None:
    packet = '<?xml version="1.0"?>' + xmp_packet('tiff:Make="Mäker"').decode()
    assert read_xmp([packet.encode(encoding)]).properties == {"tiff:Make": "Mäker"}


def test_xmp_languages_qualifiers_and_resources() -> None:
    elements = (
        '<dc:title xmlns:dc="http://purl.org/dc/elements/1.1/"><rdf:Alt><rdf:li xml:lang="fr">Pont</rdf:li>'
        '<rdf:li xml:lang="x-default">Bridge</rdf:li></rdf:Alt></dc:title>'
        '<aux:Lens rdf:parseType="Resource"><rdf:value>35mm</rdf:value><aux:Note>x</aux:Note></aux:Lens>'
        '<xmp:BaseURL rdf:resource="http://example.org/a"/>'
    )
    found = read_xmp([xmp_packet("", elements)]).properties
    assert found == {"dc:title": "Bridge", "aux:Lens": "35mm", "xmp:BaseURL": "http://example.org/a"}
