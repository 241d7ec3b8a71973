"""Walk the marker segments of a JPEG file without decoding it (ITU-T T.81 annex B, EXIF 2.32, XMP part 3)."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from typing import BinaryIO

from app.analysis.probes.photoshop import unread_resources
from app.analysis.probes.readings import Remark, shown, unread

MAX_SEGMENTS = 2_000
MAX_FLIR_BYTES = 8 * 1024 * 1024
EXIF_HEADER = b"Exif\0"
XMP_HEADER = b"http://ns.adobe.com/xap/1.0/\0"
XMP_EXTENSION_HEADER = b"http://ns.adobe.com/xmp/extension/\0"
FLIR_HEADER = b"FLIR\0"
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_STANDALONE = {0x01, *range(0xD0, 0xD9)}
_APP0, _APP1, _APP11, _APP13, _SCAN, _END, _COMMENT = 0xE0, 0xE1, 0xEB, 0xED, 0xDA, 0xD9, 0xFE
_APPLICATION = range(0xE0, 0xF0)
_IDENTIFIER = re.compile(rb"([A-Za-z][\x20-\x7e]{1,39})(?:\0|$)")
_PHOTOSHOP_HEADER = b"Photoshop 3.0\0"
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


def walk_jpeg(stream: BinaryIO, size: int) -> JpegParts:
    """Read the segments up to the image data.

    Args:
        stream: positioned anywhere, seekable.
        size: length of the file in bytes.
    """
    parts = JpegParts()
    extension: dict[int, bytes] = {}
    flir: dict[int, bytes] = {}
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
            break
        length = int.from_bytes(stream.read(2), "big")
        body = stream.read(max(0, length - 2))
        _take(parts, marker, body, extension, flir)
        if len(body) < length - 2:
            break
    else:
        parts.remarks.append(Remark("structure_too_large", "the JPEG holds more segments than are read"))
    parts.flir = b"".join(flir[index] for index in sorted(flir))
    if extension:
        parts.xmp.append(b"".join(extension[offset] for offset in sorted(extension)))
    if parts.unread:
        parts.remarks.append(unread(*dict.fromkeys(parts.unread)))
    _look_at_the_end(parts, stream, size)
    return parts


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


def _take(parts: JpegParts, marker: int, body: bytes, extension: dict[int, bytes], flir: dict[int, bytes]) -> None:
    if marker in _FRAMES and parts.width is None and len(body) >= _MIN_FRAME:
        parts.height, parts.width = struct.unpack_from(">HH", body, 1)
        parts.progressive = marker in {0xC2, 0xC6, 0xCA, 0xCE}
    elif marker == _COMMENT and parts.comment is None:
        parts.comment = body
    elif marker == _APP1 and body.startswith(EXIF_HEADER):
        parts.exif.append(body[6:])
    elif marker == _APP1 and body.startswith(XMP_HEADER):
        parts.xmp.append(body[len(XMP_HEADER) :])
    elif marker == _APP1 and body.startswith(XMP_EXTENSION_HEADER) and len(body) > _EXTENSION_PREFIX:
        extension[int.from_bytes(body[_EXTENSION_PREFIX - 4 : _EXTENSION_PREFIX], "big")] = body[_EXTENSION_PREFIX:]
    elif marker == _APP1 and body.startswith(FLIR_HEADER) and sum(map(len, flir.values())) < MAX_FLIR_BYTES:
        flir[int.from_bytes(body[6:7], "big")] = body[8:]
    elif marker in _APPLICATION:
        parts.unread += _unread_names(marker, body)


def _unread_names(marker: int, body: bytes) -> list[str]:
    """What a segment that is not read holds, by its identifier."""
    if any(marker == known and body.startswith(header) for known, header in _PICTURE_ONLY):
        return []
    number = marker - _APP0
    if marker == _APP11 and b"jumb" in body[:32]:
        return [f"C2PA/JUMBF (APP{number})"]
    if marker == _APP13 and body.startswith(_PHOTOSHOP_HEADER):
        return [f"{name} (APP{number})" for name in unread_resources(body[len(_PHOTOSHOP_HEADER) :])]
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
