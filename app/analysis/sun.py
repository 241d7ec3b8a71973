"""Where the sun stood, for a place and a moment: an aid to telling when or where a picture was taken. Pure.

Computed by astral (the equations of Meeus, as NOAA's solar calculator uses them); beside the published values in the
tests it is right to 0.02 degrees. Sunrise and sunset are the moments at which the sun's centre is 0.833 degrees
below a level horizon: its upper edge then touches it, with the mean refraction of 34 minutes of arc. Weather, height
and hills move them by minutes. Nearer to a pole than 0.2 degrees, astral computes for 89.8 degrees.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Literal

from app.errors import InvalidInputError

if TYPE_CHECKING:
    from astral import Observer

Day = Literal["rises_and_sets", "up_all_day", "down_all_day"]
HORIZON = -0.833
_NO_SHADOW_BELOW = 0.5  # degrees: nearer the horizon, refraction and hills decide
_FIRST_YEAR, _LAST_YEAR = 1900, 2100  # of the equations
_HALF_DAY = timedelta(hours=12)
_MINUTES_TO_NOON, _MINUTES_PER_DEGREE = 720.0, 4.0
_STEPS = 24  # halvings of half a day: to milliseconds
_PHASES = ((HORIZON, "day"), (-6.0, "civil twilight"), (-12.0, "nautical twilight"), (-18.0, "astronomical twilight"))


@dataclass(frozen=True)
class SunPosition:
    """The sun at a place and a moment.

    Attributes:
        lat, lon: decimal degrees, WGS84.
        at: UTC.
        altitude: apparent, degrees above a level horizon, with mean refraction (1010 hPa, 10 degrees Celsius).
        altitude_geometric: without refraction.
        azimuth: degrees clockwise from true north.
        shadow_direction: where shadows point, degrees clockwise from true north; None while the sun is too low.
        shadow_ratio: length of a shadow on level ground for a height of 1.
        phase: day, or a twilight, or night.
        sunrise, sunset, noon: UTC, of the solar day that the moment is in.
    """

    lat: float
    lon: float
    at: datetime
    altitude: float
    altitude_geometric: float
    azimuth: float
    shadow_direction: float | None
    shadow_ratio: float | None
    phase: str
    day: Day
    noon: datetime
    sunrise: datetime | None
    sunset: datetime | None


def sun_at(lat: float, lon: float, at: datetime) -> SunPosition:
    """Work out where the sun stood.

    Args:
        lat: decimal degrees.
        lon: decimal degrees, east positive.
        at: aware.

    Raises:
        InvalidInputError: `bad_place`, `bad_time` (no offset, or not between 1900 and 2100).
    """
    if not (math.isfinite(lat) and math.isfinite(lon) and abs(lat) <= 90 and abs(lon) <= 180):  # noqa: PLR2004 (of the globe)
        raise InvalidInputError("bad_place", "latitude is -90 to 90, longitude -180 to 180, in decimal degrees")
    if at.tzinfo is None:
        raise InvalidInputError("bad_time", "the time needs its offset from UTC: 2024-06-21T12:00:00Z or ...+03:00")
    if not _FIRST_YEAR <= at.year <= _LAST_YEAR:
        raise InvalidInputError("bad_time", f"the equations hold from {_FIRST_YEAR} to {_LAST_YEAR}")
    from astral import Observer
    from astral.sun import azimuth, elevation

    observer, moment = Observer(lat, lon, 0.0), at.astimezone(UTC)
    true, apparent = _height(observer, moment), elevation(observer, moment, with_refraction=True)
    bearing = azimuth(observer, moment) % 360
    shadow = apparent >= _NO_SHADOW_BELOW
    noon = _noon(lon, moment)
    day, sunrise, sunset = _edges(observer, noon)
    return SunPosition(
        lat=lat,
        lon=lon,
        at=moment,
        altitude=round(apparent, 3),
        altitude_geometric=round(true, 3),
        azimuth=round(bearing, 3) % 360,
        shadow_direction=round((bearing + 180) % 360, 3) % 360 if shadow else None,
        shadow_ratio=round(1 / math.tan(math.radians(apparent)), 3) if shadow else None,
        phase=next((name for limit, name in _PHASES if true >= limit), "night"),
        day=day,
        noon=noon,
        sunrise=sunrise,
        sunset=sunset,
    )


def _height(observer: Observer, moment: datetime) -> float:
    from astral.sun import elevation

    return float(elevation(observer, moment, with_refraction=False))


def _noon(lon: float, moment: datetime) -> datetime:
    """The sun's transit nearest to the moment: the middle of the solar day that it is in."""
    start = datetime.combine(moment.date(), time(), UTC) + timedelta(
        minutes=_MINUTES_TO_NOON - _MINUTES_PER_DEGREE * lon
    )
    transits = (_refined(start + timedelta(days=shift)) for shift in (-1, 0, 1))
    return min(transits, key=lambda transit: abs(transit - moment))


def _refined(mean_noon: datetime) -> datetime:
    """Noon by the sun's mean time, corrected by the equation of time at the moment of noon itself."""
    from astral.julian import julianday, julianday_to_juliancentury
    from astral.sun import eq_of_time

    transit = mean_noon
    for _ in range(2):
        century = julianday_to_juliancentury(julianday(transit))
        transit = mean_noon - timedelta(minutes=eq_of_time(century))
    return transit.replace(microsecond=0)


def _edges(observer: Observer, noon: datetime) -> tuple[Day, datetime | None, datetime | None]:
    if _height(observer, noon) < HORIZON:
        return "down_all_day", None, None
    before, after = noon - _HALF_DAY, noon + _HALF_DAY
    rises, sets = _height(observer, before) < HORIZON, _height(observer, after) < HORIZON
    if not (rises or sets):
        return "up_all_day", None, None
    sunrise = _crossing(observer, before, noon) if rises else None
    return "rises_and_sets", sunrise, _crossing(observer, after, noon) if sets else None


def _crossing(observer: Observer, down: datetime, up: datetime) -> datetime:
    """When the sun crosses the horizon between a moment at which it is down and one at which it is up."""
    for _ in range(_STEPS):
        middle = down + (up - down) / 2
        if _height(observer, middle) < HORIZON:
            down = middle
        else:
            up = middle
    return (up + timedelta(milliseconds=500)).replace(microsecond=0)
