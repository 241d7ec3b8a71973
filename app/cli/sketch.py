"""A place and a flight as lines of text: no map, no network."""

from __future__ import annotations

import math
from collections.abc import Sequence

_WIDTH, _ROWS = 48, 12
_POINTS = ("N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW")
_ARROWS = "↑↗→↘↓↙←↖"
_EARTH_M = 6_371_008.8
_CELL_ASPECT = 2.0  # a letter is twice as high as it is wide

Place = tuple[float, float]


def degrees(value: float, *, axis: str) -> str:
    """As "47.516000° N"; `axis` is "lat" or "lon"."""
    letter = ("N" if value >= 0 else "S") if axis == "lat" else ("E" if value >= 0 else "W")
    return f"{abs(value):.6f}° {letter}"


def compass(bearing: float) -> str:
    """A direction as "NNE ↗ 23°"."""
    turn = bearing % 360
    return f"{_POINTS[round(turn / 22.5) % 16]} {_ARROWS[round(turn / 45) % 8]} {turn:.0f}°"


def strip(lat: float, lon: float) -> list[str]:
    """Two scales on which a place stands."""
    return [
        f" 90° S {_scale((lat + 90) / 180)} 90° N",
        f"180° W {_scale((lon + 180) / 360)} 180° E",
    ]


def _scale(part: float) -> str:
    at = min(_WIDTH - 1, max(0, round(part * (_WIDTH - 1))))
    return "".join("●" if i == at else "┼" if i == _WIDTH // 2 else "─" for i in range(_WIDTH))


def distance_m(first: Place, last: Place) -> float:
    """Great-circle distance of two places, metres (haversine, mean radius of the earth)."""
    lat1, lon1, lat2, lon2 = (math.radians(part) for part in (*first, *last))
    half = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * _EARTH_M * math.asin(math.sqrt(min(1.0, half)))


def bearing(first: Place, last: Place) -> float:
    """Initial direction from one place to another, degrees clockwise from true north."""
    lat1, lon1, lat2, lon2 = (math.radians(part) for part in (*first, *last))
    east = math.sin(lon2 - lon1) * math.cos(lat2)
    north = math.cos(lat1) * math.sin(lat2) - math.sin(lat1) * math.cos(lat2) * math.cos(lon2 - lon1)
    return math.degrees(math.atan2(east, north)) % 360


def sketch(places: Sequence[Place]) -> list[str]:
    """The way as a picture of letters, north up: S where it begins, E where it ends; a line that says its size.

    Longitudes are shortened by the cosine of the latitude; a flight over the date line is drawn in one piece.
    """
    if not places:
        return []
    middle = places[0]
    shrink = max(0.01, math.cos(math.radians(middle[0])))
    flat = [(((lon - middle[1] + 180) % 360 - 180) * shrink, lat - middle[0]) for lat, lon in places]
    left, right = min(x for x, _ in flat), max(x for x, _ in flat)
    low, high = min(y for _, y in flat), max(y for _, y in flat)
    step = max((right - left) / (_WIDTH - 1), (high - low) / (_ROWS - 1) / _CELL_ASPECT)
    if step <= 0:
        return ["all samples are at one place"]
    rows = 1 + round((high - low) / step / _CELL_ASPECT)
    columns = 1 + round((right - left) / step)
    cells = [[" "] * columns for _ in range(rows)]
    spots = [
        (min(rows - 1, round((high - y) / step / _CELL_ASPECT)), min(columns - 1, round((x - left) / step)))
        for x, y in flat
    ]
    for row, column in spots:
        cells[row][column] = "·"
    for (row, column), letter in ((spots[-1], "E"), (spots[0], "S")):
        cells[row][column] = letter
    metres = math.radians(step) * _EARTH_M
    drawn = ["│" + "".join(line).rstrip() for line in cells]
    return [
        *drawn,
        f"└ north is up; {metres * (columns - 1):.0f} m across, {metres * _CELL_ASPECT * (rows - 1):.0f} m high",
    ]
