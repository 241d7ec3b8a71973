"""What is worked out beside a metadata record when somebody looks, and stored nowhere."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.api.base import ITEM_ID, SHA256, TIME, Shown
from schemas.records.v1.media_metadata import Certainty, Finding, RestsOn

_FINDING = {
    "code": "capture_after_source",
    "severity": "warning",
    "text": "...",
    "rests_on": [{"fact": "source.posted_at", "value": TIME, "source": None}],
    "docs": "findings.md#capture_after_source",
}


class SunShown(Shown):
    """Where the sun stood. Degrees; azimuths clockwise from true north; times in UTC."""

    lat: float = Field(examples=[48.123456])
    lon: float = Field(examples=[37.654321])
    at: str = Field(examples=["2023-06-01T11:03:22Z"])
    altitude: float = Field(description="Above a level horizon, with mean refraction.", examples=[58.021])
    altitude_geometric: float = Field(description="Without refraction.", examples=[58.011])
    azimuth: float = Field(examples=[222.117])
    shadow_direction: float | None = Field(description="Where shadows point; null while the sun is too low.")
    shadow_ratio: float | None = Field(description="Length of a shadow on level ground for a height of 1.")
    phase: str = Field(examples=["day"])
    day: Literal["rises_and_sets", "up_all_day", "down_all_day"]
    noon: str = Field(examples=["2023-06-01T09:27:10Z"])
    sunrise: str | None = Field(examples=["2023-06-01T01:38:00Z"])
    sunset: str | None = Field(examples=["2023-06-01T17:17:00Z"])
    note: str = Field(examples=["mean refraction; level horizon"])


class AidsShown(Shown):
    """Aids to reading the newest metadata record of an item."""

    item: str = Field(examples=[ITEM_ID])
    record_sha256: str = Field(description="Of the record that they were worked out from.", examples=[SHA256])
    findings: tuple[Finding, ...] = Field(
        description="What the record says beside the item's source and its deposit.", examples=[[_FINDING]]
    )
    sun: SunShown | None = Field(description="Null when place or UTC time is not known.", examples=[None])
    sun_certainty: Certainty = Field(
        description="Of `sun`, as far as the facts behind it go: derived, inferred, conflicting or absent.",
        examples=["derived"],
    )
    sun_rests_on: tuple[RestsOn, ...] = Field(description="The facts behind `sun`, or what of them is missing.")
