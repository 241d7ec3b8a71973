"""Where a recorder was at any second of its video: recorded, derived between two samples, or not known. Pure.

Nothing is said outside the track, across a gap, a sample without a usable position, or a leap that no recorder makes.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from app.analysis.probes.srt_order import metres_apart
from app.analysis.track_facts import GAP_S
from schemas.records.v1.track import Cell, Certainty, TrackPoint, TrackRecord

_SAME_S: Final = 0.0005
_LEAP_M_S: Final = 350.0
_COARSE_M: Final = 25.0
"""Two neighbours that differ in the last of four decimals are this far apart, however short the time between them."""
_TURNS: Final = ("heading", "yaw", "gimbal_yaw")
_STRAIGHT: Final = (
    "alt", "alt_relative", "alt_ellipsoid", "speed", "speed_3d", "speed_vertical", "pitch", "roll",
    "gimbal_pitch", "gimbal_roll", "distance_home",
)  # fmt: skip

State = Literal["recorded", "derived", "none"]
Reason = Literal["outside_track", "gap", "no_position", "no_fix", "checksum_wrong", "jump", "untimed"]


@dataclass(frozen=True)
class PositionAt:
    """What a track says of one second.

    Attributes:
        state: `none` when it says nothing, for the `reason`.
        certainty: of the position; "inferred" where the whole track is.
        between: seconds of the samples that a derived position lies between.
    """

    state: State
    reason: Reason | None = None
    certainty: Certainty = "absent"
    point: TrackPoint | None = None
    between: tuple[float, float] | None = None


def points_of(record: TrackRecord) -> list[TrackPoint]:
    """All samples of a track."""
    return [_point(record.columns, row) for row in record.rows]


def _point(columns: tuple[str, ...], row: tuple[Cell, ...]) -> TrackPoint:
    values: dict[str, Any] = dict(zip(columns, row, strict=True))
    return TrackPoint.model_construct(**values)


def doubt(point: TrackPoint) -> Reason | None:
    """Why a sample has no usable position; None when it has one."""
    if point.lat is None or point.lon is None:
        return "no_position"
    if point.checksum == "wrong":
        return "checksum_wrong"
    return "no_fix" if point.fix == 0 else None


def broken(first: TrackPoint, second: TrackPoint) -> Reason | None:
    """Why nothing is known between two neighbours with usable positions; None when a line may join them."""
    if first.t is None or second.t is None:
        return None
    seconds = second.t - first.t
    if seconds > GAP_S or seconds < 0:
        return "gap"
    apart = metres_apart((first.lat or 0.0, first.lon or 0.0), (second.lat or 0.0, second.lon or 0.0))
    return "jump" if apart > _COARSE_M + _LEAP_M_S * seconds else None


def segments(points: list[TrackPoint]) -> list[list[TrackPoint]]:
    """Runs of usable positions that a line may join; in the order of the file."""
    runs: list[list[TrackPoint]] = []
    before: TrackPoint | None = None
    for point in points:
        if doubt(point) is not None:
            before = None
            continue
        if before is None or broken(before, point) is not None or abs((point.lon or 0) - (before.lon or 0)) > 180:  # noqa: PLR2004 (the date line)
            runs.append([])
        runs[-1].append(point)
        before = point
    return runs


class _Timed:
    """The samples that have a time, by time; a sample is made when it is asked for."""

    def __init__(self, record: TrackRecord) -> None:
        """Sort them; samples of one time stay in the order of the file."""
        column = record.columns.index("t") if "t" in record.columns else None
        rows = [] if column is None else [row for row in record.rows if row[column] is not None]
        self._columns = record.columns
        self._rows = sorted(rows, key=lambda row: float(row[column or 0] or 0))
        self.times = [float(row[column or 0] or 0) for row in self._rows]

    def point(self, index: int) -> TrackPoint:
        """One sample."""
        return _point(self._columns, self._rows[index])


def position_at(record: TrackRecord, at: float) -> PositionAt:
    """The position at a second of the video."""
    timed = _Timed(record)
    times = timed.times
    if not times:
        return PositionAt("none", "untimed")
    after = bisect_right(times, at + _SAME_S)
    if after == 0 or (after == len(times) and at - times[-1] > _SAME_S):
        return PositionAt("none", "outside_track")
    before = timed.point(after - 1)
    certainty = record.summary.certainty
    if abs(times[after - 1] - at) <= _SAME_S:
        reason = doubt(before)
        return PositionAt("none", reason) if reason else PositionAt("recorded", None, certainty, before)
    following = timed.point(after)
    reason = doubt(before) or doubt(following) or broken(before, following)
    if reason is not None:
        return PositionAt("none", reason)
    point = _between(before, following, at, timed, after - 1)
    derived: Certainty = "derived" if certainty == "recorded" else certainty
    return PositionAt("derived", None, derived, point, (times[after - 1], times[after]))


def _between(first: TrackPoint, second: TrackPoint, at: float, timed: _Timed, index: int) -> TrackPoint:
    part = (at - (first.t or 0.0)) / ((second.t or 0.0) - (first.t or 0.0))
    values: dict[str, float | None] = {"t": at}
    for name in _STRAIGHT:
        values[name] = _line(getattr(first, name), getattr(second, name), part, 3)
    values["lat"] = _line(first.lat, second.lat, part, 8)
    for name in ("lon", *_TURNS):
        values[name] = _turn(getattr(first, name), getattr(second, name), part, whole=name == "heading")
    clocks = {name: _clock(timed, index, name, at) for name in ("utc", "time")}
    return TrackPoint.model_validate({**values, **clocks})


def _line(first: float | None, second: float | None, part: float, digits: int) -> float | None:
    return None if first is None or second is None else round(first + (second - first) * part, digits) + 0.0


def _turn(first: float | None, second: float | None, part: float, *, whole: bool) -> float | None:
    """The shorter way round; from 0 to 360 for a course, else from -180 to 180."""
    if first is None or second is None:
        return None
    value = first + ((second - first + 180) % 360 - 180) * part
    value = value % 360 if whole or max(first, second) > 180 else (value + 180) % 360 - 180  # noqa: PLR2004 (half a turn)
    return round(value, 8) + 0.0


def _clock(timed: _Timed, index: int, name: str, at: float) -> str | None:
    """A clock's last reading within a gap's length, and the seconds of the video since."""
    for earlier in range(index, -1, -1):
        since = at - timed.times[earlier]
        if since > GAP_S:
            return None
        text: str | None = getattr(timed.point(earlier), name)
        if text is not None:
            return _later(text, since)
    return None


def _later(text: str, seconds: float) -> str | None:
    try:
        moment = datetime.fromisoformat(text.removesuffix("Z")) + timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        return None
    return moment.isoformat(timespec="milliseconds") + ("Z" if text.endswith("Z") else "")
