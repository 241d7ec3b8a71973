"""The answer of a confined parser as bytes: a length-framed JSON header and a raw body.

The child may be in an attacker's hands, so its answer is never unpickled: the parent reads two
lengths, refuses what is over its cap, and parses JSON.

Layout: 4 bytes magic `CTN1`, uint32 header length, uint64 body length (big endian), header, body.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass

MAGIC = b"CTN1"
PREFIX = struct.Struct(">4sIQ")
MAX_HEADER = 12 * 1024 * 1024


@dataclass(frozen=True)
class Frame:
    """One answer: `header` is a JSON object, `body` raw bytes."""

    header: dict[str, object]
    body: bytes


def encode_frame(header: dict[str, object], body: bytes) -> bytes:
    """The bytes of one answer; NaN and infinity are refused with ValueError."""
    text = json.dumps(header, allow_nan=False).encode("ascii")
    return PREFIX.pack(MAGIC, len(text), len(body)) + text + body


def decode_frame(data: bytes) -> Frame | None:
    """Read one answer; None when it is cut off or not a frame."""
    if len(data) < PREFIX.size:
        return None
    magic, header_length, body_length = PREFIX.unpack_from(data)
    if magic != MAGIC or header_length > MAX_HEADER or len(data) != PREFIX.size + header_length + body_length:
        return None
    try:
        header = json.loads(data[PREFIX.size : PREFIX.size + header_length])
    except (ValueError, RecursionError):
        return None
    if not isinstance(header, dict):
        return None
    return Frame(header, data[PREFIX.size + header_length :])
