"""Protocol Buffers on the wire, without a schema: numbers and bytes by field number."""

from __future__ import annotations

import struct
from typing import Final

_VARINT, _BYTES = 0, 2
_SIZED: Final = {1: (8, "<d"), 5: (4, "<f")}
_MAX_FIELDS: Final = 2_000
_SIGN, _WHOLE = 1 << 63, 1 << 64

Value = int | float | bytes


class MalformedError(ValueError):
    """Bytes that are no message."""


def fields(data: bytes) -> dict[int, Value]:
    """The first value of each field: int for a varint, float for eight or four bytes, bytes for the rest.

    Raises:
        MalformedError: cut off, or a wire type that is none.
    """
    found: dict[int, Value] = {}
    at, end, count = 0, len(data), 0
    while at < end:
        count += 1
        if count > _MAX_FIELDS:
            raise MalformedError("more fields than are read")
        key = data[at]
        at += 1
        if key >= 0x80:  # noqa: PLR2004 (more than one byte)
            key, at = _varint(data, at - 1)
        value, at = _value(data, at, key & 7)
        number = key >> 3
        if not number:
            raise MalformedError("field 0")
        if number not in found:
            found[number] = value
    return found


def _value(data: bytes, at: int, wire: int) -> tuple[Value, int]:
    """A value of a wire type, and where it ends."""
    if wire in _SIZED:
        size, form = _SIZED[wire]
        if at + size > len(data):
            raise MalformedError("a number is cut off")
        return struct.unpack_from(form, data, at)[0], at + size
    if wire not in {_VARINT, _BYTES}:
        raise MalformedError(f"wire type {wire}")
    number, at = _varint(data, at)
    if wire == _VARINT:
        return number, at
    if at + number > len(data):
        raise MalformedError("a field is cut off")
    return data[at : at + number], at + number


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:  # noqa: PLR2004 (ten bytes)
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 (the last byte)
            return value, at
        shift += 7
    raise MalformedError("a number is cut off or too long")


def message(found: dict[int, Value], number: int) -> dict[int, Value]:
    """A field as a message; empty when it is not there or none."""
    value = found.get(number)
    if not isinstance(value, bytes):
        return {}
    try:
        return fields(value)
    except MalformedError:
        return {}


def signed(value: Value | None) -> int | None:
    """A varint as int64."""
    if not isinstance(value, int):
        return None
    value &= _WHOLE - 1
    return value - _WHOLE if value >= _SIGN else value


def text(value: Value | None) -> str | None:
    """Bytes as text, if they are some."""
    if not isinstance(value, bytes) or not value:
        return None
    try:
        found = value.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return found if found.isprintable() else None
