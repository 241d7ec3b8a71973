"""Crops to half of the sides: found when the sharp things lie elsewhere or few points are left; strangers are not."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.matching.compare import compare, few_points
from app.matching.explain import explain
from app.matching.features import PHOTO_POINTS, extract_view
from app.matching.format import Fingerprint
from app.matching.known import UNKNOWN_DISTANCE, worth_comparing
from app.matching.photo import fingerprint_photo
from tests.matching_media import Picture, crop, scene, write_photo


def hazy_corner(seed: int) -> Picture:
    """The lower right corner is soft and of half the contrast, as things far away are; the rest is sharp."""
    sharp = scene(seed).astype(np.float32)
    far = cv2.GaussianBlur(sharp, (0, 0), 1) * 0.5 + 60
    rows, columns = sharp.shape[:2]
    edge = np.zeros((rows, columns), np.float32)
    edge[round(0.45 * rows) :, round(0.45 * columns) :] = 1
    share = np.asarray(cv2.GaussianBlur(edge, (0, 0), 10), np.float32)[..., None]
    return np.asarray(sharp * (1 - share) + far * share, np.uint8)


def out_of_focus(seed: int) -> Picture:
    return np.asarray(cv2.GaussianBlur(scene(seed), (0, 0), 11), np.uint8)


def printed(folder: Path, name: str, picture: Picture) -> Fingerprint:
    return fingerprint_photo(write_photo(folder / f"{name}.jpg", picture, quality=85))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_the_hazy_quarter_of_a_sharp_photo_is_found(seed: int, mirrored: bool, tmp_path: Path) -> None:  # noqa: FBT001
    """The strongest points all lay in the sharp part, so that next to none were left where the crop was cut from."""
    part = crop(hazy_corner(seed), 0.5, (1, 1))
    part = np.ascontiguousarray(part[:, ::-1]) if mirrored else part
    whole, query = printed(tmp_path, "whole", hazy_corner(seed)), printed(tmp_path, "part", part)
    for one, other in ((query, whole), (whole, query)):
        assert worth_comparing(one, [(other, UNKNOWN_DISTANCE)])[0]
        found = compare(one, other)
        assert found is not None
        assert found.verdict == "derived"
    stranger = printed(tmp_path, "stranger", hazy_corner(seed + 40))
    assert compare(query, stranger) is None


def test_points_of_a_photo_lie_in_its_haze_too() -> None:
    gray = np.asarray(cv2.resize(cv2.cvtColor(hazy_corner(0), cv2.COLOR_BGR2GRAY), (640, 480)), np.uint8)

    def in_the_haze(*, spread: bool) -> int:
        view = extract_view(gray, time_ms=0, points=PHOTO_POINTS, picture_side=192, mirrored=False, spread=spread)
        assert view is not None
        assert len(view.features) == PHOTO_POINTS
        return int((view.features.positions() > (330, 250)).all(axis=1).sum())

    assert in_the_haze(spread=True) >= 3 * in_the_haze(spread=False) > 0


def test_a_crop_with_few_points_is_found_by_grey_levels_and_shown_where_it_lies(tmp_path: Path) -> None:
    whole = printed(tmp_path, "whole", out_of_focus(1))
    part = printed(tmp_path, "part", crop(out_of_focus(1), 0.5, (0.9, 0.1)))
    assert len(part.views[0].features) < 40
    found = compare(part, whole)
    assert found is not None
    assert (found.verdict, found.transform) == ("derived", ("cropped",))
    assert "points match one to one in one geometry (limit 6)" in found.explanation
    assert "(limit 85 %)" in found.explanation
    (pair,) = explain(part, whole, [])
    low, high = pair.right.outline.min(axis=0), pair.right.outline.max(axis=0)
    assert [*low, *high] == pytest.approx([0.45, 0.05, 0.95, 0.55], abs=0.02)
    assert len(pair.left.points) == len(pair.right.points) == found.inliers
    assert np.abs(0.45 + 0.5 * pair.left.points[:, 0] - pair.right.points[:, 0]).max() < 0.03


def test_the_same_with_the_crop_mirrored(tmp_path: Path) -> None:
    whole = printed(tmp_path, "whole", out_of_focus(1))
    part = printed(tmp_path, "part", np.ascontiguousarray(crop(out_of_focus(1), 0.5, (0.9, 0.1))[:, ::-1]))
    (pair,) = explain(part, whole, [])
    assert "mirrored" in pair.changes
    assert np.abs(0.95 - 0.5 * pair.left.points[:, 0] - pair.right.points[:, 0]).max() < 0.03


def test_smooth_strangers_are_not_laid_upon_each_other(tmp_path: Path) -> None:
    """Skies, gradients and blurs agree in many blocks by chance, and refining makes the most of it."""
    across, down = np.meshgrid(np.linspace(0, 1, 960), np.linspace(0, 1, 720))
    skies = [
        150 + 80 * across * down + 10 * np.sin(7 * across),
        230 - 90 * np.hypot(across - 0.5, down - 0.4),
        240 - 100 * np.hypot(across - 0.6, down - 0.5) + 6 * np.sin(9 * down),
    ]
    pictures = [cv2.cvtColor(np.asarray(sky, np.uint8), cv2.COLOR_GRAY2BGR) for sky in skies]
    pictures += [out_of_focus(seed) for seed in range(60, 68)]
    pictures += [crop(out_of_focus(seed), 0.5, (0.2, 0.8)) for seed in range(70, 76)]
    prints = [printed(tmp_path, str(number), np.asarray(picture, np.uint8)) for number, picture in enumerate(pictures)]
    for one, other in combinations(prints, 2):
        assert few_points(one, other, (False, True)) is None
