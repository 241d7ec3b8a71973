"""Precision as geometry: a place with an uncertainty is a circle on the ground, never a bare point. Pure.

1. The circle holds every point within the uncertainty: its corners lie outside it, so that the polygon covers it.
2. RFC 7946: longitude first, the outer ring counter-clockwise and closed; what crosses the antimeridian is cut there.
3. A point of unknown precision has no geometry: it excludes nothing. Nor has a circle that would hold a pole.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from pydantic import JsonValue

from app.incidents.bodies import Place
from app.incidents.double_tap import EARTH_M

CORNERS = 32
_SPHERE = 1.006  # a sphere is off by at most 0.56 per cent of the distance
_LEAST_M = 1.0  # nobody knows a place better than that
# counter-clockwise on a map with north above
_BEARINGS = [
    (math.sin(-2 * math.pi * corner / CORNERS), math.cos(2 * math.pi * corner / CORNERS)) for corner in range(CORNERS)
]
_POLE, _EDGE = 90.0, 180.0
Ring = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Located:
    """What can be drawn of a place.

    Attributes:
        polygons: outer rings of (lon, lat); two when the circle is cut at the antimeridian; none when nothing is drawn.
        note: what the shape is, or why there is none.
    """

    polygons: tuple[Ring, ...]
    note: str

    @property
    def geometry(self) -> JsonValue:
        """As GeoJSON; null without a shape."""
        rings: list[JsonValue] = [[[[lon, lat] for lon, lat in ring]] for ring in self.polygons]
        if not rings:
            return None
        return {"type": "Polygon", "coordinates": rings[0]} if len(rings) == 1 else _multi(rings)


def _multi(rings: list[JsonValue]) -> JsonValue:
    return {"type": "MultiPolygon", "coordinates": rings}


def located(place: Place | None) -> Located:
    """The shape of a place."""
    if place is None or place.lat is None or place.lon is None:
        named = place is not None and any((place.text, *_area(place)))
        note = "a named place or area without coordinates" if named else "no place is recorded"
        return Located((), f"{note}: nothing is drawn")
    lat, lon = float(place.lat), float(place.lon)
    if abs(lat) > _POLE or abs(lon) > _EDGE:
        return Located((), "its coordinates are none: nothing is drawn")
    if place.uncertainty_m is None:
        return Located((), "a point of unknown precision: nothing is drawn")
    radius = max(float(place.uncertainty_m), _LEAST_M)
    ring = _circle(lat, lon, radius)
    if ring is None:
        return Located((), "its uncertainty reaches a pole: nothing is drawn")
    return Located(_cut(ring), f"a circle of {radius:g} m around the recorded point: it lies somewhere within")


def _area(place: Place) -> tuple[object, ...]:
    extra = place.model_extra or {}
    return tuple(extra.get(name) for name in ("city", "oblast", "country"))


def _circle(lat: float, lon: float, metres: float) -> Ring | None:
    """Corners of a regular polygon around the circle, longitudes unwrapped; None when it would hold a pole."""
    angle = metres * _SPHERE / math.cos(math.pi / CORNERS) / EARTH_M
    if math.radians(_POLE - abs(lat)) <= angle:
        return None
    a = math.radians(lat)
    sin_a, cos_a, sin_r, cos_r = math.sin(a), math.cos(a), math.sin(angle), math.cos(angle)
    ring: Ring = []
    for sin_bearing, cos_bearing in _BEARINGS:
        sin_b = sin_a * cos_r + cos_a * sin_r * cos_bearing
        turned = math.atan2(sin_bearing * sin_r * cos_a, cos_r - sin_a * sin_b)
        ring.append((lon + math.degrees(turned), math.degrees(math.asin(sin_b))))
    return [*ring, ring[0]]


def _cut(ring: Ring) -> tuple[Ring, ...]:
    """One ring, or the two parts of one that crosses the antimeridian (RFC 7946, section 3.1.9)."""
    west, east = min(x for x, _ in ring), max(x for x, _ in ring)
    edge = _EDGE if east > _EDGE else -_EDGE if west < -_EDGE else None
    if edge is None:
        return (_rounded(ring),)
    inside, outside = _clipped(ring, edge, keep_west=True), _clipped(ring, edge, keep_west=False)
    if edge > 0:
        outside = [(x - 2 * _EDGE, y) for x, y in outside]
    else:
        inside = [(x + 2 * _EDGE, y) for x, y in inside]
    return tuple(_rounded(part) for part in (inside, outside) if len(part) > 3)  # noqa: PLR2004 - a closed ring


def _clipped(ring: Ring, edge: float, *, keep_west: bool) -> Ring:
    """The part of a ring on one side of a meridian (Sutherland and Hodgman)."""

    def kept(x: float) -> bool:
        return x <= edge if keep_west else x >= edge

    made: Ring = []
    for (x1, y1), (x2, y2) in pairwise(ring):
        if kept(x1):
            made.append((x1, y1))
        if kept(x1) != kept(x2):
            made.append((edge, y1 + (y2 - y1) * (edge - x1) / (x2 - x1)))
    return [*made, made[0]] if made else []


def _rounded(ring: Ring) -> Ring:
    """Seven decimals: a centimetre."""
    return [(round(x, 7), round(y, 7)) for x, y in ring]
