"""PNG chunks and RIFF chunks of WebP, without decoding a pixel (PNG 3rd edition, WebP container RFC 9649)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import BinaryIO

from app.analysis.probes.icc import MAX_PROFILE
from app.analysis.probes.photoshop import read_resources
from app.analysis.probes.readings import Remark, unread, unreadable

MAX_CHUNKS = 20_000
MAX_BODY = 16 * 1024 * 1024
_XMP_KEYWORD = b"XML:com.adobe.xmp"
_RAW_EXIF_KEYWORDS = (b"Raw profile type exif", b"Raw profile type APP1")
_UNREAD_PNG = {b"caBX": "C2PA/JUMBF (caBX)"}
_READ_PNG = {b"IHDR", b"eXIf", b"iTXt", b"tEXt", b"zTXt", b"tIME", b"iCCP"}
_RAW_IPTC_KEYWORD = b"raw profile type iptc"
_PNG_COLOURS = {0: ("greyscale", 1), 2: ("RGB", 3), 3: ("palette", 1), 4: ("greyscale with alpha", 2), 6: ("RGBA", 4)}
_RAW_XMP_KEYWORD = b"Raw profile type xmp"


@dataclass
class ChunkParts:
    """What the chunks hold; width and height are those of the canvas, in pixels.

    Attributes:
        changed: PNG `tIME` as "2014-09-16T14:05:12", which the standard calls UTC.
        coding: of WebP "lossy" or "lossless", of PNG "deflate".
        trailing: bytes behind the end; None when the end is not there.
    """

    exif: list[bytes] = field(default_factory=list)
    xmp: list[bytes] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    width: int | None = None
    height: int | None = None
    unread: list[str] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    changed: str | None = None
    icc: bytes = b""
    iptc: list[bytes] = field(default_factory=list)
    bits: int | None = None
    components: int | None = None
    color_space: str | None = None
    coding: str | None = None
    trailing: int | None = None


def walk_png(stream: BinaryIO, size: int) -> ChunkParts:
    """Read header, `eXIf`, text and the end of a PNG."""
    parts = ChunkParts()
    at, ended = 8, False
    for _ in range(MAX_CHUNKS):
        stream.seek(at)
        head = stream.read(8)
        if len(head) < 8:  # noqa: PLR2004 (length and type)
            break
        length, name = int.from_bytes(head[:4], "big"), head[4:]
        if name in _UNREAD_PNG:
            parts.unread.append(_UNREAD_PNG[name])
        if name in _READ_PNG:
            if length <= MAX_BODY:
                _take_png(parts, name, stream.read(length))
            else:
                parts.remarks.append(_too_long(name, length))
        if name == b"IEND":
            ended = True
            parts.trailing = max(0, size - at - 12 - length)
            if size > at + 12 + length:
                extra = size - at - 12 - length
                parts.remarks.append(Remark("trailing_data", f"{extra} bytes follow the end of the PNG"))
            break
        at += 12 + length
    if parts.unread:
        parts.remarks.append(unread(*dict.fromkeys(parts.unread)))
    if not ended:
        parts.remarks.append(
            Remark("truncated", "the PNG has no end chunk; consistent with a file that was cut off while copied")
        )
    return parts


def _too_long(name: bytes, length: int) -> Remark:
    return unreadable(f"chunk {name.decode('ascii')} claims {length} bytes, more than are read")


def _take_png(parts: ChunkParts, name: bytes, body: bytes) -> None:
    if name == b"IHDR":
        parts.width, parts.height = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")
        parts.bits, parts.coding = body[8] if len(body) > 8 else None, "deflate"  # noqa: PLR2004 (the depth)
        parts.color_space, parts.components = _PNG_COLOURS.get(body[9] if len(body) > 9 else -1, (None, None))  # noqa: PLR2004 (the colour type)
    elif name == b"eXIf":
        parts.exif.append(body.removeprefix(b"Exif\0\0"))
    elif name == b"tIME":
        parts.changed = _changed(body)
    elif name == b"iCCP":
        parts.icc = _inflate(body.partition(b"\0")[2][1:], MAX_PROFILE)
    else:
        keyword, _, rest = body.partition(b"\0")
        _take_text(parts, keyword, _text_of(name, rest))


def _changed(body: bytes) -> str | None:
    if len(body) != 7:  # noqa: PLR2004 (year, month, day, hour, minute, second)
        return None
    month, day, hour, minute, second = body[2:]
    return f"{int.from_bytes(body[:2], 'big'):04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}"


def _text_of(name: bytes, rest: bytes) -> bytes:
    """Body of a text chunk; compressed ones only up to MAX_BODY."""
    if name == b"tEXt":
        return rest
    if name == b"zTXt":
        return _inflate(rest[1:])
    compressed = rest[:1] == b"\1"
    _, _, after_language = rest[2:].partition(b"\0")
    _, _, text = after_language.partition(b"\0")
    return _inflate(text) if compressed else text


def _inflate(data: bytes, most: int = MAX_BODY) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, most)
    except zlib.error:
        return b""


def _take_text(parts: ChunkParts, keyword: bytes, text: bytes) -> None:
    if keyword == _XMP_KEYWORD:
        parts.xmp.append(text)
    elif keyword == _RAW_XMP_KEYWORD:
        parts.xmp.append(_raw_profile(text))
    elif keyword in _RAW_EXIF_KEYWORDS:
        parts.exif.append(_raw_profile(text).removeprefix(b"Exif\0\0"))
    elif keyword.lower() == _RAW_IPTC_KEYWORD:
        profile = _raw_profile(text)
        parts.iptc += read_resources(profile).iptc if profile.startswith(b"8BIM") else [profile]
    else:
        parts.texts.setdefault(keyword.decode("latin-1"), _text(text[:2000]))


def _text(data: bytes) -> str:
    """UTF-8, as iTXt has it, else Latin-1, as tEXt has it."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _raw_profile(text: bytes) -> bytes:
    """ImageMagick's form: name, length, then hexadecimal digits."""
    lines = text.strip().split(b"\n")
    try:
        return bytes.fromhex(b"".join(lines[2:]).decode("ascii"))
    except ValueError:
        return b""


_READ_WEBP = {b"EXIF", b"XMP ", b"ICCP"}


def walk_webp(stream: BinaryIO, size: int) -> ChunkParts:
    """Read size, `EXIF` and `XMP ` of a WebP."""
    parts = ChunkParts()
    stream.seek(4)
    end = int.from_bytes(stream.read(4), "little") + 8
    at = 12
    for _ in range(MAX_CHUNKS):
        stream.seek(at)
        head = stream.read(8)
        if len(head) < 8 or at >= min(end, size):  # noqa: PLR2004 (name and length)
            break
        name, length = head[:4], int.from_bytes(head[4:], "little")
        if name == b"C2PA":
            parts.remarks.append(unread("C2PA/JUMBF (C2PA chunk)"))
        if name in _READ_WEBP and length > MAX_BODY:
            parts.remarks.append(_too_long(name, length))
        elif length <= MAX_BODY:
            _take_webp(parts, name, stream.read(length if name in _READ_WEBP else min(length, 16)))
        at += 8 + length + (length & 1)
    parts.trailing = size - end if size >= end else None
    if size < end:
        parts.remarks.append(
            Remark("truncated", "the WebP is shorter than it says; consistent with a file cut off while copied")
        )
    elif size > end:
        parts.remarks.append(Remark("trailing_data", f"{size - end} bytes follow the end of the WebP"))
    return parts


def _take_webp(parts: ChunkParts, name: bytes, body: bytes) -> None:
    if name == b"EXIF":
        parts.exif.append(body.removeprefix(b"Exif\0\0"))
    elif name == b"XMP ":
        parts.xmp.append(body)
    elif name == b"ICCP":
        parts.icc = body[:MAX_PROFILE]
    elif name == b"VP8X" and len(body) >= 10:  # noqa: PLR2004 (RFC 9649 2.7)
        parts.width = int.from_bytes(body[4:7], "little") + 1
        parts.height = int.from_bytes(body[7:10], "little") + 1
    elif name in {b"VP8 ", b"VP8L"}:
        parts.coding = parts.coding or ("lossy" if name == b"VP8 " else "lossless")
        _take_bitstream(parts, name, body)


def _take_bitstream(parts: ChunkParts, name: bytes, body: bytes) -> None:
    """Size by the picture's own header, where no extended header stands before it."""
    if name == b"VP8 " and parts.width is None and body[3:6] == b"\x9d\x01\x2a":
        parts.width = int.from_bytes(body[6:8], "little") & 0x3FFF
        parts.height = int.from_bytes(body[8:10], "little") & 0x3FFF
    elif name == b"VP8L" and parts.width is None and body[:1] == b"\x2f":
        bits = int.from_bytes(body[1:5], "little")
        parts.width, parts.height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
