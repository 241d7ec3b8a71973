"""Makers' private blocks, built byte by byte: the serial is read right, or not at all."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from app.analysis.extract import inspect_file
from schemas.records.v1.media_metadata import MediaMetadata
from tests.fuzz.media import canon_raw
from tests.maker_samples import FLOAT, LONG, SLONG, Tag, directory, jpeg_with, long, placed, raw, text, tiff

ORDERS = ("<", ">")
CAPTURE = text(0x9003, "2025:06:14 10:31:07")


def inspect(folder: Path, exif: bytes) -> MediaMetadata:
    path = folder / "photo.jpg"
    path.write_bytes(jpeg_with(exif))
    return inspect_file(path, path.name)


def olympus(order: str) -> bytes:
    """The newer form: offsets count from the block, and the serials are in a directory of their own."""
    heading = b"OLYMPUS\0" + (b"II\x03\0" if order == "<" else b"MM\0\x03")
    main = directory([Tag(0x2010, 13, 1, struct.pack(order + "I", 40))], order, 12)
    inner = [text(0x0101, "B1234567 "), text(0x0202, "LENS-1"), text(0x0203, "40-150mm")]
    return tiff("OLYMPUS CORPORATION", order, (heading + main).ljust(40, b"\0") + directory(inner, order, 40))[0]


def nikon(order: str) -> bytes:
    head = b"Nikon\0\x02\x10\0\0" + (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    tags = [text(0x001D, "3012345"), raw(0x0024, struct.pack(order + "hBB", 60, 1, 0))]
    return tiff("NIKON CORPORATION", ">", head + directory(tags, order, 8), [CAPTURE])[0]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("maker", "make", "heading", "tags", "serial"),
    [
        ("Canon", "Canon", b"", [text(0x0096, "AB0123"), text(0x0007, "Firmware 1.0")], None),
        ("Olympus", "OLYMPUS OPTICAL CO.,LTD", b"OLYMP\0\x01\0", [text(0x0404, "C90500055")], "C90500055"),
        ("Pentax", "PENTAX Corporation", b"AOC\0  ", [text(0x0229, "7012345")], "7012345"),
        ("Sigma", "SIGMA", b"SIGMA\0\0\0\x01\0", [text(0x0002, "02000019")], "02000019"),
        ("Panasonic", "Panasonic", b"Panasonic\0\0\0", [raw(0x0025, b"S000407190102\0\0\0")], None),
        ("Samsung", "SAMSUNG", b"", [text(0xA002, "A2B3C4D5E6F7")], "A2B3C4D5E6F7"),
    ],
)
def test_serial_whose_offset_counts_from_the_structure(
    tmp_path: Path, maker: str, make: str, heading: bytes, tags: list[Tag], serial: str | None, order: str
) -> None:
    device = inspect(tmp_path, placed(make, order, heading, tags)).device
    assert device.maker_note.value == maker
    assert device.camera_serial.value == serial
    if serial is None:
        assert device.internal_serial.value in {"AB0123", "S000407190102"}
        assert str(device.internal_serial.source).startswith("makernotes")


@pytest.mark.parametrize("order", ORDERS)
def test_serials_of_olympus_and_nikon_stand_where_their_own_headings_say(tmp_path: Path, order: str) -> None:
    device = inspect(tmp_path, olympus(order)).device
    assert (device.camera_serial.value, device.lens_serial.value, device.lens.value) == (
        "B1234567",
        "LENS-1",
        "40-150mm",
    )
    record = inspect(tmp_path, nikon(order))
    assert record.device.camera_serial.value == "3012345"
    assert (record.time.utc_offset.value, record.time.utc_offset.certainty) == ("+02:00", "inferred")
    assert "daylight saving" in str(record.time.utc_offset.source)


def test_number_of_canon_says_nothing_where_exif_has_a_serial(tmp_path: Path) -> None:
    zone = Tag(0x0035, SLONG, 4, struct.pack("<4i", 16, 330, 12, 0))
    tags = [long(0x000C, 560018150, "<"), zone]
    alone = inspect(tmp_path, placed("Canon", "<", b"", tags))
    assert (alone.device.camera_serial.value, alone.device.camera_serial.certainty) == ("560018150", "recorded")
    size = len(directory(tags, "<", 0))
    more = [text(0xA431, "613040000565"), CAPTURE]
    _, start = tiff("Canon", "<", b"\xaa" * size, more)
    both = inspect(tmp_path, tiff("Canon", "<", directory(tags, "<", start), more)[0])
    assert (both.device.camera_serial.value, both.device.camera_serial.conflicts) == ("613040000565", ())
    assert both.time.utc_offset.value == "+05:30"


def test_block_that_an_editor_moved_gives_no_wrong_text(tmp_path: Path) -> None:
    tags = [text(0x0229, "7012345")]
    moved = tiff("PENTAX", "<", b"AOC\0II" + directory(tags, "<", 9_000), [CAPTURE])[0]
    assert inspect(tmp_path, moved).device.camera_serial.value is None
    canon = [text(0x0096, "AB0123")]
    footer = b"II*\0" + struct.pack("<I", 5_000)
    found = inspect(tmp_path, tiff("Canon", "<", directory(canon, "<", 5_000) + footer, [CAPTURE])[0])
    assert found.device.internal_serial.value == "AB0123", "Canon's footer says for which place it was written"


@pytest.mark.parametrize("turned", ORDERS)
def test_block_of_dji_keeps_its_byte_order_where_the_structure_was_turned(tmp_path: Path, turned: str) -> None:
    values = {3: 0.5, 4: -1.25, 5: 0.0, 6: 1.5, 7: -138.7, 8: 2.0, 9: -89.9, 10: 45.0, 11: 0.0}
    tags = [text(1, "DJI"), *(Tag(number, FLOAT, 1, struct.pack("<f", value)) for number, value in values.items())]
    record = inspect(tmp_path, placed("DJI", turned, b"", tags, "<"))
    attitude = record.attitude
    assert (attitude.flight_yaw.value, attitude.gimbal_pitch.value) == pytest.approx((-138.7, -89.9), abs=1e-5)
    assert (attitude.speed_x.value, attitude.speed_y.value, attitude.speed_x.unit) == (0.5, -1.25, "m/s")


def test_block_of_apple_tells_how_the_picture_was_taken(tmp_path: Path) -> None:
    tags = [Tag(0x0A, SLONG, 1, struct.pack(">i", 3)), text(0x0B, "B-1"), Tag(0x14, SLONG, 1, struct.pack(">i", 2))]
    block = b"Apple iOS\0\0\x01MM" + directory(tags, ">", 14)
    mode = inspect(tmp_path, tiff("Apple", "<", block)[0]).exposure.capture_mode
    assert mode.value == "HDR image; portrait; burst"


@pytest.mark.parametrize("value", [b"\x01\x02\x03\x04\x05\x06", b"AB\nCD-1234", b"\xff" * 12])
def test_serial_that_is_no_line_of_text_is_left_out(tmp_path: Path, value: bytes) -> None:
    assert (
        inspect(tmp_path, placed("SIGMA", "<", b"SIGMA\0\0\0\x01\0", [text(2, value)])).device.camera_serial.value
        is None
    )


def test_block_of_an_unknown_maker_is_not_interpreted(tmp_path: Path) -> None:
    device = inspect(tmp_path, placed("Other", "<", b"OTHER\0", [Tag(0x0C, LONG, 1, b"\1\2\3\4")])).device
    assert (device.maker_note.value, device.camera_serial.value) == (None, None)


def test_raw_file_of_canon_is_read_from_its_four_structures(tmp_path: Path) -> None:
    path = tmp_path / "photo.cr3"
    path.write_bytes(canon_raw())
    record = inspect_file(path, path.name)
    assert (record.file.format, record.device.make.value) == ("CR3", "Canon")
    assert (record.device.camera_serial.value, record.device.internal_serial.value) == ("613040000565", "CG0156580")
