"""OpenCV's area filter, with the same result to the bit in less time.

Where a picture is not shrunk by whole numbers, OpenCV adds up one column after the other, and each addition waits for
the one before it. Of a picture with four channels it adds up each by itself, in the same order, and four overlap. So
parts that have nothing to do with each other go in as the channels of one picture. It pays where many columns become
one, as for a hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]

TOGETHER: Final = 4  # channels that the filter takes
_EXACT: Final = 1024  # a scale in whole parts of this has exact multiples


def shrink(gray: Gray, width: int, height: int) -> Gray:
    """Resize by area to so many pixels; where it can be done exactly, four bands of rows at once.

    A band is weighted as the whole is when it begins and ends between two rows of the picture and of the result, and
    when no multiple of the scale is rounded.
    """
    rows, columns = gray.shape
    scale = 1.0 / (height / rows)  # as OpenCV works it out
    apart = rows % TOGETHER == 0 and height % TOGETHER == 0 and (scale * _EXACT).is_integer()
    if not (apart and summed(rows, columns, width, height)):
        return _resized(gray, width, height)
    return np.concatenate(shrink_together(np.split(gray, TOGETHER), width, height // TOGETHER))


def shrink_together(parts: Sequence[Gray], width: int, height: int) -> list[Gray]:
    """Resize up to four pictures of one size by area, which must be one that is summed."""
    import cv2

    if len(parts) == 1:
        return [_resized(parts[0], width, height)]
    planes = cv2.split(_resized(np.asarray(cv2.merge(list(parts)), dtype=np.uint8), width, height))
    return [np.asarray(plane, dtype=np.uint8) for plane in planes]


def summed(rows: int, columns: int, width: int, height: int) -> bool:
    """Whether the filter adds up columns: not where a side is enlarged, nor where both shrink by whole numbers."""
    return rows >= height and columns >= width and bool(rows % height or columns % width)


def _resized(gray: Gray, width: int, height: int) -> Gray:
    import cv2

    return np.asarray(cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
