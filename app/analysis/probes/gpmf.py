"""GoPro's GPMF: key, type, size, count, then data padded to 32 bits, nested (GoPro GPMF introduction and parser notes).

A payload holds devices (DEVC), a device streams (STRM); in a stream, SCAL, TYPE and others describe the samples of the
last key. Only streams that hold a position are decoded.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

_HEADER: Final = 8
_MAX_DEPTH: Final = 6
_MAX_ELEMENTS: Final = 20_000
"""Elements of one level; a payload of a second has some dozens."""
_MAX_FIELDS: Final = 64
_STRUCT: Final = {
    "b": "b", "B": "B", "d": "d", "f": "f", "j": "q", "J": "Q",
    "l": "i", "L": "I", "q": "i", "Q": "q", "s": "h", "S": "H",
}  # fmt: skip
_FIXED_POINT: Final = {"q": 1 / 65536, "Q": 1 / 4294967296}
_COMPLEX_PART: Final = re.compile(r"([bBdfjJlLqQsS])(?:\[(\d{1,2})\])?")

Numbers = tuple[float, ...]


class MalformedError(ValueError):
    """Bytes that are no GPMF, or a description of samples that does not fit them."""


@dataclass(frozen=True, slots=True)
class Element:
    """One key with its data."""

    key: bytes
    type: int
    size: int
    count: int
    data: bytes


@dataclass(slots=True)
class Stream:
    """A stream that may hold positions: its elements by key (the last of each), and its device."""

    device: str | None
    elements: dict[bytes, Element] = field(default_factory=dict)

    def numbers(self, key: bytes) -> list[Numbers]:
        """Samples of a key, scaled (SCAL); empty when it is not there.

        Raises:
            MalformedError: the type is unknown or does not fit the size.
        """
        element = self.elements.get(key)
        if element is None:
            return []
        layout, factors = _layout(element, self.text(b"TYPE"))
        scales = self._scales(len(factors))
        multipliers = [factor / scale for factor, scale in zip(factors, scales, strict=True)]
        usable = element.data[: element.size * element.count]
        plain = [factor == 1 for factor in factors]
        return [
            tuple(
                value / scale if exact else value * times
                for value, scale, times, exact in zip(sample, scales, multipliers, plain, strict=True)
            )
            for sample in struct.iter_unpack(layout, usable[: len(usable) // element.size * element.size])
        ]

    def number(self, key: bytes) -> float | None:
        """The only number of a key, unscaled; None when it is not there or none."""
        element = self.elements.get(key)
        if element is None:
            return None
        try:
            layout, _ = _layout(element, "")
            return float(struct.unpack_from(layout, element.data)[0])
        except (MalformedError, struct.error):
            return None

    def text(self, key: bytes) -> str:
        """The text of a key; empty when it is not there."""
        element = self.elements.get(key)
        return "" if element is None else element.data.split(b"\0", 1)[0].decode("latin-1").strip()

    def _scales(self, width: int) -> list[float]:
        element = self.elements.get(b"SCAL")
        if element is None:
            return [1.0] * width
        layout, factors = _layout(element, "")
        if element.count > _MAX_FIELDS:
            raise MalformedError("too many scales")
        scales = [float(part) for sample in struct.iter_unpack(layout, element.data) for part in sample]
        if len(factors) != 1 and element.count != 1:
            raise MalformedError("scales of several columns")
        if len(scales) == 1:
            scales *= width
        if len(scales) < width or any(not scale for scale in scales[:width]):
            raise MalformedError("scales do not fit the samples")
        return scales[:width]


def _layout(element: Element, complex_type: str) -> tuple[str, list[float]]:
    """Struct format of one sample, and the factor of each of its numbers."""
    if element.type == ord("?"):
        parts = [(kind, int(times or 1)) for kind, times in _COMPLEX_PART.findall(complex_type)]
        kinds = "".join(kind * times for kind, times in parts if 0 < times <= _MAX_FIELDS)
    else:
        kind = chr(element.type)
        if kind not in _STRUCT:
            raise MalformedError(f"no numbers of type {kind!r}")
        kinds = kind * (element.size // struct.calcsize(f">{_STRUCT[kind]}"))
    layout = ">" + "".join(_STRUCT[kind] for kind in kinds)
    if not kinds or len(kinds) > _MAX_FIELDS or struct.calcsize(layout) != element.size:
        raise MalformedError("the type of the samples does not fit their size")
    return layout, [_FIXED_POINT.get(kind, 1) for kind in kinds]


def elements(data: bytes) -> Iterator[Element]:
    """The elements of one level; ends where zeros fill up.

    Raises:
        MalformedError: a length reaches beyond the end, or a key is none.
    """
    at, end, seen = 0, len(data), 0
    while at + _HEADER <= end:
        key = data[at : at + 4]
        if key == b"\0\0\0\0":
            return
        kind, size, count = struct.unpack_from(">BBH", data, at + 4)
        stop = at + _HEADER + size * count
        seen += 1
        if stop > end or seen > _MAX_ELEMENTS or not all(0x20 <= byte < 0x7F for byte in key):  # noqa: PLR2004 (ASCII)
            raise MalformedError("an element reaches beyond its container, or is none")
        yield Element(key, kind, size, count, data[at + _HEADER : stop])
        at += _HEADER + (size * count + 3) // 4 * 4


def streams(payload: bytes, wanted: frozenset[bytes]) -> Iterator[Stream]:
    """The streams of a payload that hold one of the wanted keys.

    Raises:
        MalformedError: the bytes are no GPMF.
    """
    yield from _streams(payload, wanted, None, 0)


def _streams(data: bytes, wanted: frozenset[bytes], device: str | None, depth: int) -> Iterator[Stream]:
    if depth > _MAX_DEPTH:
        raise MalformedError("nested too deep")
    for element in elements(data):
        if element.key == b"DVNM":
            device = element.data.split(b"\0", 1)[0].decode("latin-1").strip() or device
        if element.type != 0:
            continue
        if element.key != b"STRM":
            yield from _streams(element.data, wanted, device, depth + 1)
        elif any(key in element.data for key in wanted):
            stream = Stream(device, {inner.key: inner for inner in elements(element.data)})
            if stream.elements.keys() & wanted:
                yield stream
