"""Pictures inside a picture's file: what is there, how long, and its digest; nothing here is decoded."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import BinaryIO, Final

from app.analysis.probes.tiff import TagKey, TagValue

MAX_DIGESTED = 64 * 1024 * 1024
_CHUNK: Final = 1 << 20
_OFFSET: Final = 0x0201
_LENGTH: Final = 0x0202
_STRIPS, _STRIP_SIZES, _WIDTH, _HEIGHT, _SUBFILE, _COMPRESSION = 0x0111, 0x0117, 0x0100, 0x0101, 0x00FE, 0x0103
_JPEGS: Final = {6, 7}
_MPF_ENTRIES: Final = 0xB002
_MAX_PICTURES: Final = 32
_FRAMES: Final = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}


@dataclass(frozen=True)
class Embedded:
    """One picture or recording inside the file; `offset` from the file's start, None inside a block read apart."""

    kind: str
    source: str
    size: int
    offset: int | None = None
    sha256: str | None = None
    media_type: str | None = None
    width: int | None = None
    height: int | None = None


def of_bytes(kind: str, source: str, data: bytes, offset: int | None = None) -> Embedded:
    """A picture whose bytes are at hand."""
    media_type, size = media_type_of(data[:16]), jpeg_size(data) or (None, None)
    return Embedded(kind, source, len(data), offset, hashlib.sha256(data).hexdigest(), media_type, *size)


def of_range(kind: str, source: str, stream: BinaryIO, offset: int, size: int) -> Embedded:
    """A picture in the file; without a digest where it is not all there, or more than is read."""
    stream.seek(offset)
    whole, left, head = hashlib.sha256(), size, b""
    while left and size <= MAX_DIGESTED:
        data = stream.read(min(_CHUNK, left))
        if not data:
            break
        head = head or data
        whole.update(data)
        left -= len(data)
    measured = jpeg_size(head) or (None, None)
    return Embedded(
        kind, source, size, offset, None if left else whole.hexdigest(), media_type_of(head[:16]), *measured
    )


def media_type_of(head: bytes) -> str | None:
    """By the first bytes; None for what is not known."""
    if head.startswith(b"\xff\xd8"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG"):
        return "image/png"
    if head[:4] in {b"II*\0", b"MM\0*"}:
        return "image/tiff"
    return "video/mp4" if head[4:8] == b"ftyp" else None


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height by the first frame header of a JPEG's beginning."""
    at = 2
    while data[:2] == b"\xff\xd8" and at + 9 <= len(data) and data[at] == 0xFF:  # noqa: PLR2004 (a marker)
        if data[at + 1] in _FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def exif_thumbnail(tags: dict[TagKey, TagValue], stream: BinaryIO) -> Embedded | None:
    """The JPEG thumbnail of IFD1 (EXIF 2.32 section 4.5.6); None when there is none, or not all of it."""
    offset, size = whole(tags, "IFD1", _OFFSET), whole(tags, "IFD1", _LENGTH)
    if not offset or not size or size > _CHUNK:
        return None
    stream.seek(offset)
    data = stream.read(size)
    return of_bytes("thumbnail", "exif IFD1", data) if len(data) == size else None


def tiff_previews(tags: dict[TagKey, TagValue], stream: BinaryIO) -> list[Embedded]:
    """JPEG previews of a TIFF or DNG: by JPEGInterchangeFormat, or as the one strip of a reduced image."""
    found = []
    for name in ("IFD0", "IFD1", "IFD2", "IFD3", *(f"SubIFD{index}" for index in range(8))):
        offset, size = whole(tags, name, _OFFSET), whole(tags, name, _LENGTH)
        if not (offset and size) and whole(tags, name, _SUBFILE) == 1 and whole(tags, name, _COMPRESSION) in _JPEGS:
            offset, size = whole(tags, name, _STRIPS, alone=True), whole(tags, name, _STRIP_SIZES, alone=True)
        if offset and size:
            found.append(of_range("preview", f"tiff {name}", stream, offset, size))
    return found


def whole(tags: dict[TagKey, TagValue], ifd: str, tag: int, *, alone: bool = False) -> int | None:
    """A whole number of a tag; with `alone`, only where it is the only one."""
    found = tags.get((ifd, tag))
    if found is None or not isinstance(found.value, tuple) or not found.value or (alone and len(found.value) > 1):
        return None
    return found.value[0] if isinstance(found.value[0], int) else None


def mpf_pictures(index: bytes, start: int, stream: BinaryIO, size: int) -> list[Embedded]:
    """The further pictures of a multi-picture file (CIPA DC-007 section 5).

    Args:
        index: the MPF segment from its byte order mark on.
        start: where that mark lies in the file; offsets count from it.
        stream: the file.
        size: of the file, bytes.
    """
    order = {b"II": "<", b"MM": ">"}.get(index[:2])
    if order is None or len(index) < 8:  # noqa: PLR2004 (the header's size)
        return []
    (directory,) = struct.unpack_from(order + "I", index, 4)
    entries = b""
    for at in range(directory + 2, min(len(index) - 11, directory + 2 + 12 * 20), 12):
        tag, _, count, place = struct.unpack_from(order + "HHII", index, at)
        if tag == _MPF_ENTRIES:
            entries = index[place : place + min(count, 16 * _MAX_PICTURES)]
    found = []
    for at in range(0, len(entries) - 15, 16):
        _, length, offset = struct.unpack_from(order + "III", entries, at)
        if offset and length and start + offset < size:  # the first picture's offset is 0: the file itself
            found.append(of_range("mpf", f"mpf image {at // 16 + 1}", stream, start + offset, length))
    return found
