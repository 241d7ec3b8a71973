"""Pictures drawn here, as SVG 1.1: counts by month, and a map on an outline of land. Pure; no script, font or address.

1. Each has a title and a description that say in words what it shows (`role="img"`); a page has the same as tables.
2. A bar is what is sure; the frame around it is what could be at most.
3. A place is drawn as its circle. One that is smaller than a dot is drawn as a ring of fixed size, never as a point.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from app.patterns.geometry import Ring
from app.patterns.labels import LABELS
from app.patterns.shapes import Shape, xml_text
from app.strings import Language

WIDTH, HEIGHT = 960, 420
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 50, 70
MAP_HEIGHT = 600
_MOST_BARS = 240
_MARGIN, _LEAST_SPAN = 0.25, 2.0  # degrees; a map of one village shows where in the country it is
_RING = 5.0
_MOST_LABELS = 40
_STYLE = (
    "text{font-family:sans-serif;font-size:12px;fill:#222}.h{font-size:16px;font-weight:bold}"
    ".sure{fill:#1f4e79}.most{fill:none;stroke:#1f4e79;stroke-dasharray:3 2}.axis{stroke:#555}"
    ".sea{fill:#eef3f7}.land{fill:#fbfaf5;stroke:#8a8a80;stroke-width:.7}"
    ".where{fill:#b3261e;fill-opacity:.22;stroke:#b3261e}.small{fill:none;stroke:#b3261e;stroke-dasharray:2 1.5}"
)


def months_svg(title: str, table: dict[str, Any], lang: Language) -> str:
    """Counts by month as bars.

    Args:
        title: of the rule.
        table: `numbers.by.month` of a count.
        lang: of the labels.
    """
    words, rows = LABELS[lang], filled(table["rows"])[-_MOST_BARS:]
    top = max([row["at_most"] for row in rows] + [1])
    step = (WIDTH - LEFT - RIGHT) / max(len(rows), 1)
    high = HEIGHT - TOP - BOTTOM
    parts = [f'<line class="axis" x1="{LEFT}" y1="{HEIGHT - BOTTOM}" x2="{WIDTH - RIGHT}" y2="{HEIGHT - BOTTOM}"/>']
    for number in sorted({0, top // 2, top}):
        y = HEIGHT - BOTTOM - high * number / top
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{number}</text>')
    for place, row in enumerate(rows):
        x, wide = LEFT + place * step + step * 0.1, step * 0.8
        for name, css in (("count", "sure"), ("at_most", "most")):
            tall = high * row[name] / top
            y = HEIGHT - BOTTOM - tall
            parts.append(f'<rect class="{css}" x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{tall:.1f}"/>')
        if place % max(1, len(rows) // 12) == 0:
            at = f"{x + wide / 2:.1f}"
            parts.append(f'<text x="{at}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{row["key"]}</text>')
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 16}">■ {words["sure"]}   ┆ {words["at_most"]}</text>')
    said = [f"{row['key']}: {row['count']} ({words['at_most']}: {row['at_most']})" for row in rows]
    said += [f"{words['uncertain']}: {', '.join(one['unit'] for one in table['uncertain'])}"] * bool(table["uncertain"])
    said += [f"{words['unknown']}: {', '.join(table['unknown'])}"] * bool(table["unknown"])
    described = f"{words['wording']}. {'; '.join(said) or words['none']}."
    return _svg("months", f"{title}: {words['months']}", described, HEIGHT, parts, lang)


def filled(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with the months between them, in which nothing is counted."""
    if not rows:
        return []
    by_key = {row["key"]: row for row in rows}
    first, last = (int(key[:4]) * 12 + int(key[5:]) - 1 for key in (rows[0]["key"], rows[-1]["key"]))
    keys = [f"{number // 12:04}-{number % 12 + 1:02}" for number in range(max(first, last - _MOST_BARS), last + 1)]
    return [by_key.get(key, {"key": key, "count": 0, "at_most": 0}) for key in keys]


def map_svg(title: str, shapes: Sequence[Shape], lang: Language) -> str:
    """Incidents on an outline of land: those whose place can be drawn; the others are named in the description."""
    words = LABELS[lang]
    drawn = [one for one in shapes if one.where.polygons]
    others = [one.ref for one in shapes if not one.where.polygons]
    west, south, east, north = _extent([ring for one in drawn for ring in one.where.polygons])
    squeeze = math.cos(math.radians((south + north) / 2))
    scale = min(WIDTH / ((east - west) * squeeze), (MAP_HEIGHT - TOP) / (north - south))

    def at(lon: float, lat: float) -> tuple[float, float]:
        return (lon - west) * squeeze * scale, TOP + (north - lat) * scale

    wide, tall = (east - west) * squeeze * scale, (north - south) * scale
    parts = [
        f'<clipPath id="c"><rect y="{TOP}" width="{wide:.1f}" height="{tall:.1f}"/></clipPath>',
        f'<rect class="sea" y="{TOP}" width="{wide:.1f}" height="{tall:.1f}"/><g clip-path="url(#c)">',
        f'<path class="land" fill-rule="evenodd" d="{_land(west, south, east, north, at)}"/>',
    ]
    for one in drawn:
        name = xml_text(f"{one.ref}: {one.shown['geometry_note']}")
        marks = "".join(_mark([at(lon, lat) for lon, lat in ring]) for ring in one.where.polygons)
        label = _label(one.ref, at(*one.where.polygons[0][0])) if len(drawn) <= _MOST_LABELS else ""
        parts.append(f"<g><title>{name}</title>{marks}{label}</g>")
    parts.append(f'</g><text x="{LEFT}" y="44">{xml_text(words["drawn"])}. {xml_text(words["outline"])}.</text>')
    said = [f"{one.ref}: {one.shown['geometry_note']}" for one in drawn]
    said += [f"{words['undrawn']}: {', '.join(others)}"] * bool(others)
    described = f"{words['drawn']}. {words['outline']}. {'; '.join(said) or words['none']}."
    return _svg("map", f"{title}: {words['map']}", described, MAP_HEIGHT, parts, lang)


def _label(ref: str, place: tuple[float, float]) -> str:
    x, y = place
    return f'<text x="{x + _RING + 2:.1f}" y="{y - 2:.1f}">{xml_text(ref)}</text>'


def _mark(points: Ring) -> str:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    if max(max(xs) - min(xs), max(ys) - min(ys)) >= 2 * _RING:
        return f'<path class="where" d="{_path(points)}"/>'
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    return f'<circle class="small" cx="{x:.1f}" cy="{y:.1f}" r="{_RING:g}"/>'


def _path(points: Ring) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "Z"


def _extent(rings: Sequence[Ring]) -> tuple[float, float, float, float]:
    """West, south, east, north of what is drawn, with a margin; the whole world when there is nothing."""
    points = [point for ring in rings for point in ring]
    if not points:
        return -180.0, -60.0, 180.0, 80.0
    west, east = min(x for x, _ in points), max(x for x, _ in points)
    south, north = min(y for _, y in points), max(y for _, y in points)
    half = max(east - west, north - south, _LEAST_SPAN) * (0.5 + _MARGIN)
    x, y = (west + east) / 2, (south + north) / 2
    wide = min(half * WIDTH / (MAP_HEIGHT - TOP) / max(math.cos(math.radians(y)), 0.2), 180.0)
    return x - wide, max(y - half, -89.0), x + wide, min(y + half, 89.0)


@cache
def land() -> tuple[Ring, ...]:
    """Rings of land, degrees."""
    document = json.loads((files("app.patterns") / "data" / "land.json").read_bytes())
    scale: int = document["scale"]
    rings: list[Ring] = []
    for flat in document["rings"]:
        x = y = 0
        ring: Ring = []
        for dx, dy in zip(flat[::2], flat[1::2], strict=True):
            x, y = x + dx, y + dy
            ring.append((x / scale, y / scale))
        rings.append(ring)
    return tuple(rings)


def _land(west: float, south: float, east: float, north: float, at: Any) -> str:  # noqa: ANN401 - a projection
    """The rings that reach into the extent; the picture is clipped to it."""
    paths = []
    for ring in land():
        xs, ys = [x for x, _ in ring], [y for _, y in ring]
        if max(xs) >= west and min(xs) <= east and max(ys) >= south and min(ys) <= north:
            paths.append(_path([at(lon, lat) for lon, lat in ring]))
    return "".join(paths)


def _svg(name: str, title: str, described: str, height: int, parts: Sequence[str], lang: Language) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" xml:lang="{lang}" '
        f'aria-labelledby="{name}-t {name}-d"><title id="{name}-t">{xml_text(title)}</title>'
        f'<desc id="{name}-d">{xml_text(described)}</desc><style>{_STYLE}</style>'
    )
    heading = f'<text class="h" x="{LEFT}" y="28">{xml_text(title)}</text>'
    return f"{head}{heading}{''.join(parts)}</svg>"
