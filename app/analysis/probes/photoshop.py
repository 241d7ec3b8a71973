"""Photoshop image resources: IPTC, EXIF, XMP and the thumbnail (Adobe Photoshop File Formats Specification)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

_SIGNATURE = b"8BIM"
_IPTC, _THUMBNAILS, _EXIF, _XMP = 0x0404, (0x040C, 0x0409), 0x0422, 0x0424
_UNREAD: Final = {0x0423: "EXIF (second part) in Photoshop resources"}
_MAX_RESOURCES = 1_000
_THUMBNAIL_HEADER = 28


@dataclass
class Resources:
    """Bodies of the resources that are read, and names of those that are not.

    Attributes:
        thumbnail: JPEG bytes.
        broken: whether the bytes are no whole resources.
    """

    iptc: list[bytes] = field(default_factory=list)
    exif: list[bytes] = field(default_factory=list)
    xmp: list[bytes] = field(default_factory=list)
    thumbnail: bytes = b""
    unread: list[str] = field(default_factory=list)
    broken: bool = False


def read_resources(body: bytes) -> Resources:
    """Read image resources.

    Args:
        body: the resources, from the first signature on.
    """
    found = Resources()
    at = 0
    for _ in range(_MAX_RESOURCES):
        if not body[at:].strip(b"\0"):
            return found
        head = at + 6
        start = head + (body[head] + 2) // 2 * 2 if head < len(body) else len(body)  # a padded Pascal string
        size = int.from_bytes(body[start : start + 4], "big")
        end = start + 4 + size
        if body[at : at + 4] != _SIGNATURE or start + 4 > len(body) or end > len(body):
            break
        if size:
            _take(found, int.from_bytes(body[at + 4 : head], "big"), body[start + 4 : end])
        at = end + size % 2
    found.broken = True
    found.unread.append("Photoshop resources")
    return found


def _take(found: Resources, number: int, data: bytes) -> None:
    if number == _IPTC:
        found.iptc.append(data)
    elif number == _EXIF:
        found.exif.append(data)
    elif number == _XMP:
        found.xmp.append(data)
    elif number in _THUMBNAILS and not found.thumbnail:
        found.thumbnail = data[_THUMBNAIL_HEADER:]
    elif number in _UNREAD:
        found.unread.append(_UNREAD[number])
