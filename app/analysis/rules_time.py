"""Findings about clocks: which disagree, and which say what a clock says that nobody set. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from app.analysis.findings import info, rest, rest_with_conflicts, warn
from app.analysis.normalise_values import offset_from_satellites, parse_offset
from schemas.records.v1.media_metadata import Finding, MediaMetadata

_SECOND = 19
_CLOCKS = ("capture_local", "modified", "container_created")
# Days at which clocks begin that were never set: of UNIX, of FAT, of cameras of many makers.
_FIRST_DAYS = {"1970-01-01", "1980-01-01", "2000-01-01"}
_GPS_EPOCH = {"1980-01-05", "1980-01-06"}
_NEW_YEAR, _FIRST_HOUR = "-01-01T", "00"
# How far civil time lies from the sun's mean time at a place, in hours: the extremes in use are -1.3 (Svalbard in
# winter) and +3.5 (western Aleutians in summer), with western China at +3.1.
_LEAST_AHEAD, _MOST_AHEAD = -2.0, 4.0
_POLAR = 66.6  # beyond the polar circles stations keep the time of their supply base
_HALF_DAY, _DAY = 12.0, 24.0
_FIX_AGE = timedelta(minutes=10)  # phones write the time of the last fix, which may be some minutes old


def time_conflict(record: MediaMetadata) -> Iterator[Finding]:
    """Clocks of the file that disagree."""
    time = record.time
    if time.capture_local.conflicts:
        sources = ", ".join(conflict.source for conflict in time.capture_local.conflicts)
        text = f"other places in the file give another capture time: {sources}"
        yield warn("capture_time_conflict", text, *rest_with_conflicts(record, "time.capture_local"))
    if time.utc_offset.conflicts:
        text = "places in the file give different UTC offsets"
        yield warn("utc_offset_conflict", text, *rest_with_conflicts(record, "time.utc_offset"))
    if time.capture_local.certainty == "inferred":
        text = f"the capture time is taken from {time.capture_local.source}"
        yield info("capture_time_inferred", text, *rest(record, "time.capture_local"))


def clock_against_satellites(record: MediaMetadata) -> Iterator[Finding]:
    """Local time minus GPS time should be an offset in civil use, and the one that is recorded."""
    local, gps = record.time.capture_local.value, record.time.gps_utc.value
    if local is None or gps is None:
        return
    offset = record.time.utc_offset
    known = parse_offset(offset.value) if offset.value and offset.certainty != "inferred" else None
    if known is not None:
        apart = datetime.fromisoformat(local[:_SECOND]) - known - datetime.fromisoformat(gps[:_SECOND])
        if abs(apart) > _FIX_AGE:
            text = (
                f"camera clock {local} with its UTC offset {offset.value} and GPS time {gps} are {abs(apart)} apart; "
                "consistent with a clock or zone that was set wrong, or with an old satellite fix"
            )
            facts = ("time.capture_local", "time.utc_offset", "time.gps_utc")
            yield warn("clock_differs_from_gps", text, *rest(record, *facts))
            return
    difference = datetime.fromisoformat(local[:_SECOND]), datetime.fromisoformat(gps[:_SECOND])
    if offset_from_satellites(*difference) is None:
        text = (
            f"camera clock {local} and GPS time {gps} differ by no UTC offset in use; "
            "consistent with a clock that was set wrong, or with an old satellite fix"
        )
        yield warn("clock_differs_from_gps", text, *rest(record, "time.capture_local", "time.gps_utc"))


def offset_against_longitude(record: MediaMetadata) -> Iterator[Finding]:
    """The UTC offset should be near the sun's time at the place; wide limits, because borders are not known here."""
    offset, lat, lon = record.time.utc_offset.value, record.position.lat.value, record.position.lon.value
    if record.time.utc_offset.certainty == "inferred":
        return
    parsed = parse_offset(offset) if offset else None
    if parsed is None or lat is None or lon is None or abs(lat) > _POLAR or (lat == 0 and lon == 0):
        return
    sun = lon / 15
    ahead = (parsed / timedelta(hours=1) - sun + _HALF_DAY) % _DAY - _HALF_DAY
    if not _LEAST_AHEAD <= ahead <= _MOST_AHEAD:
        text = (
            f"UTC offset {offset}, at a longitude where the sun keeps UTC{sun:+.1f} h; no civil time lies so far from "
            "it; consistent with a clock that kept the zone of another place, or that keeps UTC"
        )
        facts = ("time.utc_offset", "position.lat", "position.lon")
        yield info("offset_unlike_longitude", text, *rest(record, *facts))


def saved_later(record: MediaMetadata) -> Iterator[Finding]:
    """Changed after capture, or before it."""
    local, modified = record.time.capture_local.value, record.time.modified.value
    if local is None or modified is None or record.time.capture_local.certainty == "inferred":
        return
    values = rest(record, "time.capture_local", "time.modified")
    if modified[:_SECOND] > local[:_SECOND]:
        text = f"last changed {modified}, captured {local}; consistent with later saving"
        yield info("modified_after_capture", text, *values)
    elif modified[:_SECOND] < local[:_SECOND]:
        text = (
            f"last changed {modified}, before the capture time {local}; consistent with a changed clock or edited time"
        )
        yield warn("modified_before_capture", text, *values)


def clock_never_set(record: MediaMetadata) -> Iterator[Finding]:
    """Times at which clocks begin that were not set since their battery was empty."""
    for name in _CLOCKS:
        value = getattr(record.time, name).value
        if value is None:
            continue
        if value[:10] in _FIRST_DAYS or (value[4:11] == _NEW_YEAR and value[11:13] == _FIRST_HOUR):
            text = f"{name} is {value}; consistent with a clock that began anew and was not set"
            yield info("clock_default", text, *rest(record, f"time.{name}"))
    gps = record.time.gps_utc.value
    if gps is not None and gps[:10] in _GPS_EPOCH:
        text = f"GPS time {gps} is where GPS time begins; consistent with a receiver that had no satellite fix"
        yield info("clock_default", text, *rest(record, "time.gps_utc"))
