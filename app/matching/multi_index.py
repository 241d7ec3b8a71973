"""Exact search among millions of 256-bit rows without looking at each: multi-index hashing (Norouzi et al. 2012).

A row is filed under each of its 16 bands of 16 bits. Two rows that differ in at most 31 bits differ in at most one bit
of some band (16 bands with two each would make 32), so that 17 keys a band find them all; up to 15 bits one band is
equal. Beyond 31 bits all rows are scanned. What was added since the last filing is always scanned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.matching.errors import FingerprintError
from app.matching.index import BLOCK_ROWS, ROW_BYTES, Hit, as_words, hamming

BANDS: Final = 16
BAND_BITS: Final = 16
EXACT_RADIUS: Final = 2 * BANDS - 1
EQUAL_RADIUS: Final = BANDS - 1
UNFILED: Final = 16_384  # rows that are scanned before all are filed anew
_FLIPS: Final = np.array([0, *(1 << bit for bit in range(BAND_BITS))], np.uint16)

Words = NDArray[np.uint64]
Numbers = NDArray[np.int64]


class MultiIndex:
    """A `HashIndex` in memory, 112 bytes a row. Not safe for concurrent use."""

    def __init__(self) -> None:
        self._words: Words = np.zeros((1024, 4), np.uint64)
        self._owner = np.zeros(1024, np.int32)
        self._number = np.zeros(1024, np.int32)
        self._size = self._filed = 0
        self._items: list[str | None] = []
        self._slots: dict[str, tuple[int, int]] = {}  # item -> (slot, rows added so far)
        self._order = np.zeros((BANDS, 0), np.int32)
        self._starts = np.zeros((BANDS, (1 << BAND_BITS) + 1), np.int32)

    def __len__(self) -> int:
        return self._size

    def add(self, item: str, rows: Sequence[bytes]) -> None:
        """See `HashIndex.add`.

        Raises:
            FingerprintError: `malformed_fingerprint` unless every row has 32 bytes.
        """
        if not rows:
            return
        if any(len(row) != ROW_BYTES for row in rows):
            raise FingerprintError("malformed_fingerprint", "a hash has 32 bytes")
        slot, count = self._slots.get(item, (len(self._items), 0))
        if item not in self._slots:
            self._items.append(item)
        self._grow(self._size + len(rows))
        place = slice(self._size, self._size + len(rows))
        self._words[place] = np.frombuffer(b"".join(rows), np.uint64).reshape(-1, 4)
        self._owner[place] = slot
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
        self._filed = 0  # places have moved

    def search(self, value: bytes, radius: int) -> list[Hit]:
        """See `HashIndex.search`: exact, by bands up to 31 bits and by a scan beyond."""
        wanted = as_words(value)
        if radius > EXACT_RADIUS:
            places, distances = self._scan(wanted, 0, radius)
        else:
            if self._size - self._filed > max(UNFILED, self._filed // 8):
                self.file()
            places, distances = self._by_bands(wanted, radius)
            newer = self._scan(wanted, self._filed, radius)
            places, distances = np.concatenate([places, newer[0]]), np.concatenate([distances, newer[1]])
        ranked = np.lexsort((places, distances))
        return [
            (self._name(at), int(self._number[at]), distance)
            for at, distance in zip(places[ranked].tolist(), distances[ranked].tolist(), strict=True)
        ]

    def file(self) -> None:
        """File all rows under their bands; `search` does so by itself when many are new."""
        keys = self._words[: self._size].view(np.uint16).reshape(self._size, BANDS)
        self._order = np.empty((BANDS, self._size), np.int32)
        for band in range(BANDS):
            own = np.ascontiguousarray(keys[:, band])
            self._order[band] = np.argsort(own, kind="stable")
            self._starts[band, 1:] = np.cumsum(np.bincount(own, minlength=1 << BAND_BITS))
        self._filed = self._size

    def _by_bands(self, wanted: Words, radius: int) -> tuple[Numbers, Numbers]:
        if not self._filed:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        flips = _FLIPS if radius > EQUAL_RADIUS else _FLIPS[:1]
        keys = (wanted.view(np.uint16)[:, None] ^ flips[None, :]).astype(np.intp)
        bands = np.arange(BANDS)[:, None]
        starts = self._starts[bands, keys].ravel()
        counts = self._starts[bands, keys + 1].ravel() - starts
        ends = np.cumsum(counts, dtype=np.int64)
        within = np.arange(int(ends[-1])) + np.repeat(starts - (ends - counts), counts)
        row_of = np.repeat(np.repeat(np.arange(BANDS), len(flips)), counts)
        places = self._order[row_of, within]
        distances = np.bitwise_count(self._words[places] ^ wanted).sum(axis=1, dtype=np.int64)
        near = distances <= radius
        found, first = np.unique(places[near], return_index=True)
        return found.astype(np.int64), distances[near][first]

    def _scan(self, wanted: Words, begin: int, radius: int) -> tuple[Numbers, Numbers]:
        places, distances = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for start in range(begin, self._size, BLOCK_ROWS):
            block = self._words[start : min(start + BLOCK_ROWS, self._size)]
            far = hamming(wanted[None], block)[0]
            near = np.flatnonzero(far <= radius)
            places.append(near + start)
            distances.append(far[near].astype(np.int64))
        return np.concatenate(places), np.concatenate(distances)

    def _name(self, at: int) -> str:
        name = self._items[int(self._owner[at])]
        assert name is not None  # noqa: S101 - rows of a removed item are gone
        return name

    def _grow(self, needed: int) -> None:
        room = len(self._words)
        if needed > room:
            extra = max(needed - room, room)
            self._words = np.concatenate([self._words, np.zeros((extra, 4), np.uint64)])
            self._owner = np.concatenate([self._owner, np.zeros(extra, np.int32)])
            self._number = np.concatenate([self._number, np.zeros(extra, np.int32)])
