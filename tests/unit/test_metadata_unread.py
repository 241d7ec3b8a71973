"""A failed read never looks like an absence, and a value that is left out never goes unnamed."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from app.analysis.extract import inspect_file
from app.analysis.probes.exif_names import EXIF_NAMES
from app.analysis.probes.readings import Remark
from app.analysis.rules import find
from schemas.records.v1.media_metadata import Conflict, DeviceFacts, FileFacts, Finding, MediaMetadata, TextFact
from tests.media_samples import clip, exif_bytes, gps, photo, ratio, xmp_packet

DMS = (ratio(47), ratio(30), ratio(4444, 100))
LAT, LON = (DMS, "N"), (DMS, "E")


def inspect(path: Path) -> MediaMetadata:
    return inspect_file(path, path.name)


def texts(record: MediaMetadata, code: str) -> list[str]:
    return [finding.text for finding in record.findings if finding.code == code]


def codes(record: MediaMetadata) -> set[str]:
    return {finding.code for finding in record.findings}


def severities(record: MediaMetadata, code: str) -> set[str]:
    return {finding.severity for finding in record.findings if finding.code == code}


def jpeg(folder: Path, xmp: bytes | None = None, **blocks: Any) -> MediaMetadata:  # noqa: ANN401 (groups of tags)
    return inspect(photo(folder / "photo.jpg", exif=exif_bytes(**blocks) if blocks else None, xmp=xmp))


def with_segment(folder: Path, marker: int, body: bytes) -> Path:
    path = photo(folder / "photo.jpg")
    whole = path.read_bytes()
    path.write_bytes(whole[:2] + struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body + whole[2:])
    return path


def resource(number: int, data: bytes) -> bytes:
    return b"8BIM" + struct.pack(">HHI", number, 0, len(data)) + data + b"\0" * (len(data) % 2)


def png_with(folder: Path, name: bytes, body: bytes) -> Path:
    path = photo(folder / "photo.png")
    whole = path.read_bytes()
    chunk = struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    path.write_bytes(whole[:33] + chunk + whole[33:])
    return path


JUMBF = b"JP\x00\x01\x00\x00\x00\x01\x00\x00\x00\x20jumb\x00\x00\x00\x18jumdc2pa" + b"\0" * 12


@pytest.mark.parametrize(
    ("marker", "body", "name"),
    [
        (0xEB, JUMBF, "C2PA/JUMBF"),
        (0xED, b"Photoshop 3.0\0" + resource(0x0423, b"II*\0"), "EXIF (second part) in Photoshop resources"),
        (0xED, b"Photoshop 3.0\0broken", "Photoshop resources"),
        (0xEC, b"PictureInfo\0TimeDate=1", "APP12 PictureInfo"),
        (0xE3, b"\x80F|F\x80F\x80F", "APP3"),
    ],
)
def test_jpeg_segment_that_is_not_read_is_named_and_no_absence(
    tmp_path: Path, marker: int, body: bytes, name: str
) -> None:
    record = inspect(with_segment(tmp_path, marker, body))
    assert "no_metadata" not in codes(record)
    assert any(name in text for text in texts(record, "metadata_unread"))


@pytest.mark.parametrize(
    ("marker", "body"),
    [
        (0xED, b"Photoshop 3.0\0" + resource(0x0404, b"") + resource(0x0425, b"\xd4" * 16)),  # as messengers write
        (0xE2, b"ICC_PROFILE\0\x01\x01"),
        (0xEE, b"Adobe\0d"),
    ],
)
def test_segments_about_the_picture_alone_leave_the_absence_an_absence(
    tmp_path: Path, marker: int, body: bytes
) -> None:
    assert codes(inspect(with_segment(tmp_path, marker, body))) == {"no_metadata"}


@pytest.mark.parametrize(
    ("name", "body", "named"),
    [
        (b"caBX", b"jumb", "C2PA/JUMBF"),
        (b"tEXt", b"Creation Time\0Sat, 14 Jun 2025", "Creation Time"),
    ],
)
def test_png_chunk_that_is_not_read_is_named_and_no_absence(
    tmp_path: Path, name: bytes, body: bytes, named: str
) -> None:
    record = inspect(png_with(tmp_path, name, body))
    assert "no_metadata" not in codes(record)
    assert any(named in text for text in texts(record, "metadata_unread") + texts(record, "value_unusable"))


def test_c2pa_and_xmp_boxes_of_a_movie_are_named_and_no_absence(tmp_path: Path) -> None:
    path = clip(tmp_path / "clip.mp4")
    assert "no_metadata" in codes(inspect(path))
    for user_type in ("d8fec3d61b0e483c92975828877ec481", "be7acfcb97a942e89c71999491e3afac"):
        body = bytes.fromhex(user_type) + b"signed"
        with path.open("ab") as stream:
            stream.write(struct.pack(">I4s", len(body) + 8, b"uuid") + body)
    record = inspect(path)
    assert "no_metadata" not in codes(record)
    assert "C2PA/JUMBF (uuid box)" in texts(record, "metadata_unread")[0]
    assert {"xmp_malformed", "xmp_refused", "metadata_unreadable"} & codes(record)


@pytest.mark.parametrize("content", [b"\xff" * 400, b"\0" * 400])
def test_video_that_cannot_be_opened_is_not_one_without_metadata(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "clip.mkv"
    path.write_bytes(b"\x1aE\xdf\xa3" + content)
    record = inspect(path)
    assert record.file.kind == "video"
    assert "no_metadata" not in codes(record)
    assert "metadata_unread" in codes(record)


def test_movie_without_a_picture_stream_is_not_one_without_metadata(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    header = struct.pack(">I4s", 108, b"mvhd") + b"\0" * 100
    path.write_bytes(
        struct.pack(">I4s8s4s", 20, b"ftyp", b"mp42", b"mp42") + struct.pack(">I4s", 116, b"moov") + header
    )
    record = inspect(path)
    assert "no_metadata" not in codes(record)
    assert codes(record) & {"container_unreadable", "video_unreadable"}


@pytest.mark.parametrize("name", ["photo.gif", "photo.jp2"])
def test_format_whose_metadata_are_not_read_is_not_one_without(tmp_path: Path, name: str) -> None:
    record = inspect(photo(tmp_path / name))
    assert record.image.width.value == 64
    assert codes(record) == {"metadata_unread"}


@pytest.mark.parametrize("block", [b"", b"nothing of TIFF", b"II*\0\xff\xff\xff\x7f", b"II*\0\x08\0\0\0\x05\0"])
def test_exif_that_is_there_and_cannot_be_read_is_no_absence(tmp_path: Path, block: bytes) -> None:
    record = inspect(with_segment(tmp_path, 0xE1, b"Exif\0\0" + block))
    assert "no_metadata" not in codes(record)
    assert "EXIF" in texts(record, "metadata_unreadable")[0]
    assert severities(record, "metadata_unreadable") == {"warning"}


def test_exif_that_is_there_and_empty_is_an_absence(tmp_path: Path) -> None:
    assert codes(inspect(with_segment(tmp_path, 0xE1, b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"))) == {"no_metadata"}


def test_directory_outside_the_structure_is_named(tmp_path: Path) -> None:
    entry = struct.pack("<HHII", 0x8825, 4, 1, 90_000)
    record = inspect(with_segment(tmp_path, 0xE1, b"Exif\0\0II*\0\x08\0\0\0\x01\0" + entry + b"\0\0\0\0"))
    assert "directory GPS" in texts(record, "metadata_unreadable")[0]


def test_value_outside_the_structure_is_named(tmp_path: Path) -> None:
    entries = struct.pack("<HHII", 0x0132, 2, 20, 90_000) + struct.pack("<HHI4s", 0x010F, 2, 4, b"Abc\0")
    record = inspect(with_segment(tmp_path, 0xE1, b"Exif\0\0II*\0\x08\0\0\0\x02\0" + entries + b"\0\0\0\0"))
    assert record.device.make.value == "Abc"
    assert texts(record, "metadata_unreadable")[0].startswith("EXIF could not be read in full: DateTime;")


def test_cut_off_file_is_not_one_without_metadata(tmp_path: Path) -> None:
    path = photo(tmp_path / "photo.png")
    path.write_bytes(path.read_bytes()[:-12])
    assert codes(inspect(path)) == {"truncated", "metadata_unread"}


def unusable(record: MediaMetadata) -> str:
    assert severities(record, "value_unusable") == {"warning"}
    return " | ".join(texts(record, "value_unusable"))


@pytest.mark.parametrize(
    ("place", "raw", "absent"),
    [
        (gps(DMS, None, DMS, "E"), "47 30 1111/25", "lat"),
        (gps(DMS, "?", DMS, "E"), "without a reference N or S", "lat"),
        (gps((ratio(200), ratio(0), ratio(0)), "N", DMS, "E"), "200 0 0 N", "lat"),
        (gps(DMS, "N", (ratio(181), ratio(0), ratio(0)), "W"), "181 0 0 W", "lon"),
        (gps((ratio(48), ratio(20), ratio(0, 0)), "N", DMS, "E"), "48 20 undef N", "lat"),
    ],
)
def test_position_that_is_left_out_is_named_with_what_stands_there(
    tmp_path: Path, place: dict[int, Any], raw: str, absent: str
) -> None:
    record = jpeg(tmp_path, gps=place)
    fact = getattr(record.position, absent)
    assert (fact.value, fact.certainty) == (None, "absent")
    assert raw in unusable(record)
    assert f"GPS GPS{'Latitude' if absent == 'lat' else 'Longitude'} is recorded as" in unusable(record)
    assert "no_metadata" not in codes(record)


@pytest.mark.parametrize(
    ("tags", "raw"),
    [
        ({0x9003: "2024:02:30 25:61:00"}, "2024:02:30 25:61:00"),
        ({0x9003: "2024:02:30"}, "2024:02:30"),
        ({0x9004: "yesterday"}, "yesterday"),
        ({0x9003: "2024:02:03 04:05:06", 0x9011: "+25:00"}, "+25:00"),
        ({0x9003: "2024:02:03 04:05:06", 0x9291: "1/3"}, "1/3"),
        ({0x9003: "2024:02:03 04:05:06+25:00"}, "06+25:00"),
    ],
)
def test_time_that_is_left_out_is_named_with_what_stands_there(tmp_path: Path, tags: dict[int, str], raw: str) -> None:
    record = jpeg(tmp_path, exif=tags)
    assert record.time.capture_utc.value is None
    assert raw in unusable(record)
    assert "no_metadata" not in codes(record)


@pytest.mark.parametrize("unset", ["0000:00:00 00:00:00", "    :  :     :  :  ", "2024:02:03 04:05:06"])
def test_unset_and_usable_times_leave_nothing_to_name(tmp_path: Path, unset: str) -> None:
    record = jpeg(tmp_path, exif={0x9003: unset, 0x9011: "   :  "}, gps=gps(DMS, "N", DMS, "E"))
    assert "value_unusable" not in codes(record)


@pytest.mark.parametrize(
    ("more", "raw"),
    [
        ({0x1D: "2014:09:259", 7: (ratio(13), ratio(5), ratio(12))}, "2014:09:259 13 5 12"),
        ({7: (ratio(25), ratio(5), ratio(12))}, "25 5 12"),
        ({5: b"\0", 6: ratio(9_000_000)}, "9000000"),
        ({0x0D: ratio(12)}, "12"),
    ],
)
def test_other_satellite_values_that_are_left_out_are_named(tmp_path: Path, more: dict[int, Any], raw: str) -> None:
    assert f'"{raw}"' in unusable(jpeg(tmp_path, gps=gps(DMS, "N", DMS, "E") | more))


@pytest.mark.parametrize(
    ("attribute", "raw"),
    [
        ('exif:GPSLatitude="95,0.5N"', "95,0.5N"),
        ('drone-dji:GpsLongtitude="999.5"', "999.5"),
        ('exif:DateTimeOriginal="2024-02-30T25:61:00"', "2024-02-30T25:61:00"),
        ('exif:GPSTimeStamp="2024-02-20T10:00:00"', "2024-02-20T10:00:00"),
        ('exif:GPSAltitude="high"', "high"),
    ],
)
def test_xmp_values_that_are_left_out_are_named(tmp_path: Path, attribute: str, raw: str) -> None:
    assert f'"{raw}"' in unusable(jpeg(tmp_path, xmp=xmp_packet(attribute)))


@pytest.mark.parametrize(
    ("key", "raw"),
    [("com.apple.quicktime.location.ISO6709", "+95.0+010.0/"), ("com.apple.quicktime.creationdate", "2024-02-30T1")],
)
def test_values_of_a_movie_that_are_left_out_are_named(tmp_path: Path, key: str, raw: str) -> None:
    record = inspect(clip(tmp_path / "clip.mov", metadata={key: raw}, options={"movflags": "use_metadata_tags"}))
    assert raw in unusable(record)
    assert record.position.lat.value is None


def test_flight_log_beyond_the_earth_is_named_and_one_without_a_fix_too(tmp_path: Path) -> None:
    path = tmp_path / "DJI_0001.SRT"
    path.write_text("1\n00:00:00,000 --> 00:00:01,000\n2025-14-06 10:44:01\n[latitude: 147.5] [longitude: 19.5]\n")
    record = inspect(path)
    assert record.track.points == 0
    assert "latitude 147.5 longitude 19.5" in unusable(record)
    assert "2025-14-06T10:44:01" in unusable(record)
    path.write_text("1\n00:00:00,000 --> 00:00:01,000\n[latitude: 0.0] [longitude: 0.0]\n")
    assert codes(inspect(path)) == {"track_without_position"}


@pytest.mark.parametrize("how", ["exif", "movie"])
def test_position_zero_is_kept_and_reads_as_an_assumption(tmp_path: Path, how: str) -> None:
    zero = (ratio(0), ratio(0), ratio(0))
    if how == "exif":
        record = jpeg(tmp_path, gps=gps(zero, "N", zero, "E"))
    else:
        keys = {"com.apple.quicktime.location.ISO6709": "+00.0000+000.0000/"}
        record = inspect(clip(tmp_path / "clip.mov", metadata=keys, options={"movflags": "use_metadata_tags"}))
    for fact in (record.position.lat, record.position.lon):
        assert (fact.value, fact.certainty) == (0, "inferred")
        assert fact.source is not None
        assert "satellite fix" in fact.source
    assert severities(record, "position_zero") == {"warning"}


def test_place_on_the_equator_stays_recorded(tmp_path: Path) -> None:
    record = jpeg(tmp_path, gps=gps((ratio(0), ratio(0), ratio(0)), "N", DMS, "E"))
    assert record.position.lat.certainty == "recorded"
    assert "position_zero" not in codes(record)


def header_clock(path: Path, created: int) -> Path:
    """Set the creation time of the movie header, in seconds since 1904."""
    data = bytearray(clip(path).read_bytes())
    at = data.index(b"mvhd") + 8
    data[at : at + 8] = struct.pack(">II", created, created)
    path.write_bytes(data)
    return path


def test_header_clock_of_a_movie_is_never_more_than_inferred(tmp_path: Path) -> None:
    time = inspect(header_clock(tmp_path / "clip.mp4", 3_832_000_000)).time
    assert time.capture_utc.value == time.container_created.value == "2025-06-05T20:26:40Z"
    certainties = {time.capture_utc.certainty, time.container_created.certainty, time.container_modified.certainty}
    assert certainties == {"inferred"}
    assert time.capture_local.certainty == "absent"


def test_header_clock_before_digital_recording_is_no_time_and_named(tmp_path: Path) -> None:
    record = inspect(header_clock(tmp_path / "clip.mp4", 2_082_844_800 + 86_400))  # 2 January 1970
    assert record.time.container_created.value is None
    assert record.time.capture_utc.value is None
    assert "mvhd creation_time" in unusable(record)
    assert str(2_082_844_800 + 86_400) in unusable(record)
    assert "no_metadata" not in codes(record)


HOSTILE = "\x1b[2J\u202egnp\nnext\r\x07" + "A" * 5_000


def harmless(finding: Finding) -> bool:
    return finding.text.isprintable() and len(finding.text) <= 1_000


@pytest.mark.parametrize("tag", [0x9003, 0x9011, 0x9291, 0xA431])
def test_hostile_text_in_exif_is_escaped_and_bounded_in_every_finding(tmp_path: Path, tag: int) -> None:
    tags = {0x9003: "2024:02:03 04:05:06"} | {tag: HOSTILE.encode().decode("latin-1")}
    record = jpeg(tmp_path, ifd0={0x0131: "Photoshop " + HOSTILE.encode().decode("latin-1")}, exif=tags)
    assert "editing_software" in codes(record)
    assert all(harmless(finding) for finding in record.findings)
    if ("EXIF", tag) in EXIF_NAMES and tag != 0xA431:
        assert "\\x1b[2J" in unusable(record)


def test_hostile_text_of_parsers_and_of_conflicts_is_escaped_and_bounded() -> None:
    fact = TextFact(
        value=HOSTILE,
        raw=HOSTILE,
        source=HOSTILE,
        certainty="conflicting",
        conflicts=(Conflict(value=HOSTILE, raw=HOSTILE, source=HOSTILE),) * 40,
    )
    file = FileFacts(original_name="a.jpg", size=1, kind="photo", media_type="image/jpeg", format="JPEG")
    record = MediaMetadata(file=file, device=DeviceFacts(make=fact, model=fact, camera_serial=fact))
    found = find(record, [Remark("truncated", HOSTILE)])
    assert len(found) == 4
    assert all(harmless(finding) for finding in found)
