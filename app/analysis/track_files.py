"""A track as GeoJSON (RFC 7946) and as GPX 1.1. Pure.

Only usable positions are joined, and a line ends where nothing is known between two of them. RFC 7946 counts heights
from the ellipsoid, so that only such heights stand in coordinates; the others are properties. GPX has UTC times only:
the recorder's local clock is no time of a point.
"""

from __future__ import annotations

import json
from typing import Any, Final
from xml.sax.saxutils import escape

from app.analysis.track_at import doubt, points_of, segments
from schemas.records.v1.track import TrackPoint, TrackRecord

GEOJSON_TYPE: Final = "application/geo+json"
GPX_TYPE: Final = "application/gpx+xml"
_ELLIPSOID: Final = "WGS84 ellipsoid"
_SERIES: Final = (
    "t", "utc", "time", "alt", "alt_relative", "alt_ellipsoid", "speed", "heading", "yaw", "pitch", "roll",
    "gimbal_yaw", "gimbal_pitch", "gimbal_roll", "satellites", "fix", "dop", "target_lat", "target_lon", "target_alt",
)  # fmt: skip
_FIXES: Final = {2: "2d", 3: "3d"}
_SUMMARY: Final = (
    "points", "samples", "samples_in_file", "without_fix", "zero", "certainty", "axis_order", "timing", "dialect",
    "source", "alt_datum", "device", "serial", "checksums_right", "checksums_wrong", "checksums_missing",
)  # fmt: skip


def geojson(record: TrackRecord, item: str) -> bytes:
    """The track as a FeatureCollection: a line (or point) for each unbroken run; doubtful positions apart.

    Args:
        record: the track.
        item: id of the item whose track it is.
    """
    points, datum = points_of(record), record.summary.alt_datum
    features = [_feature(run, datum) for run in segments(points)]
    for reason in ("no_fix", "checksum_wrong"):
        doubted = [point for point in points if doubt(point) == reason]
        if doubted:
            features.append(_doubted(doubted, datum, reason))
    summary = record.summary.model_dump(mode="json")
    document = {
        "type": "FeatureCollection",
        "features": features,
        "item": item,
        "track": {name: summary[name] for name in _SUMMARY},
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _coordinates(point: TrackPoint, datum: str | None, *, heights: bool) -> list[float | None]:
    height = _ellipsoid(point, datum)
    return [point.lon, point.lat, height] if heights and height is not None else [point.lon, point.lat]


def _ellipsoid(point: TrackPoint, datum: str | None) -> float | None:
    if point.alt_ellipsoid is not None:
        return point.alt_ellipsoid
    return point.alt if datum == _ELLIPSOID else None


def _series(points: list[TrackPoint]) -> dict[str, list[Any]]:
    """Values beside the coordinates, one for each, of what any of the points has."""
    found = {name: [getattr(point, name) for point in points] for name in _SERIES}
    return {name: values for name, values in found.items() if any(value is not None for value in values)}


def _feature(run: list[TrackPoint], datum: str | None) -> dict[str, Any]:
    heights = all(_ellipsoid(point, datum) is not None for point in run)
    places = [_coordinates(point, datum, heights=heights) for point in run]
    geometry = (
        {"type": "Point", "coordinates": places[0]}
        if len(places) == 1
        else {"type": "LineString", "coordinates": places}
    )
    return {"type": "Feature", "geometry": geometry, "properties": {"usable": True, **_series(run)}}


def _doubted(points: list[TrackPoint], datum: str | None, reason: str) -> dict[str, Any]:
    places = [_coordinates(point, datum, heights=False) for point in points]
    properties = {"usable": False, "reason": reason, **_series(points)}
    return {"type": "Feature", "geometry": {"type": "MultiPoint", "coordinates": places}, "properties": properties}


def gpx(record: TrackRecord, item: str) -> bytes:
    """The track as GPX 1.1, valid by its schema: a segment for each unbroken run; doubtful positions are left out.

    Args:
        record: the track.
        item: id of the item whose track it is.
    """
    summary = record.summary
    points = points_of(record)
    left_out = sum(point.lat is not None and doubt(point) is not None for point in points)
    told = [
        f"Item {item}. Source: {summary.source}, {summary.dialect}. Certainty of the positions: {summary.certainty}.",
        f"Elevation is above {summary.alt_datum}." if summary.alt_datum else "What elevation is above is not recorded.",
        f"{left_out} positions without a fix or with a wrong checksum are left out." if left_out else "",
    ]
    segments_xml = "".join(
        f"<trkseg>{''.join(_point_xml(point) for point in run)}</trkseg>" for run in segments(points)
    )
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<gpx version="1.1" creator="Catena" xmlns="http://www.topografix.com/GPX/1/1" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xsi:schemaLocation="http://www.topografix.com/GPX/1/1 http://www.topografix.com/GPX/1/1/gpx.xsd">\n'
        f"<trk><name>{_text(summary.device or item)}</name><desc>{_text(' '.join(filter(None, told)))}</desc>"
        f"<src>{_text(summary.dialect or '')}</src>{segments_xml}</trk>\n</gpx>\n"
    )
    return text.encode()


def _text(value: str) -> str:
    return escape("".join(char for char in value if char.isprintable()))


def _decimal(value: float, digits: int) -> str:
    """Plain decimals: xsd:decimal knows no exponent."""
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:.0f}"


def _point_xml(point: TrackPoint) -> str:
    lon = -180.0 if point.lon == 180 else point.lon or 0.0  # noqa: PLR2004 (its schema knows the date line as -180 only)
    parts = [f'<trkpt lat="{_decimal(point.lat or 0.0, 8)}" lon="{_decimal(lon, 8)}">']
    if point.alt is not None:
        parts.append(f"<ele>{_decimal(point.alt, 3)}</ele>")
    if point.utc is not None:
        parts.append(f"<time>{_text(point.utc)}</time>")
    if point.t is not None:
        parts.append(f"<cmt>video second {_decimal(point.t, 3)}</cmt>")
    if point.fix in _FIXES:
        parts.append(f"<fix>{_FIXES[point.fix]}</fix>")
    if point.satellites is not None and point.satellites >= 0:
        parts.append(f"<sat>{point.satellites}</sat>")
    return "".join((*parts, "</trkpt>"))
