"""Findings about where: no place, half a place, places that disagree. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from app.analysis.findings import info, rest, rest_with_conflicts, warn
from app.analysis.geodesy import distance, metres
from schemas.records.v1.media_metadata import Finding, MediaMetadata, NumberFact

_PLACE = ("position.lat", "position.lon")


def position_finding(record: MediaMetadata) -> Iterator[Finding]:
    """0,0; half a position; places of the file that disagree."""
    lat, lon = record.position.lat, record.position.lon
    if lat.value == 0 and lon.value == 0:
        text = "the position is 0,0; consistent with a receiver that had no satellite fix"
        yield warn("position_zero", text, *rest(record, *_PLACE))
    if (lat.value is None) != (lon.value is None):
        text = "only one of latitude and longitude is recorded in a usable form"
        yield warn("position_incomplete", text, *rest(record, *_PLACE))
    if lat.conflicts or lon.conflicts:
        others = sorted({conflict.source for conflict in (*lat.conflicts, *lon.conflicts)})
        apart = _apart(lat, lon)
        how_far = f", up to {metres(apart)} away" if apart is not None else ""
        text = f"other places in the file give another position{how_far}: {', '.join(others)}"
        yield warn("position_conflict", text, *rest_with_conflicts(record, *_PLACE))
    if record.position.alt_gps.conflicts:
        text = "places in the file give different GPS altitudes"
        yield info("altitude_conflict", text, *rest_with_conflicts(record, "position.alt_gps"))


def _apart(lat: NumberFact, lon: NumberFact) -> float | None:
    """Metres to the farthest other position; where only one axis differs, the other is as recorded."""
    if lat.value is None or lon.value is None:
        return None
    lats = {_writer(one.source): float(one.value) for one in lat.conflicts}
    lons = {_writer(one.source): float(one.value) for one in lon.conflicts}
    return max(
        distance(lat.value, lon.value, lats.get(writer, lat.value), lons.get(writer, lon.value))
        for writer in lats.keys() | lons.keys()
    )


def _writer(source: str) -> str:
    """A source without its axis, so that the two halves of a position are found."""
    for axis in ("Latitude", "Longitude", "Longtitude"):
        source = source.replace(axis, "")
    return source
