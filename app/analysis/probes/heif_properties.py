"""Properties and references of a HEIF or AVIF picture (ISO/IEC 23008-12 section 6, 14496-12 section 8.11)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO, Final

from app.analysis.probes.boxes import Box, read_body
from app.analysis.probes.icc import MAX_PROFILE

_PRIMARIES: Final = {1: "BT.709", 9: "BT.2020", 12: "Display P3"}
_TRANSFERS: Final = {1: "BT.709", 13: "sRGB", 16: "PQ", 18: "HLG"}
_CODINGS: Final = {b"hvcC": "HEVC", b"av1C": "AV1", b"avcC": "AVC", b"jpgC": "JPEG", b"vvcC": "VVC"}


@dataclass
class Properties:
    """What the properties of one item say; None where one is not there.

    Attributes:
        rotation: degrees anticlockwise (`irot`).
        color_space: primaries and transfer of an `nclx` box.
    """

    width: int | None = None
    height: int | None = None
    rotation: int | None = None
    bits: int | None = None
    components: int | None = None
    coding: str | None = None
    color_space: str | None = None
    icc: bytes = b""


def properties_of(stream: BinaryIO, boxes: list[Box]) -> Properties:
    """Read the properties that are associated with an item."""
    found = Properties()
    for box in boxes:
        if box.name == b"ispe":
            body = read_body(stream, box, 12)
            size = int.from_bytes(body[4:8], "big"), int.from_bytes(body[8:12], "big")
            if found.width is None or found.height is None or size[0] * size[1] > found.width * found.height:
                found.width, found.height = size
        elif box.name == b"irot":
            found.rotation = (read_body(stream, box, 1) or b"\0")[0] % 4 * 90
        elif box.name == b"pixi":
            body = read_body(stream, box, 16)
            if len(body) > 5:  # noqa: PLR2004 (version, flags, number, one depth)
                found.components, found.bits = body[4], body[5]
        elif box.name == b"colr":
            _colour(found, read_body(stream, box, MAX_PROFILE))
        elif box.name in _CODINGS:
            found.coding = _CODINGS[box.name]
    return found


def _colour(found: Properties, body: bytes) -> None:
    if body[:4] in {b"prof", b"rICC"} and not found.icc:
        found.icc = body[4:]
    elif body[:4] == b"nclx" and len(body) >= 10:  # noqa: PLR2004 (three codes of 16 bits)
        primaries, transfer = int.from_bytes(body[4:6], "big"), int.from_bytes(body[6:8], "big")
        words = _PRIMARIES.get(primaries, f"primaries {primaries}"), _TRANSFERS.get(transfer, f"transfer {transfer}")
        found.color_space = ", ".join(words)


def references(body: bytes) -> list[tuple[bytes, int, list[int]]]:
    """References of an `iref` box: kind, from which item, to which."""
    wide = 4 if body[:1] == b"\1" else 2
    found: list[tuple[bytes, int, list[int]]] = []
    at = 4
    while at + 8 <= len(body) and len(found) < 10_000:  # noqa: PLR2004 (as many items as are read)
        length, kind = int.from_bytes(body[at : at + 4], "big"), body[at + 4 : at + 8]
        entry = body[at + 8 : at + length]
        count = int.from_bytes(entry[wide : wide + 2], "big")
        numbers = [
            int.from_bytes(entry[wide + 2 + wide * index : wide + 2 + wide * (index + 1)], "big")
            for index in range(min(count, 1_000))
        ]
        found.append((kind, int.from_bytes(entry[:wide], "big"), numbers))
        if length < 8:  # noqa: PLR2004 (a box header)
            break
        at += length
    return found
