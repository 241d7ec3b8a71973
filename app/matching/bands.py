"""Look-alike hashes among millions, without looking at each: rows are filed under parts of their steadiest bits.

Of the 16 x 16 frequencies of a pHash the lowest are the ones that copying changes least. Of 63 of their bits five keys
of 16 are made, and a row is looked at when one of its keys is among those that the query is looked up under
(`app/matching/probes.py`). That leaves out rows which differ otherwise in every key: of real copies next to none, of
strangers nearly all (Norouzi, Punjani and Fleet 2012 do so with all bits, where it is exact). Of what is looked at the
128 steadiest bits are compared first, which lie side by side: of 10,627 pairs of copies three differ in more than 46 of
them, of strangers 98 of 100 (docs/adr/0063). What is left is compared in full.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.matching.hash_rows import BLOCK_ROWS, as_words, bits_of, hamming, portions, runs
from app.matching.probes import BANDS, BY_FREQUENCY, KEY_BITS, KEY_PLACES, LOW, LOW_SIDE, Turned, blindly

STEADY_BITS: Final = 128
STEADY_DISTANCE: Final = 46  # of the steadiest bits
LOOKED_AT: Final = 1 << 20  # rows that are compared at once
UNFILED: Final = 4_096  # rows that are looked through one by one before they are filed
GROWTH: Final = 8  # with those that were filed before, as long as these are not so many times as many
# The lowest 8 x 8 frequencies, then the others in their order.
_STEADIEST: Final = [*LOW, *(place for place in BY_FREQUENCY if max(place) >= LOW_SIDE)][:STEADY_BITS]
_KEY_WORDS: Final = -(-BANDS * KEY_BITS // 64)


def _places() -> list[list[int]]:
    """Where in a row the bits of several words lie: of the keys, one after another, and the steadiest."""
    keys = [16 * (place // LOW_SIDE) + place % LOW_SIDE for place in KEY_PLACES.ravel().tolist()]
    steadiest = [16 * u + v for u, v in _STEADIEST]
    return [bits[start : start + 64] for bits in (keys, steadiest) for start in range(0, len(bits), 64)]


def _dealt() -> tuple[tuple[int, NDArray[np.uint64]], ...]:
    """Of each octet of a row that has any of these bits: where they go, for each of its 256 values."""
    words = _places()
    found = {octet: np.zeros((256, len(words)), np.uint64) for octet in range(32)}
    for word, places in enumerate(words):
        for bit, place in enumerate(places):
            is_set = (np.arange(256) >> (7 - place % 8)) & 1
            found[place // 8][:, word] |= is_set.astype(np.uint64) << np.uint64(bit)
    return tuple((octet, bits) for octet, bits in found.items() if bits.any())


_DEALT: Final = _dealt()

Words = NDArray[np.uint64]
Numbers = NDArray[np.int32]


@dataclass(frozen=True)
class _Filed:
    """Rows from `begin` to `end` in the order of adding, filed under their keys.

    Attributes:
        order: (bands, rows) where a row stands in the order of adding.
        steady: (bands, rows, 2) its steadiest bits.
        starts: (bands, keys + 1) where a key's rows begin.
    """

    begin: int
    end: int
    order: Numbers
    steady: Words
    starts: Numbers

    @classmethod
    def of(cls, words: Words, begin: int, end: int) -> _Filed:
        keys, steady = _keys_and_steady(words[begin:end])
        order = np.empty(keys.shape, np.int32)
        beside = np.empty((*keys.shape, 2), np.uint64)
        starts = np.zeros((BANDS, (1 << KEY_BITS) + 1), np.int32)
        for band, own in enumerate(keys):
            order[band] = np.argsort(own, kind="stable")
            steady.take(order[band], axis=0, out=beside[band], mode="clip")  # `raise` would go through a copy
            starts[band, 1:] = np.cumsum(np.bincount(own, minlength=1 << KEY_BITS))
        return cls(begin, end, order + np.int32(begin), beside, starts)

    def near(
        self, band: int, keys: NDArray[np.uint16], steady: Words, turned: Turned
    ) -> Iterator[tuple[NDArray[np.intp], Numbers]]:
        """(number of the query row, place of the row) of all with a key that is looked for and near steadiest bits."""
        probes = (keys.take(turned.row) ^ turned.bits[band]).astype(np.intp)
        starts = self.starts[band].take(probes)
        counts = self.starts[band].take(probes + 1) - starts
        for some in portions(counts, LOOKED_AT):
            places = runs(starts[some], counts[some])
            each = np.bincount(turned.row[some], counts[some], len(keys)).astype(np.intp)
            differing = self.steady[band].take(places, axis=0)
            differing ^= np.repeat(steady, each, axis=0)
            bits = np.bitwise_count(differing)
            near = np.flatnonzero(bits[:, 0] + bits[:, 1] <= STEADY_DISTANCE)
            yield np.searchsorted(np.cumsum(each), near, side="right"), self.order[band].take(places.take(near))


class BandedHashIndex:
    """Rows of items in memory, 136 bytes each. Not safe for concurrent use.

    A shallow copy sees what was there when it was made: adding writes behind that, filing makes new tables.
    """

    def __init__(self) -> None:
        self._words: Words = np.zeros((1024, 4), np.uint64)
        self._owner: Numbers = np.zeros(1024, np.int32)
        self._size = 0
        self._filed: tuple[_Filed, ...] = ()

    def __len__(self) -> int:
        return self._size

    def add(self, item: int | NDArray[np.intp], rows: Words) -> None:
        """Add (n, 4) words of an item, which is a number of the caller's, or of as many items."""
        self._grow(self._size + len(rows))
        place = slice(self._size, self._size + len(rows))
        self._words[place] = rows
        self._owner[place] = item
        self._size += len(rows)

    def nearest(self, rows: Sequence[bytes], radius: int, turned: Turned | None = None) -> dict[int, int]:
        """Items with a row within the radius of one of these rows, and the least distance found (bits).

        Args:
            rows: of the query, 32 bytes each.
            radius: bits.
            turned: what to turn over in their keys; blindly any two bits without.
        """
        if not rows:
            return {}
        if turned is None:
            rows = sorted(set(rows))  # frames of a camera that stands still are all alike
        wanted = np.stack([as_words(row) for row in rows])
        found: dict[int, int] = {}
        begin = self._filed_up_to()
        tail = hamming(wanted, self._words[begin : self._size])
        which, at = np.nonzero(tail <= radius)
        self._note(found, at + begin, tail[which, at])
        if self._filed:
            self._look_up(found, wanted, radius, blindly(len(rows)) if turned is None else turned)
        return found

    def _look_up(self, found: dict[int, int], wanted: Words, radius: int, turned: Turned) -> None:
        keys, steady = _keys_and_steady(wanted)
        for part, band in product(self._filed, range(BANDS)):
            for asked, places in part.near(band, keys[band], steady, turned):
                distances = bits_of(self._words.take(places, axis=0) ^ wanted.take(asked, axis=0))
                near = np.flatnonzero(distances <= radius)
                self._note(found, places[near], distances[near])

    def _note(self, found: dict[int, int], at: NDArray[np.signedinteger[Any]], distances: NDArray[np.uint16]) -> None:
        for item, distance in zip(self._owner[at].tolist(), distances.tolist(), strict=True):
            if distance < found.get(item, 257):
                found[item] = distance

    def file_when_due(self) -> None:
        """File what is not, when it is much; and with it what was filed last, as long as that is not far more."""
        if self._size - self._filed_up_to() <= UNFILED:
            return
        begin, parts = self._filed_up_to(), list(self._filed)
        while parts and begin - parts[-1].begin < GROWTH * (self._size - begin):
            begin = parts.pop().begin
        self._filed = (*parts, _Filed.of(self._words, begin, self._size))

    def _filed_up_to(self) -> int:
        return self._filed[-1].end if self._filed else 0

    def _grow(self, needed: int) -> None:
        room = len(self._words)
        if needed > room:
            extra = max(needed - room, room)
            self._words = np.concatenate([self._words, np.zeros((extra, 4), np.uint64)])
            self._owner = np.concatenate([self._owner, np.zeros(extra, np.int32)])


def _keys_and_steady(words: Words) -> tuple[NDArray[np.uint16], Words]:
    """The keys of rows, (bands, rows), and their steadiest bits, (rows, 2)."""
    octets = np.ascontiguousarray(words).view(np.uint8).reshape(len(words), 32)
    dealt = np.zeros((len(words), _DEALT[0][1].shape[1]), np.uint64)
    for begin in range(0, len(words), BLOCK_ROWS):
        block = slice(begin, begin + BLOCK_ROWS)
        for at, bits in _DEALT:
            dealt[block] |= bits.take(octets[block, at], axis=0)
    keys = np.ascontiguousarray(dealt[:, :_KEY_WORDS]).view(np.uint16)[:, :BANDS]
    return np.ascontiguousarray(keys.T), np.ascontiguousarray(dealt[:, _KEY_WORDS:])
