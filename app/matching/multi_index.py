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

from app.matching.hash_rows import HashRows, Hit, Numbers, Words, as_words, bits_of, portions, runs

BANDS: Final = 16
BAND_BITS: Final = 16
EXACT_RADIUS: Final = 2 * BANDS - 1
EQUAL_RADIUS: Final = BANDS - 1
UNFILED: Final = 16_384  # rows that are scanned before all are filed anew
ROWS_AT_ONCE: Final = 64  # of a query, whose keys are looked up together
LOOKED_AT: Final = 1 << 18  # filed rows that are compared at once: 25 MB of scratch
UNKNOWN: Final = 257  # bits
_ALL: Final = np.arange(BANDS)
_FLIPS: Final = np.array([0, *(1 << bit for bit in range(BAND_BITS))], np.uint16)

Runs = NDArray[np.int32]


class MultiIndex(HashRows):
    """A `HashIndex` in memory, 104 bytes a row. Not safe for concurrent use.

    Of a shallow copy that was made after the last `file_when_due` the same is true as of `BandedHashIndex`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._filed = 0
        self._order = np.zeros((BANDS, 0), np.int32)
        self._starts = np.zeros((BANDS, (1 << BAND_BITS) + 1), np.int32)

    def remove(self, item: str) -> None:
        """See `HashIndex.remove`."""
        before = self._size
        super().remove(item)
        if self._size != before:
            self._filed = 0  # places have moved
            self._order, self._starts = self._order[:, :0], np.zeros_like(self._starts)

    def search(self, value: bytes, radius: int) -> list[Hit]:
        """See `HashIndex.search`: exact, by bands up to 31 bits and by a scan beyond."""
        wanted = as_words(value)
        if radius > EXACT_RADIUS:
            places, distances = self._scan(wanted, 0, radius)
        else:
            self.file_when_due()
            places, distances = self._scan(wanted, self._filed, radius)
            filed, far = self._by_bands(wanted[None], *self._runs(wanted[None], radius), radius)
            filed, first = np.unique(filed, return_index=True)  # a row may share several keys
            places, distances = np.concatenate([filed, places]), np.concatenate([far[first], distances])
        return self._hits(places, distances)

    def nearest(self, rows: Sequence[bytes], radius: int) -> dict[str, int]:
        """Items with a row within the radius of one of these, and the least distance (bits): what `search` finds.

        What is not filed is scanned for each of the rows; all is for those that have more filed under their keys.
        """
        least = np.full(len(self._items), UNKNOWN, np.int64)  # of the distances' type: others take 20 times as long
        wanted = np.array([as_words(row) for row in sorted(set(rows))], np.uint64).reshape(-1, 4)
        for start in range(0, len(wanted), ROWS_AT_ONCE):
            some = wanted[start : start + ROWS_AT_ONCE]
            starts, counts = self._runs(some, radius)
            filed = counts.sum(axis=(1, 2), dtype=np.int64)
            by_bands = (filed <= min(LOOKED_AT, self._filed)) & (radius <= EXACT_RADIUS)
            chosen = np.flatnonzero(by_bands)
            for portion in portions(filed[chosen], LOOKED_AT):
                rows_of = chosen[portion]
                places, distances = self._by_bands(some[rows_of], starts[rows_of], counts[rows_of], radius)
                np.minimum.at(least, self._owner[places], distances)
            for row, is_filed in zip(some, by_bands.tolist(), strict=True):
                places, distances = self._scan(row, self._filed if is_filed else 0, radius)
                np.minimum.at(least, self._owner[places], distances)
        near = np.flatnonzero(least < UNKNOWN).tolist()
        return {item: int(least[at]) for at in near if (item := self._items[at]) is not None}

    def file_when_due(self) -> None:
        """File all rows when many are new; `search` does so by itself."""
        if self._size - self._filed > max(UNFILED, self._filed // 8):
            self.file()

    def file(self) -> None:
        """File all rows under their bands."""
        keys = self._words[: self._size].view(np.uint16).reshape(self._size, BANDS)
        order, starts = np.empty((BANDS, self._size), np.int32), np.zeros_like(self._starts)
        for band in range(BANDS):
            own = np.ascontiguousarray(keys[:, band])
            order[band] = np.argsort(own, kind="stable")
            starts[band, 1:] = np.cumsum(np.bincount(own, minlength=1 << BAND_BITS))
        self._order, self._starts, self._filed = order, starts, self._size

    def _runs(self, wanted: Words, radius: int) -> tuple[Runs, Runs]:
        """Where what is filed under the keys of (n, 4) words begins, and how much it is: (n, bands, keys) both."""
        flips = _FLIPS if radius > EQUAL_RADIUS else _FLIPS[:1]
        keys = (wanted.view(np.uint16)[..., None] ^ flips).astype(np.intp)
        starts = self._starts[_ALL[:, None], keys]
        return starts, self._starts[_ALL[:, None], keys + 1] - starts

    def _by_bands(self, wanted: Words, starts: Runs, counts: Runs, radius: int) -> tuple[Numbers, Numbers]:
        """Places of filed rows within the radius of any of (n, 4) words, and their distances; some more than once."""
        band_of = np.repeat(np.broadcast_to(_ALL[:, None], counts.shape).ravel(), counts.ravel())
        places = self._order[band_of, runs(starts.ravel(), counts.ravel())]
        asked = np.repeat(np.arange(len(wanted)), counts.sum(axis=(1, 2)))
        distances = bits_of(self._words.take(places, axis=0) ^ wanted.take(asked, axis=0)).astype(np.int64)
        near = distances <= radius
        return places[near].astype(np.int64), distances[near]
