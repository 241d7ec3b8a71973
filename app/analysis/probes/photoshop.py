"""Photoshop image resources: which of them hold metadata (Adobe Photoshop File Formats Specification)."""

from __future__ import annotations

from typing import Final

_SIGNATURE = b"8BIM"
_METADATA: Final = {0x0404: "IPTC", 0x0422: "EXIF in Photoshop resources", 0x0424: "XMP in Photoshop resources"}
_MAX_RESOURCES = 1_000


def unread_resources(body: bytes) -> list[str]:
    """Names of the metadata that image resources hold.

    Messengers write an empty IPTC resource and its digest: that is nothing unread.

    Args:
        body: the resources, from the first signature on.

    Returns:
        "IPTC" and the like; "Photoshop resources" where the bytes are no whole resources.
    """
    names: list[str] = []
    at = 0
    for _ in range(_MAX_RESOURCES):
        if not body[at:].strip(b"\0"):
            return names
        head = at + 6
        start = head + (body[head] + 2) // 2 * 2 if head < len(body) else len(body)  # a padded Pascal string
        size = int.from_bytes(body[start : start + 4], "big")
        end = start + 4 + size
        if body[at : at + 4] != _SIGNATURE or start + 4 > len(body) or end > len(body):
            break
        name = _METADATA.get(int.from_bytes(body[at + 4 : head], "big"))
        if name is not None and size:
            names.append(name)
        at = end + size % 2
    return [*names, "Photoshop resources"]
