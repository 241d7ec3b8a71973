"""Items of a HEIF or AVIF file: Exif, XMP and the primary image's size (ISO/IEC 14496-12 8.11, 23008-12)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import BinaryIO

from app.analysis.probes.boxes import Box, BoxWalk, read_body, unread_boxes, walk_boxes
from app.analysis.probes.embedded import Embedded, of_range
from app.analysis.probes.heif_properties import Properties, properties_of, references
from app.analysis.probes.readings import Remark, unread, unreadable

MAX_ITEMS = 10_000
MAX_ITEM_BYTES = 16 * 1024 * 1024
_MAX_EXTENTS = 64


@dataclass
class HeifParts:
    """What the items hold; width and height are the primary item's `ispe`, before `irot`.

    Attributes:
        properties: of the primary item; where it is a grid, its own, and the coding of its tiles.
        embedded: thumbnails, auxiliary pictures and further pictures that are kept in one piece.
    """

    exif: list[bytes] = field(default_factory=list)
    xmp: list[bytes] = field(default_factory=list)
    width: int | None = None
    height: int | None = None
    brand: str | None = None
    remarks: list[Remark] = field(default_factory=list)
    properties: Properties = field(default_factory=Properties)
    embedded: list[Embedded] = field(default_factory=list)
    trailing: int | None = None


class _Cursor:
    """Big-endian fields of a box body; reading past the end gives 0, once."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, length: int) -> int:
        value = int.from_bytes(self.data[self.at : self.at + length], "big")
        self.at += length
        return value

    def text(self) -> bytes:
        end = self.data.find(b"\0", self.at)
        end = len(self.data) if end < 0 else end
        value = self.data[self.at : end]
        self.at = end + 1
        return value

    @property
    def done(self) -> bool:
        return self.at >= len(self.data)


def walk_heif(stream: BinaryIO, size: int) -> HeifParts:
    """Read brand, size, Exif and XMP items."""
    walk = walk_boxes(stream, size)
    parts = HeifParts()
    brand = walk.find(b"ftyp")
    if brand is not None:
        parts.brand = read_body(stream, brand, 4).decode("latin-1").strip()
    bodies = {name: read_body(stream, box) for name in _INDEXES if (box := walk.find(b"meta", name))}
    types = _item_types(bodies.get(b"iinf", b""))
    places = _item_places(bodies.get(b"iloc", b""))
    other = unread_boxes(stream, walk)
    for item, kind in types.items():
        if kind not in {b"Exif", b"application/rdf+xml"}:
            if b"/" in kind:
                other.append(f"item of type {kind.decode('latin-1')}")
            continue
        place = places.get(item)
        data = _read_item(stream, walk, place) if place else b""
        if not data:
            name = "EXIF" if kind == b"Exif" else "XMP"
            parts.remarks.append(unreadable(f"the {name} item's bytes could not be found"))
        elif kind == b"Exif":
            skip = int.from_bytes(data[:4], "big") + 4
            parts.exif.append(data[skip:].removeprefix(b"Exif\0\0"))
        else:
            parts.xmp.append(data)
    if other:
        parts.remarks.append(unread(*dict.fromkeys(other)))
    primary = _primary_item(bodies.get(b"pitm", b""))
    links = references(bodies.get(b"iref", b""))
    parts.properties = _properties(stream, walk, primary, links)
    parts.width, parts.height = parts.properties.width, parts.properties.height
    parts.embedded = _pictures(stream, walk, links, places, primary)
    parts.trailing = None if walk.cut_off else walk.trailing
    _remark(walk, parts)
    return parts


_INDEXES = (b"pitm", b"iinf", b"iloc", b"iref")
_PICTURES = {b"thmb": "thumbnail", b"auxl": "auxiliary picture"}


def _remark(walk: BoxWalk, parts: HeifParts) -> None:
    if walk.find(b"meta") is None:
        parts.remarks.append(Remark("image_data_missing", "the file has no index of its items (meta)"))
    if walk.bounded:
        parts.remarks.append(Remark("structure_too_large", "the file holds more boxes than are read"))
    if walk.cut_off:
        parts.remarks.append(
            Remark("truncated", "the file ends inside a box; consistent with a file cut off while copied")
        )


def _primary_item(body: bytes) -> int:
    cursor = _Cursor(body)
    version = cursor.take(1)
    cursor.take(3)
    return cursor.take(2 if version == 0 else 4)


def _item_types(body: bytes) -> dict[int, bytes]:
    """Item number to item type; for `mime` items the content type."""
    cursor = _Cursor(body)
    version = cursor.take(1)
    cursor.take(3)
    count = cursor.take(2 if version == 0 else 4)
    types: dict[int, bytes] = {}
    for _ in range(min(count, MAX_ITEMS)):
        start = cursor.at
        length, name = cursor.take(4), cursor.take(4).to_bytes(4, "big")
        if name != b"infe" or length < 12 or cursor.done:  # noqa: PLR2004 (header and version)
            break
        entry = _Cursor(body[cursor.at : start + length])
        entry_version = entry.take(1)
        entry.take(3)
        item = entry.take(4 if entry_version >= 3 else 2)  # noqa: PLR2004 (of infe)
        entry.take(2)
        if entry_version >= 2:  # noqa: PLR2004 (of infe)
            kind = entry.take(4).to_bytes(4, "big")
            entry.text()
            types[item] = entry.text() if kind == b"mime" else kind
        cursor.at = start + length
    return types


def _item_places(body: bytes) -> dict[int, tuple[int, list[tuple[int, int]]]]:
    """Item number to (construction method, extents as offset and length)."""
    cursor = _Cursor(body)
    version = cursor.take(1)
    cursor.take(3)
    sizes, more = cursor.take(1), cursor.take(1)
    offset_size, length_size, base_size = sizes >> 4, sizes & 15, more >> 4
    index_size = more & 15 if version in {1, 2} else 0
    count = cursor.take(2 if version < 2 else 4)  # noqa: PLR2004 (of iloc)
    places: dict[int, tuple[int, list[tuple[int, int]]]] = {}
    for _ in range(min(count, MAX_ITEMS)):
        if cursor.done:
            break
        item = cursor.take(2 if version < 2 else 4)  # noqa: PLR2004 (of iloc)
        method = cursor.take(2) & 15 if version in {1, 2} else 0
        cursor.take(2)
        base = cursor.take(base_size)
        extents = []
        for _ in range(min(cursor.take(2), _MAX_EXTENTS)):
            cursor.take(index_size)
            offset = cursor.take(offset_size)
            extents.append((base + offset, cursor.take(length_size)))
        places[item] = (method, extents)
    return places


def _read_item(stream: BinaryIO, walk: BoxWalk, place: tuple[int, list[tuple[int, int]]]) -> bytes:
    method, extents = place
    if method > 1:
        return b""  # offsets into another item: no camera writes metadata so
    base = 0
    if method == 1:
        data_box = walk.find(b"meta", b"idat")
        base = data_box.body if data_box else 0
    data = b""
    for offset, length in extents:
        stream.seek(base + offset)
        data += stream.read(max(0, min(length, MAX_ITEM_BYTES - len(data))))
    return data


def _properties(stream: BinaryIO, walk: BoxWalk, primary: int, links: list[tuple[bytes, int, list[int]]]) -> Properties:
    """Properties of the primary item; where it is associated with none, the largest size there is.

    Of a picture in tiles, coding, depth and colours may stand with the tiles alone.
    """
    boxes = [box for box in walk.boxes if box.path[:-1] == (b"meta", b"iprp", b"ipco")]
    association = walk.find(b"meta", b"iprp", b"ipma")
    linked = _associations(read_body(stream, association) if association else b"")

    def of(item: int) -> list[Box]:
        return [boxes[index - 1] for index in linked.get(item, []) if 0 < index <= len(boxes)]

    found = properties_of(stream, of(primary) or boxes)
    tile = next((to[0] for kind, item, to in links if (kind, item) == (b"dimg", primary) and to), None)
    if tile is not None:
        of_tile = properties_of(stream, of(tile))
        found.coding = f"{of_tile.coding} in tiles" if of_tile.coding else found.coding
        found.icc = found.icc or of_tile.icc
        found.bits, found.components = found.bits or of_tile.bits, found.components or of_tile.components
        found.color_space = found.color_space or of_tile.color_space
    return found


def _pictures(
    stream: BinaryIO,
    walk: BoxWalk,
    links: list[tuple[bytes, int, list[int]]],
    places: dict[int, tuple[int, list[tuple[int, int]]]],
    primary: int,
) -> list[Embedded]:
    """Thumbnails and auxiliary pictures of the primary item that lie in the file in one piece."""
    found: list[Embedded] = []
    for kind, item, targets in links:
        method, extents = places.get(item, (2, []))
        if kind in _PICTURES and primary in targets and method == 0 and len(extents) == 1 and len(found) < _MAX_EXTENTS:
            offset, length = extents[0]
            if length and offset + length <= max((box.end for box in walk.boxes), default=0):
                found.append(of_range(_PICTURES[kind], f"heif item {item}", stream, offset, length))
    return found


def _associations(body: bytes) -> dict[int, list[int]]:
    cursor = _Cursor(body)
    version, flags = cursor.take(1), cursor.take(3)
    found: dict[int, list[int]] = {}
    for _ in range(min(cursor.take(4), MAX_ITEMS)):
        if cursor.done:
            break
        item = cursor.take(2 if version < 1 else 4)
        wide = flags & 1
        found[item] = [cursor.take(2) & 0x7FFF if wide else cursor.take(1) & 0x7F for _ in range(cursor.take(1))]
    return found
