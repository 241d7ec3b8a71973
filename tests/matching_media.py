"""Made-up pictures and clips for matching tests: textured scenes from seeds, and what people do to copies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

CLIP_FPS = 8
CLIP_SIZE = (480, 360)


def scene(seed: int, width: int = 960, height: int = 720) -> Picture:
    """A textured view: ground of many scales, roads, roofs, rubble. Shape (height, width, 3)."""
    rng = np.random.default_rng(seed)
    ground = np.zeros((height, width), np.float32)
    for cells, weight in ((4, 70.0), (12, 50.0), (40, 30.0), (140, 18.0)):
        grid = rng.normal(0, weight, (cells * height // width + 2, cells + 2)).astype(np.float32)
        ground += cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR)
    gray = np.clip(ground + rng.uniform(90, 160), 0, 255).astype(np.uint8)
    picture = np.ascontiguousarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR))
    for _ in range(3):
        ends = rng.integers(0, (width, height), (2, 2))
        cv2.line(picture, ends[0].tolist(), ends[1].tolist(), _colour(rng), int(rng.integers(6, 26)))
    for _ in range(60):
        centre = rng.uniform((0, 0), (width, height))
        size = rng.uniform(8, 90, 2)
        corners = cv2.boxPoints((centre.tolist(), size.tolist(), float(rng.uniform(0, 90)))).astype(np.int32)
        cv2.fillPoly(picture, [corners], _colour(rng))
        cv2.polylines(picture, [corners], isClosed=True, color=_colour(rng), thickness=2)
    return picture


def _colour(rng: np.random.Generator) -> tuple[int, int, int]:
    blue, green, red = rng.integers(0, 256, 3).tolist()
    return blue, green, red


def crop(picture: Picture, share: float, at: tuple[float, float] = (0.5, 0.5)) -> Picture:
    """The part with this share of both sides; `at` 0 is left or top, 1 right or bottom."""
    rows, columns = picture.shape[:2]
    top, left = round(rows * (1 - share) * at[1]), round(columns * (1 - share) * at[0])
    return np.ascontiguousarray(picture[top : top + round(rows * share), left : left + round(columns * share)])


def letterbox(picture: Picture, share: float = 0.15) -> Picture:
    """Black bars above and below."""
    bar = round(picture.shape[0] * share)
    return np.asarray(cv2.copyMakeBorder(picture, bar, bar, 0, 0, cv2.BORDER_CONSTANT, value=(0, 0, 0)), np.uint8)


def turn(picture: Picture, degrees: float) -> Picture:
    """Turned about its centre, corners black."""
    rows, columns = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((columns / 2, rows / 2), degrees, 1.0)
    return np.asarray(cv2.warpAffine(picture, matrix, (columns, rows)), np.uint8)


def tilt(picture: Picture) -> Picture:
    """A moderate change of perspective, as of a photo of a screen."""
    rows, columns = picture.shape[:2]
    before = np.array([(0, 0), (columns, 0), (columns, rows), (0, rows)], np.float32)
    moved = before + np.array([(40, 30), (-10, 5), (-60, -20), (15, -45)], np.float32) * columns / 960
    return np.asarray(
        cv2.warpPerspective(picture, cv2.getPerspectiveTransform(before, moved), (columns, rows)), np.uint8
    )


def caption(picture: Picture) -> Picture:
    """A text bar and a logo over the picture."""
    made = picture.copy()
    rows, columns = made.shape[:2]
    cv2.rectangle(made, (0, round(rows * 0.86)), (columns, rows), (20, 20, 20), -1)
    cv2.putText(
        made, "BREAKING NEWS", (30, round(rows * 0.95)), cv2.FONT_HERSHEY_SIMPLEX, columns / 640, (255, 255, 255), 3
    )
    cv2.circle(made, (round(columns * 0.9), round(rows * 0.12)), columns // 16, (0, 0, 220), -1)
    return made


PHOTO_EDITS: dict[str, Callable[[Picture], Picture]] = {
    "resized to half": lambda p: np.asarray(
        cv2.resize(p, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8
    ),
    "grey": lambda p: np.asarray(cv2.cvtColor(cv2.cvtColor(p, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8),
    "blurred": lambda p: np.asarray(cv2.GaussianBlur(p, (0, 0), 2.0), np.uint8),
    "cropped to 80 %": lambda p: crop(p, 0.8, (0.3, 0.7)),
    "cropped to 50 %": lambda p: crop(p, 0.5, (0.2, 0.4)),
    "mirrored": lambda p: np.ascontiguousarray(p[:, ::-1]),
    "mirrored and cropped": lambda p: crop(np.ascontiguousarray(p[:, ::-1]), 0.7, (0.1, 0.9)),
    "rotated by 90 degrees": lambda p: np.ascontiguousarray(np.rot90(p)),
    "rotated by 180 degrees": lambda p: np.ascontiguousarray(np.rot90(p, 2)),
    "rotated by 5 degrees": lambda p: turn(p, 5),
    "letterboxed": letterbox,
    "tilted": tilt,
    "captioned": caption,
    "captioned and cropped": lambda p: crop(caption(p), 0.75, (1.0, 1.0)),
}


def write_photo(path: Path, picture: Picture, quality: int = 90) -> Path:
    """Write a JPEG (or what the suffix says)."""
    assert cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return path


def clip_frames(seed: int, seconds: float = 10.0) -> Iterator[Picture]:
    """Frames of a camera that wanders over a scene at an uneven pace."""
    view = scene(seed, 1440, 1080)
    rng = np.random.default_rng(seed + 1)
    phase = rng.uniform(0, 2 * np.pi, 3)
    for number in range(round(seconds * CLIP_FPS)):
        t = number / CLIP_FPS
        share = 0.55 + 0.08 * np.sin(0.4 * t + phase[0])
        at = (0.5 + 0.45 * np.sin(0.35 * t + phase[1]), 0.5 + 0.45 * np.cos(0.27 * t + phase[2]))
        part = crop(view, float(share), (float(at[0]), float(at[1])))
        yield np.asarray(cv2.resize(part, CLIP_SIZE, interpolation=cv2.INTER_AREA), np.uint8)


def write_clip(path: Path, frames: Iterator[Picture], crf: int = 23) -> Path:
    """Encode frames as H.264."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(CLIP_FPS))
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(crf), "preset": "ultrafast"}
        for number, frame in enumerate(frames):
            if number == 0:
                stream.width, stream.height = frame.shape[1] // 2 * 2, frame.shape[0] // 2 * 2
            even = np.ascontiguousarray(frame[: stream.height, : stream.width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="bgr24")))
        container.mux(stream.encode(None))
    return path
