"""Precision as geometry: a place with an uncertainty is a circle on the ground, never a bare point. Pure.

1. The circle holds every point within the uncertainty: its corners lie outside it, so that the polygon covers it. An
   outline that the record gives is drawn in its place.
2. RFC 7946: longitude first, the outer ring counter-clockwise and closed; what crosses the antimeridian is cut there.
3. A point of unknown precision has no geometry: it excludes nothing. Nor has a circle that would hold a pole.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from app.incidents.bodies import Place, outline_of
from app.incidents.double_tap import EARTH_M

CORNERS = 32
_SPHERE = 1.006  # a sphere is off by at most 0.56 per cent of the distance
_LEAST_M = 1.0  # nobody knows a place better than that
# from north over west to south; the eastern half is its mirror image
_BEARINGS = [(math.sin(turn), math.cos(turn)) for turn in (math.tau * n / CORNERS for n in range(CORNERS // 2 + 1))]
_POLE, _EDGE = 90.0, 180.0
_STEPS = 1e7  # seven decimals of a degree: a centimetre
Ring = list[tuple[float, float]]


@dataclass(frozen=True)
class Located:
    """What can be drawn of a place.

    Attributes:
        note: what the shape is, or why there is none.
        circle: (lat, lon, radius in radians) of what is drawn; None when nothing is, or an outline.
        outline: the ring that the record gives.
    """

    note: str
    circle: tuple[float, float, float] | None = None
    outline: tuple[tuple[float, float], ...] | None = None

    @cached_property
    def polygons(self) -> tuple[Ring, ...]:
        """Outer rings of (lon, lat); two when the circle is cut at the antimeridian; none when nothing is drawn."""
        if self.outline is not None:
            return ([*self.outline],)
        return () if self.circle is None else _rings(*self.circle)

    @property
    def geometry(self) -> Any:  # noqa: ANN401 - JSON, its positions tuples
        """As GeoJSON; null without a shape."""
        rings = [[ring] for ring in self.polygons]
        if not rings:
            return None
        return {"type": "Polygon", "coordinates": rings[0]} if len(rings) == 1 else _multi(rings)


def _multi(rings: list[list[Ring]]) -> dict[str, Any]:
    return {"type": "MultiPolygon", "coordinates": rings}


def located(place: Place | None) -> Located:
    """The shape of a place."""
    if place is not None and (ring := outline_of(place)) is not None:
        return Located("the outline that the record gives: it lies somewhere within", outline=tuple(ring))
    if place is None or place.lat is None or place.lon is None:
        named = place is not None and any((place.text, *_area(place)))
        note = "a named place or area without coordinates" if named else "no place is recorded"
        return Located(f"{note}: nothing is drawn")
    lat, lon = float(place.lat), float(place.lon)
    if abs(lat) > _POLE or abs(lon) > _EDGE:
        return Located("its coordinates are none: nothing is drawn")
    if place.uncertainty_m is None:
        return Located("a point of unknown precision: nothing is drawn")
    radius = max(float(place.uncertainty_m), _LEAST_M)
    angle = radius * _SPHERE / math.cos(math.pi / CORNERS) / EARTH_M
    if math.radians(_POLE - abs(lat)) <= angle:
        return Located("its uncertainty reaches a pole: nothing is drawn")
    return Located(f"a circle of {radius:g} m around the recorded point: it lies somewhere within", (lat, lon, angle))


def _area(place: Place) -> tuple[object, ...]:
    extra = place.model_extra or {}
    return tuple(extra.get(name) for name in ("city", "oblast", "country"))


def _rings(lat: float, lon: float, angle: float) -> tuple[Ring, ...]:
    """A regular polygon around a circle, or its two parts when it crosses the antimeridian (RFC 7946, 3.1.9)."""
    half = _half(lat, angle)
    reach = max(east for east, _ in half)
    ring = [(lon - east, y) for east, y in half]
    ring += [(lon + east, y) for east, y in half[-2::-1]]  # the first corner is the last one, too
    if lon - reach >= -_EDGE and lon + reach <= _EDGE:
        return (_rounded(ring),)
    edge = _EDGE if lon + reach > _EDGE else -_EDGE
    inside, outside = _clipped(ring, edge, keep_west=True), _clipped(ring, edge, keep_west=False)
    if edge > 0:
        outside = [(x - 2 * _EDGE, y) for x, y in outside]
    else:
        inside = [(x + 2 * _EDGE, y) for x, y in inside]
    parts = (_without_repeats(_rounded(part)) for part in (inside, outside))
    return tuple(part for part in parts if len({x for x, _ in part}) > 1)  # what is left is no mere line on the edge


def _half(lat: float, angle: float) -> Ring:
    """Corners from north to south: how far from the meridian of the centre, in degrees, and the latitude."""
    a = math.radians(lat)
    sin_a, cos_a, sin_r, cos_r = math.sin(a), math.cos(a), math.sin(angle), math.cos(angle)
    corners: Ring = []
    for sin_bearing, cos_bearing in _BEARINGS:
        sin_b = sin_a * cos_r + cos_a * sin_r * cos_bearing
        turned = math.atan2(sin_bearing * sin_r * cos_a, cos_r - sin_a * sin_b)
        corners.append((math.degrees(turned), math.degrees(math.asin(sin_b))))
    return corners


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


def _without_repeats(ring: Ring) -> Ring:
    """The ring without a corner that stands twice in a row: where it meets the meridian, the cut makes one more."""
    return [point for place, point in enumerate(ring) if place == 0 or point != ring[place - 1]]


def _rounded(ring: Ring) -> Ring:
    """To whole steps; many times as fast as `round`, which a page of five hundred circles asks 33,000 times."""
    steps, floor = _STEPS, math.floor
    return [(floor(x * steps + 0.5) / steps, floor(y * steps + 0.5) / steps) for x, y in ring]
