"""A picture inside a page or screen is found for what it is, and only there."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from app.matching.canonical_image import canonical_from_gray
from app.matching.compare import compare
from app.matching.content import content_window
from app.matching.errors import FingerprintError
from app.matching.format import Fingerprint
from app.matching.photo import fingerprint_photo
from tests.matching_media import Picture, crop, scene, write_photo

STORED_AS = {  # EXIF orientation: what a camera stores of an upright picture
    1: lambda p: p,
    2: np.fliplr,
    3: lambda p: np.rot90(p, 2),
    4: np.flipud,
    5: lambda p: np.rot90(np.fliplr(p), 1),
    6: lambda p: np.rot90(p, 1),
    7: lambda p: np.rot90(np.fliplr(p), -1),
    8: lambda p: np.rot90(p, -1),
}


def on_a_phone(picture: Picture, *, dark: bool = False) -> Picture:
    """The picture in a post: lines of words above and below."""
    page, ink = ((24, 24, 24), (230, 230, 230)) if dark else ((255, 255, 255), (20, 20, 20))
    made = np.full((1520, 720, 3), page, np.uint8)
    rows = round(picture.shape[0] * 720 / picture.shape[1])
    made[240 : 240 + rows] = cv2.resize(picture, (720, rows), interpolation=cv2.INTER_AREA)
    for line, at in enumerate((44, 120, 170, 240 + rows + 60, 240 + rows + 120, 240 + rows + 180)):
        cv2.putText(made, f"{line} words of somebody about it", (30, at), cv2.FONT_HERSHEY_SIMPLEX, 0.9, ink, 2)
    return made


def gray(picture: Picture) -> Picture:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("share", [1.0, 0.7])
def test_screenshot_of_a_photo_or_of_a_part_of_it_is_derived(*, dark: bool, share: float, tmp_path: Path) -> None:
    original = fingerprint_photo(write_photo(tmp_path / "original.jpg", scene(1)))
    stranger = fingerprint_photo(write_photo(tmp_path / "stranger.jpg", scene(2)))
    shot = on_a_phone(crop(scene(1), share, (0.3, 0.6)), dark=dark)
    made = fingerprint_photo(write_photo(tmp_path / "shot.jpg", shot, 70))
    assert len(made.views) == 2
    for found in (compare(made, original), compare(original, made)):
        assert found is not None
        assert found.verdict == "derived"
    assert compare(made, stranger) is None
    other = fingerprint_photo(write_photo(tmp_path / "other.jpg", on_a_phone(scene(2), dark=dark), 70))
    found = compare(made, other)
    assert found is None or found.verdict == "possibly_related"


def test_window_is_the_picture_and_a_whole_photo_noise_or_flat_has_none() -> None:
    window = content_window(canonical_from_gray(Image.fromarray(gray(on_a_phone(scene(1))))).gray)
    assert window is not None
    assert window == pytest.approx((0, 240 / 0.152, 10_000, 780 / 0.152), abs=40)
    assert content_window(canonical_from_gray(Image.fromarray(gray(scene(1)))).gray) is None
    noise = np.random.default_rng(1).integers(0, 256, (480, 640)).astype(np.uint8)
    for picture in (noise, np.zeros((480, 640), np.uint8), np.zeros((0, 0), np.uint8), np.zeros((1, 640), np.uint8)):
        assert content_window(picture) is None


@pytest.mark.parametrize("orientation", STORED_AS)
def test_window_of_a_turned_file_is_that_of_the_upright_picture(orientation: int) -> None:
    upright = gray(on_a_phone(scene(3)))
    wanted = canonical_from_gray(Image.fromarray(upright))
    stored = np.ascontiguousarray(STORED_AS[orientation](upright))
    found = canonical_from_gray(Image.fromarray(stored), orientation)
    assert found.content_window == pytest.approx(wanted.content_window, abs=40)
    assert found.content is not None
    assert wanted.content is not None
    assert found.content.shape == pytest.approx(wanted.content.shape, abs=3)
    same = cv2.resize(found.content, wanted.content.shape[::-1]).astype(np.int16)
    assert np.abs(same - wanted.content).mean() < 12


def test_parts_and_views_of_a_stored_fingerprint_belong_together(tmp_path: Path) -> None:
    made = fingerprint_photo(write_photo(tmp_path / "shot.jpg", on_a_phone(scene(1))))
    assert Fingerprint.from_bytes(made.to_bytes()) == made
    without_rows = tuple(row for row in made.hashes if row.role != "content")
    for spoilt in (
        dataclasses.replace(made, views=made.views[:1]),
        dataclasses.replace(made, hashes=without_rows),
        dataclasses.replace(made, views=made.views * 2),
    ):
        with pytest.raises(FingerprintError) as refusal:
            Fingerprint.from_bytes(spoilt.to_bytes())
        assert refusal.value.code == "malformed_fingerprint"
