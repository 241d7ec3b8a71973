"""Outlines of places: what a record draws as an area, where no point with an uncertainty says it. Pure.

GeoJSON (RFC 7946) with one difference: a record holds no fractions, so degrees are decimal text. One ring, closed,
longitude first; none that crosses the antimeridian. Whether it crosses itself is not looked at.
"""

from __future__ import annotations

import re
from itertools import pairwise

from pydantic import JsonValue

Ring = list[tuple[float, float]]
MAX_POSITIONS = 500
_LEAST = 4  # positions of a closed ring: a triangle and its first corner again
_DECIMAL = re.compile(r"-?\d{1,3}(\.\d{1,9})?", re.ASCII)
_POLE, _EDGE = 90.0, 180.0


def parse_outline(given: JsonValue) -> Ring:
    """The ring of `{"type": "Polygon", "coordinates": [[[lon, lat], ...]]}`, counter-clockwise.

    Raises:
        ValueError: it is no such thing; the text says why.
    """
    if not isinstance(given, dict) or given.get("type") != "Polygon" or set(given) != {"type", "coordinates"}:
        raise ValueError("an outline is a Polygon with its coordinates")
    rings = given["coordinates"]
    if not isinstance(rings, list) or len(rings) != 1 or not isinstance(rings[0], list):
        raise ValueError("an outline has one ring")
    ring = [_position(one) for one in rings[0]]
    if not _LEAST <= len(ring) <= MAX_POSITIONS or ring[0] != ring[-1]:
        raise ValueError(f"a ring has {_LEAST} to {MAX_POSITIONS} positions and ends where it begins")
    if any(abs(x2 - x1) > _EDGE for (x1, _), (x2, _) in pairwise(ring)):
        raise ValueError("it crosses the antimeridian")
    twice = sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairwise(ring))
    if twice == 0:
        raise ValueError("it encloses nothing")
    return ring if twice > 0 else ring[::-1]


def readable_outline(given: JsonValue) -> Ring | None:
    """The same of a record that may be older than this form; None where it is another one."""
    try:
        return parse_outline(given)
    except ValueError:
        return None


def _position(given: JsonValue) -> tuple[float, float]:
    if not isinstance(given, list) or len(given) != 2 or not all(isinstance(one, str) for one in given):  # noqa: PLR2004
        raise ValueError("a position is [longitude, latitude], as decimal text")
    if not all(_DECIMAL.fullmatch(str(one)) for one in given):
        raise ValueError("a position is [longitude, latitude], as decimal text")
    lon, lat = float(str(given[0])), float(str(given[1]))
    if abs(lon) > _EDGE or abs(lat) > _POLE:
        raise ValueError("a position is not on earth")
    return lon, lat
