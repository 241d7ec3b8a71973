"""Draws why two items are related: pictures side by side, a strip of aligned frames, a line of time. PNG.

The same input gives the same pixels. Nothing is drawn but numbers, ids and the archive's own words: no file names.
"""

from __future__ import annotations

import colorsys
import io
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from app.matching.align import Segment
from app.matching.explain import Pair, Part, Shares

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageDraw import ImageDraw

WIDTH: Final = 1200
MARGIN: Final = 16
GAP: Final = 12
PHOTO_BOX: Final = ((WIDTH - 2 * MARGIN - GAP) // 2, 600)  # pixels, the most of each side
FRAME_BOX: Final = ((WIDTH - 2 * MARGIN - 2 * GAP) // 3, 240)
COLUMNS: Final = 3
LINES: Final = (6, 12)  # between matching points of frames and of photos; all of 400 would hide the pictures
MAX_DOTS: Final = 120
MAX_LISTED: Final = 8  # stretches whose times are written out
LETTER: Final = 0.455  # width of one on average, of the font's size
MAX_TEXT: Final = 1_400
_INK, _PAPER, _OUTLINE, _FAINT = (20, 20, 20), (255, 255, 255), (255, 210, 0), (120, 120, 120)
_SEGMENTS: Final = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167))  # Okabe and Ito: all can tell them
_DIMMED: Final = 0.45  # of the light outside the common part

Colours = NDArray[np.uint8]


@dataclass(frozen=True)
class Shown:
    """What stands beside the pictures.

    Attributes:
        names: of the left and of the right item.
        verdict: of their relation.
        explanation: its reason in words.
        durations: seconds of the two; None of a photo.
        segments: stretches, of the left in the right.
        pixels: better pictures of the two photos (rows, columns, 3) than the fingerprints hold; None without one.
    """

    names: tuple[str, str]
    verdict: str
    explanation: str
    durations: tuple[float | None, float | None]
    segments: list[Segment]
    pixels: tuple[Colours | None, Colours | None] = (None, None)


def draw(pairs: list[Pair], shown: Shown) -> bytes:
    """A PNG of the pairs with the words and, of recordings, the stretches that line up."""
    photos = shown.durations == (None, None)
    parts = [_head(shown)]
    if None in shown.durations:
        parts += [_pair(pair, PHOTO_BOX, shown, wide=True) for pair in pairs]
    else:
        parts += _strip(pairs, shown)
    if not photos:
        parts.append(_time_line(shown))
    if not pairs:
        parts.append(_text("No pictures of these moments are kept: only the words above speak for this match."))
    parts.append(_legend(photos=photos))
    return _stacked(parts)


def clock(seconds: float) -> str:
    """Hours, minutes, seconds and tenths."""
    tenths = round(seconds * 10)
    return f"{tenths // 36_000}:{tenths // 600 % 60:02}:{tenths // 10 % 60:02}.{tenths % 10}"


def _font(size: int) -> object:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _canvas(width: int, height: int) -> tuple[Picture, ImageDraw]:
    from PIL import Image, ImageDraw

    made = Image.new("RGB", (width, height), _PAPER)
    return made, ImageDraw.Draw(made)


def _stacked(parts: list[Picture]) -> bytes:
    height = 2 * MARGIN + sum(part.height for part in parts) + GAP * (len(parts) - 1)
    whole, _ = _canvas(WIDTH, height)
    top = MARGIN
    for part in parts:
        whole.paste(part, (MARGIN, top))
        top += part.height + GAP
    buffer = io.BytesIO()
    whole.save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def _text(words: str, size: int = 14, colour: tuple[int, int, int] = _INK) -> Picture:
    told = "".join(letter if letter.isprintable() else " " for letter in words)
    told = told if len(told) <= MAX_TEXT else told[: MAX_TEXT - 3] + "..."
    lines = textwrap.wrap(told, round((WIDTH - 2 * MARGIN) / (LETTER * size))) or [""]
    made, pen = _canvas(WIDTH - 2 * MARGIN, len(lines) * (size + 5))
    for number, line in enumerate(lines):
        pen.text((0, number * (size + 5)), line, fill=colour, font=_font(size))  # type: ignore[arg-type]
    return made


def _head(shown: Shown) -> Picture:
    title = _text(f"{shown.verdict.replace('_', ' ')}: a machine's suggestion, for a person to judge", 20)
    names = _text(f"left {shown.names[0]}    right {shown.names[1]}", 13, _FAINT)
    words = _text(shown.explanation)
    made, _ = _canvas(title.width, title.height + names.height + words.height + 8)
    made.paste(title, (0, 0))
    made.paste(names, (0, title.height))
    made.paste(words, (0, title.height + names.height + 8))
    return made


def _legend(*, photos: bool) -> Picture:
    copies = "working copies" if photos else "working copies and the small grey pictures that fingerprints keep"
    return _text(
        "Yellow: the part that both show; around it the pictures are dimmed. Dots of one colour: points that match. "
        f"Made from {copies}, not from the originals.",
        13,
        _FAINT,
    )


def _strip(pairs: list[Pair], shown: Shown) -> list[Picture]:
    """Rows of up to three pairs; the left item's frame above the right one's."""
    tiles = [_pair(pair, FRAME_BOX, shown, wide=False) for pair in pairs]
    rows = []
    for start in range(0, len(tiles), COLUMNS):
        part = tiles[start : start + COLUMNS]
        row, _ = _canvas(WIDTH - 2 * MARGIN, max(tile.height for tile in part))
        for number, tile in enumerate(part):
            row.paste(tile, (number * (FRAME_BOX[0] + GAP), 0))
        rows.append(row)
    return rows


def _pair(pair: Pair, box: tuple[int, int], shown: Shown, *, wide: bool) -> Picture:
    """Two pictures, beside each other when `wide`, else above each other, with what was found below."""
    sides = [_side(part, pixels, box) for part, pixels in zip((pair.left, pair.right), shown.pixels, strict=True)]
    label = 20
    if wide:
        size = (WIDTH - 2 * MARGIN, max(side.height for side in sides) + 2 * label)
        places = [(0, label), (box[0] + GAP, label)]
    else:
        size = (box[0], sum(side.height for side in sides) + 3 * label)
        places = [(0, label), (0, 2 * label + sides[0].height)]
    made, pen = _canvas(*size)
    for side, place in zip(sides, places, strict=True):
        made.paste(side, place)
    for part, place, length, name in zip(
        (pair.left, pair.right), places, shown.durations, ("left", "right"), strict=True
    ):
        told = f"{name}, photo" if length is None else f"{name}, {clock(part.view.time_ms / 1000)}"
        pen.text((place[0], place[1] - label + 2), told, fill=_INK, font=_font(13))  # type: ignore[arg-type]
    parts = zip((pair.left, pair.right), sides, places, strict=True)
    _join(pen, [(part.points, side, place) for part, side, place in parts], LINES[wide])
    told = pair.changes or "no points of these two pictures match one to one"
    pen.text((0, size[1] - label + 3), told, fill=_FAINT, font=_font(13))  # type: ignore[arg-type]
    return made


def _side(part: Part, pixels: Colours | None, box: tuple[int, int]) -> Picture:
    """A picture as large as the box allows, dimmed outside the common part, which is outlined."""
    from PIL import Image, ImageDraw

    kept = part.view.pixels()
    source = Image.fromarray(np.stack([kept] * 3, axis=-1) if pixels is None else pixels)
    aspect = part.view.width / part.view.height
    width = max(1, min(box[0], round(box[1] * aspect)))
    height = max(1, min(box[1], round(width / aspect)))
    made = source.resize((width, height), Image.Resampling.BICUBIC if pixels is None else Image.Resampling.LANCZOS)
    if len(part.outline) < 3:  # noqa: PLR2004 - no area
        return made
    corners = [(float(x) * (width - 1), float(y) * (height - 1)) for x, y in np.clip(part.outline, 0, 1)]
    mask = Image.new("L", made.size, 0)
    ImageDraw.Draw(mask).polygon(corners, fill=255)
    made = Image.composite(made, made.point(lambda level: round(level * _DIMMED)), mask)
    ImageDraw.Draw(made).line([*corners, corners[0]], fill=_OUTLINE, width=3)
    return made


def _join(pen: ImageDraw, sides: list[tuple[Shares, Picture, tuple[int, int]]], lines: int) -> None:
    """Dots of one colour at points that match, some of them joined by a line."""
    placed = [points * (side.width - 1, side.height - 1) + np.asarray(place) for points, side, place in sides]
    order = _spread(sides[0][0])
    for rank, at in enumerate(order[:MAX_DOTS]):
        x, y = sides[0][0][at]
        red, green, blue = colorsys.hsv_to_rgb(float(0.85 * x), 1.0, float(1.0 - 0.35 * y))
        colour = (round(255 * red), round(255 * green), round(255 * blue))
        ends = [(float(points[at][0]), float(points[at][1])) for points in placed]
        if rank < lines:
            pen.line(ends, fill=colour, width=1)
        for across, down in ends:
            pen.ellipse((across - 3, down - 3, across + 3, down + 3), fill=colour, outline=_PAPER)


def _spread(points: Shares) -> list[int]:
    """Numbers of the points so that the first ones lie all over: each next is the farthest from those before."""
    if not len(points):
        return []
    order = [int(np.argmin(points.sum(axis=1)))]
    away = np.hypot(*(points - points[order[0]]).T)
    while len(order) < min(len(points), MAX_DOTS):
        order.append(int(np.argmax(away)))
        away = np.minimum(away, np.hypot(*(points - points[order[-1]]).T))
    return order


def _time_line(shown: Shown) -> Picture:
    """Two bars as long as the recordings, with the stretches that line up."""
    width, bar, name = WIDTH - 2 * MARGIN, 22, 150
    listed = [] if None in shown.durations else shown.segments[:MAX_LISTED]
    made, pen = _canvas(width, 100 + 18 * len(listed))
    longest = max((length for length in shown.durations if length), default=1.0)
    scale = (width - name - 4) / longest
    tops = (6, 68)
    for length, top, side in zip(shown.durations, tops, ("left", "right"), strict=True):
        told = f"{side}, photo" if length is None else f"{side}, {clock(length)}"
        pen.text((0, top + 3), told, fill=_INK, font=_font(13))  # type: ignore[arg-type]
        if length is not None:
            pen.rectangle((name, top, name + length * scale, top + bar), fill=(225, 225, 225))
    for number, segment in enumerate(shown.segments):
        colour = _SEGMENTS[number % len(_SEGMENTS)]
        spans = ((segment.query_start_s, segment.query_end_s), (segment.item_start_s, segment.item_end_s))
        edges = []
        for (start, end), top, length in zip(spans, tops, shown.durations, strict=True):
            left, right = (name + start * scale, name + end * scale) if length is not None else (name, name + 2)
            pen.rectangle((left, top, max(right, left + 2), top + bar), fill=colour)
            edges.append((left, right))
        for upper, lower in zip(edges[0], edges[1], strict=True):
            pen.line((upper, tops[0] + bar, lower, tops[1]), fill=colour, width=1)
        if number < len(listed):
            (from_s, to_s), (there_s, till_s) = spans
            told = f"left {clock(from_s)} to {clock(to_s)} is right {clock(there_s)} to {clock(till_s)}"
            pen.text((name, 96 + 18 * number), told, fill=colour, font=_font(13))  # type: ignore[arg-type]
    return made
