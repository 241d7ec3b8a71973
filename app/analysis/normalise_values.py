"""Recorded texts and numbers turned into plain values; None whenever they do not say one clearly.

Pure functions. Sources: EXIF 2.32 (CIPA DC-008), XMP part 2 (exif namespace), ISO 6709, RFC 3339.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from fractions import Fraction

from app.analysis.probes.tiff import Number

_DATE_TIME = re.compile(
    r"^(\d{4})[:\-./](\d{1,2})[:\-./](\d{1,2})"
    r"(?:[ T]+(\d{1,2})[:h](\d{1,2})(?:[:m](\d{1,2})(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d{2}:?\d{2})?)?$"
)
_OFFSET = re.compile(r"^([+-])(\d{1,2}):?(\d{2})(?::00)?$")
_XMP_COORDINATE = re.compile(r"^(\d{1,3}),\s*(\d{1,2}(?:\.\d+)?)(?:,\s*(\d{1,2}(?:\.\d+)?))?\s*([NSEWnsew])$")
_DEGREES_LETTER = re.compile(r"^(\d{1,3}(?:\.\d+)?)\s*(?:deg|°)?\s*([NSEWnsew])$")
_DAY = re.compile(r"^(\d{4})(?:[:\-/. ](\d{1,2})[:\-/. ](\d{1,2})|(\d{2})(\d{2}))(?:[ T].*)?$")
_DECIMAL = re.compile(r"^[+-]?\d{1,4}(?:\.\d+)?(?:[eE][+-]?\d{1,3})?$")
_NUMBER = re.compile(r"^([+-]?\d{1,15}(?:\.\d*)?(?:[eE][+-]?\d{1,3})?)\s*(?:m|deg|°)?$")
_RATIO = re.compile(r"^([+-]?\d{1,18})/(\d{1,18})$")
_ISO6709 = re.compile(r"^([+-]\d+(?:\.\d+)?)([+-]\d+(?:\.\d+)?)([+-]\d+(?:\.\d+)?)?(?:CRS[^/]*)?/?$")
_LAT_LIMIT, _LON_LIMIT = 90, 180
_MAX_OFFSET = timedelta(hours=14)
_YEARS = range(1800, 2200)
# UTC offsets in civil use that are no whole hours, in minutes (IANA time zone database).
_ODD_OFFSETS = {-570, -210, 210, 270, 330, 345, 390, 525, 570, 630, 765, 825}


@dataclass(frozen=True)
class Moment:
    """A wall clock reading: `local` is naive; `fraction` the recorded digits; `offset` null when not recorded."""

    local: datetime
    fraction: str
    offset: timedelta | None

    def local_text(self) -> str:
        """ISO 8601 without an offset; a fraction only where one is recorded."""
        text = self.local.strftime("%Y-%m-%dT%H:%M:%S")
        return f"{text}.{self.fraction}" if self.fraction else text


def parse_moment(text: str, subsec: str = "") -> Moment | None:
    """A date with time of day, in EXIF's, XMP's or QuickTime's spelling.

    None for blanks, "0000:00:00 00:00:00", days that no calendar has, and dates without a time.
    """
    match = _DATE_TIME.match(text.strip().rstrip("\0").strip())
    if match is None or match[4] is None:
        return None
    year, month, day, hour, minute = (int(match[group]) for group in range(1, 6))
    second = int(match[6] or 0)
    if year not in _YEARS:
        return None
    try:
        local = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 (a wall clock without a zone)
    except ValueError:
        return None
    fraction = match[7] or (subsec.strip() if subsec.strip().isdecimal() and subsec.isascii() else "")
    return Moment(local, fraction[:9], parse_offset(match[8] or ""))


def parse_offset(text: str) -> timedelta | None:
    """A UTC offset "+03:00", "-0700" or "Z"; None for anything else or beyond 14 hours."""
    text = text.strip()
    if text == "Z":
        return timedelta(0)
    match = _OFFSET.match(text)
    if match is None or int(match[3]) >= 60:  # noqa: PLR2004 (minutes)
        return None
    size = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return (-size if match[1] == "-" else size) if size <= _MAX_OFFSET else None


def offset_text(offset: timedelta) -> str:
    """As "+03:00"."""
    minutes = round(offset.total_seconds() / 60)
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def utc_text(moment: datetime, fraction: str = "") -> str:
    """RFC 3339 in UTC with Z; a fraction only where one was recorded."""
    text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{fraction}Z" if fraction else f"{text}Z"


def to_utc(moment: Moment, offset: timedelta) -> str | None:
    """UTC text of a wall clock reading under an offset; None beyond the calendar."""
    try:
        return utc_text(moment.local.replace(tzinfo=timezone(offset)), moment.fraction)
    except (OverflowError, ValueError):
        return None


def offset_from_satellites(local: datetime, gps: datetime) -> timedelta | None:
    """The zone that a clock was set to, if local time minus GPS time is an offset in civil use.

    At most 90 seconds beside one; else the clock was wrong or the fix old, and nothing follows.
    """
    difference = local - gps.replace(tzinfo=None)
    minutes = round(difference.total_seconds() / 900) * 15
    near = abs(difference - timedelta(minutes=minutes)) <= timedelta(seconds=90)
    in_use = -720 <= minutes <= 840 and (minutes % 60 == 0 or minutes in _ODD_OFFSETS)  # noqa: PLR2004 (-12 h to +14 h)
    return timedelta(minutes=minutes) if near and in_use else None


def gps_moment(day: str, clock: tuple[Number, ...]) -> tuple[datetime, str] | None:
    """EXIF GPSDateStamp and GPSTimeStamp: the moment in UTC and the digits of a fraction of a second."""
    match = _DAY.match(day.strip().rstrip("\0").strip())
    numbers = [part for part in clock if part is not None and math.isfinite(part)]
    if match is None or len(numbers) != 3:  # noqa: PLR2004 (hour, minute, second)
        return None
    hour, minute, second = (Fraction(part) for part in numbers)
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 61):  # noqa: PLR2004 (of a clock)
        return None
    whole = int(second)
    fraction = f"{float(second - whole):.6f}"[2:].rstrip("0") if second != whole else ""
    try:
        start = datetime(int(match[1]), int(match[2] or match[4]), int(match[3] or match[5]), tzinfo=UTC)
    except ValueError:
        return None
    if start.date() < date(1980, 1, 6):  # the GPS epoch
        return None
    return start + timedelta(hours=float(hour), minutes=float(minute), seconds=whole), fraction


def coordinate(parts: tuple[Number, ...], reference: str, *, limit: int) -> float | None:
    """Degrees, minutes, seconds with N, S, E or W as signed degrees.

    None when a part is undefined, the reference is missing, or it is beyond `limit` degrees:
    a hemisphere is never guessed.
    """
    letter = reference.strip()[:1].upper()
    if letter not in ({"N", "S"} if limit == _LAT_LIMIT else {"E", "W"}) or not 1 <= len(parts) <= 3:  # noqa: PLR2004 (d, m, s)
        return None
    total = Fraction(0)
    for part, divisor in zip(parts, (1, 60, 3600), strict=False):
        if part is None or not math.isfinite(part) or part < 0:
            return None
        total += Fraction(part) / divisor
    return signed(float(total), negative=letter in "SW", limit=limit)


def signed(value: float, *, negative: bool, limit: int) -> float | None:
    """The value with its sign, None beyond the limit; zero has none."""
    if not abs(value) <= limit:
        return None
    return -value if negative and value else value + 0.0


def xmp_coordinate(text: str, *, limit: int) -> float | None:
    """XMP's "50,51.75N" or "50,51,45N", or plain signed decimal degrees."""
    text = text.strip()
    match = _XMP_COORDINATE.match(text)
    if match:
        letter = match[4].upper()
        minutes, seconds = float(match[2]), float(match[3] or 0)
        if letter not in ("NS" if limit == _LAT_LIMIT else "EW") or minutes >= 60 or seconds >= 60:  # noqa: PLR2004 (of an angle)
            return None
        return signed(int(match[1]) + minutes / 60 + seconds / 3600, negative=letter in "SW", limit=limit)
    plain = _DEGREES_LETTER.match(text)
    if plain:
        letter = plain[2].upper()
        if letter not in ("NS" if limit == _LAT_LIMIT else "EW"):
            return None
        return signed(float(plain[1]), negative=letter in "SW", limit=limit)
    if _DECIMAL.match(text):
        return signed(abs(float(text)), negative=text.startswith("-"), limit=limit)
    return None


def number(text: str) -> float | None:
    """A decimal number or a ratio "a/b" with an optional unit "m" or "deg"; finite, else None."""
    text = text.strip()
    ratio = _RATIO.match(text)
    if ratio:
        return float(Fraction(int(ratio[1]), int(ratio[2]))) if int(ratio[2]) else None
    match = _NUMBER.match(text)
    if match is None:
        return None
    value = float(match[1])
    return value + 0.0 if math.isfinite(value) else None


def iso6709(text: str) -> tuple[float, float, float | None] | None:
    """ISO 6709 annex H: latitude, longitude and height, in degrees, degrees-minutes or with seconds."""
    match = _ISO6709.match(text.strip())
    if match is None:
        return None
    lat = _sexagesimal(match[1], 2, _LAT_LIMIT)
    lon = _sexagesimal(match[2], 3, _LON_LIMIT)
    if lat is None or lon is None:
        return None
    return lat, lon, float(match[3]) + 0.0 if match[3] else None


def _sexagesimal(text: str, degree_digits: int, limit: int) -> float | None:
    """The number of whole digits tells the form: DD, DDMM or DDMMSS (one more for longitudes)."""
    whole, _, decimals = text[1:].partition(".")
    tail = f".{decimals}" if decimals else ""
    extra = len(whole) - degree_digits
    if extra <= 0:
        return signed(float(whole + tail), negative=text[0] == "-", limit=limit)
    if extra == 2:  # noqa: PLR2004 (minutes)
        degrees, minutes, seconds = whole[:-2], float(whole[-2:] + tail), 0.0
    elif extra == 4:  # noqa: PLR2004 (minutes and seconds)
        degrees, minutes, seconds = whole[:-4], float(whole[-4:-2]), float(whole[-2:] + tail)
    else:
        return None
    if minutes >= 60 or seconds >= 60:  # noqa: PLR2004 (of a degree, of a minute)
        return None
    value = int(degrees) + minutes / 60 + seconds / 3600
    return signed(value, negative=text[0] == "-", limit=limit)
