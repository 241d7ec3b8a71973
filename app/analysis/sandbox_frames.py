"""The answer of a confined parser as bytes: a length-framed JSON header and a raw body.

The child may be in an attacker's hands, so its answer is never unpickled: the parent reads two
lengths, refuses what is over its cap, and parses JSON.

Layout: 4 bytes magic `CTN1`, uint32 header length, uint64 body length (big endian), header, body. A long answer sends
parts before it, laid out the same with the magic `CTNP` and small: they are handed on as they come, and none is kept.
Before all that stands the one byte `!`: the child has taken its confinement on, and has not looked at the file before.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass

MAGIC = b"CTN1"
PREFIX = struct.Struct(">4sIQ")
PART_MAGIC = b"CTNP"
CONFINED = b"!"
MAX_HEADER = 12 * 1024 * 1024
MAX_PART_HEADER, MAX_PART_BODY = 4096, 1024 * 1024


@dataclass(frozen=True)
class Frame:
    """One answer: `header` is a JSON object, `body` raw bytes."""

    header: dict[str, object]
    body: bytes


def encode_frame(header: dict[str, object], body: bytes) -> bytes:
    """The bytes of one answer; NaN and infinity are refused with ValueError."""
    return _encoded(MAGIC, header, body)


def encode_part(header: dict[str, object], body: bytes) -> bytes:
    """The bytes of one part of a long answer; ValueError when it is larger than a part may be."""
    part = _encoded(PART_MAGIC, header, body)
    if len(body) > MAX_PART_BODY or len(part) - len(body) - PREFIX.size > MAX_PART_HEADER:
        raise ValueError("too large for one part")
    return part


def _encoded(magic: bytes, header: dict[str, object], body: bytes) -> bytes:
    text = json.dumps(header, allow_nan=False).encode("ascii")
    return PREFIX.pack(magic, len(text), len(body)) + text + body


def take_part(data: bytearray) -> Frame | None:
    """Take the first part off the front of what has come; None when it is not whole yet, or is no part.

    Raises:
        ValueError: what has come is neither a part nor the beginning of an answer.
    """
    if len(data) < PREFIX.size or data[:4] == MAGIC:
        return None
    magic, header_length, body_length = PREFIX.unpack_from(data)
    if magic != PART_MAGIC or header_length > MAX_PART_HEADER or body_length > MAX_PART_BODY:
        raise ValueError("no part of an answer")
    end = PREFIX.size + header_length + body_length
    if len(data) < end:
        return None
    header = _header(bytes(data[PREFIX.size : PREFIX.size + header_length]))
    if header is None:
        raise ValueError("the header of a part cannot be read")
    body = bytes(data[PREFIX.size + header_length : end])
    del data[:end]
    return Frame(header, body)


def decode_frame(data: bytes) -> Frame | None:
    """Read one answer; None when it is cut off or not a frame."""
    if len(data) < PREFIX.size:
        return None
    magic, header_length, body_length = PREFIX.unpack_from(data)
    if magic != MAGIC or header_length > MAX_HEADER or len(data) != PREFIX.size + header_length + body_length:
        return None
    header = _header(data[PREFIX.size : PREFIX.size + header_length])
    return None if header is None else Frame(header, data[PREFIX.size + header_length :])


def _header(text: bytes) -> dict[str, object] | None:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return header if isinstance(header, dict) else None
