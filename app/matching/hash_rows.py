"""Rows of 256 bits in memory, by the item that they belong to: what every index in this process is built upon."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.matching.errors import FingerprintError

ROW_BYTES: Final = 32
BLOCK_ROWS: Final = 65_536  # rows looked at together: 2 MiB of rows, under 1 MiB of scratch
_WORDS: Final = ROW_BYTES // 8
_FIRST_ROOM: Final = 1024

Hit = tuple[str, int, int]
Words = NDArray[np.uint64]
Numbers = NDArray[np.int64]


class HashRows:
    """40 bytes a row, in the order of adding. Not safe for concurrent use."""

    def __init__(self) -> None:
        self._words: Words = np.zeros((_FIRST_ROOM, _WORDS), np.uint64)
        self._owner = np.zeros(_FIRST_ROOM, np.int32)
        self._number = np.zeros(_FIRST_ROOM, np.int32)
        self._size = 0
        self._items: list[str | None] = []
        self._slots: dict[str, tuple[int, int]] = {}  # item -> (slot, rows added so far)

    def __len__(self) -> int:
        return self._size

    def add(self, item: str, rows: Sequence[bytes]) -> None:
        """See `app.matching.index.HashIndex.add`.

        Raises:
            FingerprintError: `malformed_fingerprint` unless every row has 32 bytes.
        """
        if not rows:
            return
        if any(len(row) != ROW_BYTES for row in rows):
            raise FingerprintError("malformed_fingerprint", "a hash has 32 bytes")
        self.add_words(item, np.frombuffer(b"".join(rows), np.uint64).reshape(-1, _WORDS))

    def add_words(self, item: str, rows: Words) -> None:
        """The same of (n, 4) words."""
        if not len(rows):
            return
        slot, count = self._slots.get(item, (len(self._items), 0))
        if item not in self._slots:
            self._items.append(item)
        self._grow(self._size + len(rows))
        place = slice(self._size, self._size + len(rows))
        self._words[place] = rows
        self._owner[place] = slot
        self._number[place] = np.arange(count, count + len(rows))
        self._size += len(rows)
        self._slots[item] = (slot, count + len(rows))

    def add_new(self, items: Sequence[str], rows: Words, whose: NDArray[np.intp]) -> None:
        """Add the rows of many items at once, none of which is here yet.

        Args:
            items: the items.
            rows: (n, 4) words.
            whose: (n) of each row the number of its item among these, ascending.
        """
        first, counts = len(self._items), np.bincount(whose, minlength=len(items))
        self._grow(self._size + len(rows))
        place = slice(self._size, self._size + len(rows))
        self._words[place] = rows
        self._owner[place] = first + whose
        self._number[place] = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        self._size += len(rows)
        self._items += items
        self._slots.update(
            (item, (first + at, count)) for at, (item, count) in enumerate(zip(items, counts.tolist(), strict=True))
        )

    def remove(self, item: str) -> None:
        """See `app.matching.index.HashIndex.remove`; places move."""
        found = self._slots.pop(item, None)
        if found is None:
            return
        self._items[found[0]] = None
        keep = np.flatnonzero(self._owner[: self._size] != found[0])
        self._size = len(keep)
        for array in (self._words, self._owner, self._number):
            array[: self._size] = array[keep]

    def _scan(self, wanted: Words, begin: int, radius: int) -> tuple[Numbers, Numbers]:
        """Places from `begin` on of rows within the radius, ascending, and their distances."""
        places, distances = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for start in range(begin, self._size, BLOCK_ROWS):
            block = self._words[start : min(start + BLOCK_ROWS, self._size)]
            far = hamming(wanted[None], block)[0]
            near = np.flatnonzero(far <= radius)
            places.append(near + start)
            distances.append(far[near].astype(np.int64))
        return np.concatenate(places), np.concatenate(distances)

    def _hits(self, places: Numbers, distances: Numbers) -> list[Hit]:
        """Nearest first, then in the order of adding."""
        ranked = np.lexsort((places, distances))
        return [
            (self._name(at), int(self._number[at]), distance)
            for at, distance in zip(places[ranked].tolist(), distances[ranked].tolist(), strict=True)
        ]

    def _name(self, at: int) -> str:
        name = self._items[int(self._owner[at])]
        assert name is not None  # noqa: S101 - rows of a removed item are gone
        return name

    def _grow(self, needed: int) -> None:
        room = len(self._words)
        if needed <= room:
            return
        extra = max(needed - room, room)
        self._words = np.concatenate([self._words, np.zeros((extra, _WORDS), np.uint64)])
        self._owner = np.concatenate([self._owner, np.zeros(extra, np.int32)])
        self._number = np.concatenate([self._number, np.zeros(extra, np.int32)])


def as_words(row: bytes) -> Words:
    """A 256-bit row as four words.

    Raises:
        FingerprintError: `malformed_fingerprint` unless the row has 32 bytes.
    """
    if len(row) != ROW_BYTES:
        raise FingerprintError("malformed_fingerprint", f"a hash has 32 bytes, not {len(row)}")
    return np.frombuffer(row, dtype=np.uint64)


def bits_of(differing: Words) -> NDArray[np.uint16]:
    """Bits that are set in each of (n, 4) words; a sum along so short an axis takes four times as long."""
    counts = np.bitwise_count(differing)
    return counts[:, 0].astype(np.uint16) + counts[:, 1] + counts[:, 2] + counts[:, 3]


def runs(starts: NDArray[np.integer[Any]], counts: NDArray[np.integer[Any]]) -> NDArray[np.intp]:
    """The places of runs, one after another: of each so many, from its start on."""
    ends = np.cumsum(counts, dtype=np.intp)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(starts - (ends - counts), counts)


def portions(counts: NDArray[np.integer[Any]], most: int) -> Iterator[slice]:
    """Neighbours whose counts come to no more than so much together; what has more by itself is alone."""
    ends = np.cumsum(counts, dtype=np.int64)
    begin = 0
    while begin < len(counts):
        before = int(ends[begin - 1]) if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, before + most, side="right")))
        yield slice(begin, end)
        begin = end


def hamming(left: Words, right: Words) -> NDArray[np.uint16]:
    """Distances in bits of every pair: (n, 4) words and (m, 4) words give (n, m).

    Word by word, each in one row (of neighbouring words four are done at once); no BLAS, whose threads would spin.
    """
    table = np.zeros((len(left), len(right)), np.uint16)
    differing = np.empty(table.shape, np.uint64)
    count = np.empty(table.shape, np.uint8)
    for ours, theirs in zip(np.ascontiguousarray(left.T), np.ascontiguousarray(right.T), strict=True):
        np.bitwise_xor(ours[:, None], theirs[None, :], out=differing)
        table += np.bitwise_count(differing, out=count)
    return table
