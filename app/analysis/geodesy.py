"""Distances on the earth, in metres. Pure."""

from __future__ import annotations

import math

MEAN_RADIUS = 6_371_008.8
"""Metres; of a sphere: distances are right to half a percent."""


def distance(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """Great-circle distance of two places in decimal degrees, metres (haversine)."""
    first, second = math.radians(lat), math.radians(other_lat)
    half_lat, half_lon = (second - first) / 2, math.radians(other_lon - lon) / 2
    inner = math.sin(half_lat) ** 2 + math.cos(first) * math.cos(second) * math.sin(half_lon) ** 2
    return 2 * MEAN_RADIUS * math.asin(min(1.0, math.sqrt(inner)))


def metres(distance_m: float) -> str:
    """For a sentence: metres below a kilometre, kilometres above."""
    return f"{distance_m:.0f} m" if distance_m < 1000 else f"{distance_m / 1000:.1f} km"  # noqa: PLR2004 (a kilometre)
