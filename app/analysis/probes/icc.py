"""ICC profiles: the header and the description (ISO 15076-1:2010 section 7 and 10.2)."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from datetime import datetime
from typing import Final

MAX_PROFILE = 4 * 1024 * 1024
_HEADER: Final = 128
_MAX_TAGS: Final = 100
_CLASSES: Final = {
    "scnr": "input device",
    "mntr": "display device",
    "prtr": "output device",
    "link": "device link",
    "spac": "colour space",
    "abst": "abstract",
    "nmcl": "named colour",
}


@dataclass(frozen=True)
class IccProfile:
    """Facts of a profile; texts are None where the header leaves them blank.

    Attributes:
        created: "2014-09-16T14:05:12" as the header says (ISO 15076-1 calls it UTC).
        sha256: of the whole profile.
    """

    sha256: str
    size: int
    version: str | None
    device_class: str | None
    color_space: str | None
    created: str | None
    manufacturer: str | None
    description: str | None


def read_icc(body: bytes) -> IccProfile | None:
    """Read a profile; None when it has no whole header."""
    if len(body) < _HEADER or body[36:40] != b"acsp":
        return None
    kind = _signature(body[12:16])
    return IccProfile(
        sha256=hashlib.sha256(body).hexdigest(),
        size=len(body),
        version=f"{body[8]}.{body[9] >> 4}.{body[9] & 15}",
        device_class=_CLASSES.get(kind or "", kind),
        color_space=_signature(body[16:20]),
        created=_created(body[24:36]),
        manufacturer=_signature(body[48:52]),
        description=_description(body),
    )


def _signature(data: bytes) -> str | None:
    text = data.decode("latin-1").strip(" \0")
    return text if text and text.isascii() and text.isprintable() else None


def _created(data: bytes) -> str | None:
    try:
        return datetime(*struct.unpack(">6H", data)).isoformat()  # noqa: DTZ001 (no zone)
    except ValueError:
        return None


def _description(body: bytes) -> str | None:
    count = min(int.from_bytes(body[_HEADER : _HEADER + 4], "big"), _MAX_TAGS)
    for index in range(count):
        entry = body[_HEADER + 4 + 12 * index : _HEADER + 16 + 12 * index]
        if entry[:4] == b"desc":
            start, size = struct.unpack(">II", entry[4:]) if len(entry) == 12 else (0, 0)  # noqa: PLR2004 (an entry)
            return _text(body[start : start + min(size, 4096)])
    return None


def _text(tag: bytes) -> str | None:
    """`desc` of version 2: ASCII; `mluc` of version 4: the first record, UTF-16."""
    if tag[:4] == b"desc":
        length = int.from_bytes(tag[8:12], "big")
        text = tag[12 : 12 + length].split(b"\0", 1)[0].decode("latin-1")
    elif tag[:4] == b"mluc" and len(tag) >= 28:  # noqa: PLR2004 (one record)
        length, start = struct.unpack_from(">II", tag, 20)
        text = tag[start : start + min(length, 512)].decode("utf-16-be", "replace")
    else:
        return None
    return text.strip(" \0") or None
