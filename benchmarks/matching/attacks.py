"""What people do to pictures before they come back; each takes a BGR picture and a seeded generator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np

from benchmarks.matching.media import Picture

Rng = np.random.Generator
Attack = Callable[[Picture, Rng], Picture]


def _u8(array: object) -> Picture:
    return np.ascontiguousarray(np.asarray(array, dtype=np.uint8))


def jpeg(picture: Picture, quality: int) -> Picture:
    """Through JPEG and back."""
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return _u8(cv2.imdecode(data, cv2.IMREAD_COLOR))


def scaled(picture: Picture, share: float) -> Picture:
    """Both sides times a share."""
    return _u8(cv2.resize(picture, None, fx=share, fy=share, interpolation=cv2.INTER_AREA))


def fitted(picture: Picture, width: int, height: int) -> Picture:
    """Squeezed into a size."""
    return _u8(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA))


def cropped(picture: Picture, share: float, rng: Rng) -> Picture:
    """The part with this share of both sides, somewhere."""
    rows, columns = picture.shape[:2]
    height, width = round(rows * share), round(columns * share)
    top, left = int(rng.integers(0, rows - height + 1)), int(rng.integers(0, columns - width + 1))
    return _u8(picture[top : top + height, left : left + width])


def bars(picture: Picture, down: float, across: float, colour: tuple[int, int, int] = (0, 0, 0)) -> Picture:
    """Even borders, as shares of the sides."""
    rows, columns = picture.shape[:2]
    y, x = round(rows * down), round(columns * across)
    return _u8(cv2.copyMakeBorder(picture, y, y, x, x, cv2.BORDER_CONSTANT, value=colour))


def turned(picture: Picture, degrees: float) -> Picture:
    """Turned about the centre; corners black."""
    rows, columns = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((columns / 2, rows / 2), degrees, 1.0)
    return _u8(cv2.warpAffine(picture, matrix, (columns, rows)))


def tilted(picture: Picture, rng: Rng) -> Picture:
    """Photographed from a screen: corners moved by up to 8 % of the sides, the desk around it."""
    rows, columns = picture.shape[:2]
    corners = np.array([(0, 0), (columns, 0), (columns, rows), (0, rows)], np.float32)
    inward = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)], np.float32)
    moved = corners + inward * rng.uniform(0.01, 0.08, (4, 2)).astype(np.float32) * (columns, rows)
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    desk = tuple(float(v) for v in rng.integers(20, 90, 3))
    return _u8(cv2.warpPerspective(picture, matrix, (columns, rows), borderValue=desk))


def captioned(picture: Picture, rng: Rng) -> Picture:
    """A bar with words at the bottom."""
    made = picture.copy()
    rows, columns = made.shape[:2]
    cv2.rectangle(made, (0, round(rows * 0.85)), (columns, rows), (24, 20, 20), -1)
    _words(made, (round(columns * 0.04), round(rows * 0.94)), columns / 700, rng)
    return made


def badged(picture: Picture, rng: Rng) -> Picture:
    """A channel's logo in the upper right corner."""
    made = picture.copy()
    rows, columns = made.shape[:2]
    centre = (round(columns * 0.88), round(rows * 0.12))
    cv2.circle(made, centre, columns // 14, tuple(int(v) for v in rng.integers(0, 256, 3)), -1)
    cv2.putText(
        made, "TV", (centre[0] - columns // 28, centre[1] + columns // 60), 2, columns / 800, (255, 255, 255), 2
    )
    return made


def meme(picture: Picture, rng: Rng) -> Picture:
    """Large words above and below, on the picture."""
    made = picture.copy()
    rows, columns = made.shape[:2]
    for height in (0.14, 0.94):
        place = (round(columns * 0.05), round(rows * height))
        for colour, thick in (((0, 0, 0), 9), ((255, 255, 255), 3)):
            cv2.putText(made, f"LOOK AT THIS {int(rng.integers(99))}", place, 2, columns / 520, colour, thick)
    return made


def sticker(picture: Picture, rng: Rng) -> Picture:
    """A disc over a twelfth of the picture."""
    made = picture.copy()
    rows, columns = made.shape[:2]
    centre = (int(rng.integers(columns // 4, 3 * columns // 4)), int(rng.integers(rows // 4, 3 * rows // 4)))
    cv2.circle(made, centre, int(np.sqrt(rows * columns / 12 / np.pi)), (40, 200, 250), -1)
    return made


def story(picture: Picture) -> Picture:
    """Upright story: the picture across the middle, a blurred enlargement of itself behind."""
    width, height = 720, 1280
    rows, columns = picture.shape[:2]
    share = max(width / columns, height / rows)
    back = _u8(cv2.resize(picture, None, fx=share, fy=share))
    top, left = (back.shape[0] - height) // 2, (back.shape[1] - width) // 2
    back = _u8(cv2.GaussianBlur(back[top : top + height, left : left + width], (0, 0), 25))
    tall = min(height, round(rows * width / columns))
    made = fitted(picture, round(columns * tall / rows), tall)
    top, left = (height - tall) // 2, (width - made.shape[1]) // 2
    back[top : top + tall, left : left + made.shape[1]] = made
    return back


def screenshot(picture: Picture, rng: Rng) -> Picture:
    """A phone's screen: status line, name of a channel, the picture, counters, comments."""
    width, height = 720, 1520
    dark = bool(rng.integers(2))
    page, ink = ((30, 28, 24), (225, 225, 225)) if dark else ((255, 255, 255), (30, 30, 30))
    made = np.full((height, width, 3), page, np.uint8)
    cv2.putText(made, f"{int(rng.integers(10, 24))}:{int(rng.integers(10, 60))}", (30, 44), 2, 0.9, ink, 2)
    cv2.putText(made, "LTE 87%", (width - 170, 44), 2, 0.8, ink, 2)
    cv2.circle(made, (66, 130), 38, tuple(int(v) for v in rng.integers(0, 256, 3)), -1)
    _words(made, (124, 122), 0.9, rng, ink)
    rows, columns = picture.shape[:2]
    tall = min(900, round(rows * width / columns))
    top = int(rng.integers(190, 260))
    made[top : top + tall] = fitted(picture, width, tall)
    for line in range(int(rng.integers(2, 6))):
        _words(made, (36, top + tall + 70 + 58 * line), 0.8, rng, ink)
    return made


def collage(picture: Picture, other: Picture) -> Picture:
    """Beside another picture, in a grid of two."""
    left, right = fitted(picture, 640, 640), fitted(other, 640, 640)
    return _u8(np.hstack([left, np.full((640, 12, 3), 255, np.uint8), right]))


def recoloured(picture: Picture, rng: Rng) -> Picture:
    """Another tint, saturation and contrast, as by a filter of an app."""
    hsv = cv2.cvtColor(picture, cv2.COLOR_BGR2HSV).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] + rng.uniform(-12, 12)) % 180
    hsv[..., 1] = np.clip(hsv[..., 1] * rng.uniform(0.5, 1.7), 0, 255)
    plain = _u8(cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2BGR)).astype(np.float32)
    return _u8(np.clip((plain - 128) * rng.uniform(0.75, 1.35) + 128 + rng.uniform(-25, 25), 0, 255))


def sharpened(picture: Picture) -> Picture:
    """An unsharp mask."""
    return _u8(cv2.addWeighted(picture, 2.2, cv2.GaussianBlur(picture, (0, 0), 2), -1.2, 0))


def noisy(picture: Picture, rng: Rng) -> Picture:
    """Grain of a night shot."""
    return _u8(np.clip(picture + rng.normal(0, 14, picture.shape), 0, 255))


def darkened(picture: Picture) -> Picture:
    """Gamma 2.2 once more."""
    return _u8(255 * (picture / 255.0) ** 2.2)


def _words(
    picture: Picture, place: tuple[int, int], size: float, rng: Rng, ink: tuple[int, int, int] = (255, 255, 255)
) -> None:
    letters = "abcdefghiklmnoprstuvw"
    text = " ".join("".join(rng.choice(list(letters), int(rng.integers(3, 9)))) for _ in range(5))
    cv2.putText(picture, text, place, 2, size, ink, 2)


ATTACKS: Final[dict[str, Attack]] = {
    "recompress q40": lambda p, _: jpeg(p, 40),
    "recompress q10": lambda p, _: jpeg(p, 10),
    "resize to half": lambda p, _: scaled(p, 0.5),
    "resize to 160 px": lambda p, _: scaled(p, 160 / max(p.shape)),
    "gray": lambda p, _: _u8(cv2.cvtColor(cv2.cvtColor(p, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)),
    "blur": lambda p, _: _u8(cv2.GaussianBlur(p, (0, 0), max(p.shape) / 320)),
    "recolour": recoloured,
    "darken": lambda p, _: darkened(p),
    "sharpen": lambda p, _: sharpened(p),
    "grain": noisy,
    "squeeze to a square": lambda p, _: fitted(p, 512, 512),
    "crop to 80 %": lambda p, rng: cropped(p, 0.8, rng),
    "crop to 50 %": lambda p, rng: cropped(p, 0.5, rng),
    "letterbox": lambda p, _: bars(p, 0.18, 0.0),
    "white frame": lambda p, _: bars(p, 0.06, 0.06, (255, 255, 255)),
    "mirror": lambda p, _: _u8(p[:, ::-1]),
    "rotate 90": lambda p, _: _u8(np.rot90(p)),
    "rotate 180": lambda p, _: _u8(np.rot90(p, 2)),
    "mirror + crop to 70 %": lambda p, rng: cropped(_u8(p[:, ::-1]), 0.7, rng),
    "mirror + letterbox": lambda p, _: bars(_u8(p[:, ::-1]), 0.18, 0.0),
    "5 degrees": lambda p, rng: turned(p, 5 if rng.integers(2) else -5),
    "caption": captioned,
    "meme": meme,
    "sticker": sticker,
    "caption + logo + crop": lambda p, rng: cropped(badged(captioned(p, rng), rng), 0.8, rng),
    "blurred-side story": lambda p, _: story(p),
    "screenshot": screenshot,
    "screenshot of a crop": lambda p, rng: screenshot(cropped(p, 0.7, rng), rng),
    "perspective": tilted,
    "everything": lambda p, rng: jpeg(scaled(captioned(cropped(recoloured(p, rng), 0.75, rng), rng), 0.6), 35),
}
