"""Confirmation by the pictures themselves: normalised cross-correlation, block by block.

Two drone frames of neighbouring fields can share a pattern of points; their grey levels, laid
upon each other, do not agree. The mean over blocks forgives captions, logos and colour edits; the
middle of the common part, where the subject is, has to agree by itself, as two letters share a
letterhead and two screenshots a frame.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.matching.agreement import Agreement
from app.matching.canonical_image import Gray
from app.matching.features import Geometry, Matrix, find_geometries
from app.matching.format import View, Window
from app.matching.hashes import apply_dihedral, cut

BLOCK: Final = 12  # pixels
MIN_BLOCKS: Final = 9  # with texture, in the overlap
MIN_TEXTURE: Final = 2.5  # grey levels, standard deviation in a block
PATCH_SIDE: Final = 192  # pixels; both hashed parts are brought to this square (at 120 all text looks alike)
MIDDLE: Final = 0.2  # of the overlap's sides left out all around; captions, logos and letterheads lie there
AGREES: Final = 0.5  # correlation from which one block agrees
_INSIDE: Final = 0.98

Values = NDArray[np.float64]


def compare_windows(query: View, query_window: Window, dihedral: int, candidate: View, window: Window) -> Agreement:
    """Correlate two parts that a hash says are equal: the query's, flipped and turned, and the candidate's."""
    left = _square(apply_dihedral(cut(query.pixels(), query_window), dihedral))
    right = _square(cut(candidate.pixels(), window))
    blocks = _blocks(left, right, np.ones(left.shape, bool))
    return _agreement(blocks, _area(query_window), _area(window))


def compare_under(query: View, candidate: View, geometry: Geometry) -> Agreement:
    """Correlate two views under a geometric model, on the grid of the coarser of the two."""
    source = np.ascontiguousarray(np.fliplr(query.pixels()) if geometry.mirrored else query.pixels())
    target = candidate.pixels()
    matrix = small_scale(candidate) @ geometry.matrix @ np.linalg.inv(small_scale(query))
    there = _warp(np.full(source.shape, 255, np.uint8), matrix, target.shape) >= int(255 * _INSIDE)
    back = _warp(np.full(target.shape, 255, np.uint8), np.linalg.inv(matrix), source.shape) >= int(255 * _INSIDE)
    ratio = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    if ratio <= 1:
        blocks = _blocks(_warp(soften(source, 1 / ratio), matrix, target.shape), target, there)
    else:
        inverse = np.linalg.inv(matrix)
        blocks = _blocks(source, _warp(soften(target, ratio), inverse, source.shape), back)
    return _agreement(blocks, float(back.mean()), float(there.mean()))


def best_geometry(query: View, candidate: View, *, mirrored: bool = False) -> tuple[Geometry, Agreement] | None:
    """The plausible model under which the two pictures agree best, or None."""
    found = [(g, compare_under(query, candidate, g)) for g in find_geometries(query, candidate, mirrored=mirrored)]
    return max(found, key=lambda pair: pair[1].ncc) if found else None


def _agreement(blocks: tuple[Values, NDArray[np.bool_]], overlap_query: float, overlap_candidate: float) -> Agreement:
    """Sum up the correlations of single blocks."""
    values, central = blocks
    if len(values) < MIN_BLOCKS:
        return Agreement(0.0, len(values), 0.0, 0.0, 0.0, overlap_query, overlap_candidate)
    middle = values[central] if central.any() else np.zeros(1)
    return Agreement(
        float(values.mean()),
        len(values),
        float((values >= AGREES).mean()),
        float(middle.mean()),
        float((middle >= AGREES).mean()),
        overlap_query,
        overlap_candidate,
    )


def _blocks(left: Gray, right: Gray, mask: NDArray[np.bool_]) -> tuple[Values, NDArray[np.bool_]]:
    """Correlation of the blocks that lie in the mask and have texture in either picture, and which are central."""
    rows, columns = (size - size % BLOCK for size in left.shape)
    a, b = (_as_blocks(soften(part, 1.6)[:rows, :columns].astype(np.float64)) for part in (left, right))
    inside = _as_blocks(mask[:rows, :columns].astype(np.float64)).mean(axis=1) >= _INSIDE
    a -= a.mean(axis=1, keepdims=True)
    b -= b.mean(axis=1, keepdims=True)
    spread_a, spread_b = np.sqrt((a**2).mean(axis=1)), np.sqrt((b**2).mean(axis=1))
    use = inside & (np.maximum(spread_a, spread_b) >= MIN_TEXTURE)
    # The floor makes a block that is textured on one side and flat on the other count as disagreement.
    bottom = np.maximum(spread_a[use], 0.5) * np.maximum(spread_b[use], 0.5)
    return (a[use] * b[use]).mean(axis=1) / bottom, _central(mask, rows // BLOCK, columns // BLOCK)[use]


def _central(mask: NDArray[np.bool_], rows: int, columns: int) -> NDArray[np.bool_]:
    """Which blocks of a grid lie in the middle of the box around a mask."""

    def inner(line: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
        found = np.flatnonzero(line)
        if not len(found):
            return np.zeros(count, bool)
        margin = MIDDLE * (found[-1] - found[0])
        centres = (np.arange(count) + 0.5) * BLOCK
        return np.asarray((centres > found[0] + margin) & (centres < found[-1] - margin))

    across = np.asarray(mask.any(axis=0), dtype=bool)
    down = np.asarray(mask.any(axis=1), dtype=bool)
    return (inner(down, rows)[:, None] & inner(across, columns)[None, :]).ravel()


def _as_blocks(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    rows, columns = plane.shape
    cells = plane.reshape(rows // BLOCK, BLOCK, columns // BLOCK, BLOCK).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(cells).reshape(-1, BLOCK * BLOCK)


def soften(gray: Gray, ratio: float) -> Gray:
    """Blur what is about to be shrunk by a ratio, so that the two sides hold the same detail."""
    import cv2

    sigma = 0.5 * ratio
    return np.asarray(cv2.GaussianBlur(gray, (0, 0), sigma), dtype=np.uint8) if sigma > 0.5 else gray  # noqa: PLR2004


def _square(gray: Gray) -> Gray:
    import cv2

    shrink = min(gray.shape) > PATCH_SIDE
    method = cv2.INTER_AREA if shrink else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(gray, (PATCH_SIDE, PATCH_SIDE), interpolation=method), dtype=np.uint8)


def _warp(gray: Gray, matrix: Matrix, shape: tuple[int, ...]) -> Gray:
    import cv2

    return np.asarray(cv2.warpPerspective(gray, matrix, (shape[1], shape[0]), flags=cv2.INTER_LINEAR), dtype=np.uint8)


def small_scale(view: View) -> Matrix:
    """From canonical pixels to pixels of the small picture (centres at half pixels)."""
    x, y = view.picture_width / view.width, view.picture_height / view.height
    return np.array([[x, 0, 0.5 * x - 0.5], [0, y, 0.5 * y - 0.5], [0, 0, 1]], dtype=np.float64)


def _area(window: Window) -> float:
    return (window[2] - window[0]) * (window[3] - window[1]) / 1e8
