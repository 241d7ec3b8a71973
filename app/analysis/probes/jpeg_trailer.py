"""Where a JPEG's picture ends, and what phones write behind it (ITU-T T.81 annex B; Samsung's "SEFT" directory)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO, Final

_SCAN, _END = 0xDA, 0xD9
_MAX_STEPS: Final = 40_000
_CHUNK: Final = 1 << 20
_MAX_ENTRIES: Final = 100
_HEAD: Final = 8  # type and length of a name


@dataclass(frozen=True)
class ImageEnd:
    """Where the end marker of the first picture ends, and how many scans there were; `at` is None without a marker."""

    at: int | None
    scans: int


def find_end(stream: BinaryIO) -> ImageEnd:
    """Go through the coded picture to its end marker.

    Coded data hold no marker but restarts (T.81 B.1.1.5), and the tables between the scans of a progressive picture no
    symbol 0xFF: the first end marker is the end.

    Args:
        stream: positioned behind the code of the first scan's marker.
    """
    place, scans = stream.tell(), 1
    while True:
        stream.seek(place)
        data = stream.read(_CHUNK)
        at, more = _markers(data)
        scans += more
        if at is not None:
            return ImageEnd(place + at + 2, scans)
        if len(data) < _CHUNK:
            return ImageEnd(None, scans)
        place += len(data) - 1  # a marker may lie across


def _markers(data: bytes) -> tuple[int | None, int]:
    """Where the end marker stands, and the scans before it; one byte is looked for, which is faster than two."""
    scans, last = 0, len(data) - 1
    at = data.find(b"\xff", 0, last)
    for _ in range(_MAX_STEPS):
        if at < 0:
            return None, scans
        code = data[at + 1]
        if code == _END:
            return at, scans
        scans += code == _SCAN
        at = data.find(b"\xff", at + 1, last)
    found = data.find(bytes([0xFF, _END]))  # a file of 0xFF alone is no picture: no more than its end is looked for
    return (None if found < 0 else found), scans


def samsung_blocks(stream: BinaryIO, size: int) -> dict[str, bytes]:
    """Small blocks of a Samsung trailer by name, such as Image_UTC_Data; empty without one."""
    stream.seek(max(0, size - 8))
    foot = stream.read(8)
    if foot[4:] != b"SEFT":
        return {}
    length = int.from_bytes(foot[:4], "little")
    start = size - 8 - length
    if start < 0 or length > 12 + 12 * _MAX_ENTRIES:
        return {}
    stream.seek(start)
    directory = stream.read(length)
    found: dict[str, bytes] = {}
    for at in range(12, len(directory) - 11, 12):
        back, long = (int.from_bytes(directory[at + a : at + a + 4], "little") for a in (4, 8))
        if directory[:4] != b"SEFH" or not _HEAD <= long <= _CHUNK or back > start:
            continue
        stream.seek(start - back)
        block = stream.read(min(long, 4096))
        named = int.from_bytes(block[4:8], "little")
        if 0 < named <= 100:  # noqa: PLR2004 (longest name)
            found.setdefault(block[8 : 8 + named].decode("latin-1"), block[8 + named :])
    return found
