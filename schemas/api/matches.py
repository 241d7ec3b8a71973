"""Matches: which items show the same thing, and why the archive thinks so."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from schemas.api.base import ITEM_ID, Shown


class SegmentShown(Shown):
    """A stretch of time that two videos share, in seconds."""

    query_start_s: float = Field(examples=[0.0])
    query_end_s: float = Field(examples=[4.5])
    item_start_s: float = Field(examples=[12.0])
    item_end_s: float = Field(examples=[16.5])


class MatchShown(Shown):
    """A relation that the archive suggests; a person decides."""

    item: str = Field(examples=[ITEM_ID])
    verdict: str = Field(
        description="`identical`, `same_content`, `derived` or `possibly_related`.", examples=["same_content"]
    )
    distance: int | None = Field(description="Bits that differ, of 256; null where it has no meaning.", examples=[6])
    explanation: str = Field(examples=["6 of 256 bits of the perceptual hash differ; at most 31 may"])
    segments: list[SegmentShown] = Field(examples=[[]])


class Comparison(Shown):
    """How far the comparison of an item has come; unless it is `done`, an empty list of matches says nothing."""

    state: Literal["pending", "done", "failed", "none"] = Field(
        description="`none`: what this kind of file shows cannot be compared; only its bytes were.", examples=["done"]
    )
    code: str | None = Field(default=None, description="Of a failure.", examples=[None])
    detail: str | None = Field(default=None, description="Of a failure.", examples=[None])


class ComparedBy(Shown):
    """What of a file was compared."""

    bytes: Literal[True] = Field(default=True, description="By its SHA-256: always.")
    content: bool = Field(description="By what it shows: photos and videos only.", examples=[True])
    reason: str | None = Field(default=None, description="Why not by what it shows.", examples=[None])


class MatchList(Shown):
    """The matches of an item, best first; those in cases that you may not read are left out."""

    item: str = Field(examples=[ITEM_ID])
    comparison: Comparison
    matches: list[MatchShown]


class FileMatches(Shown):
    """The matches of a file that was compared and not kept."""

    query: dict[str, JsonValue] = Field(examples=[{"name": "copy.jpg", "size": 120_301}])
    compared_by: ComparedBy
    matches: list[MatchShown]
