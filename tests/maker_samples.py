"""TIFF structures with makers' private blocks, built for tests byte by byte."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

ASCII, SHORT, LONG, RATIONAL, UNDEFINED, SLONG, FLOAT = 2, 3, 4, 5, 7, 9, 11


@dataclass(frozen=True)
class Tag:
    """One entry: number, type, how many values, and their bytes in the structure's order."""

    number: int
    kind: int
    count: int
    data: bytes


def text(number: int, value: str | bytes) -> Tag:
    data = (value.encode() if isinstance(value, str) else value) + b"\0"
    return Tag(number, ASCII, len(data), data)


def raw(number: int, data: bytes, kind: int = UNDEFINED) -> Tag:
    return Tag(number, kind, len(data), data)


def long(number: int, value: int, order: str) -> Tag:
    return Tag(number, LONG, 1, struct.pack(order + "I", value))


def directory(tags: Sequence[Tag], order: str, at: int) -> bytes:
    """A directory and its values, for a place whose offset is `at`."""
    head = struct.pack(order + "H", len(tags))
    values, behind = b"", at + 2 + 12 * len(tags) + 4
    for tag in sorted(tags, key=lambda each: each.number):
        head += struct.pack(order + "HHI", tag.number, tag.kind, tag.count)
        if len(tag.data) <= 4:
            head += tag.data.ljust(4, b"\0")
        else:
            head += struct.pack(order + "I", behind + len(values))
            values += tag.data + b"\0" * (len(tag.data) % 2)
    return head + b"\0" * 4 + values


def tiff(make: str, order: str, block: bytes | None = None, more: Sequence[Tag] = ()) -> tuple[bytes, int]:
    """A TIFF structure with Make and, in its Exif directory, a maker's block; returns where the block begins.

    Args:
        make: EXIF Make.
        order: "<" or ">".
        block: the maker's block; offsets in it are the caller's affair.
        more: tags of the Exif directory.
    """
    heading = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    words = text(0x010F, make)
    first = 8 + 2 + 2 * 12 + 4 + (len(words.data) + 1) // 2 * 2
    ifd0 = directory([words, long(0x8769, first, order)], order, 8)
    maker = [raw(0x927C, block)] if block is not None else []
    exif = directory([*more, *maker], order, first)
    whole = heading + ifd0.ljust(first - 8, b"\0") + exif
    return whole, whole.find(block) if block else -1


def placed(make: str, order: str, heading: bytes, tags: Sequence[Tag], inner: str | None = None) -> bytes:
    """A structure whose maker's block counts its offsets from the structure's own start."""
    size = len(heading) + len(directory(tags, inner or order, 0))
    _, start = tiff(make, order, b"\xaa" * size)
    return tiff(make, order, heading + directory(tags, inner or order, start + len(heading)))[0]


def jpeg_with(exif: bytes) -> bytes:
    """A JPEG of one grey block with this TIFF structure as EXIF."""
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.new("L", (8, 8)).save(buffer, "JPEG", exif=b"Exif\0\0" + exif)
    return buffer.getvalue()
