"""A telemetry track as lines of text: its ends, its heights, its length, and a sketch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from app.cli.sketch import Place, bearing, compass, degrees, distance_m, sketch

if TYPE_CHECKING:
    from schemas.records.v1.track import TrackRecord

CERTAINTY: Final = {
    "recorded": "stands so in the file",
    "derived": "computed from recorded values",
    "inferred": "rests on an assumption",
    "conflicting": "other places in the file say otherwise",
    "absent": "not there",
}
Way = Sequence[dict[str, Any]]
_SAID: Final = ("axis_order", "timing", "alt_datum", "device", "serial")
_COUNTED: Final = ("without_fix", "zero", "checksums_right", "checksums_wrong", "checksums_missing")
_HEIGHTS: Final = (
    ("alt", "altitude"),
    ("alt_ellipsoid", "height above the ellipsoid"),
    ("alt_relative", "height above take-off"),
)


def way_of(track: TrackRecord | None) -> Way:
    """The samples that have a position, by column."""
    if track is None:
        return ()
    rows = (dict(zip(track.columns, row, strict=True)) for row in track.rows)
    return [row for row in rows if row.get("lat") is not None and row.get("lon") is not None]


def track_lines(track: dict[str, Any], way: Way) -> list[str]:
    """All that is to be said of a track; nothing of none.

    Args:
        track: the summary of the record.
        way: samples with a position, in their order.
    """
    if not track.get("samples"):
        return []
    certainty = CERTAINTY.get(track.get("certainty", ""), "")
    lines = ["", "Telemetry track", f"  {track['points']} places in {track['samples']} samples ({certainty})"]
    lines += [f"  from {track['source']}"] if track.get("source") else []
    lines += [f"  dialect {track['dialect']}"] if track.get("dialect") else []
    lines += [f"  {name.replace('_', ' ')} {track[name]}" for name in _SAID if track.get(name)]
    lines += [f"  {track[name]} samples: {name.replace('_', ' ')}" for name in _COUNTED if track.get(name)]
    first, last = track.get("first"), track.get("last")
    lines += [f"  {name:<6} {_point(point)}" for name, point in (("first", first), ("last", last)) if point]
    if not first or not last or None in (first.get("lat"), last.get("lat")):
        return lines
    places: list[Place] = [(row["lat"], row["lon"]) for row in (way or (first, last))]
    away = distance_m(places[0], places[-1])
    lines.append(
        f"  the last is {away:,.0f} m from the first"
        + (f", to {compass(bearing(places[0], places[-1]))}" if away else "")
    )
    lines += _extent(way, places)
    lines += [f"    {line}" for line in sketch(places)]
    return lines


def _extent(way: Way, places: list[Place]) -> list[str]:
    lines = []
    if len(places) > 2:  # noqa: PLR2004 (more than the ends)
        lines.append(f"  way {sum(distance_m(one, two) for one, two in pairwise(places)):,.0f} m over all samples")
    for name, said in _HEIGHTS:
        heights = [row[name] for row in way if row.get(name) is not None]
        if heights:
            lines.append(f"  {said} {min(heights):g} to {max(heights):g} m")
    return lines


def _point(point: dict[str, Any]) -> str:
    parts = [f"{point['t']:.3f} s"] if point.get("t") is not None else []
    if point.get("lat") is not None and point.get("lon") is not None:
        parts += [degrees(point["lat"], axis="lat"), degrees(point["lon"], axis="lon")]
    parts += [f"{said} {point[name]:g} m" for name, said in _HEIGHTS if point.get(name) is not None]
    parts += [str(point[name]) for name in ("utc", "time") if point.get(name)][:1]
    return "  ".join(parts)
