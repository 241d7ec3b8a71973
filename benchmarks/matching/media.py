"""Pictures of the benchmark: real photos from data packages, and generated scenes with their textures.

The packages are fetched by pip into a cache folder, by this benchmark only and without being installed: scikit-image
(BSD-3-Clause; its images are in the public domain, CC0 or CC-BY as its data/README says) and scikit-learn
(BSD-3-Clause; two photos, CC-BY).
"""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

PACKAGES: Final = ("scikit-image==0.26.0", "scikit-learn==1.9.1")
# No photos of a thing: logos, colour charts, blobs, and the second of a stereo pair (a hard negative instead).
_PHOTOS: Final = (
    "astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png", "coffee.png",
    "coins.png", "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "moon.png", "motorcycle_left.png",
    "page.png", "retina.jpg", "rocket.jpg", "text.png", "china.jpg", "flower.jpg",
)  # fmt: skip
_STEREO: Final = "motorcycle_right.png"
_TEXTURES: Final = ("brick.png", "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "coffee.png")
_FOLDERS: Final = ("skimage/data/", "sklearn/datasets/images/")


class Photos:
    """The real photos."""

    def __init__(self, cache: Path) -> None:
        """Fetch the packages unless the cache has them.

        Raises:
            SystemExit: they cannot be fetched.
        """
        cache.mkdir(parents=True, exist_ok=True)
        self._found: dict[str, Picture] = {}
        for package in PACKAGES:
            wheel = self._wheel(cache, package)
            with zipfile.ZipFile(wheel) as archive:
                for name in archive.namelist():
                    short = name.rsplit("/", 1)[-1]
                    if name.startswith(_FOLDERS) and short in {*_PHOTOS, _STEREO}:
                        self._found[short] = _decoded(archive.read(name))

    @staticmethod
    def _wheel(cache: Path, package: str) -> Path:
        pattern = f"{package.split('==', maxsplit=1)[0].replace('-', '_')}-*.whl"
        if not list(cache.glob(pattern)):
            fetch = ["-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", str(cache), package]
            for python in (sys.executable, "python3"):  # an environment made by uv has no pip
                if subprocess.run([python, *fetch], check=False, stderr=subprocess.DEVNULL).returncode == 0:
                    break
            else:
                raise SystemExit(f"{package} cannot be fetched; put its wheel into {cache}")
        return next(cache.glob(pattern))

    def real(self) -> dict[str, Picture]:
        """Photos by name."""
        return {name: self._found[name] for name in _PHOTOS if name in self._found}

    def stereo(self) -> tuple[Picture, Picture]:
        """Two photos of one scene from two places, taken at once."""
        return self._found["motorcycle_left.png"], self._found[_STEREO]

    def textures(self) -> list[Picture]:
        """Surfaces for generated scenes."""
        return [self._found[name] for name in _TEXTURES]


def _decoded(data: bytes) -> Picture:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        return np.ascontiguousarray(np.asarray(image.convert("RGB"), np.uint8)[..., ::-1])


class Scene:
    """A made-up place: ground with real texture, houses and rubble that stand out of it, seen from above at an angle.

    The same place can be seen from elsewhere and later (`view` with another camera and other moved things): things
    that stand higher shift more, so the two pictures are no copies of each other.
    """

    def __init__(self, seed: int, textures: list[Picture]) -> None:
        """Lay the place out."""
        self._rng = np.random.default_rng(seed)
        rng = self._rng
        self._ground = self._surface(textures, 2200, 1600)
        for cells, weight in ((5, 45.0), (17, 25.0)):
            grid = rng.normal(0, weight, (cells, cells)).astype(np.float32)
            waves = cv2.resize(grid, (2200, 1600), interpolation=cv2.INTER_CUBIC)
            self._ground = np.asarray(cv2.add(self._ground, cv2.merge([waves] * 3), dtype=cv2.CV_8U), np.uint8)
        for _ in range(int(rng.integers(2, 5))):
            ends = rng.integers((0, 0), (2200, 1600), (2, 2))
            shade = int(rng.integers(60, 190))
            cv2.line(self._ground, ends[0].tolist(), ends[1].tolist(), (shade, shade, shade), int(rng.integers(14, 60)))
        count = int(rng.integers(50, 90))
        self._things = [
            (
                rng.uniform((100, 100), (2100, 1500)),
                rng.uniform(20, 150, 2),
                float(rng.uniform(0, 90)),
                float(rng.uniform(0.005, 0.12)),
                self._surface(textures, 160, 160),
            )
            for _ in range(count)
        ]

    def _surface(self, textures: list[Picture], width: int, height: int) -> Picture:
        rng = self._rng
        source = textures[int(rng.integers(len(textures)))]
        rows, columns = source.shape[:2]
        side = int(rng.integers(min(rows, columns) // 3, min(rows, columns)))
        top, left = int(rng.integers(rows - side + 1)), int(rng.integers(columns - side + 1))
        part = np.rot90(source[top : top + side, left : left + side], int(rng.integers(4)))
        tint = rng.uniform(0.5, 1.3, 3)
        if width > 200:  # noqa: PLR2004
            scale = float(rng.uniform(1.0, 2.5))
            part = np.asarray(cv2.resize(part, None, fx=scale, fy=scale), np.uint8)
        # Tinted before it is repeated: a scene took .7 s when all of its ground was multiplied.
        part = np.ascontiguousarray(part[:height, :width])
        skin = np.asarray(cv2.multiply(part, (*tint.tolist(), 0.0)), np.uint8)
        repeat = (-(-height // skin.shape[0]), -(-width // skin.shape[1]), 1)
        return np.ascontiguousarray(np.tile(skin, repeat)[:height, :width])

    def view(
        self,
        size: tuple[int, int] = (960, 720),
        *,
        camera: tuple[float, float, float] = (0.5, 0.5, 0.6),
        moved: int = 0,
    ) -> Picture:
        """The place from a camera (across, down, share of the width seen); `moved`: seed of what has moved since."""
        rng = np.random.default_rng(moved)
        made = self._ground.copy()
        for place, sides, degrees, high, skin in self._things:
            shift = (np.array(camera[:2]) - 0.5) * high * 2200 * 2
            if moved:
                shift = shift + rng.normal(0, 25, 2) * (rng.random() < 0.3)  # noqa: PLR2004
            centre = place + shift
            box = cv2.boxPoints((centre.tolist(), sides.tolist(), degrees)).astype(np.float32)
            corners = np.array([(0, 160), (0, 0), (160, 0), (160, 160)], np.float32)
            matrix = cv2.getPerspectiveTransform(corners, box)
            shadow = (box + np.array([8, 10], np.float32)).astype(np.int32)
            cv2.fillConvexPoly(made, shadow, (25, 25, 25))
            _lay(made, skin, matrix, box)
        width = round(2200 * camera[2])
        height = round(width * size[1] / size[0])
        left, top = round((2200 - width) * camera[0]), round((1600 - height) * camera[1])
        part = made[max(0, top) : top + height, left : left + width]
        return np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)


def _lay(made: Picture, skin: Picture, matrix: NDArray[np.float64], box: NDArray[np.float32]) -> None:
    """Draw a skin into the part of the picture that its box lies in (the whole would cost a hundred times as much)."""
    rows, columns = made.shape[:2]
    left, top = (max(0, int(edge) - 2) for edge in box.min(axis=0))
    right, bottom = (min(side, int(edge) + 3) for edge, side in zip(box.max(axis=0), (columns, rows), strict=True))
    if left >= right or top >= bottom:
        return
    moved = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]], np.float64) @ matrix
    part = np.ascontiguousarray(made[top:bottom, left:right])
    size = (right - left, bottom - top)
    cv2.warpPerspective(skin, moved, size, dst=part, borderMode=cv2.BORDER_TRANSPARENT)
    made[top:bottom, left:right] = part
