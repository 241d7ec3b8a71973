"""Perceptual hashes: imagehash's 256-bit pHash of the whole, the trimmed and the cropped picture.

A pHash says which of the 16 x 16 lowest DCT coefficients of a 64 x 64 picture lie above their
median. It stands recompression, resizing, blur and colour changes; not cropping (so crops are
hashed too), not borders (so they are trimmed), not mirroring or turning (so a query brings all
eight flips and turns of itself). A quality gate drops flat and black pictures, whose bits are noise.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from app.matching.area import TOGETHER, shrink, shrink_together, summed
from app.matching.canonical_image import Gray
from app.matching.format import WINDOW_UNIT, HashRow, Role, Window

HASH_BYTES: Final = 32
HASH_SIDE: Final = 64  # pixels; hash_size 16 times imagehash's highfreq_factor 4
MIRROR: Final = 4  # dihedral number of a left-right mirror
ALL_DIHEDRALS: Final = tuple(range(8))
FULL: Final[Window] = (0, 0, WINDOW_UNIT, WINDOW_UNIT)
UNIFORM_SPREAD: Final = 14  # grey levels that a border line may span
UNEVEN_SHARE: Final = 0.08  # of its pixels that may lie outside
BORDER_DRIFT: Final = 12  # grey levels by which border lines of one side may differ
MAX_TRIM: Final = 0.45  # of the side, from each edge
MIN_TRIM: Final = 0.01
QUALITY_STEP: Final = 90  # PDQ (Meta, 2019): gradient sum / 90, at most 100
_PERCENT: Final = (np.arange(256) * 100 // 255).astype(np.int16)
MIN_HASH_QUALITY: Final = 10  # below this a pHash is noise and isn't even stored


def apply_dihedral(gray: Gray, number: int) -> Gray:
    """One of the eight flips and turns: numbers 4 to 7 mirror first; then number % 4 quarter turns."""
    return np.ascontiguousarray(np.rot90(np.fliplr(gray) if number >= MIRROR else gray, number % 4))


def quality(small: Gray) -> int:
    """PDQ's picture quality, 0 (flat) to 100: the sum of the steps between neighbours at 64 x 64."""
    pixels = _PERCENT[small]
    steps = int(np.abs(pixels[1:] - pixels[:-1]).sum()) + int(np.abs(pixels[:, 1:] - pixels[:, :-1]).sum())
    return min(100, steps // QUALITY_STEP)


def phash(small: Gray) -> bytes:
    """Compute imagehash's pHash with hash_size 16 of a 64 x 64 picture: 32 bytes, first row first, MSB first."""
    import imagehash
    from PIL import Image

    return np.packbits(imagehash.phash(Image.fromarray(small), hash_size=16).hash).tobytes()


def trimmed_window(gray: Gray) -> Window:
    """The picture without letterbox, pillarbox or frame of one even colour."""
    top, bottom = _border(gray), _border(gray[::-1])
    inner = gray[top : gray.shape[0] - bottom]
    left, right = _border(inner.T), _border(inner.T[::-1])
    rows, columns = gray.shape
    return (
        left * WINDOW_UNIT // columns,
        top * WINDOW_UNIT // rows,
        WINDOW_UNIT - right * WINDOW_UNIT // columns,
        WINDOW_UNIT - bottom * WINDOW_UNIT // rows,
    )


def cut(gray: Gray, window: Window) -> Gray:
    """The part of a picture inside a window (in 1/10,000 of its sides), at least one pixel."""
    rows, columns = gray.shape
    left, right = round(window[0] * columns / WINDOW_UNIT), round(window[2] * columns / WINDOW_UNIT)
    top, bottom = round(window[1] * rows / WINDOW_UNIT), round(window[3] * rows / WINDOW_UNIT)
    top, left = min(top, rows - 1), min(left, columns - 1)
    return gray[top : max(bottom, top + 1), left : max(right, left + 1)]


def hash_rows(
    gray: Gray, *, time_ms: int = 0, dihedrals: tuple[int, ...] = ALL_DIHEDRALS, crops: bool
) -> list[HashRow]:
    """Hash a canonical picture.

    Args:
        gray: canonical grey picture; an empty one gives no rows.
        time_ms: of the frame in its video.
        dihedrals: which flips and turns of the whole and trimmed picture to hash.
        crops: whether to add the 20 crop windows (of the trimmed picture).

    Returns:
        Rows of role whole, trimmed and crop; each carries the quality of the picture inside any
        borders, so that bright bars do not make a black frame look rich.
    """
    if gray.size == 0:
        return []
    inner = trimmed_window(gray)
    windows: list[tuple[Role, Window]] = [("whole", FULL)]
    if inner != FULL:
        windows.append(("trimmed", inner))
    crop_windows = _crop_windows(inner) if crops else []
    smalls = _shrink_all([cut(gray, window) for window in [*(window for _, window in windows), *crop_windows]])
    wholes, cropped = smalls[: len(windows)], smalls[len(windows) :]
    inner_quality = quality(wholes[-1])
    rows = [
        HashRow(role, number, window, time_ms, inner_quality, phash(apply_dihedral(small, number)))
        for (role, window), small in zip(windows, wholes, strict=True)
        if inner_quality >= MIN_HASH_QUALITY
        for number in dihedrals
    ]
    for window, small in zip(crop_windows, cropped, strict=True):
        value = quality(small)
        if value >= MIN_HASH_QUALITY:
            rows.append(HashRow("crop", 0, window, time_ms, value, phash(small)))
    return rows


def content_rows(content: Gray, window: Window) -> list[HashRow]:
    """Hash the picture inside a page or screen, in all flips and turns.

    Args:
        content: its canonical picture.
        window: where it lies in the whole.
    """
    small = _shrink(content)
    value = quality(small)
    if value < MIN_HASH_QUALITY:
        return []
    return [HashRow("content", n, window, 0, value, phash(apply_dihedral(small, n))) for n in ALL_DIHEDRALS]


def _shrink(gray: Gray) -> Gray:
    return shrink(gray, HASH_SIDE, HASH_SIDE)


def _shrink_all(parts: list[Gray]) -> list[Gray]:
    """Each as `_shrink` makes it; those of one size go together."""
    made: dict[int, Gray] = {}
    by_shape: dict[tuple[int, int], list[int]] = {}
    for at, part in enumerate(parts):
        by_shape.setdefault((part.shape[0], part.shape[1]), []).append(at)
    for shape, places in by_shape.items():
        together = TOGETHER if summed(*shape, HASH_SIDE, HASH_SIDE) else 1
        for group in (places[start : start + together] for start in range(0, len(places), together)):
            if len(group) == 1:
                made[group[0]] = _shrink(parts[group[0]])
            else:
                made.update(zip(group, shrink_together([parts[at] for at in group], HASH_SIDE, HASH_SIDE), strict=True))
    return [made[at] for at in range(len(parts))]


def _border(gray: Gray) -> int:
    """Number of even lines at the top that have one colour."""
    rows = gray.shape[0]
    limit = int(rows * MAX_TRIM)
    count = 0
    first = float(gray[0].mean())
    for start in range(0, limit, 16):  # most pictures have no border: look no further than needed
        lines = gray[start : min(start + 16, limit)].astype(np.float32)
        means = lines.mean(axis=1)
        odd = (np.abs(lines - means[:, None]) > UNIFORM_SPREAD / 2).mean(axis=1)
        even = (odd <= UNEVEN_SHARE) & (np.abs(means - first) <= BORDER_DRIFT)
        if not even.all():
            count += int(np.argmin(even))
            return count if count >= rows * MIN_TRIM else 0
        count += len(lines)
    return 0  # even as far as one may trim: a flat picture, not a border


def _crop_windows(inner: Window) -> list[Window]:
    """20 windows: 90 % and 65 % (centre and corners), 80 % (3 x 3), 50 % (centre)."""
    ends = (0.0, 1.0)
    corners = [(0.5, 0.5), *((x, y) for x in ends for y in ends)]
    grid = [(x, y) for x in (0.0, 0.5, 1.0) for y in (0.0, 0.5, 1.0)]
    plan = [(0.9, corners), (0.8, grid), (0.65, corners), (0.5, corners[:1])]
    left, top, right, bottom = inner
    return [
        (
            round(left + (right - left) * (1 - size) * x),
            round(top + (bottom - top) * (1 - size) * y),
            round(left + (right - left) * ((1 - size) * x + size)),
            round(top + (bottom - top) * ((1 - size) * y + size)),
        )
        for size, places in plan
        for x, y in places
    ]
