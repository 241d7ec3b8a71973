"""Versions of the metadata records of an item."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from schemas.api.base import ITEM_ID, SHA256, TIME, Shown


class AnalysisVersion(Shown):
    """One run of the analysis over an item."""

    version: int = Field(description="Number of the run, from 1.", examples=[1])
    state: Literal["done", "failed"]
    created_at: str = Field(examples=[TIME])
    analyser: str | None = Field(description="Version of the analyser; null where there is no record.", examples=["2"])
    tools: dict[str, str] = Field(description="Each parser and its version.", examples=[{"catena": "2"}])
    sha256: str | None = Field(description="Of the record, as its custody event names it.", examples=[SHA256])
    size: int | None = Field(examples=[20480])
    failure_code: str | None = None
    failure_detail: str | None = None


class AnalysisVersions(Shown):
    """All runs over an item, oldest first."""

    item: str = Field(examples=[ITEM_ID])
    versions: list[AnalysisVersion]


class AnalysisAsked(Shown):
    """A run that is to come."""

    item: str = Field(examples=[ITEM_ID])
    version: int = Field(description="The number that the run will have.", examples=[2])


class RecordChange(Shown):
    """One field that differs between two records."""

    field: str = Field(examples=["position.lat"])
    before: JsonValue = Field(description="Null where the older record has nothing there.", examples=[None])
    after: JsonValue = Field(examples=[{"value": 48.123456, "unit": "deg", "certainty": "recorded", "source": "exif"}])


class RecordChanges(Shown):
    """What differs between two versions of an item's metadata record; the raw dumps are not compared."""

    item: str = Field(examples=[ITEM_ID])
    before: int = Field(examples=[1])
    after: int = Field(examples=[2])
    changes: list[RecordChange]
