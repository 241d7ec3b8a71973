"""Keys of 256-bit rows for the index in SQL: 13 bands of 19 or 20 bits, probed with up to two bits turned over.

By the pigeonhole (Norouzi et al. 2012): a row within r bits differs in at most s = r div 13 bits of one of the first
a + 1 bands, a = r mod 13, or in at most s - 1 of one of the others; else it would differ in (a + 1)(s + 1) +
(12 - a) s = r + 1 bits. In a database a candidate costs more than a probe, as its row must be read: at 1,000,000 rows
and radius 31 these bands need 1,333 probes and give 2,000 candidates, 16 bands of 16 bits 272 probes and 4,150.

Beside each key stands half of the row's bits: a stranger differs in 64 of them, so that next to no row is read in vain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

BANDS: Final = 13
KEY_BITS: Final = 20  # a key holds its band above them
HALF: Final = slice(16, 32)  # bytes of a row; of look-alikes the higher frequencies differ more
# The narrow bands come first: they are the ones that are probed with more bits turned over.
_WIDTHS: Final = (19,) * 4 + (20,) * 9
_ENDS: Final = np.cumsum(_WIDTHS)
_BAND: Final = np.repeat(np.arange(BANDS), _WIDTHS)
_WEIGHT: Final = (1 << (_ENDS[_BAND] - 1 - np.arange(256))).astype(np.int64)
_BASE: Final = np.arange(BANDS, dtype=np.int64) << KEY_BITS

Keys = NDArray[np.int64]
Found = tuple[int, int, str, int]  # distance, id, item, number


def numbered(items: Iterable[tuple[str, Sequence[bytes]]]) -> Iterator[tuple[str, int, bytes]]:
    """(item, number in it, row) of all rows; an item may come in several parts."""
    counts: dict[str, int] = {}
    for item, rows in items:
        first = counts.get(item, 0)
        counts[item] = first + len(rows)
        yield from ((item, first + at, bytes(row)) for at, row in enumerate(rows))


def keys_of(rows: bytes) -> Keys:
    """(rows, 13) keys of rows of 32 bytes, one after the other."""
    bits = np.unpackbits(np.frombuffer(rows, np.uint8).reshape(-1, 32), axis=1)
    return np.asarray(_BASE + np.add.reduceat(bits * _WEIGHT, _ENDS - _WIDTHS, axis=1), np.int64)


def probes_of(row: bytes, radius: int) -> Keys:
    """Keys of which every row within the radius has one; in ascending order, as an index is read."""
    more, rest = divmod(radius, BANDS)
    own = keys_of(row)[0]
    made: list[NDArray[Any]] = []
    for band, width in enumerate(_WIDTHS):
        turned = more if band <= rest else more - 1
        if turned >= 0:
            made.append(own[band] ^ _flips(width, turned))
    return np.asarray(np.sort(np.concatenate(made)), np.int64)


def _flips(width: int, most: int) -> Keys:
    found = [sum(1 << bit for bit in bits) for count in range(most + 1) for bits in combinations(range(width), count)]
    return np.array(found, np.int64)
