"""Incidents as shapes and on a timeline."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from schemas.api.base import SHA256, Cursor, Shown

_PROPERTIES: dict[str, JsonValue] = {
    "ref": "INC-1",
    "date": {"earliest": "2025-07-06", "latest": "2025-07-06", "precision": "exact_day", "year": "inferred"},
    "geometry_note": "a circle of 500 m around the recorded point: it lies somewhere within",
}
_RING: list[JsonValue] = [[32.61, 46.64], [32.6, 46.65], [32.59, 46.64], [32.6, 46.63], [32.61, 46.64]]
FEATURES_EXAMPLE: dict[str, JsonValue] = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "id": "7d0c7f5e-1b0a-4d0e-9a55-3c1f0b9d0009",
            "geometry": {"type": "Polygon", "coordinates": [_RING]},
            "properties": _PROPERTIES,
        }
    ],
    "cursor": None,
}


class IncidentFeature(Shown):
    """An incident; `geometry` is a polygon that holds its place, or null with the reason in `geometry_note`."""

    type: Literal["Feature"]
    id: str
    geometry: dict[str, JsonValue] | None
    properties: dict[str, JsonValue] = Field(examples=[_PROPERTIES])


class IncidentFeatures(Shown):
    """A page of incidents (RFC 7946), with the cursor of the next one."""

    type: Literal["FeatureCollection"]
    features: list[IncidentFeature]
    cursor: Cursor


class TimelineShown(Shown):
    """Incidents by their first possible day; those without a date under `undated`."""

    wording: str = Field(examples=["what records say; no finding of fact or law"])
    events: list[dict[str, JsonValue]] = Field(
        examples=[[{"ref": "INC-1", "record_sha256": SHA256, "uncertain": False, "strikes": [{"n": 1}]}]]
    )
    undated: list[dict[str, JsonValue]]
    cursor: Cursor
