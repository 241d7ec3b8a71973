"""Boxes, elements, chunks and packets put together by hand, so that a test knows every byte."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

MATRIX = {
    0: (1, 0, 0, 1),
    90: (0, 1, -1, 0),
    180: (-1, 0, 0, -1),
    270: (0, -1, 1, 0),
}


def box(name: bytes, *parts: bytes, large: bool = False) -> bytes:
    body = b"".join(parts)
    if large:
        return struct.pack(">I4sQ", 1, name, len(body) + 16) + body
    return struct.pack(">I4s", len(body) + 8, name) + body


def since_1904(text: str) -> int:
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return round((moment - datetime(1904, 1, 1, tzinfo=UTC)).total_seconds())


def _times(version: int, created: int, modified: int) -> bytes:
    return struct.pack(">QQ" if version else ">II", created, modified)


def mvhd(created: int = 0, modified: int = 0, *, version: int = 0, scale: int = 1000, duration: int = 60_000) -> bytes:
    lasting = struct.pack(">IQ" if version else ">II", scale, duration)
    return box(b"mvhd", bytes([version, 0, 0, 0]), _times(version, created, modified), lasting, bytes(80))


def tkhd(number: int, created: int = 0, modified: int = 0, *, turn: int = 0, version: int = 0) -> bytes:
    a, b, c, d = (part * 65536 for part in MATRIX[turn])
    lasting = struct.pack(">IIQ" if version else ">III", number, 0, 60_000)
    matrix = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    times = _times(version, created, modified)
    return box(b"tkhd", bytes([version, 0, 0, 7]), times, lasting, bytes(16), matrix, struct.pack(">II", 0, 0))


def mdhd(created: int = 0, modified: int = 0, *, scale: int = 30_000, duration: int = 1_800_000) -> bytes:
    return box(b"mdhd", bytes(4), _times(0, created, modified), struct.pack(">IIHH", scale, duration, 0x55C4, 0))


def hdlr(kind: bytes, name: str) -> bytes:
    return box(b"hdlr", bytes(8), kind, bytes(12), name.encode() + b"\0")


def stsd(entry: bytes, body: bytes = bytes(8)) -> bytes:
    return box(b"stsd", bytes(4), struct.pack(">I", 1), box(entry, body))


def elst(*entries: tuple[int, int]) -> bytes:
    rows = b"".join(struct.pack(">Iihh", duration, start, 1, 0) for duration, start in entries)
    return box(b"edts", box(b"elst", bytes(4), struct.pack(">I", len(entries)), rows))


def track(head: bytes, media: bytes, handler: bytes, table: bytes, edits: bytes = b"") -> bytes:
    return box(b"trak", head, edits, box(b"mdia", media, handler, box(b"minf", box(b"stbl", table))))


def ftyp(major: bytes = b"mp42", version: int = 1, *brands: bytes) -> bytes:
    return box(b"ftyp", major, struct.pack(">I", version), *(brands or (b"mp42", b"isom")))


def keys_and_values(values: dict[str, tuple[int, bytes]]) -> bytes:
    """A QuickTime metadata box: type code and bytes by key."""
    names = b"".join(struct.pack(">I4s", len(key) + 8, b"mdta") + key.encode() for key in values)
    items = b"".join(
        box(struct.pack(">I", number), box(b"data", struct.pack(">II", kind, 0), value))
        for number, (kind, value) in enumerate(values.values(), 1)
    )
    keys = box(b"keys", bytes(4), struct.pack(">I", len(values)), names)
    return box(b"meta", box(b"hdlr", bytes(8), b"mdta", bytes(12)), keys, box(b"ilst", items))


def text(value: str, language: int = 0x15C7) -> bytes:
    """A QuickTime international text."""
    return struct.pack(">HH", len(value.encode()), language) + value.encode()


def element(code: int, *parts: bytes, unknown: bool = False) -> bytes:
    """An EBML element."""
    body = b"".join(parts)
    name = code.to_bytes((code.bit_length() + 7) // 8, "big")
    return name + (b"\x01" + b"\xff" * 7 if unknown else (len(body) | 1 << 56).to_bytes(8, "big")) + body


def chunk(name: bytes, *parts: bytes) -> bytes:
    """A RIFF chunk."""
    body = b"".join(parts)
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def packet(pid: int, payload: bytes, *, start: bool = True) -> bytes:
    """A transport packet, filled with stuffing in its adaptation field."""
    room = 184 - len(payload)
    fill = b"" if room == 0 else bytes([room - 1]) + (b"" if room == 1 else b"\0" + b"\xff" * (room - 2))
    return bytes([0x47, (0x40 if start else 0) | pid >> 8, pid & 0xFF, 0x30 if room else 0x10]) + fill + payload


def section(table: int, number: int, body: bytes) -> bytes:
    """A section of a table with its pointer; nobody here asks for its checksum."""
    return b"\0" + bytes([table]) + struct.pack(">HHBBB", 0xB000 | len(body) + 9, number, 0xC1, 0, 0) + body + bytes(4)


def pes(pts: int, body: bytes = b"") -> bytes:
    """A packet of an elementary stream with a presentation time of so many ticks."""
    parts = (0x21 | pts >> 29 & 0x0E, pts >> 22 & 0xFF, 1 | pts >> 14 & 0xFE, pts >> 7 & 0xFF, 1 | pts << 1 & 0xFE)
    stamp = bytes(parts)
    return b"\0\0\1\xe0\0\0\x80\x80\x05" + stamp + body
