"""Points that two pictures have in common: near ones, of which at most 36 of 256 bits differ.

Two made-up scenes, or two walls of one brick, have many: `points_alike.py` asks how many of them lie alike.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.matching.format import FeatureSet, View
from app.matching.hash_rows import bits_of

STRONG_DISTANCE: Final = 36  # bits of 256
STRONG_PART_DISTANCE: Final = 8  # of the first 32
MAX_SCALE: Final = 6.0  # ORB's pyramid spans 1.2 ** 7 = 3.6; enlarged thumbnails a little more

Words = NDArray[np.uint64]
Numbers = NDArray[np.intp]


def shared_points(query: View, candidate: View) -> tuple[int, int]:
    """Points of either picture that have a near one in the other: as they are, and with the query mirrored.

    The lower of the two sides' counts: one point may resemble many.
    """
    as_is, turned = (_shared(own, candidate.features) for own in (query.features, query.mirrored))
    return as_is, turned


def _shared(query: FeatureSet, candidate: FeatureSet) -> int:
    rows, columns, _ = near(query.words(), candidate.words())
    return min(len(np.unique(rows)), len(np.unique(columns)))


def near(query: Words, candidate: Words) -> tuple[Numbers, Numbers, NDArray[np.uint16]]:
    """Pairs of near points: their numbers on either side, and the bits that differ.

    An eighth of the bits is compared first; of two that are near as wholes next to none are far apart in it.
    """
    ours, theirs = (side.view(np.uint32)[:, 0].copy() for side in (query, candidate))  # copies: columns are slow
    places = np.flatnonzero(np.bitwise_count(ours[:, None] ^ theirs) <= STRONG_PART_DISTANCE)
    rows = places // max(1, len(candidate))
    columns = places - rows * len(candidate)
    bits = bits_of(query.take(rows, axis=0) ^ candidate.take(columns, axis=0))
    close = bits <= STRONG_DISTANCE
    return rows[close], columns[close], bits[close]
