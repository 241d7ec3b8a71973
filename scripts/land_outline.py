"""Make the land outline that maps are drawn on, from Natural Earth's 1:50m land (public domain).

    python -m scripts.land_outline land-50m.json

reads the TopoJSON file of that name of the npm package `world-atlas` 2.0.2 and writes app/patterns/data/land.json:
rings of [lon, lat] in hundredths of a degree, each point as the difference from the one before. Land only: no border.
Lines are thinned (Douglas-Peucker), less in the region that most archives of today are about.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Final

TARGET: Final = Path(__file__).resolve().parent.parent / "app" / "patterns" / "data" / "land.json"
SCALE: Final = 100
FINE: Final = (15.0, 35.0, 50.0, 60.0)  # west, south, east, north
TOLERANCE_FINE, TOLERANCE = 0.03, 0.2
SMALLEST_FINE, SMALLEST = 0.01, 0.3  # square degrees

Point = tuple[float, float]


def rings_of(topology: dict[str, Any]) -> list[list[Point]]:
    """All rings of a TopoJSON file's land, holes included."""
    (sx, sy), (tx, ty) = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs: list[list[Point]] = []
    for arc in topology["arcs"]:
        x = y = 0
        points = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            points.append((x * sx + tx, y * sy + ty))
        arcs.append(points)
    made = []
    for geometry in topology["objects"]["land"]["geometries"]:
        polygons = geometry["arcs"] if geometry["type"] == "MultiPolygon" else [geometry["arcs"]]
        for polygon in polygons:
            for ring in polygon:
                points = []
                for number in ring:
                    part = arcs[number] if number >= 0 else arcs[~number][::-1]
                    points += part[1:] if points else part
                made.append(points)
    return made


def thinned(points: list[Point]) -> list[Point]:
    """Douglas-Peucker, with a tolerance that depends on where a point lies."""
    keep = {0, len(points) - 1}
    spans = [(0, len(points) - 1)]
    while spans:
        first, last = spans.pop()
        best, place = 0.0, None
        for number in range(first + 1, last):
            far = _distance(points[number], points[first], points[last]) / _tolerance(points[number])
            if far > best:
                best, place = far, number
        if place is not None and best > 1:
            keep.add(place)
            spans += [(first, place), (place, last)]
    return [points[number] for number in sorted(keep)]


def _fine(point: Point) -> bool:
    west, south, east, north = FINE
    return west <= point[0] <= east and south <= point[1] <= north


def _tolerance(point: Point) -> float:
    return TOLERANCE_FINE if _fine(point) else TOLERANCE


def _distance(point: Point, start: Point, end: Point) -> float:
    dx, dy = end[0] - start[0], end[1] - start[1]
    along = dx * dx + dy * dy
    share = 0.0 if not along else max(0.0, min(1.0, ((point[0] - start[0]) * dx + (point[1] - start[1]) * dy) / along))
    x, y = point[0] - start[0] - share * dx, point[1] - start[1] - share * dy
    return float((x * x + y * y) ** 0.5)


def _area(points: list[Point]) -> float:
    pairs = zip(points, points[1:] + points[:1], strict=True)
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairs)) / 2


def encoded(points: list[Point]) -> list[int]:
    """A ring as differences; repeated points are left out."""
    x = y = 0
    made: list[int] = []
    for lon, lat in points:
        nx, ny = round(lon * SCALE), round(lat * SCALE)
        if not made or (nx, ny) != (x, y):
            made += [nx - x, ny - y]
        x, y = nx, ny
    return made


def main() -> None:
    """Write the outline."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    given = parser.parse_args().source
    rings = []
    for ring in rings_of(json.loads(given.read_bytes())):
        smallest = SMALLEST_FINE if any(_fine(point) for point in ring) else SMALLEST
        if _area(ring) >= smallest:
            rings.append(encoded(thinned(ring)))
    document = {
        "source": "Natural Earth 1:50m land (public domain), by way of world-atlas 2.0.2 (ISC); thinned",
        "scale": SCALE,
        "rings": rings,
    }
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(json.dumps(document, separators=(",", ":")) + "\n", encoding="ascii")
    print(f"{TARGET.name}: {len(rings)} rings, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
