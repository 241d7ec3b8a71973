"""Compare two fingerprints and say, in words and numbers, how they are related.

Hashes first (cheap, whole pictures), local features next (crops, turns, perspective). Every hash
match of photos is confirmed by laying the two small pictures upon each other.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.matching import rules, wording
from app.matching.agreement import Agreement
from app.matching.compare_video import compare_videos
from app.matching.errors import FingerprintError
from app.matching.features import Geometry
from app.matching.few_points import best_of_few
from app.matching.format import WINDOW_UNIT, Fingerprint, HashRow, View, Window
from app.matching.hashes import FULL
from app.matching.index import as_words, hamming
from app.matching.picture import best_geometry, compare_windows
from app.matching.rules import Verdict
from app.matching.still import compare_still

MAX_HASH_CANDIDATES: Final = 6  # nearest pairs of rows whose pictures are compared


EITHER_WAY: Final = (False, True)


def compare(query: Fingerprint, candidate: Fingerprint, *, mirrored: tuple[bool, ...] = EITHER_WAY) -> Verdict | None:
    """How the query is related to the candidate.

    Args:
        query: fingerprint of the file asked about.
        candidate: fingerprint of an item.
        mirrored: for photos, whether their points are laid upon each other as they are, mirrored, or both.

    Returns:
        The strongest relation that holds, or None.

    Raises:
        FingerprintError: `incomparable_fingerprints` when the two were made by different recipes.
    """
    if (query.algorithm, query.version) != (candidate.algorithm, candidate.version):
        raise FingerprintError("incomparable_fingerprints", "the two fingerprints were made by different recipes")
    if query.kind != candidate.kind:
        return compare_still(query, candidate)
    if query.kind == "video":
        return compare_videos(query, candidate)
    by_hash = _photos_by_hash(query, candidate)
    if by_hash is not None and by_hash.verdict == "same_content":
        return by_hash
    found = [verdict for verdict in (_photos_by_geometry(query, candidate, mirrored), by_hash) if verdict is not None]
    if not any(verdict.verdict == "derived" for verdict in found):
        few = few_points(query, candidate, mirrored)
        found += [] if few is None else [wording.photo_by_geometry("derived", *few[:2])]
    return min(found, key=rules.rank) if found else None


def _photos_by_hash(query: Fingerprint, candidate: Fingerprint) -> Verdict | None:
    if not query.views or not candidate.views:
        return None
    best: Verdict | None = None
    for distance, left, right in _near_rows(query, candidate):
        (view, window), (other, other_window) = _where(query, left), _where(candidate, right)
        agreement = compare_windows(view, window, left.dihedral, other, other_window)
        cropped = not {left.role, right.role}.isdisjoint(("crop", "content"))
        quality = min(left.quality, right.quality)
        name = rules.photo_verdict_by_hash(distance, cropped=cropped, quality=quality, agreement=agreement)
        if name is None:
            continue
        verdict = wording.photo_by_hash(name, distance, left, right, agreement)
        if best is None or rules.rank(verdict) < rules.rank(best):
            best = verdict
    return best


def nearest_parts(query: Fingerprint, candidate: Fingerprint) -> tuple[HashRow, HashRow, Agreement] | None:
    """Of the parts of two photos whose hashes are near, the two that agree best, and how well; None without any."""
    if not query.views or not candidate.views:
        return None
    found = []
    for _, left, right in _near_rows(query, candidate):
        (view, window), (other, other_window) = _where(query, left), _where(candidate, right)
        found.append((left, right, compare_windows(view, window, left.dihedral, other, other_window)))
    return max(found, key=lambda one: one[2].ncc, default=None)


def _where(fingerprint: Fingerprint, row: HashRow) -> tuple[View, Window]:
    """The view in which a row's part is seen, and where in it."""
    return (fingerprint.views[1], FULL) if row.role == "content" else (fingerprint.views[0], row.window)


def _share(fingerprint: Fingerprint, view: int) -> float:
    """How much of the photo one of its views shows, 0 to 1."""
    if view == 0:
        return 1.0
    left, top, right, bottom = next(row.window for row in fingerprint.hashes if row.role == "content")
    return (right - left) * (bottom - top) / WINDOW_UNIT**2


def _near_rows(query: Fingerprint, candidate: Fingerprint) -> list[tuple[int, HashRow, HashRow]]:
    """The nearest pairs of rows within the wider radius; flips and turns belong to the query's side.

    A crop is compared with whole pictures only: both sides' crops would agree on any common detail.
    """
    plain = [row for row in candidate.hashes if row.dihedral == 0]
    whole = [row for row in plain if row.role != "crop"]
    turned = [row for row in query.hashes if row.role != "crop"]
    crops = [row for row in query.hashes if row.role == "crop"]
    near = _within(turned, plain) + _within(crops, whole)
    # Whole before crop at equal distance, then the plainest turn.
    near.sort(key=lambda hit: (hit[0], "crop" in (hit[1].role, hit[2].role), hit[1].dihedral))
    return near[:MAX_HASH_CANDIDATES]


def _within(left: list[HashRow], right: list[HashRow]) -> list[tuple[int, HashRow, HashRow]]:
    if not left or not right:
        return []
    distances = hamming(_words(left), _words(right))
    near = np.argwhere(distances <= rules.DERIVED_DISTANCE)
    return [(int(distances[i, j]), left[i], right[j]) for i, j in near]


def _words(rows: list[HashRow]) -> NDArray[np.uint64]:
    return np.stack([as_words(row.value) for row in rows])


def _photos_by_geometry(query: Fingerprint, candidate: Fingerprint, ways: tuple[bool, ...]) -> Verdict | None:
    if not query.views or not candidate.views:
        return None
    best: Verdict | None = None
    for (query_at, view), (item_at, other), mirrored in product(
        enumerate(query.views), enumerate(candidate.views), ways
    ):
        if best is not None and best.verdict == "derived":
            break  # a part that is inside a page says no more than the whole
        found = best_geometry(view, other, mirrored=mirrored)
        if found is None:
            continue
        geometry = found[0]
        agreement = _of_wholes(found[1], _share(query, query_at), _share(candidate, item_at))
        name = rules.photo_verdict_by_geometry(
            inliers=geometry.inliers,
            spread=geometry.spread,
            reach=geometry.reach,
            agreement=agreement,
        )
        if name is None:
            continue
        verdict = wording.photo_by_geometry(name, geometry, agreement)
        if best is None or rules.rank(verdict) < rules.rank(best):
            best = verdict
    return best


def few_points(
    query: Fingerprint, candidate: Fingerprint, ways: tuple[bool, ...]
) -> tuple[Geometry, Agreement, int, int] | None:
    """The model grown from few points that makes one photo a part of the other, its agreement, and of which views."""
    for (ours, view), (theirs, other), mirrored in product(enumerate(query.views), enumerate(candidate.views), ways):
        found = best_of_few(view, other, mirrored=mirrored)
        if found is None:
            continue
        agreement = _of_wholes(found[1], _share(query, ours), _share(candidate, theirs))
        if rules.photo_verdict_by_few_points(inliers=found[0].inliers, agreement=agreement) is not None:
            return found[0], agreement, ours, theirs
    return None


def _of_wholes(agreement: Agreement, query: float, candidate: float) -> Agreement:
    """The same with the overlap as shares of the photos, of which the two views show so much."""
    return replace(
        agreement,
        overlap_query=agreement.overlap_query * query,
        overlap_candidate=agreement.overlap_candidate * candidate,
    )
