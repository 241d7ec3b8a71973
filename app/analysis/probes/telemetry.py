"""What every reader of telemetry hands over: samples of a recorder's position, and how far to trust them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeVar

from app.analysis.probes.readings import Remark

MAX_SAMPLES: Final = 120_000
"""Samples that are read of one track: an hour at 33 a second. Of more, every n-th, over the whole recording."""
MAX_UNUSABLE: Final = 3
LAT_LIMIT, LON_LIMIT = 90, 180
_HUGE: Final = 1e9
_FIRST_YEAR, _LAST_YEAR = 1990, 2200

Timing = Literal["recorded", "derived", "absent"]
T = TypeVar("T")


@dataclass(slots=True)
class Sample:
    """One sample; fields, units and meaning are those of `schemas.records.v1.track.TrackPoint`."""

    t: float | None = None
    lat: float | None = None
    lon: float | None = None
    alt: float | None = None
    alt_relative: float | None = None
    time: str | None = None
    utc: str | None = None
    alt_ellipsoid: float | None = None
    speed: float | None = None
    speed_3d: float | None = None
    speed_vertical: float | None = None
    heading: float | None = None
    yaw: float | None = None
    pitch: float | None = None
    roll: float | None = None
    gimbal_yaw: float | None = None
    gimbal_pitch: float | None = None
    gimbal_roll: float | None = None
    satellites: int | None = None
    fix: int | None = None
    dop: float | None = None
    error_horizontal: float | None = None
    error_vertical: float | None = None
    distance_home: float | None = None
    target_lat: float | None = None
    target_lon: float | None = None
    target_alt: float | None = None
    checksum: str | None = None

    @property
    def usable(self) -> bool:
        """A position that neither the receiver nor a checksum disowns."""
        return self.lat is not None and self.fix != 0 and self.checksum != "wrong"


@dataclass
class Telemetry:
    """One track.

    Attributes:
        points: all samples read, in the order of the file.
        in_file: how many the file holds.
        inferred: the order of the axes does not follow from the values alone; `axis_order` says what settles it.
        zero: samples at 0,0, left without a position.
        unusable: the first positions that lie outside the earth's degrees, as written.
        texts: further facts, by tag, for the raw dump.
    """

    points: list[Sample] = field(default_factory=list)
    dialect: str | None = None
    source: str = "srt"
    inferred: bool = False
    axis_order: str | None = "named"
    timing: Timing = "recorded"
    alt_datum: str | None = None
    device: str | None = None
    serial: str | None = None
    in_file: int = 0
    zero: int = 0
    checksums_right: int = 0
    checksums_wrong: int = 0
    checksums_missing: int = 0
    unusable: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)

    def place(self, sample: Sample, lat: float | None, lon: float | None) -> None:
        """Give a sample its position if it is one on earth; 0,0 is what recorders write before they have a fix."""
        if lat is None or lon is None:
            return
        if lat == 0 and lon == 0:
            self.zero += 1
        elif abs(lat) <= LAT_LIMIT and abs(lon) <= LON_LIMIT:
            sample.lat, sample.lon = lat + 0.0, lon + 0.0
        elif len(self.unusable) < MAX_UNUSABLE:
            self.unusable.append(f"latitude {lat} longitude {lon}")

    def thinned(self, items: Sequence[T]) -> Sequence[T]:
        """At most MAX_SAMPLES of the items, evenly over all of them; `in_file` and a remark say so."""
        self.in_file = len(items)
        step = thinning(len(items))
        if step > 1:
            self.remarks.append(thinned_remark(len(items), step))
        return items[::step] if step > 1 else items


class Keeper:
    """Takes samples one by one, however many come, and keeps them evenly: at most twice MAX_SAMPLES at any time."""

    def __init__(self) -> None:
        """Start empty."""
        self.count = 0
        self._step = 1
        self._kept: list[Sample] = []

    def wants_next(self) -> bool:
        """Count one more sample, and whether it will be kept: else it need not be read."""
        wanted = self.count % self._step == 0
        self.count += 1
        return wanted

    def add(self, sample: Sample) -> None:
        """Keep a sample that was wanted."""
        self._kept.append(sample)
        if len(self._kept) >= 2 * MAX_SAMPLES:
            self._kept = self._kept[::2]
            self._step *= 2

    def into(self, track: Telemetry) -> None:
        """Hand the samples over."""
        step = thinning(len(self._kept))
        track.points, track.in_file = self._kept[::step], self.count
        if step * self._step > 1:
            track.remarks.append(thinned_remark(self.count, step * self._step))


def thinning(count: int) -> int:
    """Every how many-th of so many samples is read."""
    return max(1, -(-count // MAX_SAMPLES))


def thinned_remark(count: int, step: int) -> Remark:
    """That not every sample was read."""
    return Remark("track_thinned", f"the track has {count} samples; every {step}th was read, over the whole recording")


def real(value: float | None, digits: int = 6) -> float | None:
    """A finite number of a size that a measurement can have, rounded; else None."""
    if value is None or not -_HUGE <= value <= _HUGE:  # nor is a number that is none
        return None
    return round(value, digits) + 0.0


def utc_of(epoch: datetime, seconds: float) -> str | None:
    """RFC 3339 text with milliseconds; None outside the years of digital recording."""
    try:
        moment = epoch + timedelta(milliseconds=round(seconds * 1000))
    except (OverflowError, ValueError):
        return None
    return utc_text(moment)


def utc_text(moment: datetime) -> str | None:
    """As `utc_of`, of a moment."""
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        return None
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def times_by_clock(samples: Sequence[Sample]) -> Timing:
    """Where a file gives its samples no times, count them from the first reading of the recorder's clock.

    Samples without a reading get none.
    """
    first: datetime | None = None
    for sample in samples:
        text = sample.utc or sample.time
        try:
            moment = None if text is None else datetime.fromisoformat(text.removesuffix("Z"))
        except ValueError:
            moment = None
        if moment is None:
            continue
        first = first or moment
        sample.t = round((moment - first).total_seconds(), 3)
    return "absent" if first is None else "derived"
