"""Canon CR3: EXIF in four TIFF structures inside one box of an ISO base media file.

Canon publishes no specification; readers agree on this: `moov` holds a `uuid` box, and that one `CMT1` (IFD0), `CMT2`
(Exif), `CMT3` (Canon's own block) and `CMT4` (GPS), each a TIFF structure whose first directory holds the tags.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from app.analysis.probes.boxes import read_body, unread_boxes, walk_boxes
from app.analysis.probes.maker_tags import CANON
from app.analysis.probes.makernotes import MakerNotes, take_values
from app.analysis.probes.readings import Remark, unread, unreadable
from app.analysis.probes.tiff import TagKey, TagValue, TiffReader, scan_tiff

_CANON_BOX: Final = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
_XMP_BOX: Final = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_DIRECTORIES: Final = {b"CMT1": "IFD0", b"CMT2": "EXIF", b"CMT4": "GPS"}
_MAX_BOX: Final = 8 * 1024 * 1024
_MAX_CHILDREN: Final = 50


@dataclass
class Cr3Parts:
    """Tags by directory and number, Canon's own values, XMP packets, remarks; `brand` is the file type box's."""

    tags: dict[TagKey, TagValue] = field(default_factory=dict)
    maker: MakerNotes = field(default_factory=MakerNotes)
    xmp: list[bytes] = field(default_factory=list)
    brand: str | None = None
    remarks: list[Remark] = field(default_factory=list)


def walk_cr3(stream: BinaryIO, size: int) -> Cr3Parts:
    """Read the structures of a CR3."""
    walk, parts = walk_boxes(stream, size), Cr3Parts()
    brand = walk.find(b"ftyp")
    parts.brand = read_body(stream, brand, 4).decode("latin-1").strip() if brand else None
    for box in walk.named(b"uuid"):
        body = read_body(stream, box, _MAX_BOX)
        if body.startswith(_XMP_BOX):
            parts.xmp.append(body[len(_XMP_BOX) :])
        elif body.startswith(_CANON_BOX) and box.path[:1] == (b"moov",):
            _take(parts, body[len(_CANON_BOX) :])
    other = [name for name in unread_boxes(stream, walk) if "C2PA" in name]
    if other:
        parts.remarks.append(unread(*other))
    if not parts.tags:
        parts.remarks.append(unreadable("the camera's EXIF structures were not found"))
    if walk.cut_off:
        text = "the file ends inside a box; consistent with a file cut off while copied"
        parts.remarks.append(Remark("truncated", text))
    return parts


def _take(parts: Cr3Parts, body: bytes) -> None:
    at = 0
    for _ in range(_MAX_CHILDREN):
        length, name = int.from_bytes(body[at : at + 4], "big"), body[at + 4 : at + 8]
        if length < 8:  # noqa: PLR2004 (a box header)
            break
        data = body[at + 8 : at + length]
        if name in _DIRECTORIES:
            scan = scan_tiff(io.BytesIO(data))
            for (directory, tag), value in scan.tags.items():
                if directory == "IFD0":
                    parts.tags.setdefault((_DIRECTORIES[name], tag), value)
        elif name == b"CMT3" and data[:2] in {b"II", b"MM"}:
            reader = TiffReader(io.BytesIO(data), "<" if data[:2] == b"II" else ">")
            parts.maker = MakerNotes("Canon", "little" if data[:2] == b"II" else "big")
            take_values(parts.maker, reader.wanted(reader.integer(data[4:8]), CANON, range(len(data))), CANON)
        at += length
