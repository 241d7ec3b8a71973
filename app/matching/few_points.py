"""Two photos with few points in common: pairs of them propose a geometry, grey levels refine and judge it.

A crop of a smooth or far away part shares a handful of points with its original: too few for a model that rests on
them alone. Two matches fix a similarity; the small pictures laid upon each other then correct it (enhanced correlation,
Evangelidis and Psarakis 2008). What comes out is held against stricter limits than a model of many points
(`rules.photo_verdict_by_few_points`).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.matching.agreement import Agreement
from app.matching.canonical_image import Gray
from app.matching.features import (
    RANSAC_PIXELS,
    Geometry,
    Matrix,
    Points,
    guided_matches,
    pair_up,
    plausible,
)
from app.matching.format import View
from app.matching.picture import compare_under, small_scale, soften

MAX_MATCHES: Final = 60  # the most distinct ones propose
MIN_APART: Final = 24.0  # pixels between two matches that propose
MAX_SCALE: Final = 4.0
MIN_AGREEING: Final = 5  # matches, the two that propose included
MAX_PROPOSALS: Final = 4
MAX_SHARED: Final = 0.6  # of a proposal's matches, with an earlier one: more, and it says the same
LOOKED_AT: Final = 200  # proposals with most matches, of up to 1,770
START_NCC: Final = 0.3  # from which refining can succeed; chance geometry is at about 0
ROUNDS: Final = 30
STEP: Final = 1e-4
MIN_SIDE: Final = 24  # pixels of the small picture that the other covers


def best_of_few(query: View, candidate: View, *, mirrored: bool) -> tuple[Geometry, Agreement] | None:
    """The model grown from few points under which the two pictures agree best, or None.

    Its `inliers` are the matches that are near enough under the refined model; `spread` and `reach` are 0.
    """
    source, target = pair_up(query.mirrored if mirrored else query.features, candidate.features, at_least=MIN_AGREEING)
    best: tuple[Geometry, Agreement] | None = None
    for proposed in _proposals(source, target):
        rough = Geometry(proposed, 0, mirrored, 0.0, 0.0)
        if not plausible(proposed, query.width, query.height):
            continue
        if compare_under(query, candidate, rough).ncc < START_NCC:
            continue
        matrix = _refined(query, candidate, rough)
        if matrix is None or not plausible(matrix, query.width, query.height):
            continue
        inliers = len(guided_matches(query, candidate, matrix, mirrored=mirrored)[0])
        geometry = Geometry(matrix, inliers, mirrored, 0.0, 0.0, few=True)
        agreement = compare_under(query, candidate, geometry)
        if best is None or agreement.ncc > best[1].ncc:
            best = geometry, agreement
    return best


def _similarities(
    source: Points, target: Points
) -> tuple[NDArray[np.complex128], NDArray[np.complex128], NDArray[np.bool_]]:
    """The similarities that any two of the first matches fix, and which of all matches agree with each.

    Args:
        source: (n, 2) pixels.
        target: (n, 2), of the same points in the other picture.

    Returns:
        Scale and turn as complex numbers (m), the shift likewise (m), and (m, n) whether a match agrees: within some
        pixels, more where the picture is enlarged, by the root of the scale.
    """
    ours, theirs = (points[:, 0].astype(np.float64) + 1j * points[:, 1] for points in (source, target))
    one, other = np.triu_indices(min(len(ours), MAX_MATCHES), 1)
    far = (np.abs(ours[other] - ours[one]) >= MIN_APART) & (np.abs(theirs[other] - theirs[one]) >= MIN_APART)
    one, other = one[far], other[far]
    turn = (theirs[other] - theirs[one]) / (ours[other] - ours[one])
    kept = (np.abs(turn) <= MAX_SCALE) & (np.abs(turn) >= 1 / MAX_SCALE)
    turn, shift = turn[kept], (theirs[one] - turn * ours[one])[kept]
    misses = np.abs(turn[:, None] * ours + shift[:, None] - theirs)
    return turn, shift, misses <= RANSAC_PIXELS * np.sqrt(np.maximum(1, np.abs(turn)))[:, None]


def _proposals(source: Points, target: Points) -> list[Matrix]:
    """Similarities that two matches fix, those with which most others agree first; each of them once."""
    turn, shift, agree = _similarities(source, target)
    counts = agree.sum(axis=1)
    chosen: list[int] = []
    for at in np.argsort(-counts, kind="stable")[:LOOKED_AT].tolist():
        if counts[at] < MIN_AGREEING or len(chosen) == MAX_PROPOSALS:
            break
        if all((agree[at] & agree[earlier]).sum() < MAX_SHARED * counts[at] for earlier in chosen):
            chosen.append(at)
    return [_similarity(complex(turn[at]), complex(shift[at])) for at in chosen]


def _similarity(turn: complex, shift: complex) -> Matrix:
    rows = [[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag], [0, 0, 1]]
    return np.array(rows, dtype=np.float64)


def _refined(query: View, candidate: View, rough: Geometry) -> Matrix | None:
    """The affine model near a rough one under which the small pictures correlate best, on the coarser's grid."""
    source = np.ascontiguousarray(np.fliplr(query.pixels()) if rough.mirrored else query.pixels())
    to_query, to_candidate = small_scale(query), small_scale(candidate)
    matrix = to_candidate @ rough.matrix @ np.linalg.inv(to_query)
    ratio = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    if ratio <= 1:
        found = _correlated(
            candidate.pixels(), soften(source, 1 / ratio), np.asarray(np.linalg.inv(matrix), np.float64)
        )
    else:
        found = _correlated(source, soften(candidate.pixels(), ratio), matrix)
    if found is None:
        return None
    there = np.linalg.inv(found) if ratio <= 1 else found
    return np.asarray(np.linalg.inv(to_candidate) @ there @ to_query, np.float64)


def _correlated(coarse: Gray, fine: Gray, rough: Matrix) -> Matrix | None:
    """The model from the coarse picture to the fine one, refined; None when that fails or they share little."""
    import cv2

    rows, columns = fine.shape
    corners = np.array([(0, 0, 1), (columns, 0, 1), (0, rows, 1), (columns, rows, 1)]) @ np.linalg.inv(rough).T
    left, top = np.clip(np.floor(corners[:, :2].min(axis=0)), 0, None).astype(int).tolist()
    right, bottom = np.clip(np.ceil(corners[:, :2].max(axis=0)), 0, None).astype(int).tolist()
    part = np.ascontiguousarray(coarse[top:bottom, left:right])
    if min(part.shape) < MIN_SIDE:
        return None
    place = np.array([(1, 0, left), (0, 1, top), (0, 0, 1)], np.float64)
    start = (rough @ place)[:2].astype(np.float32)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, ROUNDS, STEP)
    nothing: Any = None  # no mask, whatever the stubs say
    try:
        _, found = cv2.findTransformECC(part, fine, start, cv2.MOTION_AFFINE, stop, nothing, 5)
    except cv2.error:  # it does not converge: the two are no copies
        return None
    return np.asarray(np.vstack([found, (0, 0, 1)]) @ np.linalg.inv(place), np.float64)
