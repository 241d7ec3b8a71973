"""Makers' private blocks in EXIF (MakerNote 0x927C): the few tags that name a device, its clock's zone and its state.

No maker publishes its block. The layouts are those that readers of such files agree on: a heading, a byte order,
a directory of the TIFF form, and the place that its offsets count from. Only what reads as a serial, a name or a
number in its range is taken; where the block was moved by an editor, its offsets lead astray, and nothing is taken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import BinaryIO, Literal

from app.analysis.probes.maker_tags import EQUIPMENT, EQUIPMENT_TAG, MAKERS, Maker
from app.analysis.probes.tiff import Number, TiffReader, TiffScan, decode_text

MakerValue = str | bytes | tuple[Number, ...]
_AS_BYTES = {"WorldTime"}
_PRINTABLE = re.compile(r"[\x20-\x7e]+")
_ORDERS = {b"II": "<", b"MM": ">"}
_HEAD = 32
_FOOTER = 8
_BYTE = 255
_SHORT = 8


@dataclass
class MakerNotes:
    """Values by name; `maker` is "" where there is no block, or none that is known."""

    maker: str = ""
    order: Literal["little", "big"] = "little"
    values: dict[str, MakerValue] = field(default_factory=dict)

    def text(self, name: str) -> str | None:
        """A text of one line; None when it is blank."""
        value = self.values.get(name)
        return value if isinstance(value, str) and value else None

    def numbers(self, name: str) -> tuple[Number, ...]:
        """Numbers of a tag; empty when there are none."""
        value = self.values.get(name)
        return value if isinstance(value, tuple) else ()


def read_maker_notes(stream: BinaryIO, scan: TiffScan, make: str) -> MakerNotes:
    """Read the block that a scan found.

    Args:
        stream: the TIFF structure, seekable.
        scan: of that structure.
        make: EXIF Make, "" when it is not recorded.
    """
    if scan.maker is None:
        return MakerNotes()
    stream.seek(scan.maker[0])
    head = stream.read(min(_HEAD, scan.maker[1]))
    for maker in MAKERS:
        if maker.fits(head, make):
            return _read(maker, stream, scan.maker, head, scan.order)
    return MakerNotes()


def _read(maker: Maker, stream: BinaryIO, block: tuple[int, int], head: bytes, order: str) -> MakerNotes:
    start, length = block
    order = _order(maker, head, order)
    notes = MakerNotes(maker.name)
    for base in _bases(maker, stream, block, order):
        reader = TiffReader(stream, order, base)
        directory = start - base + maker.skip
        if maker.order is None and maker.order_at is None:
            reader.order = _likely_order(reader.at(directory, 2), order)
        notes.order = "little" if reader.order == "<" else "big"
        if maker.pointer is not None:
            directory = reader.integer(head[maker.pointer : maker.pointer + 4])
        take_values(notes, reader.wanted(directory, maker.tags, range(start, start + length)), maker.tags)
        place = reader.place(directory, EQUIPMENT_TAG) if maker.equipment else None
        if place:
            take_values(notes, reader.wanted(place, EQUIPMENT, range(start, start + length)), EQUIPMENT)
        if notes.values:
            break
    return notes


def _bases(maker: Maker, stream: BinaryIO, block: tuple[int, int], order: str) -> list[int]:
    """Where offsets count from."""
    start, length = block
    if maker.own_base:
        return [start + maker.base]
    if maker.footer and length > _FOOTER:
        stream.seek(start + length - _FOOTER)
        footer = stream.read(_FOOTER)
        if footer[:4] in {b"II*\0", b"MM\0*"}:
            return [start - int.from_bytes(footer[4:], "little" if order == "<" else "big")]
    return [0, start] if maker.either_base else [0]


def _likely_order(count: bytes, order: str) -> str:
    """Editors turn EXIF's byte order and leave the block as it was: a directory has fewer than 256 entries."""
    little, big = int.from_bytes(count, "little"), int.from_bytes(count, "big")
    return order if little == big else "<" if little < big else ">"


def _order(maker: Maker, head: bytes, order: str) -> str:
    if maker.order_at is not None:
        return _ORDERS.get(head[maker.order_at : maker.order_at + 2], order)
    return maker.order or order


def take_values(notes: MakerNotes, found: dict[int, str | bytes | tuple[Number, ...]], names: dict[int, str]) -> None:
    """Keep values by name: texts where they are of printable characters, numbers as they are."""
    for tag, value in found.items():
        name = names[tag]
        if name in _AS_BYTES and isinstance(value, bytes):
            notes.values.setdefault(name, value)
            continue
        as_bytes = _text_bytes(value) if isinstance(value, tuple) else value
        if as_bytes is None:
            notes.values.setdefault(name, value)
            continue
        text = (decode_text(as_bytes) if isinstance(as_bytes, bytes) else as_bytes).strip()
        if text and _PRINTABLE.fullmatch(text):
            notes.values.setdefault(name, text)


def _text_bytes(numbers: tuple[Number, ...]) -> bytes | None:
    """Texts that are written as rows of bytes; None for numbers that are numbers."""
    whole = [number for number in numbers if isinstance(number, int) and 0 <= number <= _BYTE]
    return bytes(whole) if len(whole) == len(numbers) > _SHORT else None
