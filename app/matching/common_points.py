"""Points that two pictures have in common, asked before they are compared in full: a tenth of what that costs.

1. Near points: descriptors of which at most 36 of 256 bits differ. Two made-up scenes, or two walls of one brick,
   have many.
2. Of these, how many lie alike: two pairs fix a similarity (scale, turn, shift), and others are where it says, or not.
   Strangers reach five in 1 pair of 100, made-up scenes of one kind in 12 of 100; of 1,002 edited copies that the
   comparison finds by their points 999 do (docs/adr/0056).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.matching.format import FeatureSet, View

STRONG_DISTANCE: Final = 36  # bits of 256
STRONG_PART_DISTANCE: Final = 8  # of the first 32
POINTS: Final = 60  # the nearest pairs, of which any two propose
APART: Final = 24.0  # pixels between two pairs that propose
PIXELS: Final = 12.0  # from where a similarity puts a point; a moderate change of perspective is within
MAX_SCALE: Final = 6.0  # ORB's pyramid spans 1.2 ** 7 = 3.6; enlarged thumbnails a little more

Words = NDArray[np.uint64]
Numbers = NDArray[np.intp]
Complex = NDArray[np.complex128]


def shared_points(query: View, candidate: View) -> tuple[int, int]:
    """Points of either picture that have a near one in the other: as they are, and with the query mirrored.

    The lower of the two sides' counts: one point may resemble many.
    """
    as_is, turned = (_shared(own, candidate.features) for own in (query.features, query.mirrored))
    return as_is, turned


def points_alike(query: View, candidate: View) -> tuple[int, int]:
    """Pairs of near points, each once, that lie alike in both pictures: as they are, and with the query mirrored."""
    as_is, turned = (_alike(own, candidate.features) for own in (query.features, query.mirrored))
    return as_is, turned


def similarities(
    source: NDArray[np.float32],
    target: NDArray[np.float32],
    *,
    propose: int,
    apart: float,
    most_scale: float,
    pixels: float,
) -> tuple[Complex, Complex, NDArray[np.bool_]]:
    """The similarities that any two of the first pairs of points fix, and which of all pairs agree with each.

    Args:
        source: (n, 2) pixels.
        target: (n, 2), of the same points in the other picture.
        propose: the first so many pairs do.
        apart: pixels that two of them are apart at least, in both pictures.
        most_scale: of the target's size against the source's, and the other way round.
        pixels: how far a point may lie from where it is put; more where it is enlarged, by the root of the scale.

    Returns:
        Scale and turn as complex numbers (m), the shift likewise (m), and (m, n) whether a pair agrees.
    """
    ours, theirs = (points[:, 0].astype(np.float64) + 1j * points[:, 1] for points in (source, target))
    one, other = np.triu_indices(min(len(ours), propose), 1)
    far = (np.abs(ours[other] - ours[one]) >= apart) & (np.abs(theirs[other] - theirs[one]) >= apart)
    one, other = one[far], other[far]
    turn = (theirs[other] - theirs[one]) / (ours[other] - ours[one])
    kept = (np.abs(turn) <= most_scale) & (np.abs(turn) >= 1 / most_scale)
    turn, shift = turn[kept], (theirs[one] - turn * ours[one])[kept]
    misses = np.abs(turn[:, None] * ours + shift[:, None] - theirs)
    return turn, shift, misses <= pixels * np.sqrt(np.maximum(1, np.abs(turn)))[:, None]


def _shared(query: FeatureSet, candidate: FeatureSet) -> int:
    rows, columns, _ = _near(query.words(), candidate.words())
    return min(len(np.unique(rows)), len(np.unique(columns)))


def _alike(query: FeatureSet, candidate: FeatureSet) -> int:
    rows, columns, bits = _near(query.words(), candidate.words())
    if len(rows) <= 1:
        return 0
    order = np.argsort(bits, kind="stable")
    for side in (rows, columns):  # the nearest pair of each point
        order = order[np.sort(np.unique(side[order], return_index=True)[1])]
    order = order[:POINTS]
    source, target = query.positions()[rows[order]], candidate.positions()[columns[order]]
    agree = similarities(source, target, propose=POINTS, apart=APART, most_scale=MAX_SCALE, pixels=PIXELS)[2]
    return int(agree.sum(axis=1).max(initial=0))


def _near(query: Words, candidate: Words) -> tuple[Numbers, Numbers, NDArray[np.uint8]]:
    """Pairs of near points: their numbers on either side, and the bits that differ.

    An eighth of the bits is compared first; of two that are near as wholes next to none are far apart in it.
    """
    ours, theirs = (side.view(np.uint32)[:, 0].copy() for side in (query, candidate))  # copies: columns are slow
    places = np.flatnonzero(np.bitwise_count(ours[:, None] ^ theirs) <= STRONG_PART_DISTANCE)
    rows = places // max(1, len(candidate))
    columns = places - rows * len(candidate)
    words = np.bitwise_count(query.take(rows, axis=0) ^ candidate.take(columns, axis=0))
    # Eight bits hold the sum: 8 and 32 of the first word, and 64 of each other, are 232.
    bits = words[:, 0] + words[:, 1] + words[:, 2] + words[:, 3]
    near = bits <= STRONG_DISTANCE
    return rows[near], columns[near], bits[near]
