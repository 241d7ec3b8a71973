"""Points of a mirrored picture that are made of the picture's own are those that looking for them finds."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.matching import spread_points as module
from app.matching.format import FeatureSet
from app.matching.spread_points import spread_points
from tests.matching_media import scene

COUNT = 600
Gray = NDArray[np.uint8]


def gray_scene(seed: int, width: int = 640, height: int = 480) -> Gray:
    return np.asarray(cv2.cvtColor(scene(seed, width, height), cv2.COLOR_BGR2GRAY), np.uint8)


def looked_for(gray: Gray) -> tuple[FeatureSet, FeatureSet]:
    other = np.ascontiguousarray(np.fliplr(gray))
    return tuple(spread_points(one, COUNT, mirrored=False)[0] for one in (gray, other))  # type: ignore[return-value]


def counted_looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    looks: list[int] = []
    look = module._look

    def counting(gray: Gray) -> tuple[cv2.Feature2D, module._Pool]:
        looks.append(1)
        return look(gray)

    monkeypatch.setattr(module, "_look", counting)
    return looks


@pytest.mark.parametrize(("width", "height"), [(640, 480), (480, 640), (640, 427), (639, 361), (640, 90)])
def test_sharp_pictures(width: int, height: int, monkeypatch: pytest.MonkeyPatch) -> None:
    gray = gray_scene(width + height, width, height)
    wanted = looked_for(gray)
    looks = counted_looks(monkeypatch)
    assert spread_points(gray, COUNT, mirrored=True) == wanted
    assert len(looks) == 1
    assert len(wanted[1]) > COUNT // 4


@pytest.mark.parametrize("blur", [3.0, 12.0])
def test_pictures_out_of_focus(blur: float) -> None:
    gray = np.asarray(cv2.GaussianBlur(gray_scene(5), (0, 0), blur), np.uint8)
    assert spread_points(gray, COUNT, mirrored=True) == looked_for(gray)


def test_a_pattern_whose_corners_tie_is_searched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    gray = np.tile(gray_scene(6, 40, 40), (12, 16))
    wanted = looked_for(gray)
    looks = counted_looks(monkeypatch)
    assert spread_points(gray, COUNT, mirrored=True) == wanted
    assert len(looks) == 2


@pytest.mark.parametrize("seed", [2, 5, 8])
def test_a_symmetrical_picture_whose_last_points_tie_is_searched_again(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No two points of one cell tie, but the last that is taken and the first that is not do, in different cells."""
    half = np.random.default_rng(seed).integers(0, 256, (480, 320), dtype=np.uint8)
    gray = np.ascontiguousarray(np.hstack([half, half[:, ::-1]]))
    wanted = looked_for(gray)
    looks = counted_looks(monkeypatch)
    assert spread_points(gray, COUNT, mirrored=True) == wanted
    assert len(looks) == 2


def test_directions_that_are_not_opencvs_are_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    gray = gray_scene(7)
    wanted = looked_for(gray)
    looks = counted_looks(monkeypatch)
    monkeypatch.setattr(module, "_pyramid", lambda picture: [picture + 1 for _ in range(module.LEVELS)])
    assert spread_points(gray, COUNT, mirrored=True) == wanted
    assert len(looks) == 2


def test_a_picture_without_points() -> None:
    assert spread_points(np.full((480, 640), 90, np.uint8), COUNT, mirrored=True) == (module.NO_FEATURES,) * 2
