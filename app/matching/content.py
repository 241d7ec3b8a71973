"""Where the picture is inside a picture: a screenshot of a post, a page, a photo over a caption.

A screen or page is of one even grey around its words; the picture in it is not. Words leave most of their lines even,
so the longest stretch of lines that hold little of the page's grey is the picture, and in it likewise the columns.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.matching.canonical_image import Gray
from app.matching.format import WINDOW_UNIT, Window

PAGE_SPREAD: Final = 6  # grey levels around the page's own
PAGE_SHARE: Final = 0.1  # of the picture, at least, for there to be a page
LINE_SHARE: Final = 0.4  # of a line in the page's grey: this much and it is no line of the picture
MIN_LINES: Final = 0.15  # of the lines, for a stretch to be a picture
MIN_COLUMNS: Final = 0.4
AROUND_SHARE: Final = 0.6  # of what lies around the picture, in the page's grey; a wall or a sky is seldom so even
MAX_AREA: Final = 0.9  # more, and the window says nothing that the whole does not
GAP: Final = 0.02  # of the lines: a stretch goes on over so many even ones (a dark street, a white wall)


def content_window(gray: Gray) -> Window | None:
    """The part of a canonical picture that is a picture by itself, or None when there is no page around it.

    Lines are looked at first, so a page that lies on its side is tried as well.
    """
    if gray.size == 0:
        return None
    level, share = _page_level(gray)
    if share < PAGE_SHARE:
        return None
    on_page = np.abs(gray.astype(np.int16) - level) <= PAGE_SPREAD
    found = _window(on_page)
    if found is None:
        turned = _window(on_page.T)
        found = None if turned is None else (turned[1], turned[0], turned[3], turned[2])
    return found


def _window(on_page: NDArray[np.bool_]) -> Window | None:
    rows, columns = on_page.shape
    down = _longest(on_page.mean(axis=1) < LINE_SHARE)
    if down[1] - down[0] < MIN_LINES * rows:
        return None
    across = _longest(on_page[down[0] : down[1]].mean(axis=0) < LINE_SHARE)
    if across[1] - across[0] < MIN_COLUMNS * columns:
        return None
    window = (
        across[0] * WINDOW_UNIT // columns,
        down[0] * WINDOW_UNIT // rows,
        across[1] * WINDOW_UNIT // columns,
        down[1] * WINDOW_UNIT // rows,
    )
    area = (down[1] - down[0]) * (across[1] - across[0]) / on_page.size
    if area > MAX_AREA:
        return None
    inside = on_page[down[0] : down[1], across[0] : across[1]].sum()
    around = (on_page.sum() - inside) / (on_page.size * (1 - area))
    return window if around >= AROUND_SHARE else None


def _page_level(gray: Gray) -> tuple[int, float]:
    """The grey around which most pixels lie, and their share of all, 0 to 1."""
    import cv2

    counts = np.rint(cv2.calcHist([gray], [0], None, [256], [0, 256])).ravel().astype(np.int64)
    near = np.convolve(counts, np.ones(2 * PAGE_SPREAD + 1, np.int64), mode="same")
    level = int(near.argmax())
    return level, float(near[level] / gray.size)


def _longest(busy: NDArray[np.bool_]) -> tuple[int, int]:
    """Start and end of the longest stretch of busy lines; short breaks are passed over."""
    at = np.flatnonzero(busy)
    if not len(at):
        return 0, 0
    breaks = np.flatnonzero(np.diff(at) > max(1, GAP * len(busy))) + 1
    longest = max(np.split(at, breaks), key=lambda part: part[-1] - part[0])
    return int(longest[0]), int(longest[-1]) + 1
