"""ORB points spread over a photo, and those of its mirror image without looking for them a second time.

The corners of a mirrored picture are the mirrored corners: the pyramid, the ring of sixteen pixels, the comparison with
the neighbours and Harris' measure are the same from the left and from the right. Only a corner's direction is another,
and where corners tie, their order. Directions are computed here as OpenCV does, and compared with what it said of the
picture itself: on any difference, and on a tie, the mirrored picture is searched as any other (docs/adr/0058).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from app.matching.canonical_image import Gray
from app.matching.format import POINT_UNIT, FeatureSet

if TYPE_CHECKING:
    import cv2

# Grey levels by which a corner differs from what is around it (FAST; 20 is OpenCV's default). Smooth photos and those
# out of focus have next to no corners at 20, so that copies that are cropped were not found (docs/benchmarks.md).
CORNER_CONTRAST: Final = 20
FAINT_CONTRAST: Final = 5
# The strongest points of a photo lie where it is sharpest, and a quarter of it may hold none of them: each cell of a
# grid gives its best in turn, once of the fine levels of the pyramid and once of the coarse ones, since a crop that is
# enlarged shows on the coarse what the whole shows on the fine.
SPREAD_POOL: Final = 2400
SPREAD_ENOUGH: Final = 1440  # of the pool: with fewer, faint corners are taken in
SPREAD_GRID: Final = 8  # cells along the longer side
FINE_LEVELS: Final = 4  # of 8; 1.2 ** 4 is about 2
# OpenCV's defaults: levels, the step between two, and half of the patch that gives a point its direction.
LEVELS: Final = 8
STEP: Final = np.float32(1.2)
HALF_PATCH: Final = 15

NO_FEATURES: Final = FeatureSet(b"", b"")
Places = NDArray[np.float64]
Numbers = NDArray[np.intp]


@dataclass(frozen=True)
class _Pool:
    """Points that were found, and what is asked of them: (n, 2) pixels, octaves, responses, indices by response."""

    points: Sequence[Any]
    places: Places
    octaves: Numbers
    responses: NDArray[np.float64]
    strongest_first: Numbers


def spread_points(gray: Gray, count: int, *, mirrored: bool) -> tuple[FeatureSet, FeatureSet]:
    """The best points of each cell and range of scale, then the second best of each, and so on.

    Args:
        gray: a canonical picture.
        count: at most so many points.
        mirrored: whether those of the picture mirrored left-right are wanted too; else there are none of these.
    """
    orb, pool = _look(gray)
    own = _described(orb, gray, _strongest(gray, pool, count), count)
    if not mirrored:
        return own, NO_FEATURES
    other = np.ascontiguousarray(gray[:, ::-1])
    points = _mirrored(gray, pool, count)
    if points is None:
        orb, pool = _look(other)
        points = _strongest(other, pool, count)
    return own, _described(orb, other, points, count)


def _look(gray: Gray) -> tuple[cv2.Feature2D, _Pool]:
    import cv2

    orb: Any = None
    found: Any = ()
    for contrast in (CORNER_CONTRAST, FAINT_CONTRAST):
        orb = cv2.ORB_create(nfeatures=SPREAD_POOL, fastThreshold=contrast)  # type: ignore[attr-defined,unused-ignore]
        found = orb.detect(gray, None)
        if len(found) >= SPREAD_ENOUGH:
            break
    octaves = np.array([point.octave for point in found], np.intp)
    responses = np.array([point.response for point in found], np.float64)
    return orb, _Pool(found, places_of(found), octaves, responses, np.argsort(-responses, kind="stable"))


def _strongest(gray: Gray, pool: _Pool, count: int) -> list[Any]:
    return [pool.points[at] for at in _chosen(gray, pool, pool.places, count)[0].tolist()] if len(pool.points) else []


def _described(orb: cv2.Feature2D, gray: Gray, points: list[Any], count: int) -> FeatureSet:
    if not points:
        return NO_FEATURES
    made: tuple[Any, Any] = orb.compute(gray, points)
    return feature_set(made[0], made[1], count)


def _chosen(gray: Gray, pool: _Pool, places: Places, count: int) -> tuple[Numbers, bool]:
    """Indices of the points that are taken, and whether no two tied, so that the order they came in said nothing."""
    grid = places * SPREAD_GRID // max(gray.shape)
    cells = ((grid[:, 0] * SPREAD_GRID + grid[:, 1]) * 2 + (pool.octaves >= FINE_LEVELS)).astype(np.int16)
    first = pool.strongest_first  # sorted once; small numbers are then sorted without comparing
    by_cell = first[np.argsort(cells[first], kind="stable")]
    sorted_cells, sorted_responses = cells[by_cell], pool.responses[by_cell]
    starts = np.flatnonzero(np.diff(sorted_cells, prepend=-1))
    total = len(by_cell)
    rank = np.empty(total, np.int32 if total > np.iinfo(np.int16).max else np.int16)
    rank[by_cell] = np.arange(total) - np.repeat(starts, np.diff(starts, append=total))
    order = first[np.argsort(rank[first], kind="stable")]
    tied = (np.diff(sorted_cells) == 0) & (np.diff(sorted_responses) == 0)
    settled = not tied.any()
    if total > count:
        last, next_one = order[count - 1], order[count]
        settled = settled and bool(rank[last] != rank[next_one] or pool.responses[last] != pool.responses[next_one])
    return order[:count], settled


def _mirrored(gray: Gray, pool: _Pool, count: int) -> list[Any] | None:
    """The points that would be chosen of the mirrored picture; None when that cannot be told for certain."""
    import cv2

    if not len(pool.points):
        return []
    scales = _scales()[pool.octaves]
    levels = _pyramid(gray)
    widths = np.array([level.shape[1] for level in levels], np.intp)[pool.octaves]
    pixels = np.rint(pool.places / scales[:, None]).astype(np.intp)
    if not np.array_equal(pixels.astype(np.float32) * scales[:, None], pool.places):
        return None
    across = (widths - 1 - pixels[:, 0]).astype(np.float32) * scales
    places = np.column_stack([across, pool.places[:, 1]]).astype(np.float64)
    chosen, settled = _chosen(gray, pool, places, count)
    if not settled:
        return None
    moments = _moments(levels, pool.octaves[chosen], pixels[chosen])
    made = []
    for at, (x, y), (right, down) in zip(chosen.tolist(), places[chosen].tolist(), moments.tolist(), strict=True):
        point = pool.points[at]
        if cv2.fastAtan2(down, right) != point.angle:
            return None
        turned = cv2.fastAtan2(down, -right)
        made.append(cv2.KeyPoint(x, y, point.size, turned, point.response, point.octave))
    return made


def _scales() -> NDArray[np.float32]:
    return np.array([float(STEP) ** level for level in range(LEVELS)], np.float32)


def _pyramid(gray: Gray) -> list[Gray]:
    """ORB's levels: each is made of the one before."""
    import cv2

    levels = [gray]
    for scale in _scales()[1:]:
        rows, columns = (int(np.rint(np.float32(side) / scale)) for side in gray.shape)
        made = cv2.resize(levels[-1], (columns, rows), interpolation=cv2.INTER_LINEAR_EXACT)
        levels.append(np.asarray(made, dtype=np.uint8))
    return levels


def _moments(levels: list[Gray], octaves: Numbers, pixels: Numbers) -> NDArray[np.float32]:
    """(n, 2): sums of the grey levels around each point, weighted by how far right and how far down they lie.

    Whole numbers below 2 ** 24, so that they are exact whatever the order of the sum.
    """
    side = 2 * HALF_PATCH + 1
    around = np.empty((len(octaves), side, side), np.uint8)
    for octave in np.unique(octaves).tolist():
        here = np.flatnonzero(octaves == octave)
        windows = np.lib.stride_tricks.sliding_window_view(levels[octave], (side, side))
        around[here] = windows[pixels[here, 1] - HALF_PATCH, pixels[here, 0] - HALF_PATCH]
    flat = around.reshape(len(octaves), -1).astype(np.float32)
    right, down = _weights()
    return np.stack([np.vecdot(flat, right), np.vecdot(flat, down)], axis=1)


@lru_cache
def _weights() -> NDArray[np.float32]:
    """(2, 961): how far right and down each pixel of the round patch lies; nought outside (OpenCV's `umax`)."""
    from math import ceil, floor, sqrt

    half = HALF_PATCH
    reach = [round(sqrt(half * half - down * down)) for down in range(floor(half * sqrt(2) / 2 + 1) + 1)]
    reach += [0] * (half + 2 - len(reach))
    start = 0
    for down in range(half, ceil(half * sqrt(2) / 2) - 1, -1):
        while reach[start] == reach[start + 1]:
            start += 1
        reach[down] = start
        start += 1
    down, right = np.mgrid[-half : half + 1, -half : half + 1]
    inside = np.abs(right) <= np.array(reach)[np.abs(down)]
    return np.stack([(right * inside).ravel(), (down * inside).ravel()]).astype(np.float32)


def feature_set(keypoints: Sequence[Any], descriptors: NDArray[np.uint8] | None, count: int) -> FeatureSet:
    """What is stored, the strongest first."""
    if descriptors is None:
        return NO_FEATURES
    points = places_of(keypoints)
    response = np.array([point.response for point in keypoints])
    order = np.lexsort((points[:, 1], points[:, 0], -response))[:count]
    stored = np.clip(np.rint(points[order] * POINT_UNIT), 0, None).astype(">u2")
    return FeatureSet(stored.tobytes(), np.ascontiguousarray(descriptors[order]).tobytes())


def places_of(keypoints: Sequence[Any]) -> Places:
    """(n, 2) pixels."""
    import cv2

    return np.asarray(cv2.KeyPoint_convert(keypoints), np.float64).reshape(-1, 2)  # type: ignore[attr-defined,unused-ignore]
