"""Rendered terrain seen from a drone: fields, a road, trees, roofs and a schematic fire engine.

Everything is drawn from a seed, so the same seed gives the same pixels. Nothing here shows a real
place. Lengths are metres on the ground unless a name says `px`; pictures are BGR `uint8` arrays of
shape (height, width, 3), the order that OpenCV draws in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Picture: TypeAlias = NDArray[np.uint8]
Plane: TypeAlias = NDArray[np.float32]
Colour: TypeAlias = tuple[int, int, int]

FIELD_COLOURS: Final[tuple[Colour, ...]] = (
    (60, 120, 95),
    (70, 150, 165),
    (50, 95, 80),
    (85, 130, 150),
    (65, 110, 120),
    (55, 135, 110),
    (95, 140, 170),
)
ASPHALT: Final[Colour] = (92, 94, 96)
WATERMARK: Final = "SAMPLE - NOT REAL"


@dataclass(frozen=True)
class Scene:
    """What to draw.

    Attributes:
        seed: decides every random choice.
        width_px: width of the picture.
        height_px: its height.
        px_per_m: scale, pixels per metre on the ground.
        road_angle: direction of the road in degrees, 0 = left to right.
        fire_engine: whether a fire engine stands on the road.
        houses: how many roofs.
        trees: how many trees.
    """

    seed: int
    width_px: int
    height_px: int
    px_per_m: float
    road_angle: float
    fire_engine: bool
    houses: int
    trees: int
    rng: np.random.Generator = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Start the random numbers from the seed."""
        object.__setattr__(self, "rng", np.random.default_rng(self.seed))

    @property
    def centre(self) -> tuple[float, float]:
        """The road passes here: a little off the middle, in pixels."""
        return self.width_px * 0.47, self.height_px * 0.55


def _noise(rng: np.random.Generator, shape: tuple[int, int], cell_px: float) -> Plane:
    """Smooth noise in [-1, 1] whose features are about `cell_px` wide."""
    rows, columns = (max(2, round(side / cell_px) + 1) for side in shape)
    grid = rng.uniform(-1.0, 1.0, (rows, columns)).astype(np.float32)
    return np.asarray(cv2.resize(grid, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def _fields(scene: Scene) -> Plane:
    """Fields with furrows, at half the resolution: every field has its colour and ploughing direction."""
    rng, shape = scene.rng, (scene.height_px // 2, scene.width_px // 2)
    count = 16
    seeds = np.full(shape, 255, np.uint8)
    seeds[rng.integers(0, shape[0], count), rng.integers(0, shape[1], count)] = 0
    labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)[1]
    colours = np.zeros((count + 1, 3), np.float32)
    colours[:] = np.array(FIELD_COLOURS, np.float32)[rng.integers(0, len(FIELD_COLOURS), count + 1)]
    colours += rng.uniform(-14, 14, (count + 1, 1)).astype(np.float32)
    angle = rng.uniform(0, np.pi, count + 1).astype(np.float32)
    period = rng.uniform(0.9, 2.6, count + 1).astype(np.float32) * np.float32(scene.px_per_m / 2)
    rows, columns = np.indices(shape, dtype=np.float32)
    across = rows * np.sin(angle)[labels] + columns * np.cos(angle)[labels] + 3.0 * _noise(rng, shape, 60)
    furrows = np.sin(across * np.float32(2 * np.pi) / period[labels])
    shade = 9.0 * furrows + 16.0 * _noise(rng, shape, 220) + 11.0 * _noise(rng, shape, 37) + 8.0 * _noise(rng, shape, 9)
    return np.asarray(colours[labels] + shade[..., None], dtype=np.float32)


def _ground(scene: Scene) -> Picture:
    """The fields at full resolution, with fine grain."""
    size = (scene.width_px, scene.height_px)
    ground = cv2.resize(_fields(scene), size, interpolation=cv2.INTER_LINEAR)
    grain = scene.rng.integers(-11, 12, (scene.height_px, scene.width_px, 1), dtype=np.int8)
    return np.asarray(np.clip(ground + grain, 0, 255), dtype=np.uint8)


def _frame(scene: Scene, centre: tuple[float, float], angle: float) -> NDArray[np.float32]:
    """A 2x3 transform from metres beside `centre`, x along `angle`, to pixels."""
    turn = np.deg2rad(angle)
    cosine, sine, scale = np.cos(turn), np.sin(turn), scene.px_per_m
    return np.array(
        [[scale * cosine, -scale * sine, centre[0]], [scale * sine, scale * cosine, centre[1]]],
        np.float32,
    )


def _polygon(picture: Picture, frame: NDArray[np.float32], corners: list[tuple[float, float]], colour: Colour) -> None:
    """Fill a polygon whose corners are in metres of `frame`."""
    points = np.array(corners, np.float32) @ frame[:, :2].T + frame[:, 2]
    cv2.fillPoly(picture, [np.round(points * 16).astype(np.int32)], colour, cv2.LINE_AA, 4)


def _box(
    picture: Picture,
    frame: NDArray[np.float32],
    centre: tuple[float, float],
    size: tuple[float, float],
    colour: Colour,
) -> None:
    """Fill a rectangle of `size` metres around `centre` metres."""
    (x, y), (half_x, half_y) = centre, (size[0] / 2, size[1] / 2)
    corners = [(x - half_x, y - half_y), (x + half_x, y - half_y), (x + half_x, y + half_y), (x - half_x, y + half_y)]
    _polygon(picture, frame, corners, colour)


def _road(picture: Picture, scene: Scene) -> None:
    """One road right across, with verges, edge lines, a dashed middle line and patches."""
    frame = _frame(scene, scene.centre, scene.road_angle)
    reach = 2.0 * max(scene.width_px, scene.height_px) / scene.px_per_m
    _box(picture, frame, (0, 0), (reach, 11.5), (86, 116, 128))
    _box(picture, frame, (0, 0), (reach, 7.0), ASPHALT)
    for side in (-3.2, 3.2):
        _box(picture, frame, (0, side), (reach, 0.16), (205, 210, 212))
    for start in np.arange(-reach / 2, reach / 2, 9.0):
        _box(picture, frame, (float(start), 0), (3.0, 0.15), (220, 222, 224))
    for _ in range(int(reach / 4)):
        place = (float(scene.rng.uniform(-reach / 2, reach / 2)), float(scene.rng.uniform(-2.6, 2.6)))
        tone = int(scene.rng.integers(70, 118))
        extent = (float(scene.rng.uniform(0.4, 3.5)), float(scene.rng.uniform(0.2, 1.0)))
        _box(picture, frame, place, extent, (tone, tone + 1, tone + 2))


def _houses(picture: Picture, scene: Scene) -> None:
    """Roofs in two tones along the road, each with its shadow and a yard."""
    road = _frame(scene, scene.centre, scene.road_angle)
    span = scene.width_px / scene.px_per_m
    for number in range(scene.houses):
        along = float(scene.rng.uniform(-0.6, 0.6)) * span
        aside = float(scene.rng.uniform(14, 42)) * (1 if number % 2 else -1)
        centre = np.array([along, aside], np.float32) @ road[:, :2].T + road[:, 2]
        frame = _frame(
            scene, (float(centre[0]), float(centre[1])), scene.road_angle + float(scene.rng.uniform(-12, 12))
        )
        length, depth = float(scene.rng.uniform(8, 16)), float(scene.rng.uniform(6, 9))
        red = int(scene.rng.integers(120, 190))
        _box(picture, frame, (0, 0), (length + 9, depth + 9), (118, 150, 162))
        _box(picture, frame, (1.8, 1.8), (length, depth), (38, 46, 44))
        _box(picture, frame, (0, -depth / 4), (length, depth / 2), (red // 2, red // 2 + 6, red))
        _box(picture, frame, (0, depth / 4), (length, depth / 2), (red // 3, red // 3 + 8, red - 40))
        _box(picture, frame, (length / 4, -depth / 5), (1.1, 1.1), (70, 74, 80))


def _trees(picture: Picture, scene: Scene) -> None:
    """Crowns with a lit side, each over its shadow; none on the road."""
    inverse = cv2.invertAffineTransform(_frame(scene, scene.centre, scene.road_angle))
    for _ in range(scene.trees):
        x = float(scene.rng.uniform(0, scene.width_px))
        y = float(scene.rng.uniform(0, scene.height_px))
        radius = float(scene.rng.uniform(1.2, 3.4)) * scene.px_per_m
        green = int(scene.rng.integers(70, 120))
        if abs(float(inverse[1] @ np.array([x, y, 1.0]))) < 7.5 + radius / scene.px_per_m:
            continue
        for offset, share, colour in (
            (0.45, 1.0, (28, 40, 34)),
            (0.0, 1.0, (green // 2, green, green // 2 + 6)),
            (-0.3, 0.55, (green // 2 + 22, green + 30, green // 2 + 30)),
        ):
            place = (round(x + offset * radius), round(y + offset * radius))
            cv2.circle(picture, place, max(1, round(radius * share)), colour, -1, cv2.LINE_AA)


def fire_engine_place(scene: Scene, along: float) -> tuple[float, float]:
    """Pixel (x, y) of a fire engine `along` metres down the right-hand lane from the scene's centre."""
    road = _frame(scene, scene.centre, scene.road_angle)
    x, y = np.array([along, 1.6], np.float32) @ road[:, :2].T + road[:, 2]
    return float(x), float(y)


def draw_fire_engine(picture: Picture, scene: Scene, along: float) -> None:
    """A red fire engine, 8.5 by 2.5 metres, on the right-hand lane.

    Args:
        picture: drawn on in place.
        scene: gives the road and the scale.
        along: where it stands, metres along the road from the scene's centre.
    """
    frame = _frame(scene, fire_engine_place(scene, along), scene.road_angle)
    _box(picture, frame, (0.5, 0.6), (8.6, 2.6), (40, 42, 44))
    _box(picture, frame, (0, 0), (8.5, 2.5), (32, 28, 196))
    _box(picture, frame, (3.2, 0), (1.9, 2.4), (44, 40, 214))
    _box(picture, frame, (4.0, 0), (0.45, 2.2), (70, 58, 44))
    for side in (-1.05, 1.05):
        _box(picture, frame, (-0.9, side), (6.2, 0.22), (236, 238, 240))
    _box(picture, frame, (-0.9, 0), (5.8, 0.75), (178, 182, 186))
    for rung in np.arange(-3.6, 1.9, 0.42):
        _box(picture, frame, (float(rung), 0), (0.1, 0.75), (96, 100, 104))
    for side in (-0.8, 0.8):
        _box(picture, frame, (2.55, side), (0.4, 0.55), (214, 120, 30))
    _box(picture, frame, (-4.0, 0), (0.5, 2.3), (60, 200, 226))


@cache
def _words(width: int, height: int, corner: tuple[float, float], tilt: float) -> tuple[NDArray[np.intp], Plane]:
    """The watermark's pixels (flat index) and how much of each it covers, from 0 to 1."""
    layer = np.zeros((height, width), np.uint8)
    start = (round(corner[0] * width), round(corner[1] * height))
    scale, thickness = width / 1900, max(1, round(width / 900))
    cv2.putText(layer, WATERMARK, start, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, thickness, cv2.LINE_AA)
    turn = cv2.getRotationMatrix2D(start, tilt, 1.0)
    layer = np.asarray(cv2.warpAffine(layer, turn, (width, height), flags=cv2.INTER_LINEAR), dtype=np.uint8)
    inked = np.flatnonzero(layer)
    return inked, np.asarray(layer.reshape(-1)[inked, None] * (0.55 / 255), dtype=np.float32)


def watermark(picture: Picture, corner: tuple[float, float], tilt: float) -> None:
    """Write that this is a sample, faintly and small, so that matching sees the terrain and not the words.

    Args:
        picture: drawn on in place.
        corner: where the words start, as shares of width and height.
        tilt: degrees; different in every sample, for the same reason.
    """
    height, width = picture.shape[:2]
    inked, share = _words(width, height, corner, tilt)
    pixels = picture.reshape(-1, 3)
    pixels[inked] = (pixels[inked] * (1 - share) + 245 * share).astype(np.uint8)


def render(scene: Scene) -> Picture:
    """Draw the whole scene, without the watermark.

    Args:
        scene: what to draw.

    Returns:
        A BGR picture of shape (height_px, width_px, 3).
    """
    picture = _ground(scene)
    _road(picture, scene)
    _houses(picture, scene)
    _trees(picture, scene)
    if scene.fire_engine:
        draw_fire_engine(picture, scene, along=6.0)
    return np.asarray(cv2.GaussianBlur(picture, (3, 3), 0.7), dtype=np.uint8)
