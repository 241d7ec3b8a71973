"""From telemetry to the published track: the summary of the metadata record and the whole-track record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

from app.analysis.probes.srt_order import metres_apart
from app.analysis.probes.telemetry import Sample, Telemetry
from schemas.records.v1.track import COLUMNS, Certainty, PositionTrack, TrackJumps, TrackPoint, TrackRecord

GAP_S: Final = 10.0
"""Between samples of more than this nothing is interpolated; recorders write at least once a second."""
_CLOCK_SLACK_S: Final = 10.0
_LEAST_STEP_S: Final = 0.5


def summarise(track: Telemetry | None) -> PositionTrack:
    """The summary; an empty one where there is no telemetry."""
    if track is None or not track.points:
        return PositionTrack()
    placed = [point for point in track.points if point.lat is not None]
    usable = [point for point in placed if point.usable]
    shown = usable or placed
    times = [point.t for point in track.points if point.t is not None]
    certainty: Certainty = "inferred" if track.inferred else "recorded"
    return PositionTrack(
        points=len(placed),
        samples=len(track.points),
        samples_in_file=track.in_file or len(track.points),
        without_fix=sum(point.fix == 0 for point in placed),
        zero=track.zero,
        certainty="conflicting" if placed and not usable else certainty,
        axis_order=track.axis_order,
        timing=track.timing,
        dialect=track.dialect,
        source=track.source,
        alt_datum=track.alt_datum,
        device=track.device,
        serial=track.serial,
        checksums_right=track.checksums_right,
        checksums_wrong=track.checksums_wrong,
        checksums_missing=track.checksums_missing,
        first=_point(shown[0]) if shown else None,
        last=_point(shown[-1]) if shown else None,
        start_s=min(times) if times else None,
        end_s=max(times) if times else None,
        jumps=_jumps(track.points),
    )


def _point(sample: Sample) -> TrackPoint:
    return TrackPoint(**{name: getattr(sample, name) for name in COLUMNS})


def _moment(text: str | None) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError:
        return None


def _jumps(points: Sequence[Sample]) -> TrackJumps:
    """Clocks that go back or leap against the video, gaps, and the speed that the positions ask for."""
    backwards = gaps = 0
    first_gap: float | None = None
    before: tuple[float | None, datetime] | None = None
    for point in points:
        moment = _moment(point.utc or point.time)
        if moment is None:
            continue
        if before is not None:
            step = (moment - before[1]).total_seconds()
            video = None if point.t is None or before[0] is None else point.t - before[0]
            backwards += step < 0
            leap = step > GAP_S if video is None else video > GAP_S or abs(step - video) > _CLOCK_SLACK_S
            gaps += leap
            first_gap = before[0] if leap and first_gap is None else first_gap
        before = (point.t, moment)
    fastest, when = _fastest(points)
    return TrackJumps(backwards=backwards, gaps=gaps, first_gap_s=first_gap, fastest=fastest, fastest_s=when)


def _fastest(points: Sequence[Sample]) -> tuple[float | None, float | None]:
    """The greatest speed between usable positions half a second apart or more: coordinates may be coarse."""
    fastest: float | None = None
    when: float | None = None
    anchors: list[Sample] = []
    for point in points:
        if point.usable and point.t is not None and (not anchors or point.t - (anchors[-1].t or 0.0) >= _LEAST_STEP_S):
            anchors.append(point)
    for first, second in pairwise(anchors):
        if first.lat is None or first.lon is None or second.lat is None or second.lon is None:
            continue
        seconds = (second.t or 0.0) - (first.t or 0.0)
        speed = metres_apart((first.lat, first.lon), (second.lat, second.lon)) / seconds
        if fastest is None or speed > fastest:
            fastest, when = round(speed, 1), first.t
    return fastest, when


def whole_track(track: Telemetry, summary: PositionTrack) -> bytes:
    """The whole track as deterministic UTF-8 JSON (`TrackRecord`): sorted keys, no blanks, empty columns left out."""
    filled = [(name, [getattr(point, name) for point in track.points]) for name in COLUMNS]
    filled = [(name, values) for name, values in filled if any(value is not None for value in values)]
    record = {
        "v": 1,
        "type": "position track",
        "summary": summary.model_dump(mode="json"),
        "columns": [name for name, _ in filled],
        "rows": list(zip(*(values for _, values in filled), strict=True)) or [()] * len(track.points),
    }
    text = json.dumps(record, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode()


def read_track(data: bytes) -> TrackRecord:
    """The record of `whole_track`; ValueError when it is none."""
    return TrackRecord.model_validate_json(data)
