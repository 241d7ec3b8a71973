"""Local features: ORB points, one-to-one matching and a geometric model found by RANSAC.

A count of inliers alone is not enough (254 of 4,961 pairs of different scenes reached 10 in
MATCHING.md), so a model must also keep scale, shape and orientation within bounds, and
`picture.py` then compares the pictures themselves under it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.matching.canonical_image import Gray
from app.matching.common_points import MAX_SCALE
from app.matching.format import MAX_PICTURE_SIDE, FeatureSet, View
from app.matching.index import hamming
from app.matching.spread_points import CORNER_CONTRAST, NO_FEATURES, feature_set, spread_points

PHOTO_POINTS: Final = 600
FRAME_POINTS: Final = 200
FRAME_PICTURE_SIDE: Final = 128
MAX_DESCRIPTOR_DISTANCE: Final = 64  # of 256 bits
MIN_INLIERS: Final = 12
RANSAC_PIXELS: Final = 6.0  # at 640 pixels
LOOSE_PIXELS: Final = 18.0  # an affine model is this far off under a moderate change of perspective
RANSAC_ROUNDS: Final = 1000
RANSAC_MATCHES: Final = 80  # the most distinct ones propose the model, all matches judge it
RANSAC_SEED: Final = 20_777
MAX_STRETCH: Final = 2.5  # unequal scaling, as of a picture squeezed into a square
GRID: Final = 6
REACH_GRID: Final = 8  # its middle: 4 x 4 cells
REACH_POINTS: Final = 2  # of either picture in a cell, for it to count

Matrix = NDArray[np.float64]
Points = NDArray[np.float32]
Fit = Callable[[Points, Points], Matrix | None]


@dataclass(frozen=True)
class Geometry:
    """A geometric model that takes points of the query picture to points of the candidate picture.

    Attributes:
        matrix: 3 x 3, in pixels of the two canonical pictures (the query's mirrored if `mirrored`).
        inliers: one-to-one matches that agree with it.
        mirrored: whether the query had to be mirrored left-right first.
        spread: share of 6 x 6 cells that hold an inlier, the lower of the two pictures, 0 to 1.
        reach: of the middle cells where both pictures have points, the share that hold an inlier, 0 to 1.
        few: whether it was grown from a few points (`few_points.best_of_few`); `spread` and `reach` are 0 then.
    """

    matrix: Matrix
    inliers: int
    mirrored: bool
    spread: float
    reach: float
    few: bool = False

    @property
    def scale(self) -> float:
        """Size of the candidate's detail against the query's (in canonical pixels)."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:2, :2]))))

    @property
    def turn_degrees(self) -> float:
        """Turn from query to candidate, -180 to 180, clockwise as seen on the screen."""
        return float(np.degrees(np.arctan2(self.matrix[1, 0], self.matrix[0, 0])))


def extract_view(
    gray: Gray, *, time_ms: int, points: int, picture_side: int, mirrored: bool, spread: bool = False
) -> View | None:
    """ORB points and the small picture of a canonical picture.

    Args:
        gray: the canonical picture.
        time_ms: of the frame in its recording.
        points: at most so many.
        picture_side: pixels of the small picture's longer side.
        mirrored: whether the mirrored picture's points are kept as well.
        spread: whether the points are spread over the picture and two ranges of scale; else the strongest are taken.

    Returns:
        None for an empty picture.
    """
    import cv2

    if gray.size == 0:
        return None
    rows, columns = gray.shape
    scale = min(1.0, min(picture_side, MAX_PICTURE_SIDE) / max(rows, columns))
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    small = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    found = (spread_points if spread else _strongest_points)(gray, points, mirrored=mirrored)
    return View(time_ms, columns, rows, *found, size[0], size[1], small.tobytes())


def pair_up(query: FeatureSet, candidate: FeatureSet, *, at_least: int = MIN_INLIERS) -> tuple[Points, Points]:
    """One-to-one matches (each is the other's nearest, and near enough), the most distinct first."""
    if min(len(query), len(candidate)) < at_least:
        return np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32)
    return _paired(query, candidate)


@lru_cache(maxsize=8)  # a model of many points is looked for first, and one of few where that finds none
def _paired(query: FeatureSet, candidate: FeatureSet) -> tuple[Points, Points]:
    table = hamming(query.words(), candidate.words())
    forward, backward = table.argmin(axis=1), table.argmin(axis=0)
    index = np.arange(len(query))
    nearest = table[index, forward]
    chosen = index[(backward[forward] == index) & (nearest <= MAX_DESCRIPTOR_DISTANCE)]
    table[index, forward] = 257
    ratio = nearest / np.maximum(table.min(axis=1), 1)  # Lowe (2004): a point with a close rival is a poor witness
    chosen = chosen[np.argsort(ratio[chosen], kind="stable")]
    return query.positions()[chosen], candidate.positions()[forward[chosen]]


def find_geometries(query: View, candidate: View, *, mirrored: bool = False) -> list[Geometry]:
    """The plausible models between two views, at most an affine one and a homography.

    Which of them is right, the pictures decide: few points close together bend a homography.
    """
    source, target = pair_up(query.mirrored if mirrored else query.features, candidate.features)
    found = []
    for matrix, kept in _models(source, target):
        if kept.sum() < MIN_INLIERS or not plausible(matrix, query.width, query.height):
            continue
        spread = min(
            _covered(source[kept], query.width, query.height), _covered(target[kept], candidate.width, candidate.height)
        )
        reach = _reach(matrix, (query, mirrored), candidate, target[kept])
        found.append(Geometry(matrix, int(kept.sum()), mirrored, spread, reach))
    return found


def matched_points(query: View, candidate: View, geometry: Geometry) -> tuple[Points, Points]:
    """The one-to-one matches that agree with a model which was found between these two views.

    Returns:
        (n, 2) pixels of the query's canonical picture, as it is and not mirrored, and (n, 2) of the candidate's.
    """
    if geometry.few:
        found = guided_matches(query, candidate, geometry.matrix, mirrored=geometry.mirrored)
    else:
        source, target = pair_up(query.mirrored if geometry.mirrored else query.features, candidate.features)
        models = (kept for matrix, kept in _models(source, target) if np.array_equal(matrix, geometry.matrix))
        kept = next(models, np.zeros(len(source), bool))
        found = source[kept], target[kept]
    ours = found[0].copy()
    if geometry.mirrored:
        ours[:, 0] = query.width - 1 - ours[:, 0]
    return ours, found[1]


def guided_matches(query: View, candidate: View, matrix: Matrix, *, mirrored: bool) -> tuple[Points, Points]:
    """One-to-one matches among the points that a model lays near each other.

    Returns:
        (n, 2) pixels of the query's canonical picture (mirrored if `mirrored`), and (n, 2) of the candidate's.
    """
    ours, theirs = query.mirrored if mirrored else query.features, candidate.features
    if not len(ours) or not len(theirs):
        return np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32)
    moved, places = _move(matrix, ours.positions()), theirs.positions()
    size = float(np.sqrt(max(1.0, abs(np.linalg.det(matrix[:2, :2])))))
    near = np.hypot(*(moved[:, None] - places).transpose(2, 0, 1)) <= RANSAC_PIXELS * size
    table = hamming(ours.words(), theirs.words())
    table[~near] = 257
    forward, backward = table.argmin(axis=1), table.argmin(axis=0)
    index = np.arange(len(ours))
    kept = (backward[forward] == index) & (table[index, forward] <= MAX_DESCRIPTOR_DISTANCE)
    return ours.positions()[kept], places[forward[kept]]


def _strongest_points(gray: Gray, count: int, *, mirrored: bool) -> tuple[FeatureSet, FeatureSet]:
    other = _strongest(np.ascontiguousarray(np.fliplr(gray)), count) if mirrored else NO_FEATURES
    return _strongest(gray, count), other


def _strongest(gray: Gray, count: int) -> FeatureSet:
    import cv2

    orb = cv2.ORB_create(nfeatures=count, fastThreshold=CORNER_CONTRAST)  # type: ignore[attr-defined,unused-ignore]
    keypoints, descriptors = orb.detectAndCompute(gray, None)
    return feature_set(keypoints, descriptors, count)


def _models(source: Points, target: Points) -> list[tuple[Matrix, NDArray[np.bool_]]]:
    """An affine model and a homography, both grown from what the most distinct matches propose."""
    import cv2

    if len(source) < MIN_INLIERS:
        return []
    cv2.setRNGSeed(RANSAC_SEED)  # a verdict must come out the same every time
    model: Any  # None when there is no model, whatever the stubs say
    model, _mask = cv2.estimateAffine2D(
        source[:RANSAC_MATCHES],
        target[:RANSAC_MATCHES],
        method=cv2.RANSAC,
        ransacReprojThreshold=RANSAC_PIXELS,
        maxIters=RANSAC_ROUNDS,
        confidence=0.999,
    )
    if model is None:
        return []
    misses = _misses(np.vstack([model, (0.0, 0.0, 1.0)]), source, target)
    tight = (RANSAC_PIXELS, RANSAC_PIXELS)
    loosened = (LOOSE_PIXELS, (LOOSE_PIXELS + RANSAC_PIXELS) / 2, *tight)
    return [
        _grow(source, target, misses <= RANSAC_PIXELS, _fit_affine, tight),
        _grow(source, target, misses <= LOOSE_PIXELS, _fit_homography, loosened),
    ]


def _grow(
    source: Points, target: Points, kept: NDArray[np.bool_], fit: Fit, rounds: tuple[float, ...]
) -> tuple[Matrix, NDArray[np.bool_]]:
    """Least squares on what is kept, then again on those within so many pixels of the result."""
    nothing = np.eye(3), np.zeros(len(source), bool)
    matrix = nothing[0]
    for pixels in rounds:
        if kept.sum() < MIN_INLIERS:
            return nothing
        found = fit(source[kept], target[kept])
        if found is None:
            return nothing
        matrix = found
        kept = _misses(matrix, source, target) <= pixels
    return matrix, kept


def _fit_affine(source: Points, target: Points) -> Matrix | None:
    rows = np.column_stack([source, np.ones(len(source))]).astype(np.float64)
    solved, _, rank, _ = np.linalg.lstsq(rows, target.astype(np.float64), rcond=None)
    return np.vstack([solved.T, (0.0, 0.0, 1.0)]) if rank == rows.shape[1] else None


def _fit_homography(source: Points, target: Points) -> Matrix | None:
    import cv2

    found: Any  # None when there is no model, whatever the stubs say
    found, _mask = cv2.findHomography(source, target, 0)
    return None if found is None else np.asarray(found, dtype=np.float64)


def _misses(matrix: Matrix, source: Points, target: Points) -> NDArray[np.float64]:
    """Distance in pixels of each moved source point from its target."""
    moved = np.column_stack([source, np.ones(len(source))]) @ matrix.T
    with np.errstate(all="ignore"):
        misses = np.hypot(*(moved[:, :2] / moved[:, 2:] - target).T)
    return np.asarray(np.nan_to_num(misses, nan=np.inf), dtype=np.float64)


def plausible(matrix: Matrix, width: int, height: int) -> bool:
    """Whether scale, stretch and orientation stay within bounds at the four corners and the centre."""
    for x, y in ((0, 0), (width, 0), (0, height), (width, height), (width / 2, height / 2)):
        u, v, w = matrix @ (x, y, 1.0)
        if w <= 1e-6:  # noqa: PLR2004 - behind the camera
            return False
        jacobian = (matrix[:2, :2] - np.outer((u / w, v / w), matrix[2, :2])) / w
        large, small = np.linalg.svd(jacobian, compute_uv=False)
        if np.linalg.det(jacobian) <= 0 or large > MAX_SCALE or small < 1 / MAX_SCALE or large > MAX_STRETCH * small:
            return False
    return True


def _covered(points: Points, width: int, height: int) -> float:
    """Share of 6 x 6 cells of the picture that hold a point; a common logo or caption fills few."""
    cells = np.clip(points * GRID // (width, height), 0, GRID - 1).astype(np.int64)
    return len(np.unique(cells[:, 0] * GRID + cells[:, 1])) / GRID**2


def _reach(matrix: Matrix, source: tuple[View, bool], candidate: View, inliers: Points) -> float:
    """Share of the middle cells of the overlap, of those with points of both pictures, that hold an inlier.

    Of two letters under one letterhead the points in the middle do not match, although there are many.
    """
    query, mirrored = source
    here = candidate.features.positions()
    there = _move(matrix, (query.mirrored if mirrored else query.features).positions())
    back = _move(np.asarray(np.linalg.inv(matrix), dtype=np.float64), here)
    ours = here[((back >= 0) & (back < (query.width, query.height))).all(axis=1)]
    theirs = there[((there >= 0) & (there < (candidate.width, candidate.height))).all(axis=1)]
    if not len(ours):
        return 0.0
    low, high = ours.min(axis=0), ours.max(axis=0) + 1

    def tally(points: NDArray[Any]) -> NDArray[np.int64]:
        cells = np.clip((points - low) * REACH_GRID // (high - low), 0, REACH_GRID - 1).astype(np.int64)
        counts = np.bincount(cells[:, 1] * REACH_GRID + cells[:, 0], minlength=REACH_GRID**2)
        edge = REACH_GRID // 4
        return counts.reshape(REACH_GRID, REACH_GRID)[edge:-edge, edge:-edge]

    both = (tally(ours) >= REACH_POINTS) & (tally(theirs) >= REACH_POINTS)
    return float((tally(inliers)[both] > 0).mean()) if both.any() else 0.0


def _move(matrix: Matrix, points: NDArray[Any]) -> NDArray[np.float64]:
    moved = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    with np.errstate(all="ignore"):
        return np.asarray(np.nan_to_num(moved[:, :2] / moved[:, 2:], nan=-1.0), dtype=np.float64)
