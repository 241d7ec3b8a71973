"""Walk the marker segments of a JPEG file without decoding it (ITU-T T.81 annex B, EXIF 2.32, XMP part 3)."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from typing import BinaryIO

from app.analysis.probes.embedded import Embedded, mpf_pictures, of_bytes, of_range
from app.analysis.probes.gopro import read_gopro
from app.analysis.probes.icc import MAX_PROFILE
from app.analysis.probes.jpeg_trailer import ImageEnd, find_end, samsung_blocks
from app.analysis.probes.photoshop import read_resources
from app.analysis.probes.quantisation import Table, read_tables
from app.analysis.probes.readings import Remark, shown, unread, unreadable

MAX_SEGMENTS = 2_000
MAX_FLIR_BYTES = 8 * 1024 * 1024
EXIF_HEADER = b"Exif\0"
XMP_HEADER = b"http://ns.adobe.com/xap/1.0/\0"
XMP_EXTENSION_HEADER = b"http://ns.adobe.com/xmp/extension/\0"
FLIR_HEADER = b"FLIR\0"
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_STANDALONE = {0x01, *range(0xD0, 0xD9)}
_APP0, _APP1, _APP2, _APP4, _APP6, _APP7, _APP11, _APP13, _SCAN, _END, _COMMENT = (
    0xE0,
    0xE1,
    0xE2,
    0xE4,
    0xE6,
    0xE7,
    0xEB,
    0xED,
    0xDA,
    0xD9,
    0xFE,
)
_TABLES, _RESTART = 0xDB, 0xDD
_CODINGS = {
    0xC0: "baseline DCT", 0xC1: "extended sequential DCT", 0xC2: "progressive DCT", 0xC3: "lossless",
    0xC5: "differential sequential DCT", 0xC6: "differential progressive DCT", 0xC7: "differential lossless",
    0xC9: "extended sequential DCT, arithmetic", 0xCA: "progressive DCT, arithmetic", 0xCB: "lossless, arithmetic",
}  # fmt: skip
_APPLICATION = range(0xE0, 0xF0)
_IDENTIFIER = re.compile(rb"([A-Za-z][\x20-\x7e]{1,39})(?:\0|$)")
_PHOTOSHOP_HEADER = b"Photoshop 3.0\0"
_ICC_HEADER, _MPF_HEADER, _GOPRO_HEADER = b"ICC_PROFILE\0", b"MPF\0", b"GoPro\0"
_DJI_DEBUG = re.compile(rb"DJI-DBG\0\[sensor_id:([\x21-\x7e]{4,40})\0*\]")
_DJI_THERMAL = b"iirp"  # of APP4, from its fifth byte on: temperatures in APP3 and APP5, no device, time or place
_THERMAL_SEGMENTS = {"APP3", "APP4", "APP5", "APP7 PADDING", "APP8 PADDING"}
_MAX_PHOTOSHOP = 16 * 1024 * 1024
# Density, colour profiles, picture indices, gain maps, colour transforms: nothing of device, time or place.
_PICTURE_ONLY = (
    (0xE0, b""),
    (0xE2, b"ICC_PROFILE\0"),
    (0xE2, b"MPF\0"),
    (0xE2, b"urn:iso:std:iso:ts:21496"),
    (0xEC, b"Ducky"),
    (0xEE, b"Adobe"),
)
_EXTENSION_PREFIX = len(XMP_EXTENSION_HEADER) + 40  # GUID (32), full length (4), offset (4)
_TAIL = 64 * 1024
_MIN_FRAME = 6


@dataclass
class JpegParts:
    """What the segments hold.

    Attributes:
        exif: TIFF structures of the Exif segments, in order; several exist in malformed or edited files.
        xmp: XMP packets; the extended packet, put together, comes last.
        flir: body of the FLIR segments put together, empty when there are none.
        width, height: of the first frame header, pixels.
        scanned: whether image data begin at all.
        unread: names of the metadata segments that no reader here takes.
        sampling: horizontal by vertical factors of the components, "2x2,1x1,1x1".
        embedded: further pictures of the file.
        trailing: bytes behind the end marker; None when there is no such marker.
        samsung: small blocks of a Samsung trailer, by name.
    """

    exif: list[bytes] = field(default_factory=list)
    xmp: list[bytes] = field(default_factory=list)
    flir: bytes = b""
    width: int | None = None
    height: int | None = None
    progressive: bool = False
    scanned: bool = False
    comment: bytes | None = None
    unread: list[str] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    coding: str | None = None
    bits: int | None = None
    components: int | None = None
    sampling: str | None = None
    restart_interval: int | None = None
    scans: int | None = None
    tables: list[Table] = field(default_factory=list)
    icc: bytes = b""
    iptc: list[bytes] = field(default_factory=list)
    gopro: dict[str, str] = field(default_factory=dict)
    dji_sensor: str | None = None
    samsung: dict[str, bytes] = field(default_factory=dict)
    embedded: list[Embedded] = field(default_factory=list)
    trailing: int | None = None


@dataclass
class _Pieces:
    """What comes in pieces, until it is put together."""

    extension: dict[int, bytes] = field(default_factory=dict)
    flir: dict[int, bytes] = field(default_factory=dict)
    icc: dict[int, bytes] = field(default_factory=dict)
    photoshop: bytes = b""
    thermal: bool = False
    mpf: tuple[bytes, int] | None = None


def walk_jpeg(stream: BinaryIO, size: int, *, segments_only: bool = False) -> JpegParts:
    """Read the segments up to the image data, find the end of these, and what the file holds beside them.

    Args:
        stream: positioned anywhere, seekable.
        size: length of the file in bytes.
        segments_only: whether the image data and what lies behind them are left alone.
    """
    parts = JpegParts()
    pieces, end = _Pieces(), ImageEnd(None, 0)
    stream.seek(2)
    for _ in range(MAX_SEGMENTS):
        marker = _next_marker(stream)
        if marker is None:
            break
        if marker in _STANDALONE:
            continue
        if marker == _END:
            break
        if marker == _SCAN:
            parts.scanned = True
            end = end if segments_only else find_end(stream)
            break
        length = int.from_bytes(stream.read(2), "big")
        body = stream.read(max(0, length - 2))
        if marker == _APP2 and body.startswith(_MPF_HEADER) and pieces.mpf is None:
            pieces.mpf = (body[len(_MPF_HEADER) :], stream.tell() - len(body) + len(_MPF_HEADER))
        _take(parts, marker, body, pieces)
        if len(body) < length - 2:
            break
    else:
        parts.remarks.append(Remark("structure_too_large", "the JPEG holds more segments than are read"))
    _put_together(parts, pieces)
    if segments_only:
        return parts
    _find_pictures(parts, pieces, stream, size, end)
    if parts.unread:
        parts.remarks.append(unread(*dict.fromkeys(parts.unread)))
    _look_at_the_end(parts, stream, size)
    return parts


def _put_together(parts: JpegParts, pieces: _Pieces) -> None:
    parts.flir = b"".join(pieces.flir[index] for index in sorted(pieces.flir))
    parts.icc = b"".join(pieces.icc[index] for index in sorted(pieces.icc))
    if pieces.extension:
        parts.xmp.append(b"".join(pieces.extension[offset] for offset in sorted(pieces.extension)))
    if pieces.thermal:
        parts.unread = [name for name in parts.unread if name not in _THERMAL_SEGMENTS]
    if not pieces.photoshop:
        return
    resources = read_resources(pieces.photoshop)
    parts.unread += [f"{name} (APP13)" for name in resources.unread]
    parts.iptc += resources.iptc
    parts.exif += [block.removeprefix(b"Exif\0\0") for block in resources.exif]
    parts.xmp += resources.xmp
    if resources.thumbnail:
        parts.embedded.append(of_bytes("photoshop thumbnail", "photoshop 0x040C", resources.thumbnail))


def _find_pictures(parts: JpegParts, pieces: _Pieces, stream: BinaryIO, size: int, end: ImageEnd) -> None:
    if pieces.mpf is not None:
        parts.embedded += mpf_pictures(*pieces.mpf, stream, size)
    if parts.scanned:
        parts.scans = end.scans
        _look_behind(parts, stream, size, end.at)


def _look_behind(parts: JpegParts, stream: BinaryIO, size: int, end: int | None) -> None:
    """What follows the end marker: pictures of an index, a maker's trailer, a recording, or something else."""
    if end is None:
        return
    parts.trailing = size - end
    if not parts.trailing:
        return
    parts.samsung = samsung_blocks(stream, size)
    stream.seek(end)
    head = stream.read(_TAIL)
    start = head.find(b"ftyp") - 4
    if start >= 0 and head[start : start + 3] == b"\0\0\0":
        parts.embedded.append(
            of_range("motion photo", "bytes behind the picture", stream, end + start, size - end - start)
        )
    elif (
        head.strip(b"\0")
        and not parts.samsung
        and not any(picture.offset is not None and picture.offset >= end for picture in parts.embedded)
    ):
        parts.embedded.append(of_range("trailer", "bytes behind the picture", stream, end, parts.trailing))
        parts.remarks.append(Remark("trailing_data", f"{parts.trailing} bytes follow the end of the JPEG"))


def _next_marker(stream: BinaryIO) -> int | None:
    """The next marker code; fill bytes and stray bytes before it are skipped."""
    skipped = 0
    byte = stream.read(1)
    while byte and skipped < _TAIL:
        if byte == b"\xff":
            while byte == b"\xff":
                byte = stream.read(1)
            if byte and byte != b"\0":
                return byte[0]
        byte = stream.read(1)
        skipped += 1
    return None


def _take(parts: JpegParts, marker: int, body: bytes, pieces: _Pieces) -> None:
    if marker not in _APPLICATION:
        _take_structure(parts, marker, body)
    elif marker == _APP1:
        _take_app1(parts, body, pieces)
    elif marker == _APP2 and body.startswith(_ICC_HEADER):
        if sum(map(len, pieces.icc.values())) < MAX_PROFILE:
            pieces.icc.setdefault(int.from_bytes(body[12:13], "big"), body[14:])
    elif marker == _APP6 and body.startswith(_GOPRO_HEADER):
        parts.gopro |= read_gopro(body[len(_GOPRO_HEADER) :])
    elif marker == _APP13 and body.startswith(_PHOTOSHOP_HEADER):
        if len(pieces.photoshop) < _MAX_PHOTOSHOP:
            pieces.photoshop += body[len(_PHOTOSHOP_HEADER) :]
        else:
            parts.remarks.append(unreadable("Photoshop resources are longer than what is read"))
    elif marker == _APP7 and (sensor := _DJI_DEBUG.match(body)):
        parts.dji_sensor = sensor[1].decode("ascii")
    else:
        pieces.thermal = pieces.thermal or (marker == _APP4 and body[4:8] == _DJI_THERMAL)
        parts.unread += _unread_names(marker, body)


def _take_structure(parts: JpegParts, marker: int, body: bytes) -> None:
    if marker in _FRAMES and parts.width is None and len(body) >= _MIN_FRAME:
        _take_frame(parts, marker, body)
    elif marker == _TABLES:
        parts.tables = _merged(parts.tables, read_tables(body))
    elif marker == _RESTART and len(body) >= 2:  # noqa: PLR2004 (a number of 16 bits)
        parts.restart_interval = int.from_bytes(body[:2], "big")
    elif marker == _COMMENT and parts.comment is None:
        parts.comment = body


def _take_app1(parts: JpegParts, body: bytes, pieces: _Pieces) -> None:
    if body.startswith(EXIF_HEADER):
        parts.exif.append(body[6:])
    elif body.startswith(XMP_HEADER):
        parts.xmp.append(body[len(XMP_HEADER) :])
    elif body.startswith(XMP_EXTENSION_HEADER) and len(body) > _EXTENSION_PREFIX:
        offset = int.from_bytes(body[_EXTENSION_PREFIX - 4 : _EXTENSION_PREFIX], "big")
        pieces.extension[offset] = body[_EXTENSION_PREFIX:]
    elif body.startswith(FLIR_HEADER):
        if sum(map(len, pieces.flir.values())) < MAX_FLIR_BYTES:
            pieces.flir[int.from_bytes(body[6:7], "big")] = body[8:]
    else:
        parts.unread += _unread_names(_APP1, body)


def _take_frame(parts: JpegParts, marker: int, body: bytes) -> None:
    parts.bits = body[0]
    parts.height, parts.width, parts.components = struct.unpack_from(">HHB", body, 1)
    parts.progressive = marker in {0xC2, 0xC6, 0xCA, 0xCE}
    parts.coding = _CODINGS.get(marker)
    factors = body[7 : 6 + 3 * body[5] : 3]
    parts.sampling = ",".join(f"{factor >> 4}x{factor & 15}" for factor in factors) or None


def _merged(known: list[Table], found: list[Table]) -> list[Table]:
    """A table that is defined again replaces the one before."""
    return list({table.id: table for table in (*known, *found)}.values())


def _unread_names(marker: int, body: bytes) -> list[str]:
    """What a segment that is not read holds, by its identifier."""
    if any(marker == known and body.startswith(header) for known, header in _PICTURE_ONLY):
        return []
    number = marker - _APP0
    if marker == _APP11 and b"jumb" in body[:32]:
        return [f"C2PA/JUMBF (APP{number})"]
    identifier = _IDENTIFIER.match(body)
    return [f"APP{number} {shown(identifier[1])}" if identifier else f"APP{number}"]


def _look_at_the_end(parts: JpegParts, stream: BinaryIO, size: int) -> None:
    """Is the end-of-image marker there."""
    stream.seek(max(0, size - _TAIL))
    tail = stream.read(_TAIL)
    if not parts.scanned:
        parts.remarks.append(Remark("image_data_missing", "the JPEG holds no image data"))
    elif b"\xff\xd9" not in tail and not tail.rstrip(b"\0").endswith(b"\xff"):
        parts.remarks.append(
            Remark("truncated", "the JPEG has no end marker; consistent with a file that was cut off while copied")
        )
