"""Which of two numbers in `GPS(a,b,...)` is the latitude: by evidence, and saying by which.

Mavic and Phantom write longitude first and a number of satellites third, Matrice latitude first and a height in metres.
That is a habit, no rule. In this order:

1. A value beyond 90 degrees can only be a longitude (also in `HOME`, which is written in the same order).
2. The stated distance from the place of take-off fits one order and not the other.
3. The movie's own location lies near one order and not the other.
4. Else the habit of the model.

Only the first is a fact of the values; the others leave the order inferred. Values that say both leave no order at all.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.analysis.probes.srt_fields import HOME, METRES_IN_THIRD, PAIR
from app.analysis.probes.telemetry import LAT_LIMIT, LON_LIMIT

_DISTANCE = re.compile(r"(?:^|[\s,])D\s*:?\s+(\d{1,6}(?:\.\d{1,6})?)\s*m\b")
_EARTH_M = 6_371_000.0
_FIT, _MISFIT = (
    0.02,
    0.06,
)  # of a stated distance: what rounding of coordinates and ellipsoid make, and what they do not
_FAR_ENOUGH_M = 50.0
_MAX_WITNESSES = 200
_NEAR_DEGREES = 0.2


@dataclass(frozen=True)
class AxisOrder:
    """`order`: "lon,lat", "lat,lon" or None when the values contradict each other; `basis`: what settles it."""

    order: str | None
    basis: str
    inferred: bool


def metres_apart(first: tuple[float, float], second: tuple[float, float]) -> float:
    """Distance of two (latitude, longitude) on a sphere, metres: good to half a percent."""
    lat1, lat2 = math.radians(first[0]), math.radians(second[0])
    half_lat, half_lon = (lat2 - lat1) / 2, math.radians(second[1] - first[1]) / 2
    chord = math.sin(half_lat) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin(half_lon) ** 2
    return 2 * _EARTH_M * math.asin(min(1.0, math.sqrt(max(0.0, chord))))


def axis_order(bodies: Sequence[str], location: tuple[float, float] | None = None) -> AxisOrder | None:
    """The order in a log's blocks; None when none holds a pair without names.

    Args:
        bodies: texts of the blocks.
        location: latitude and longitude that the movie itself states.
    """
    pairs = [
        (float(match[1]), float(match[2]), match[3] or "")
        for body in bodies
        if "GPS" in body and (match := PAIR.search(body))
    ]
    if not pairs:
        return None
    homes = [(float(match[1]), float(match[2])) for body in bodies if "HOME" in body and (match := HOME.search(body))]
    by_range = {_by_range(first, second) for first, second in [*((a, b) for a, b, _ in pairs), *homes]} - {None}
    if len(by_range) > 1:
        return AxisOrder(None, "contradiction", inferred=True)
    if by_range:
        return AxisOrder(by_range.pop(), "range", inferred=False)
    fitting = _by_distance(bodies)
    if fitting is not None:
        return AxisOrder(fitting, "distance", inferred=True)
    near = _by_location([(first, second) for first, second, _ in pairs], location)
    if near is not None:
        return AxisOrder(near, "location", inferred=True)
    habit = "lat,lon" if any(METRES_IN_THIRD.search(third) for _, _, third in pairs) else "lon,lat"
    return AxisOrder(habit, "habit", inferred=True)


def _by_range(first: float, second: float) -> str | None:
    if LAT_LIMIT < abs(first) <= LON_LIMIT and abs(second) <= LAT_LIMIT:
        return "lon,lat"
    if LAT_LIMIT < abs(second) <= LON_LIMIT and abs(first) <= LAT_LIMIT:
        return "lat,lon"
    return None


def _by_distance(bodies: Sequence[str]) -> str | None:
    """Blocks far from home in which the stated distance fits one order vote for it; all must agree."""
    votes: set[str] = set()
    step = max(1, len(bodies) // _MAX_WITNESSES)
    for body in bodies[::step]:
        pair, home, stated = PAIR.search(body), HOME.search(body), _DISTANCE.search(body)
        if not (pair and home and stated) or float(stated[1]) < _FAR_ENOUGH_M:
            continue
        a, b, c, d = (float(part) for part in (pair[1], pair[2], home[1], home[2]))
        if (a, b) == (0, 0) or (c, d) == (0, 0):
            continue
        off = {
            "lon,lat": abs(metres_apart((b, a), (d, c)) / float(stated[1]) - 1),
            "lat,lon": abs(metres_apart((a, b), (c, d)) / float(stated[1]) - 1),
        }
        best, other = sorted(off, key=lambda order: off[order])
        if off[best] <= _FIT and off[other] >= _MISFIT:
            votes.add(best)
    return votes.pop() if len(votes) == 1 else None


def _by_location(pairs: Sequence[tuple[float, float]], location: tuple[float, float] | None) -> str | None:
    first = next((pair for pair in pairs if pair != (0, 0)), None)
    if location is None or location == (0, 0) or first is None:
        return None
    a, b = first
    near = {
        "lon,lat": max(abs(b - location[0]), abs(a - location[1])) < _NEAR_DEGREES,
        "lat,lon": max(abs(a - location[0]), abs(b - location[1])) < _NEAR_DEGREES,
    }
    fitting = [order for order, fits in near.items() if fits]
    return fitting[0] if len(fitting) == 1 else None
