"""Positions in MISB ST 0601 sets: linear mappings of whole numbers to degrees and metres, error values left out.

What a set with a wrong checksum says is kept and marked: it lies in no line and no interpolation. Sensor angles
relative to the airframe are no gimbal attitude in the sense of the other formats, and are not read.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from app.analysis.probes.klv import LocalSet, MalformedError, items, local_sets
from app.analysis.probes.readings import Remark, clean
from app.analysis.probes.telemetry import Keeper, Sample, Telemetry, times_by_clock, utc_text

_1970: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_REPORTED: Final = 3
_TIME_BYTES: Final = 8
_LEAP_SECONDS, _CORRECTION = 136, 137
_SECURITY, _CLASSIFICATION = 48, 1
_CLASSES: Final = {1: "UNCLASSIFIED", 2: "RESTRICTED", 3: "CONFIDENTIAL", 4: "SECRET", 5: "TOP SECRET"}
_TEXTS: Final = {3: "Mission ID", 4: "Platform Tail Number", 10: "Platform Designation", 11: "Image Source Sensor",
                 12: "Image Coordinate System", 59: "Platform Call Sign"}  # fmt: skip
_LOW, _HIGH = -900.0, 19_000.0


@dataclass(frozen=True, slots=True)
class Mapping:
    """A whole number of `size` bytes over a range; a signed one has its lowest value for "out of range"."""

    attribute: str
    size: int
    low: float
    high: float
    digits: int
    signed: bool = False

    def value(self, data: bytes) -> float | None:
        """The measure; None for another size or the error value."""
        if len(data) != self.size:
            return None
        number = int.from_bytes(data, "big", signed=self.signed)
        bits = 8 * self.size
        if self.signed:
            most = (1 << bits - 1) - 1
            return None if number < -most else round(number * self.high / most, self.digits) + 0.0
        return round(self.low + number * (self.high - self.low) / ((1 << bits) - 1), self.digits) + 0.0


_MAPPINGS: Final = {
    5: Mapping("yaw", 2, 0, 360, 3),
    6: Mapping("pitch", 2, -20, 20, 4, signed=True),
    7: Mapping("roll", 2, -50, 50, 4, signed=True),
    13: Mapping("lat", 4, -90, 90, 8, signed=True),
    14: Mapping("lon", 4, -180, 180, 8, signed=True),
    15: Mapping("alt", 2, _LOW, _HIGH, 2),
    23: Mapping("target_lat", 4, -90, 90, 8, signed=True),
    24: Mapping("target_lon", 4, -180, 180, 8, signed=True),
    25: Mapping("target_alt", 2, _LOW, _HIGH, 2),
    56: Mapping("speed", 1, 0, 255, 0),
    75: Mapping("alt_ellipsoid", 2, _LOW, _HIGH, 2),
    90: Mapping("pitch", 4, -90, 90, 6, signed=True),
    91: Mapping("roll", 4, -90, 90, 6, signed=True),
}
"""Later tags stand in for earlier ones of the same name: they are the fuller forms."""
_FLOATS: Final = {104: ("alt_ellipsoid", _LOW, 40_000.0, 2), 112: ("heading", 0.0, 360.0, 3)}


def imapb(data: bytes, low: float, high: float) -> float | None:
    """A number mapped by MISB ST 1201 (IMAPB); None for its special values and lengths beyond eight bytes."""
    if not 1 <= len(data) <= 8:  # noqa: PLR2004 (bytes of the longest form)
        return None
    number, bits = int.from_bytes(data, "big"), 8 * len(data)
    if number > 1 << bits - 1:  # the top bit marks infinities and "not a number"
        return None
    scale = 2.0 ** (bits - 1 - math.ceil(math.log2(high - low)))
    offset = scale * low - math.floor(scale * low) if low < 0 < high else 0.0
    value = (number - offset) / scale + low
    return value if low <= value <= high else None


def read_klv(packets: Iterable[tuple[float | None, bytes]], source: str) -> Telemetry:
    """The track of some packets.

    Args:
        packets: second of the video (None where there is none), and bytes that may hold sets.
        source: what facts name as their source.
    """
    track = Telemetry(source=source, alt_datum="mean sea level", axis_order="named")
    keeper = Keeper()
    timed = False
    broken: list[str] = []
    for start, data in packets:
        for found in local_sets(data):
            if isinstance(found, MalformedError):
                broken.append(str(found))
                continue
            _count(found, track)
            if keeper.wants_next():
                timed = timed or start is not None
                keeper.add(_sample(start, found, track))
    keeper.into(track)
    if broken:
        told = "; ".join(dict.fromkeys(broken[:_MAX_REPORTED]))
        track.remarks.append(
            Remark("telemetry_malformed", f"{len(broken)} KLV sets are malformed and left out: {told}")
        )
    if track.points:
        track.dialect = "MISB ST 0601"
    track.timing = "recorded" if timed else times_by_clock(track.points)
    track.device = track.texts.get("Platform Designation")
    track.serial = track.texts.get("Platform Tail Number")
    return track


def _count(found: LocalSet, track: Telemetry) -> None:
    if found.checksum == "right":
        track.checksums_right += 1
    elif found.checksum == "wrong":
        track.checksums_wrong += 1
    else:
        track.checksums_missing += 1


def _sample(start: float | None, found: LocalSet, track: Telemetry) -> Sample:
    verdict = None if found.checksum == "missing" else found.checksum
    sample = Sample(t=None if start is None else round(start, 3), checksum=verdict)
    values = {mapping.attribute: None for mapping in _MAPPINGS.values()} | _mapped(found.items)
    lat, lon = values.pop("lat"), values.pop("lon")
    track.place(sample, lat, lon)
    if (values["target_lat"] is None) != (values["target_lon"] is None):
        values["target_lat"] = values["target_lon"] = None
    for name, value in values.items():
        setattr(sample, name, value)
    sample.utc = _time(found.items)
    for tag, name in _TEXTS.items():
        if tag in found.items and name not in track.texts:
            track.texts[name] = clean(found.items[tag])
    if _SECURITY in found.items and "Classification" not in track.texts:
        track.texts["Classification"] = _classification(found.items[_SECURITY])
    return sample


def _mapped(found: dict[int, bytes]) -> dict[str, float | None]:
    values: dict[str, float | None] = {}
    for tag, mapping in _MAPPINGS.items():
        value = mapping.value(found[tag]) if tag in found else None
        if value is not None:
            values[mapping.attribute] = value
    for tag, (attribute, low, high, digits) in _FLOATS.items():
        value = imapb(found[tag], low, high) if tag in found else None
        if value is not None:
            values[attribute] = round(value, digits)
    return values


def _time(found: dict[int, bytes]) -> str | None:
    """Item 2, microseconds since 1970, with the leap seconds and the correction that the set states itself."""
    stamp = found.get(2, b"")
    if len(stamp) != _TIME_BYTES:
        return None
    microseconds = int.from_bytes(stamp, "big")
    microseconds += 1_000_000 * _whole(found.get(_LEAP_SECONDS, b"")) + _whole(found.get(_CORRECTION, b""))
    try:
        return utc_text(_1970 + timedelta(microseconds=microseconds))
    except OverflowError:
        return None


def _whole(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True) if 0 < len(data) <= _TIME_BYTES else 0


def _classification(data: bytes) -> str:
    """Item 1 of the security set (ST 0102)."""
    try:
        value = items(data).get(_CLASSIFICATION, b"")
    except MalformedError:
        return "unreadable"
    return _CLASSES.get(int.from_bytes(value, "big"), clean(value.hex()))
