"""The fields of one block of DJI's and Autel's flight log in SubRip text.

Dialects: `[latitude: 41.4] [longitude: 2.2] [altitude: 117]` (also `longtitude`, `rel_alt: 1.2 abs_alt: 3.4`,
`gb_yaw`, `drone_yaw`), `GPS(149.0,-20.2,16) BAROMETER:1.9`, `GPS (-58.8, -34.2, 15), D 698.70m, H 85.80m, F.PRY (...)`,
`GPS (W: 82.4, N: 27.9, 12.3m)`.
"""

from __future__ import annotations

import re
from typing import Final

from app.analysis.probes.telemetry import Sample, Telemetry, real

_NUMBER = r"[+-]?\d{1,9}(?:\.\d{1,15})?"
_NAMED = re.compile(
    r"\b(latitude|longt?itude|altitude|rel_alt|abs_alt|gb_yaw|gb_pitch|gb_roll|drone_yaw|drone_pitch|drone_roll)"
    rf"\s*:\s*({_NUMBER})(?![\d.])"
)
PAIR: Final = re.compile(rf"\bGPS\s*\(\s*({_NUMBER})\s*,\s*({_NUMBER})\s*(?:,\s*([^,()]{{0,20}}))?\)")
HOME: Final = re.compile(rf"\bHOME\s*\(\s*({_NUMBER})\s*,\s*({_NUMBER})\s*(?:,[^()]{{0,20}})?\)")
_LETTERED = re.compile(
    r"\bGPS\s*\(\s*([NSEW])\s*:?\s*(\d{1,3}(?:\.\d{1,15})?)\s*[°]?\s*,\s*"
    r"([NSEW])\s*:?\s*(\d{1,3}(?:\.\d{1,15})?)\s*[°]?\s*(?:,\s*([^,()]{0,20}))?\)"
)
_BAROMETER = re.compile(rf"\b(?:BAROMETER\s*[:(]\s*|Hb\s*:\s*)({_NUMBER})")
_HEIGHT = re.compile(rf"(?:^|[\s,])H\s*:?\s+({_NUMBER})\s*m\b")
_DISTANCE = re.compile(rf"(?:^|[\s,])D\s*:?\s+({_NUMBER})\s*m\b")
_ACROSS = re.compile(rf"\bH\.S\s*:?\s*({_NUMBER})\s*m/s")
_UPWARDS = re.compile(rf"\bV\.S\s*:?\s*({_NUMBER})\s*m/s")
_ANGLES = re.compile(rf"\b([FG])\.PRY\s*\(\s*({_NUMBER})\s*°?\s*,\s*({_NUMBER})\s*°?\s*,\s*({_NUMBER})\s*°?\s*\)")
_CLOCK = re.compile(
    r"(\d{4})[-./](\d{1,2})[-./](\d{1,2})\s+(\d{1,2}):(\d{2}):(\d{2})(?:[.,](\d{3})(?:[.,](\d{3}))?)?(?!\d)"
)
_SATELLITES = re.compile(r"\s*(\d{1,2})\s*$")
_METRES = re.compile(rf"\s*({_NUMBER})\s*[mM]\s*$")
TELEMETRY: Final = re.compile(
    r"\bGPS\s*\(|latitude\s*:|HOME\s*\(|BAROMETER\s*[:(]|\[iso\s*:|\[rel_alt\s*:", re.IGNORECASE
)
METRES_IN_THIRD: Final = re.compile(r"\d\s*[mM]\s*$")
_PLAIN: Final = (
    (" D", _DISTANCE, "distance_home"),
    ("H.S", _ACROSS, "speed"),
    ("V.S", _UPWARDS, "speed_vertical"),
)
_NAMES: Final = {
    "rel_alt": "alt_relative",
    "gb_yaw": "gimbal_yaw",
    "gb_pitch": "gimbal_pitch",
    "gb_roll": "gimbal_roll",
    "drone_yaw": "yaw",
    "drone_pitch": "pitch",
    "drone_roll": "roll",
}
Order = str | None


def read_block(start: float | None, body: str, order: Order, track: Telemetry) -> Sample:
    """One block as a sample.

    Args:
        start: second of the video; None when the block has no time.
        body: its text.
        order: "lon,lat" or "lat,lon" of a pair without names; None leaves such a pair out.
        track: told of what is no position.
    """
    sample = Sample(t=None if start is None else round(start, 3))
    named = {name: float(value) for name, value in _NAMED.findall(body)}
    lat, lon = named.get("latitude"), named.get("longitude", named.get("longtitude"))
    sample.alt = named.get("altitude", named.get("abs_alt"))
    for name, attribute in _NAMES.items():
        if name in named:
            setattr(sample, attribute, named[name])
    if lat is None and lon is None and "GPS" in body:
        lat, lon = _pair(body, order, sample)
    track.place(sample, lat, lon)
    _rest(body, sample)
    return sample


def _pair(body: str, order: Order, sample: Sample) -> tuple[float | None, float | None]:
    lettered = _LETTERED.search(body) if ":" in body else None
    if lettered:
        signed = {
            letter: -float(value) if letter in "SW" else float(value)
            for letter, value in ((lettered[1], lettered[2]), (lettered[3], lettered[4]))
        }
        _third(lettered[5], sample)
        return signed.get("N", signed.get("S")), signed.get("E", signed.get("W"))
    pair = PAIR.search(body)
    if pair is None or order is None:
        return None, None
    _third(pair[3], sample)
    first, second = float(pair[1]), float(pair[2])
    return (second, first) if order == "lon,lat" else (first, second)


def _third(text: str | None, sample: Sample) -> None:
    """A whole number without a unit is the number of satellites; metres are a height; anything else says nothing."""
    satellites, metres = _SATELLITES.match(text or ""), _METRES.match(text or "")
    if satellites:
        sample.satellites = int(satellites[1])
    elif metres and sample.alt is None:
        sample.alt = real(float(metres[1]))


def _rest(body: str, sample: Sample) -> None:
    """Heights, speeds, angles: searched for only where the word stands, for there are 100,000 blocks an hour."""
    height = _BAROMETER.search(body) if "BAROMETER" in body or "Hb" in body else None
    if height is None and " H" in body:
        height = _HEIGHT.search(body)
    if height and sample.alt_relative is None:
        sample.alt_relative = float(height[1])
    for word, pattern, attribute in _PLAIN:
        found = pattern.search(body) if word in body else None
        if found:
            setattr(sample, attribute, float(found[1]))
    for which, pitch, roll, yaw in _ANGLES.findall(body) if ".PRY" in body else ():
        prefix = "" if which == "F" else "gimbal_"
        for name, value in (("pitch", pitch), ("roll", roll), ("yaw", yaw)):
            setattr(sample, prefix + name, float(value))
    sample.time = read_clock(body)


def read_clock(body: str) -> str | None:
    """The recorder's clock as ISO 8601, as it is spelled; whether it is a day of the calendar is asked later."""
    match = _CLOCK.search(body)
    if match is None:
        return None
    year, month, day, hour, minute, second, milli, micro = match.groups()
    text = f"{year}-{int(month):02d}-{int(day):02d}T{int(hour):02d}:{minute}:{second}"
    return text + (f".{milli}{micro or ''}" if milli else "")
