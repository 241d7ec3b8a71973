"""MISB ST 0601 local sets: finding them, their checksum, their items (SMPTE ST 336, MISB ST 0107).

A set is the 16-byte universal key, a BER length, then items of a BER-OID tag, a BER length and a value. The checksum is
the last item: the 16-bit sum of everything before its value, beginning with the key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

UL_KEY: Final = bytes.fromhex("060e2b34020b01010e01030101000000")
"""UAS Datalink Local Set (ST 0601)."""
LEGACY_KEY: Final = bytes.fromhex("060e2b34020101010e01010201010000")
"""EG 0104 predator set, which ST 0601 replaced; it is named, not read."""
CHECKSUM_TAG: Final = 1
_CHECKSUM_BYTES: Final = 2
_MAX_ITEMS: Final = 1_000
_MAX_SET: Final = 1024 * 1024

Verdict = Literal["right", "wrong", "missing"]


@dataclass(frozen=True, slots=True)
class LocalSet:
    """One set: its items by tag (the first of each), and whether its checksum holds."""

    items: dict[int, bytes]
    checksum: Verdict


class MalformedError(ValueError):
    """A set that is cut off, or whose items do not fit it."""


def ber_length(data: bytes, at: int) -> tuple[int, int]:
    """A length and where its value begins (ITU-T X.690, definite forms).

    Raises:
        MalformedError: cut off, or indefinite, or of more than four bytes.
    """
    if at >= len(data):
        raise MalformedError("a length is cut off")
    first = data[at]
    if first < 0x80:  # noqa: PLR2004 (short form)
        return first, at + 1
    count = first & 0x7F
    if not 1 <= count <= 4 or at + 1 + count > len(data):  # noqa: PLR2004 (32 bits are more than any set has)
        raise MalformedError("a length is of no form that is used")
    return int.from_bytes(data[at + 1 : at + 1 + count], "big"), at + 1 + count


def ber_oid(data: bytes, at: int) -> tuple[int, int]:
    """A tag and where it ends: seven bits a byte, the top bit says that more follow.

    Raises:
        MalformedError: cut off, or of more than three bytes.
    """
    value = 0
    for index in range(3):
        if at + index >= len(data):
            break
        byte = data[at + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:  # noqa: PLR2004 (the last byte)
            return value, at + index + 1
    raise MalformedError("a tag is cut off or too long")


def checksum(data: bytes) -> int:
    """Running 16-bit sum of big-endian pairs of bytes (ST 0601, item 1)."""
    return (sum(data[::2]) * 256 + sum(data[1::2])) & 0xFFFF


def items(value: bytes) -> dict[int, bytes]:
    """The items of a set's value.

    Raises:
        MalformedError: an item reaches beyond the end.
    """
    found: dict[int, bytes] = {}
    at = 0
    for _ in range(_MAX_ITEMS):
        if at >= len(value):
            return found
        tag, at = ber_oid(value, at)
        length, at = ber_length(value, at)
        if at + length > len(value):
            raise MalformedError(f"item {tag} reaches beyond its set")
        found.setdefault(tag, value[at : at + length])
        at += length
    raise MalformedError("more items than are read")


def local_sets(data: bytes) -> Iterator[LocalSet | MalformedError]:
    """The sets in some bytes, whatever lies between them; a malformed one as its error."""
    at = data.find(UL_KEY)
    while at >= 0:
        try:
            found, at_next = _local_set(data, at)
            yield found
        except MalformedError as error:
            yield error
            at_next = at + len(UL_KEY)
        at = data.find(UL_KEY, at_next)


def _local_set(data: bytes, at: int) -> tuple[LocalSet, int]:
    length, start = ber_length(data, at + len(UL_KEY))
    end = start + length
    if end > len(data) or length > _MAX_SET:
        raise MalformedError("a set is cut off")
    whole = data[at:end]
    # The sum is told by its place: whether it holds is known before any item is believed.
    if whole[-4:-2] == bytes((CHECKSUM_TAG, _CHECKSUM_BYTES)):
        right = int.from_bytes(whole[-2:], "big") == checksum(whole[:-2])
        try:
            found = items(data[start:end])
        except MalformedError:
            if right:
                raise
            found = {}  # damaged, as its checksum says
        return LocalSet(found, "right" if right else "wrong"), end
    return LocalSet(items(data[start:end]), "missing"), end
