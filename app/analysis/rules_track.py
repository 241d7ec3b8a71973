"""Findings about a position track: what its recorded values are consistent with. Pure; none claims a proof."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app.analysis.findings import Rule, info, rest, stated, warn
from app.analysis.probes.srt_order import metres_apart
from schemas.records.v1.media_metadata import Finding, MediaMetadata, NumberFact
from schemas.records.v1.track import PositionTrack

_BASES: Final = {
    "habit": "its values do not show which is which; taken as usual for the model",
    "distance": "the stated distance from the place of take-off fits this order and not the other",
    "location": "the movie's own location lies near this order and not the other",
    "layout": "the recorder's model is not known here; its data were read by the layout of other models",
    "unit": "the recorder does not say whether it writes degrees or radians; taken as usual for the model",
    "contradiction": "some pairs of numbers can only be in one order, others only in the other: none is used",
}
_FASTEST: Final = (("GPS(", 75.0), ("[latitude", 75.0), ("DJI", 75.0), ("GPMF", 150.0))
"""Metres per second beyond which positions of a recorder are doubted; of what else is recorded, _FASTEST_ANY."""
_FASTEST_ANY: Final = 350.0
_APART_M: Final = 500.0
_LENGTH_SLACK_S, _LENGTH_SLACK = 3.0, 0.02


def axis_order(record: MediaMetadata) -> Iterator[Finding]:
    """What the order of latitude and longitude rests on, where the values do not settle it."""
    basis = record.track.axis_order
    if record.track.samples and basis in _BASES:
        text = f"the track's order of latitude and longitude is inferred: {_BASES[basis]}"
        yield info(
            "track_axis_order_inferred", text, *rest(record, "track.axis_order", "track.dialect", "track.source")
        )


def without_position(record: MediaMetadata) -> Iterator[Finding]:
    """Samples at 0,0, samples without a fix, tracks without any position."""
    track = record.track
    if track.samples and not track.points:
        zero = f" ({track.zero} are at 0,0)" if track.zero else ""
        why = "" if track.zero else ", or with positions that cannot be read"
        text = (
            f"none of the track's {track.samples} samples holds a usable position{zero}; "
            f"consistent with a receiver that had no satellite fix{why}"
        )
        yield warn("track_without_position", text, *rest(record, "track.samples", "track.points", "track.zero"))
    elif track.zero:
        text = f"{track.zero} of the track's {track.samples} samples are at 0,0"
        text += "; consistent with a receiver that had no satellite fix, and left out"
        yield info("track_zero", text, *rest(record, "track.zero", "track.samples"))
    if track.without_fix:
        text = (
            f"of {track.without_fix} of the track's {track.points} positions the receiver states that it had no fix; "
            "consistent with positions that were known before and not measured then"
        )
        values = rest(record, "track.without_fix", "track.points")
        if track.without_fix == track.points:
            yield warn("track_without_fix", text, *values)
        else:
            yield info("track_without_fix", text, *values)


def checksums(record: MediaMetadata) -> Iterator[Finding]:
    """Packets whose own checksum does not hold, or is not there."""
    track = record.track
    packets = track.checksums_right + track.checksums_wrong + track.checksums_missing
    if track.checksums_wrong:
        text = (
            f"the checksum of {track.checksums_wrong} of {packets} KLV packets is wrong; consistent with damage in "
            "transmission, or with a change of the packet after it was made"
        )
        yield warn("klv_checksum_wrong", text, *rest(record, "track.checksums_wrong", "track.checksums_right"))
    if track.checksums_missing:
        text = f"{track.checksums_missing} of {packets} KLV packets have no checksum, which their standard asks for"
        yield info("klv_checksum_missing", text, *rest(record, "track.checksums_missing"))


def time_jumps(record: MediaMetadata) -> Iterator[Finding]:
    """A clock that goes back, or leaps against the video."""
    jumps = record.track.jumps
    if jumps is None:
        return
    if jumps.backwards:
        text = f"the recorder's clock goes back {jumps.backwards} times within the track"
        text += "; consistent with a clock that was set, or with joined recordings"
        yield warn("track_time_backwards", text, *rest(record, "track.jumps.backwards"))
    if jumps.gaps:
        at = "" if jumps.first_gap_s is None else f", first at second {jumps.first_gap_s:g}"
        text = f"the recorder's clock leaps {jumps.gaps} times within the track{at}"
        text += "; consistent with a pause, a cut, or samples that are missing"
        yield warn("track_time_jump", text, *rest(record, "track.jumps.gaps", "track.jumps.first_gap_s"))


def implausible_speed(record: MediaMetadata) -> Iterator[Finding]:
    """Positions that ask for a speed which no such recorder has."""
    track = record.track
    if track.jumps is None or track.jumps.fastest is None:
        return
    dialect = track.dialect or ""
    most = next((limit for start, limit in _FASTEST if dialect.startswith(start)), _FASTEST_ANY)
    if track.jumps.fastest > most:
        at = "" if track.jumps.fastest_s is None else f" at second {track.jumps.fastest_s:g}"
        text = (
            f"two positions{at} ask for {track.jumps.fastest:.0f} m/s, more than {most:.0f} m/s; consistent with a "
            "jump of the receiver, a cut, or positions that were changed"
        )
        yield warn("track_speed_implausible", text, *rest(record, "track.jumps.fastest", "track.jumps.fastest_s"))


def length_against_video(track: PositionTrack, duration_s: float | None) -> Iterator[Finding]:
    """A track that is longer or shorter than the video it belongs to; also asked of a sidecar beside its video."""
    if duration_s is None or track.timing != "recorded" or track.end_s is None or track.samples < 2:  # noqa: PLR2004 (a length)
        return
    step = (track.end_s - (track.start_s or 0.0)) / (track.samples - 1)
    off = track.end_s + step - duration_s
    if abs(off) > max(_LENGTH_SLACK_S, _LENGTH_SLACK * duration_s, 2 * step):
        why = "a video that was cut" if off > 0 else "a video that was lengthened, or a track that broke off"
        text = f"the track ends at second {track.end_s:g}, the video at {duration_s:g}"
        text += f"; consistent with {why}, or with the track of another recording"
        values = (stated("track.end_s", track.end_s, track.source), stated("container.duration_s", duration_s))
        yield warn("track_length_differs", text, *values)


def length(record: MediaMetadata) -> Iterator[Finding]:
    """A track inside a video against the video's length."""
    if record.file.kind == "video":
        yield from length_against_video(record.track, record.container.duration_s.value)


def other_place(record: MediaMetadata) -> Iterator[Finding]:
    """A track that begins elsewhere than the place that the file states besides."""
    first = record.track.first
    lat, lon = record.position.lat, record.position.lon
    if first is None or first.lat is None or first.lon is None or not _stated_apart(lat, record.track):
        return
    if lat.value is None or lon.value is None:
        return
    metres = metres_apart((first.lat, first.lon), (lat.value, lon.value))
    if metres > _APART_M:
        text = (
            f"the track begins {metres:.0f} m from the position of {lat.source}; consistent with a position of another "
            "moment, or with a track or position that was changed"
        )
        values = rest(record, "position.lat", "position.lon", "track.first.lat", "track.first.lon", "track.source")
        yield warn("track_position_differs", text, *values)


def _stated_apart(lat: NumberFact, track: PositionTrack) -> bool:
    return lat.source is not None and not lat.source.startswith(str(track.source))


RULES: Final[tuple[Rule, ...]] = (
    axis_order,
    without_position,
    checksums,
    time_jumps,
    implausible_speed,
    length,
    other_place,
)
