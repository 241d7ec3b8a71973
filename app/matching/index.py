"""Exact search for 256-bit rows within a Hamming radius.

Contract of every index: `search` finds every row within the radius and no other; results come
nearest first, then in the order of adding; adding the same item again adds rows to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from app.matching.errors import FingerprintError

ROW_BYTES: Final = 32
BLOCK_ROWS: Final = 65_536  # rows looked at together: 2 MiB of rows, under 1 MiB of scratch
_WORDS: Final = ROW_BYTES // 8

Hit = tuple[str, int, int]


class HashIndex(Protocol):
    """Rows of items, searched by Hamming distance."""

    def add(self, item: str, rows: Sequence[bytes]) -> None:
        """Add rows of 32 bytes; they are found as soon as this returns."""
        ...

    def remove(self, item: str) -> None:
        """Forget all rows of an item; an unknown item is no error."""
        ...

    def search(self, value: bytes, radius: int) -> list[Hit]:
        """All rows within the radius (0 to 256 bits): (item, number of the row in its item, distance)."""
        ...


class NumpyHashIndex:
    """Exact scan of rows kept in memory (40 bytes per row). Not safe for concurrent writers."""

    def __init__(self) -> None:
        self._words = np.zeros((1024, _WORDS), np.uint64)
        self._owner = np.zeros(1024, np.int64)
        self._number = np.zeros(1024, np.int64)
        self._size = 0
        self._items: list[str | None] = []
        self._slots: dict[str, tuple[int, int]] = {}  # item -> (slot, rows added so far)

    def __len__(self) -> int:
        return self._size

    def add(self, item: str, rows: Sequence[bytes]) -> None:
        """See `HashIndex.add`."""
        if not rows:
            return
        words = np.stack([as_words(row) for row in rows])
        slot, count = self._slots.get(item, (len(self._items), 0))
        if item not in self._slots:
            self._items.append(item)
        self._grow(self._size + len(rows))
        place = slice(self._size, self._size + len(rows))
        self._words[place], self._owner[place] = words, slot
        self._number[place] = np.arange(count, count + len(rows))
        self._size += len(rows)
        self._slots[item] = (slot, count + len(rows))

    def remove(self, item: str) -> None:
        """See `HashIndex.remove`."""
        found = self._slots.pop(item, None)
        if found is None:
            return
        self._items[found[0]] = None
        keep = np.flatnonzero(self._owner[: self._size] != found[0])
        self._size = len(keep)
        for array in (self._words, self._owner, self._number):
            array[: self._size] = array[keep]

    def search(self, value: bytes, radius: int) -> list[Hit]:
        """See `HashIndex.search`."""
        wanted = as_words(value)[None]
        hits: list[tuple[int, int]] = []
        for start in range(0, self._size, BLOCK_ROWS):
            block = self._words[start : min(start + BLOCK_ROWS, self._size)]
            distances = hamming(wanted, block)[0]
            near = np.flatnonzero(distances <= radius)
            hits.extend(zip(distances[near].tolist(), (near + start).tolist(), strict=True))
        return [(self._name(at), int(self._number[at]), distance) for distance, at in sorted(hits)]

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
        self._owner = np.concatenate([self._owner, np.zeros(extra, np.int64)])
        self._number = np.concatenate([self._number, np.zeros(extra, np.int64)])


def as_words(row: bytes) -> NDArray[np.uint64]:
    """A 256-bit row as four words.

    Raises:
        FingerprintError: `malformed_fingerprint` unless the row has 32 bytes.
    """
    if len(row) != ROW_BYTES:
        raise FingerprintError("malformed_fingerprint", f"a hash has 32 bytes, not {len(row)}")
    return np.frombuffer(row, dtype=np.uint64)


def hamming(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> NDArray[np.uint16]:
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
