"""A bounded reader of TIFF structures (TIFF 6.0 section 2, EXIF 2.32 section 4.6).

The second reader beside exifread: each tag is read on its own, so that one broken tag loses nothing
but itself.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from dataclasses import dataclass, field
from fractions import Fraction
from typing import BinaryIO

MAX_IFDS = 24
MAX_ENTRIES = 1_000
MAX_VALUE_BYTES = 65_536
EXIF_POINTER, GPS_POINTER, SUB_IFDS, MAKER_NOTE, JPEG_OF_RAW = 0x8769, 0x8825, 0x014A, 0x927C, 0x002E
_ASCII, _RATIONAL, _UNDEFINED, _SIGNED_RATIONAL = 2, 5, 7, 10
_FORMATS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 129: "B"}
_SIZES = {2: 1, 5: 8, 7: 1, 10: 8} | {code: struct.calcsize("=" + letter) for code, letter in _FORMATS.items()}

# What is lost with these is no fact: pictures and makers' blocks are read elsewhere or not at all.
_READ_WHOLE = {"IFD0", "EXIF", "GPS"}

Number = int | float | Fraction | None
TagKey = tuple[str, int]


@dataclass(frozen=True)
class TagValue:
    """One tag: text, or numbers (None for a rational with denominator 0), or bytes."""

    value: str | bytes | tuple[Number, ...]
    tool: str


@dataclass
class TiffScan:
    """Tags, and what was there and could not be read.

    Attributes:
        unread: entries whose type is unknown, or whose value is too long or lies outside the structure.
        lost: names of directories that are cut off, outside the structure, or too many.
        order: "<" or ">", byte order of the structure.
        jpeg: where a raw file of Panasonic's keeps its JPEG, and with it all EXIF (IFD0 0x002E).
        maker: where the maker's private block lies: offset and length in bytes.
    """

    tags: dict[TagKey, TagValue] = field(default_factory=dict)
    unread: set[TagKey] = field(default_factory=set)
    lost: list[str] = field(default_factory=list)
    order: str = "<"
    maker: tuple[int, int] | None = None
    jpeg: tuple[int, int] | None = None


def rational(numerator: int, denominator: int) -> Fraction | None:
    """A rational of the file; None where its denominator is 0, which is no number."""
    return Fraction(numerator, denominator) if denominator else None


def decode_text(data: bytes) -> str:
    """EXIF text up to the first NUL: UTF-8 where it is valid, else Latin-1, which keeps every byte."""
    data = data.split(b"\0", 1)[0]
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


class TiffReader:
    """Reads directories whose offsets count from `base`."""

    def __init__(self, stream: BinaryIO, order: str, base: int = 0) -> None:
        """Bind to a stream, a byte order ("<" or ">") and the place that offsets count from."""
        self.stream = stream
        self.order = order
        self.base = base
        self.scan = TiffScan(order=order)
        self.seen: set[int] = set()

    def at(self, offset: int, length: int) -> bytes:
        """Bytes at an offset; fewer where the structure ends, none before its beginning."""
        if self.base + offset < 0:
            return b""
        self.stream.seek(self.base + offset)
        return self.stream.read(length)

    def integer(self, data: bytes) -> int:
        """An unsigned number of the structure."""
        return int.from_bytes(data, "little" if self.order == "<" else "big")

    def directory(self, name: str, offset: int) -> int:
        """Read one IFD; returns the offset of the next."""
        if offset in self.seen:
            return 0
        if len(self.seen) >= MAX_IFDS or offset < 8:  # noqa: PLR2004 (the header's size)
            self.lose(name)
            return 0
        self.seen.add(offset)
        head = self.at(offset, 2)
        count = self.integer(head)
        entries = self.at(offset + 2, 12 * min(count, MAX_ENTRIES))
        for start in range(0, len(entries) - 11, 12):
            self.entry(name, entries[start : start + 12])
        if len(head) < 2 or len(entries) < 12 * count:  # noqa: PLR2004 (the number of entries)
            self.lose(name)
        follow = self.at(offset + 2 + 12 * count, 4)
        return self.integer(follow) if len(follow) == 4 else 0  # noqa: PLR2004 (an offset)

    def lose(self, name: str) -> None:
        """Note a directory that could not be read."""
        if name in _READ_WHOLE and name not in self.scan.lost:
            self.scan.lost.append(name)

    def entry(self, name: str, entry: bytes) -> None:
        """Read one entry, and the directories that it points to."""
        tag, kind, count = (self.integer(entry[a:b]) for a, b in ((0, 2), (2, 4), (4, 8)))
        size = _SIZES.get(kind)
        if tag == MAKER_NOTE and name == "EXIF" and count > 4:  # noqa: PLR2004 (inline)
            self.scan.maker = (self.integer(entry[8:12]), count)
        if tag == JPEG_OF_RAW and name == "IFD0" and kind == _UNDEFINED:
            self.scan.jpeg = (self.integer(entry[8:12]), count)
        if size is None or size * count > MAX_VALUE_BYTES:
            self.scan.unread.add((name, tag))
            return
        if count == 0:
            return
        data = entry[8 : 8 + size * count] if size * count <= 4 else self.at(self.integer(entry[8:12]), size * count)  # noqa: PLR2004 (inline)
        if len(data) < size * count:
            self.scan.unread.add((name, tag))
            if kind != _ASCII:
                return
        value = self.decode(kind, count, data)
        self.scan.tags.setdefault((name, tag), TagValue(value, "tiff"))
        self.follow(tag, value)

    def wanted(
        self, offset: int, tags: Collection[int], within: range | None = None
    ) -> dict[int, str | bytes | tuple[Number, ...]]:
        """Some tags of one directory, which may lie anywhere.

        Args:
            offset: of the directory.
            tags: which.
            within: where values may lie, in the stream; what lies elsewhere, or is not whole, is left out.
        """
        found: dict[int, str | bytes | tuple[Number, ...]] = {}
        for entry in self._entries(offset):
            tag, kind, number = (self.integer(entry[a:b]) for a, b in ((0, 2), (2, 4), (4, 8)))
            size = _SIZES.get(kind, 0) * number
            if tag not in tags or tag in found or not 0 < size <= MAX_VALUE_BYTES:
                continue
            data = entry[8 : 8 + size]
            if size > 4:  # noqa: PLR2004 (inline)
                place = self.integer(entry[8:12])
                if within is not None and not within.start <= self.base + place <= within.stop - size:
                    continue
                data = self.at(place, size)
            if len(data) == size:
                found[tag] = self.decode(kind, number, data)
        return found

    def _entries(self, offset: int) -> list[bytes]:
        count = self.integer(self.at(offset, 2))
        entries = self.at(offset + 2, 12 * min(count, MAX_ENTRIES))
        return [entries[start : start + 12] for start in range(0, len(entries) - 11, 12)]

    def place(self, offset: int, tag: int) -> int | None:
        """Where the value of an entry of one directory lies, when it is not in the entry itself."""
        for entry in self._entries(offset):
            if self.integer(entry[:2]) == tag:
                return self.integer(entry[8:12])
        return None

    def decode(self, kind: int, count: int, data: bytes) -> str | bytes | tuple[Number, ...]:
        """Bytes of a value by its type."""
        if kind == _ASCII:
            return decode_text(data)
        if kind == _UNDEFINED:
            return data
        if kind in {_RATIONAL, _SIGNED_RATIONAL}:
            numbers = struct.unpack(f"{self.order}{2 * count}{'I' if kind == _RATIONAL else 'i'}", data)
            return tuple(rational(numbers[i], numbers[i + 1]) for i in range(0, 2 * count, 2))
        return struct.unpack(f"{self.order}{count}{_FORMATS[kind]}", data)

    def follow(self, tag: int, value: str | bytes | tuple[Number, ...]) -> None:
        """Read the directories that a tag points to."""
        if not isinstance(value, tuple) or tag not in {EXIF_POINTER, GPS_POINTER, SUB_IFDS}:
            return
        names = {EXIF_POINTER: "EXIF", GPS_POINTER: "GPS"}
        for index, offset in enumerate(value[:8]):
            if isinstance(offset, int):
                self.directory(names.get(tag, f"SubIFD{index}"), offset)


def read_tiff(stream: BinaryIO) -> dict[TagKey, TagValue]:
    """Read IFD0, IFD1, Exif, GPS and sub-IFDs.

    Args:
        stream: the TIFF structure from its byte order mark on, seekable.

    Returns:
        (IFD name, tag number) to value; empty when it is no TIFF structure.
    """
    return scan_tiff(stream).tags


def scan_tiff(stream: BinaryIO) -> TiffScan:
    """As `read_tiff`, with what could not be read; a structure without its header has lost "IFD0"."""
    stream.seek(0)
    head = stream.read(8)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:  # noqa: PLR2004 (the header's size)
        return TiffScan(lost=["IFD0"])
    reader = TiffReader(stream, order)
    offset = reader.integer(head[4:8])
    for index in range(4):
        if not offset:
            break
        offset = reader.directory(f"IFD{index}", offset)
    if not reader.seen:
        reader.lose("IFD0")
    return reader.scan
