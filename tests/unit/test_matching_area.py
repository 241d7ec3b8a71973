"""What goes through the area filter as channels of one picture comes out as each by itself, to the bit."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.matching.area import TOGETHER, shrink, shrink_together, summed

SIDE = 64
SIZES = [
    (480, 640),
    (600, 800),
    (312, 416),
    (432, 576),
    (481, 640),
    (127, 65),
    (64, 65),
    (130, 64),
    (300, 40),
    (20, 640),
]


def noise(seed: int, rows: int, columns: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (rows, columns), dtype=np.uint8)


def alone(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(gray, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_a_picture_is_shrunk_as_opencv_shrinks_it(rows: int, columns: int) -> None:
    gray = noise(rows, rows, columns)
    assert np.array_equal(shrink(gray, SIDE, SIDE), alone(gray))


@pytest.mark.parametrize("count", range(1, TOGETHER + 1))
@pytest.mark.parametrize(("rows", "columns"), [size for size in SIZES if summed(*size, SIDE, SIDE)])
def test_pictures_that_go_together_do_not_mix(rows: int, columns: int, count: int) -> None:
    pictures = [noise(seed, rows, columns) for seed in range(count)]
    made = shrink_together(pictures, SIDE, SIDE)
    assert all(np.array_equal(one, alone(gray)) for one, gray in zip(made, pictures, strict=True))


def test_whole_numbers_and_enlarging_are_no_sums() -> None:
    assert not summed(384, 512, SIDE, SIDE)
    assert not summed(40, 512, SIDE, SIDE)
    assert summed(480, 640, SIDE, SIDE)
