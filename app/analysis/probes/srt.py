"""DJI's flight log in SubRip text, as a sidecar or inside a movie.

Dialects: `[latitude: 41.4] [longitude: 2.2] [altitude: 117]` (also `longtitude`, `rel_alt: 1.2 abs_alt: 3.4`),
`GPS(149.0,-20.2,16) BAROMETER:1.9`, `GPS (-58.8, -34.2, 15), ..., H 85.80m`. The axis order of `GPS()` is not
the same on all models: a value beyond 90 settles it, else the model's habit is used and marked as inferred.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from app.analysis.probes.readings import clean

_MAX_UNUSABLE = 3
MAX_BLOCKS = 400_000
MAX_BYTES = 64 * 1024 * 1024
_TIMING = re.compile(r"(\d{1,3}):(\d{2}):(\d{2})[,.](\d{1,3})\s*-->")
_BRACKET = re.compile(r"\[?\b(latitude|longt?itude|altitude|rel_alt|abs_alt)\s*:\s*([+-]?\d+(?:\.\d+)?)")
_GPS = re.compile(r"\bGPS\s*\(\s*([+-]?\d+(?:\.\d+)?)\s*,\s*([+-]?\d+(?:\.\d+)?)\s*(?:,\s*([^,)]*))?\)")
_HEIGHT = re.compile(r"(?:BAROMETER\s*:\s*|\bH\s+)([+-]?\d+(?:\.\d+)?)")
_CLOCK = re.compile(r"(\d{4})[-./](\d{1,2})[-./](\d{1,2})\s+(\d{1,2}):(\d{2}):(\d{2})(?:[.,](\d{3})(?:[.,](\d{3}))?)?")
_TELEMETRY = re.compile(r"\bGPS\s*\(|latitude\s*:|HOME\s*\(|BAROMETER\s*:|\[iso\s*:", re.IGNORECASE)
_LAT_LIMIT, _LON_LIMIT = 90, 180
_METRES_AFTER_HEIGHT = re.compile(r"\d\s*M\s*$")

Order = Literal["lon,lat", "lat,lon"]


@dataclass
class SrtPoint:
    """One block: video second, position in degrees, heights in metres, the drone's own clock as local text."""

    t: float
    lat: float | None = None
    lon: float | None = None
    alt: float | None = None
    alt_relative: float | None = None
    time: str | None = None


@dataclass
class SrtTrack:
    """All blocks with telemetry; `inferred` when the axis order rests on the model's habit.

    `unusable` holds the first positions that lie outside the earth's degrees, as written.
    """

    points: list[SrtPoint] = field(default_factory=list)
    dialect: str | None = None
    source: str = "srt"
    inferred: bool = False
    unusable: list[str] = field(default_factory=list)


def read_srt(text: str) -> SrtTrack:
    """Read a SubRip file's text; malformed blocks are left out."""
    blocks: list[tuple[float, str]] = []
    position = 0
    timings = list(_TIMING.finditer(text))[:MAX_BLOCKS]
    for index, timing in enumerate(timings):
        hours, minutes, seconds, fraction = timing.groups()
        start = int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction}")
        end = timings[index + 1].start() if index + 1 < len(timings) else len(text)
        position = timing.end()
        blocks.append((start, text[position:end]))
    return read_blocks(blocks, "srt")


def read_blocks(blocks: Iterable[tuple[float, str]], source: str) -> SrtTrack:
    """Read timed texts.

    Args:
        blocks: start in seconds, and the text.
        source: what facts name as their source.
    """
    kept = [(start, body) for start, body in blocks if _TELEMETRY.search(body)]
    track = SrtTrack(source=source)
    pairs = [match for _, body in kept if (match := _GPS.search(body))]
    order, track.inferred = _axis_order(pairs)
    if pairs:
        track.dialect = f"GPS({order}) {'by habit of the model' if track.inferred else 'by the range of values'}"
    elif kept:
        track.dialect = "[latitude] [longitude]"
    track.points = [_point(start, body, order, track) for start, body in kept]
    return track


def _axis_order(pairs: list[re.Match[str]]) -> tuple[Order, bool]:
    """Which value is the longitude, and whether that is inferred."""
    for match in pairs:
        first, second = abs(float(match[1])), abs(float(match[2]))
        if _LAT_LIMIT < first <= _LON_LIMIT and second <= _LAT_LIMIT:
            return "lon,lat", False
        if _LAT_LIMIT < second <= _LON_LIMIT and first <= _LAT_LIMIT:
            return "lat,lon", False
    # Matrice 300 writes lat,lon and a height "0.0M"; Mavic and Phantom lon,lat and a number of satellites.
    with_height = any(_METRES_AFTER_HEIGHT.search(match[3] or "") for match in pairs)
    return ("lat,lon" if with_height else "lon,lat"), bool(pairs)


def _point(start: float, body: str, order: Order, track: SrtTrack) -> SrtPoint:
    point = SrtPoint(round(start, 3))
    named = {name.replace("longtitude", "longitude"): float(value) for name, value in _BRACKET.findall(body)}
    lat, lon = named.get("latitude"), named.get("longitude")
    point.alt = named.get("altitude", named.get("abs_alt"))
    point.alt_relative = named.get("rel_alt")
    match = _GPS.search(body)
    if match and lat is None and lon is None:
        first, second = float(match[1]), float(match[2])
        lon, lat = (first, second) if order == "lon,lat" else (second, first)
    if lat is not None and lon is not None and _is_fix(lat, lon):
        point.lat, point.lon = lat, lon
    elif (lat or lon) and len(track.unusable) < _MAX_UNUSABLE:
        track.unusable.append(f"latitude {lat} longitude {lon}")
    height = _HEIGHT.search(body)
    if height and point.alt_relative is None:
        point.alt_relative = float(height[1])
    point.time = _clock(body)
    return point


def _is_fix(lat: float, lon: float) -> bool:
    """0,0 is what drones write before they have a satellite fix."""
    return abs(lat) <= _LAT_LIMIT and abs(lon) <= _LON_LIMIT and not (lat == 0 and lon == 0)


def _clock(body: str) -> str | None:
    match = _CLOCK.search(body)
    if match is None:
        return None
    year, month, day, hour, minute, second, milli, micro = match.groups()
    text = f"{year}-{int(month):02d}-{int(day):02d}T{int(hour):02d}:{minute}:{second}"
    return clean(text + (f".{milli}{micro or ''}" if milli else ""))
