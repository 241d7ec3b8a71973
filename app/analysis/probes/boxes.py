"""A bounded walker of ISO base media boxes (ISO/IEC 14496-12, QuickTime File Format)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

MAX_BOXES = 20_000
MAX_DEPTH = 12
MAX_BODY = 1024 * 1024
_CONTAINERS = {
    b"moov",
    b"trak",
    b"mdia",
    b"minf",
    b"stbl",
    b"edts",
    b"udta",
    b"moof",
    b"traf",
    b"mvex",
    b"gmhd",
    b"tapt",
    b"NCDT",
    b"iprp",
    b"ipco",
}
XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
XML_NAME = "XML metadata (meta box)"
_USER_TYPES = {
    bytes.fromhex("d8fec3d61b0e483c92975828877ec481"): "C2PA/JUMBF (uuid box)",
    XMP_UUID: "XMP (uuid box)",
}
_PRINTABLE = range(0x20, 0x7F)
_MAX_FRAGMENTS = 16  # a fragmented recording has thousands alike; the first tell how it was written


@dataclass(frozen=True)
class Box:
    """One box: its path from the root, and where its body lies in the file."""

    path: tuple[bytes, ...]
    start: int
    body: int
    end: int

    @property
    def name(self) -> bytes:
        """Four-character code."""
        return self.path[-1]

    @property
    def large(self) -> bool:
        """Whether the size stands in 64 bits (ISO/IEC 14496-12 4.2.2)."""
        return self.body - self.start == 16  # noqa: PLR2004 (a header with a 64-bit size)


@dataclass
class BoxWalk:
    """All boxes met, and how the file ended.

    Attributes:
        cut_off: a top-level box reaches beyond the end of the file.
        trailing: bytes after the last whole top-level box that are no box.
        bounded: the walk stopped at its limit.
        fragments: movie fragments (`moof`) met; only the first few are walked inside.
    """

    boxes: list[Box]
    cut_off: bool = False
    trailing: int = 0
    bounded: bool = False
    fragments: int = 0

    def find(self, *path: bytes) -> Box | None:
        """The first box with exactly this path."""
        return next((box for box in self.boxes if box.path == path), None)

    def top(self) -> list[Box]:
        """The boxes of the file itself, in their order."""
        return [box for box in self.boxes if len(box.path) == 1]

    def within(self, parent: Box) -> list[Box]:
        """All boxes inside one, in their order."""
        return [box for box in self.boxes if parent.body <= box.start and box.end <= parent.end and box != parent]

    def named(self, name: bytes) -> Iterator[Box]:
        """All boxes with this code."""
        return (box for box in self.boxes if box.name == name)


def read_body(stream: BinaryIO, box: Box, limit: int = MAX_BODY) -> bytes:
    """Body of a box, at most `limit` bytes."""
    stream.seek(box.body)
    return stream.read(max(0, min(box.end - box.body, limit)))


def unread_boxes(stream: BinaryIO, walk: BoxWalk, *, taken: bool = False) -> list[str]:
    """Names of metadata boxes that no reader here takes (C2PA 2.1 annex A.5, XMP part 3, 14496-12 8.11.2).

    Args:
        stream: the file.
        walk: its boxes.
        taken: XMP in a uuid box has been read.
    """
    names: list[str] = []
    for box in walk.boxes:
        if box.name == b"uuid":
            user_type = read_body(stream, box, 16)
            if user_type == XMP_UUID and taken:
                continue
            names.append(_USER_TYPES.get(user_type, f"uuid box {user_type.hex()}"))
        elif box.name == b"jumb":
            names.append("C2PA/JUMBF (jumb box)")
        elif box.name in {b"xml ", b"bxml"} and box.path[-2:-1] == (b"meta",):
            names.append(XML_NAME)
    return list(dict.fromkeys(names))


def walk_boxes(stream: BinaryIO, size: int) -> BoxWalk:
    """Walk the whole file of `size` bytes."""
    walk = BoxWalk([])
    _walk(stream, 0, size, (), walk)
    return walk


def _walk(stream: BinaryIO, at: int, end: int, path: tuple[bytes, ...], walk: BoxWalk) -> None:
    while at + 8 <= end:
        if len(walk.boxes) >= MAX_BOXES:
            walk.bounded = True
            return
        stream.seek(at)
        head = stream.read(16)
        length, name, header = int.from_bytes(head[:4], "big"), head[4:8], 8
        if length == 1:
            length, header = int.from_bytes(head[8:16], "big"), 16
        elif length == 0:
            length = end - at
        if length < header or not _is_code(name):
            break
        stop = at + length
        if stop > end:
            walk.cut_off = walk.cut_off or not path
            stop = end
        box = Box((*path, name), at, at + header, stop)
        walk.boxes.append(box)
        _descend(stream, box, walk)
        at = stop
    if not path:
        walk.trailing = max(0, end - at)


def _is_code(name: bytes) -> bool:
    return len(name) == 4 and all(byte in _PRINTABLE or byte == 0xA9 for byte in name)  # noqa: PLR2004 (four characters)


def _descend(stream: BinaryIO, box: Box, walk: BoxWalk) -> None:
    if box.name == b"moof":
        walk.fragments += 1
        if walk.fragments > _MAX_FRAGMENTS:
            return
    if len(box.path) >= MAX_DEPTH:
        return
    if box.name == b"meta":
        # A full box in ISO files, a plain one in QuickTime's.
        stream.seek(box.body)
        plain = stream.read(8)[4:8] in {b"hdlr", b"keys", b"ilst"}
        _walk(stream, box.body if plain else box.body + 4, box.end, box.path, walk)
    elif box.name in _CONTAINERS or (len(box.path) > 1 and box.path[-2] == b"ilst"):
        _walk(stream, box.body, box.end, box.path, walk)
    elif box.name == b"ilst":
        _walk_item_list(stream, box, walk)


def _walk_item_list(stream: BinaryIO, box: Box, walk: BoxWalk) -> None:
    """Items of QuickTime metadata are numbered by key, so their codes are no text."""
    at, number = box.body, 0
    while at + 8 <= box.end and len(walk.boxes) < MAX_BOXES:
        stream.seek(at)
        head = stream.read(8)
        length = int.from_bytes(head[:4], "big")
        if length < 8:  # noqa: PLR2004 (a box header)
            break
        number += 1
        item = Box((*box.path, head[4:8]), at, at + 8, min(at + length, box.end))
        walk.boxes.append(item)
        _walk(stream, item.body, item.end, item.path, walk)
        at += length
