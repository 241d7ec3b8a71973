"""What a picture of a match shows: the common part and the matching points of both, in shares of their sides.

Found anew from the two fingerprints, by the functions that the verdict rests on: it comes out the same every time.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import floor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.matching.agreement import Agreement
from app.matching.align import Segment
from app.matching.common_points import shared_points
from app.matching.compare import EITHER_WAY, few_points, nearest_parts
from app.matching.features import Geometry, matched_points
from app.matching.format import WINDOW_UNIT, Fingerprint, View, Window
from app.matching.frame_geometry import GUIDED_S, item_time
from app.matching.hashes import FULL, MIRROR
from app.matching.picture import best_geometry
from app.matching.rules import MIN_NCC, photo_verdict_by_geometry

MAX_PAIRS: Final = 6  # of frames in a strip
STEP_S: Final = 0.5

Shares = NDArray[np.float64]
_NO_POINTS: Final[Shares] = np.zeros((0, 2))


@dataclass(frozen=True)
class Part:
    """One side of a pair.

    Attributes:
        view: what is kept of the picture; of a photo, the whole.
        outline: (k, 2) corners of the common part, 0 to 1 across and down; empty when it is not known.
        points: (n, 2) matching points, likewise; in the order of the other side's.
    """

    view: View
    outline: Shares
    points: Shares


@dataclass(frozen=True)
class Pair:
    """Two pictures that are held against each other.

    Attributes:
        left: of the query.
        right: of the item.
        changes: what was done to the one, seen from the other, in numbers.
    """

    left: Part
    right: Part
    changes: str


def explain(query: Fingerprint, candidate: Fingerprint, segments: list[Segment]) -> list[Pair]:
    """The pairs of pictures that show why two items are related; none when too little is kept of them.

    Args:
        query: fingerprint of the one.
        candidate: fingerprint of the other, by the same recipe.
        segments: of their relation; what of recordings is looked at.
    """
    if not query.views or not candidate.views:
        return []
    if query.kind == candidate.kind == "photo":
        return [_photos(query, candidate)]
    return [_frames(*views) for views in _aligned(query, candidate, segments)]


def _photos(query: Fingerprint, candidate: Fingerprint) -> Pair:
    found = [
        (geometry, agreement, ours, theirs)
        for ours, theirs, way in product(range(len(query.views)), range(len(candidate.views)), EITHER_WAY)
        for geometry, agreement in _geometry(query.views[ours], candidate.views[theirs], way)
    ]
    best = max(found, key=lambda one: one[1].ncc * one[0].inliers, default=None)
    if best is None or _verdict(*best[:2]) != "derived":
        best = few_points(query, candidate, EITHER_WAY) or best
    near = nearest_parts(query, candidate)
    whole, other = query.views[0], candidate.views[0]
    if best is not None and (best[1].ncc >= MIN_NCC or near is None):
        geometry, agreement, ours, theirs = best
        pair = _by_geometry(query.views[ours], candidate.views[theirs], geometry, agreement.ncc)
        windows = _window(query, ours), _window(candidate, theirs)
        left, right = (
            Part(view, _placed(part.outline, window), _placed(part.points, window))
            for view, part, window in zip((whole, other), (pair.left, pair.right), windows, strict=True)
        )
        return Pair(left, right, pair.changes)
    if near is None:
        return Pair(Part(whole, _NO_POINTS, _NO_POINTS), Part(other, _NO_POINTS, _NO_POINTS), "")
    row, item_row, agreement = near
    changes = _told(mirrored=row.dihedral >= MIRROR, turn=90.0 * (row.dihedral % 4), ncc=agreement.ncc)
    return Pair(_hashed(whole, row.window), _hashed(other, item_row.window), changes)


def _verdict(geometry: Geometry, agreement: Agreement) -> str | None:
    return photo_verdict_by_geometry(
        inliers=geometry.inliers, spread=geometry.spread, reach=geometry.reach, agreement=agreement
    )


def _geometry(view: View, other: View, mirrored: bool) -> list[tuple[Geometry, Agreement]]:  # noqa: FBT001
    found = best_geometry(view, other, mirrored=mirrored)
    return [] if found is None else [found]


def _aligned(query: Fingerprint, candidate: Fingerprint, segments: list[Segment]) -> list[tuple[View, View]]:
    """Views at moments that a stretch holds to be the same, nearest to each other first, then some from all over."""
    found: dict[int, tuple[float, View, View]] = {}
    for segment in segments:
        for view, other in product(query.views, candidate.views):
            miss = _miss(query, candidate, segment, view, other)
            if miss <= GUIDED_S and (view.time_ms not in found or miss < found[view.time_ms][0]):
                found[view.time_ms] = (miss, view, other)
    inside = [found[time_ms][1:] for time_ms in sorted(found)]
    if not inside and segments and query.kind != candidate.kind:
        return [_nearest(query, candidate, segments[0])]
    places = np.unique(np.linspace(0, len(inside) - 1, min(MAX_PAIRS, len(inside))).round().astype(int))
    return [inside[place] for place in places]


def _miss(query: Fingerprint, candidate: Fingerprint, segment: Segment, view: View, other: View) -> float:
    """Seconds between two views when a stretch says how the recordings line up; infinite outside it."""
    ours, theirs = view.time_ms / 1000, other.time_ms / 1000
    if query.kind == "photo":
        return abs(theirs - segment.item_start_s)
    if candidate.kind == "photo":
        return abs(ours - segment.query_start_s)
    if not segment.query_start_s - STEP_S <= ours <= segment.query_end_s + STEP_S:
        return float("inf")
    return abs(theirs - item_time(segment, ours))


def _nearest(query: Fingerprint, candidate: Fingerprint, segment: Segment) -> tuple[View, View]:
    """A photo, and the view of the recording nearest to the moment that was found."""
    return min(
        product(query.views[:1] if query.kind == "photo" else query.views, candidate.views),
        key=lambda views: _miss(query, candidate, segment, *views),
    )


def _frames(view: View, other: View) -> Pair:
    ways = sorted(EITHER_WAY, key=lambda way: -shared_points(view, other)[way])
    found = [(geometry, agreement) for way in ways for geometry, agreement in _geometry(view, other, way)]
    if not found:
        return Pair(Part(view, _NO_POINTS, _NO_POINTS), Part(other, _NO_POINTS, _NO_POINTS), "")
    geometry, agreement = max(found, key=lambda one: one[1].ncc)
    return _by_geometry(view, other, geometry, agreement.ncc)


def _by_geometry(view: View, other: View, geometry: Geometry, ncc: float) -> Pair:
    ours, theirs = matched_points(view, other, geometry)
    there = _overlap(view, other, geometry.matrix)
    back = _moved(there, np.asarray(np.linalg.inv(geometry.matrix), np.float64)) if len(there) else there
    if geometry.mirrored and len(back):
        back = np.column_stack([view.width - back[:, 0], back[:, 1]])
    changes = _told(mirrored=geometry.mirrored, turn=geometry.turn_degrees, ncc=ncc, points=len(ours))
    left, right = np.array([view.width, view.height], np.float64), np.array([other.width, other.height], np.float64)
    return Pair(Part(view, back / left, ours / left), Part(other, there / right, theirs / right), changes)


def _overlap(view: View, other: View, matrix: NDArray[np.float64]) -> Shares:
    """(k, 2) corners of the part of the candidate's picture, in pixels, that the moved query covers."""
    import cv2

    moved = _moved(_corners(view.width, view.height), matrix).astype(np.float32)
    _, common = cv2.intersectConvexConvex(moved, _corners(other.width, other.height).astype(np.float32))
    return _NO_POINTS if common is None else np.asarray(common, np.float64).reshape(-1, 2)


def _corners(width: float, height: float) -> Shares:
    return np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)


def _moved(points: Shares, matrix: NDArray[np.float64]) -> Shares:
    moved = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    return np.asarray(moved[:, :2] / moved[:, 2:], np.float64)


def _window(fingerprint: Fingerprint, view: int) -> Window:
    """Where a view of a photo lies in the whole."""
    return FULL if view == 0 else next(row.window for row in fingerprint.hashes if row.role == "content")


def _placed(shares: Shares, window: Window) -> Shares:
    low, high = np.array(window[:2]) / WINDOW_UNIT, np.array(window[2:]) / WINDOW_UNIT
    return np.asarray(low + shares * (high - low), np.float64)


def _hashed(view: View, window: Window) -> Part:
    return Part(view, _placed(_corners(1, 1), window), _NO_POINTS)


def _told(*, mirrored: bool, turn: float, ncc: float, points: int = 0) -> str:
    parts = [f"{points} points match" if points else "", f"grey levels agree to {floor(100 * max(0.0, ncc))} %"]
    parts += ["mirrored" if mirrored else "", f"turned by {abs(turn):.0f} degrees" if abs(turn) >= 1 else ""]
    return ", ".join(part for part in parts if part)
