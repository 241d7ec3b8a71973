"""Positions in GPMF: GPS5 (HERO5 to HERO10, MAX), GPS9 (HERO11 on), GPRI and GLPI (Karma).

Samples lie evenly over their payload's second. GPSU is the UTC of a payload, GPSF its fix (0 none, 2, 3), GPSP its
dilution of precision times 100. Positions without a fix are kept and marked: they are the last that were known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from app.analysis.probes.gpmf import MalformedError, Numbers, Stream, streams
from app.analysis.probes.readings import Remark, clean
from app.analysis.probes.telemetry import Keeper, Sample, Telemetry, real, utc_of, utc_text

KINDS: Final = (b"GPS9", b"GPS5", b"GPRI", b"GLPI")
"""Best first; a recording that has several is read by one."""
_WANTED: Final = frozenset(KINDS)
_WIDTH: Final = {b"GPS9": 9, b"GPS5": 5, b"GPRI": 10, b"GLPI": 9}
_2000: Final = datetime(2000, 1, 1, tzinfo=UTC)
_1970: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SINCE_2000_S: Final = 946_684_800.0
_GPSU: Final = re.compile(r"^(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(?:\.(\d{1,3}))?$")
_NO_SATELLITES: Final = 255  # MAVLink GPS_RAW_INT, whose fields a Karma writes: unknown
_UNKNOWN: Final = 655.35  # 65,535 hundredths, likewise
_DATUMS: Final = {"MSLV": "mean sea level", "WGS8": "WGS84 ellipsoid"}
_MAX_REPORTED: Final = 3


@dataclass(frozen=True)
class Payload:
    """One payload; `start` and `duration` in seconds of the video, None where the file gives none."""

    data: bytes
    start: float | None = None
    duration: float | None = None


@dataclass
class _Read:
    """The samples of one stream of one payload before they have their times."""

    kind: bytes
    payload: int
    numbers: list[Numbers]
    utc: datetime | None
    stamp: float | None
    fix: int | None
    dop: float | None


@dataclass
class _Reading:
    found: list[_Read] = field(default_factory=list)
    device: str | None = None
    datum: str | None = None
    troubles: list[str] = field(default_factory=list)


def split_raw(data: bytes) -> list[Payload]:
    """A stream without a container: each device is taken as a payload of its own, in order."""
    payloads, at = [], 0
    while at + 8 <= len(data) and data[at : at + 4] == b"DEVC":
        length = data[at + 5] * int.from_bytes(data[at + 6 : at + 8], "big")
        stop = min(len(data), at + 8 + (length + 3) // 4 * 4)
        payloads.append(Payload(data[at:stop]))
        at = stop
    return payloads


def read_gpmf(payloads: Sequence[Payload], source: str) -> Telemetry:
    """The track of a recording's payloads; malformed payloads are left out and named.

    Args:
        payloads: in the order of the file.
        source: what facts name as their source.
    """
    reading = _Reading()
    for index, payload in enumerate(payloads):
        try:
            for stream in streams(payload.data, _WANTED):
                _read_stream(stream, index, reading)
        except MalformedError as error:
            reading.troubles.append(f"payload {index + 1}: {error}")
    track = Telemetry(source=source, timing="absent")
    for trouble in reading.troubles[:_MAX_REPORTED]:
        track.remarks.append(Remark("telemetry_malformed", f"GPMF {trouble}; it is left out"))
    kind = next((kind for kind in KINDS if any(read.kind == kind and read.numbers for read in reading.found)), None)
    if kind is None:
        return track
    kept = [read for read in reading.found if read.kind == kind]
    track.dialect = f"GPMF {kind.decode()}"
    track.device = None if reading.device is None else clean(reading.device)
    track.alt_datum = reading.datum
    spans = _spans(payloads, kept, track)
    keeper = Keeper()
    for read, span in zip(kept, spans, strict=True):
        _samples(read, span, keeper, track)
    keeper.into(track)
    return track


def _read_stream(stream: Stream, index: int, reading: _Reading) -> None:
    kind = next(kind for kind in KINDS if kind in stream.elements)
    numbers = stream.numbers(kind)
    if numbers and len(numbers[0]) < _WIDTH[kind]:
        raise MalformedError(f"{kind.decode()} of {len(numbers[0])} numbers")
    fix, precision, stamp = (stream.number(key) for key in (b"GPSF", b"GPSP", b"STMP"))
    reading.found.append(
        _Read(
            kind=kind,
            payload=index,
            numbers=numbers,
            utc=_gpsu(stream.text(b"GPSU")),
            stamp=None if stamp is None else stamp / 1e6,
            fix=int(fix) if fix in {0, 2, 3} else None,
            dop=None if precision is None else real(precision / 100, 2),
        )
    )
    if numbers:
        reading.device = reading.device or stream.device
        reading.datum = reading.datum or _DATUMS.get(stream.text(b"GPSA")[:4])


def _gpsu(text: str) -> datetime | None:
    """UTC as "yymmddhhmmss.sss", of this century."""
    match = _GPSU.match(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(match[group]) for group in range(1, 7))
    try:
        return datetime(
            2000 + year, month, day, hour, minute, second, int((match[7] or "0").ljust(3, "0")) * 1000, tzinfo=UTC
        )
    except ValueError:
        return None


Span = tuple[float | None, float | None]


def _spans(payloads: Sequence[Payload], kept: Sequence[_Read], track: Telemetry) -> list[Span]:
    """Start and duration of each read: of the container, else by the stream's time stamps, else by UTC."""
    if any(payload.start is not None for payload in payloads):
        track.timing = "recorded"
        return [(payloads[read.payload].start, payloads[read.payload].duration) for read in kept]
    for starts in (
        [read.stamp for read in kept],
        [None if read.utc is None else (read.utc - _2000).total_seconds() for read in kept],
    ):
        known = [start for start in starts if start is not None]
        if known:
            track.timing = "derived"
            return _counted([None if start is None else start - known[0] for start in starts])
    return [(None, None)] * len(kept)


def _counted(starts: list[float | None]) -> list[Span]:
    """Each lasts until the next begins, the last as long as the one before it."""
    spans: list[Span] = []
    before: float | None = None
    for start, following in zip(starts, [*starts[1:], None], strict=True):
        lasts = following - start if start is not None and following is not None and following > start else before
        spans.append((start, lasts))
        before = lasts
    return spans


def _samples(read: _Read, span: Span, keeper: Keeper, track: Telemetry) -> None:
    start, duration = span
    for index, numbers in enumerate(read.numbers):
        if not keeper.wants_next():
            continue
        sample = Sample(fix=read.fix, dop=read.dop)
        if start is not None and (duration is not None or index == 0):
            sample.t = real(start + (duration or 0.0) * index / len(read.numbers), 3)
        if index == 0 and read.utc is not None:
            sample.utc = utc_text(read.utc)
        _FILLERS[read.kind](sample, numbers, track)
        keeper.add(sample)


def _gps5(sample: Sample, numbers: Numbers, track: Telemetry) -> None:
    track.place(sample, real(numbers[0], 7), real(numbers[1], 7))
    sample.alt, sample.speed, sample.speed_3d = (real(number, 3) for number in numbers[2:5])


def _gps9(sample: Sample, numbers: Numbers, track: Telemetry) -> None:
    _gps5(sample, numbers, track)
    days, seconds, dop, fix = numbers[5:9]
    sample.utc = utc_of(_2000, days * 86_400 + seconds) if days > 0 else None
    sample.dop = real(dop, 2)
    sample.fix = int(fix) if fix in {0, 2, 3} else None


def _gpri(sample: Sample, numbers: Numbers, track: Telemetry) -> None:
    """A Karma's receiver, in the order of MAVLink GPS_RAW_INT: accuracies, speed, course, fix, satellites."""
    seconds, lat, lon, alt, across, upwards, speed, heading, fix, satellites = numbers[:10]
    track.place(sample, real(lat, 7), real(lon, 7))
    sample.alt = real(alt, 3)
    sample.error_horizontal, sample.error_vertical, sample.speed, sample.heading = (
        None if value >= _UNKNOWN else real(value, 2) for value in (across, upwards, speed, heading)
    )
    sample.fix = 0 if fix <= 1 else min(int(fix), 3)
    sample.satellites = None if satellites >= _NO_SATELLITES else int(satellites)
    sample.utc = utc_of(_1970, seconds) if seconds > _SINCE_2000_S else None


def _glpi(sample: Sample, numbers: Numbers, track: Telemetry) -> None:
    """A Karma's own estimate: position, height, height above take-off, velocities north, east, down, heading."""
    _, lat, lon, alt, relative, north, east, down, heading = numbers[:9]
    track.place(sample, real(lat, 7), real(lon, 7))
    sample.alt, sample.alt_relative = real(alt, 3), real(relative, 3)
    across = (north * north + east * east) ** 0.5
    sample.speed, sample.speed_vertical = real(across, 2), real(-down, 2)
    sample.yaw = None if heading >= _UNKNOWN else real(heading, 2)


_FILLERS: Final = {b"GPS5": _gps5, b"GPS9": _gps9, b"GPRI": _gpri, b"GLPI": _glpi}


def timed(samples: Iterable[tuple[float, float, bytes]]) -> list[Payload]:
    """Payloads of a container's samples (start, duration, bytes)."""
    return [Payload(data, start, duration) for start, duration, data in samples]
