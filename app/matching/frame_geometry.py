"""Views of two recordings that agree by geometry: cropped, mirrored or partly covered copies, and fast motion.

Points in common are counted first, which is cheap and leaves out nearly all pairs of strangers; only then a
geometry is looked for and the pictures are laid upon each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from app.matching import rules
from app.matching.align import Pairs, Segment
from app.matching.common_points import shared_points
from app.matching.format import View
from app.matching.picture import best_geometry

SHARED_POINTS: Final = 6  # of 200, near in 36 of 256 bits; strangers share so many in about 1 pair of 100
GUIDED_S: Final = 0.8  # how far from the expected moment a view may lie
NEAR_BEST: Final = 0.6  # of the best score of the same query view
FIRST_VIEWS: Final = 16  # query views tried before giving up


@dataclass(frozen=True)
class Hit:
    """Two views that agree by geometry.

    Attributes:
        query: view of the one recording.
        item: view of the other.
        mirrored: whether the query had to be mirrored.
        score: inliers times the share of squares that agree times their correlation.
    """

    query: View
    item: View
    mirrored: bool
    score: float


def agreeing(query: Sequence[View], candidate: Sequence[View]) -> list[Hit]:
    """Views that show the same picture, all of them looked at one way round: as it is, or mirrored.

    A sample of the query's views is tried first; when none of them agrees with anything, the rest is not tried.
    """
    first = query[:: max(1, len(query) // FIRST_VIEWS)]
    hits = [hit for view in first for hit in _hits(view, candidate, (False, True))]
    if not hits:
        return []
    seen = {hit.mirrored: sum(h.mirrored == hit.mirrored for h in hits) for hit in hits}
    way = max(seen, key=lambda mirrored: (seen[mirrored], not mirrored))
    tried = {view.time_ms for view in first}
    hits += [hit for view in query if view.time_ms not in tried for hit in _hits(view, candidate, (way,))]
    return [hit for hit in hits if hit.mirrored == way]


def _hits(view: View, candidates: Iterable[View], ways: tuple[bool, ...]) -> list[Hit]:
    found = []
    for other in candidates:
        shared = shared_points(view, other)
        for mirrored in ways:
            score = _score(view, other, mirrored=mirrored) if shared[mirrored] >= SHARED_POINTS else 0.0
            if score > 0:
                found.append(Hit(view, other, mirrored, score))
    return found


def guided(query: Sequence[View], candidate: Sequence[View], segments: list[Segment], *, mirrored: bool) -> list[Hit]:
    """Views that agree where a stretch expects them, or goes on.

    The stretch speaks for them already, so that fewer points do, and the middle need not agree by itself.
    """
    hits: list[Hit] = []
    for segment in segments:
        for view in query:
            expected = item_time(segment, view.time_ms / 1000)
            near = [c for c in candidate if abs(c.time_ms / 1000 - expected) <= GUIDED_S]
            for other in near:
                score = _score(view, other, mirrored=mirrored, expected=True)
                if score > 0:
                    hits.append(Hit(view, other, mirrored, score))
    return hits


def item_time(segment: Segment, query_s: float) -> float:
    """Where in the item a moment of the query lies, when the stretch goes on as it is."""
    length = segment.query_end_s - segment.query_start_s
    speed = (segment.item_end_s - segment.item_start_s) / length if length > 0 else 1.0
    return segment.item_start_s + speed * (query_s - segment.query_start_s)


def _score(query: View, candidate: View, *, mirrored: bool, expected: bool = False) -> float:
    """How well two views agree; 0 when they do not."""
    found = best_geometry(query, candidate, mirrored=mirrored)
    if found is None:
        return 0.0
    geometry, agreement = found
    agree = (
        agreement.ncc >= rules.MIN_NCC
        if expected
        else rules.frames_agree(inliers=geometry.inliers, reach=geometry.reach, agreement=agreement)
    )
    return geometry.inliers * agreement.ncc * agreement.share if agree else 0.0


def as_pairs(hits: list[Hit]) -> Pairs:
    """Hits as pairs; the worse a hit against its query view's best one, the larger its distance.

    No hash distance is known. In a pan over one scene many frames agree by geometry, the right
    one best; hits far behind the best are left out.
    """
    best: dict[int, float] = {}
    for hit in hits:
        best[hit.query.time_ms] = max(hit.score, best.get(hit.query.time_ms, 0.0))
    kept = [hit for hit in hits if hit.score >= NEAR_BEST * best[hit.query.time_ms]]
    shares = np.array([hit.score / best[hit.query.time_ms] for hit in kept], dtype=np.float64)
    times = np.array([(h.query.time_ms / 1000, h.item.time_ms / 1000) for h in kept], dtype=np.float64).reshape(-1, 2)
    return Pairs(times[:, 0], times[:, 1], rules.DERIVED_DISTANCE * (2 - shares))
