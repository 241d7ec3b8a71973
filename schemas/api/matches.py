"""Matches: which items show the same thing, and why the archive thinks so."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, JsonValue

from schemas.api.base import ITEM_ID, Sent, Shown


class SegmentShown(Shown):
    """A stretch of time that two videos share, in seconds."""

    query_start_s: float = Field(examples=[0.0])
    query_end_s: float = Field(examples=[4.5])
    item_start_s: float = Field(examples=[12.0])
    item_end_s: float = Field(examples=[16.5])


class DecisionShown(Shown):
    """What a person decided about a match; the newest decision on a pair stands."""

    decision: Literal["confirm", "reject", "same_scene"] = Field(
        description="`same_scene`: the same place or event, but different pictures.", examples=["confirm"]
    )
    reason: str = Field(examples=["the same cracks in the wall, cropped and recompressed"])
    number: int = Field(description="1 for the pair's first decision, then without gaps.", examples=[1])
    by: str = Field(description="Id of the person.", examples=["5d2f6c1e-7f4e-4d0f-9a9e-0d6a51c5a001"])
    at: str = Field(examples=["2026-11-28T20:14:57.000000Z"])


class DecisionCreate(Sent):
    """Decide about a match."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"examples": [{"decision": "confirm", "reason": "the same cracks in the wall"}]},
    )

    decision: str = Field(max_length=100, description="`confirm`, `reject` or `same_scene`.")
    reason: str = Field(max_length=10_000, description="One line of 1 to 2,000 characters.")


class DecisionList(Shown):
    """All decisions on a pair of items, oldest first; the last one stands."""

    item: str = Field(examples=[ITEM_ID])
    other: str = Field(examples=[ITEM_ID])
    decisions: list[DecisionShown]


class MemberShown(Shown):
    """An item of a cluster."""

    item: str = Field(examples=[ITEM_ID])
    received_at: str = Field(examples=["2026-11-28T20:14:57.000000Z"])
    size: int = Field(description="Bytes of the original.", examples=[120_301])
    pixels: int | None = Field(description="Width times height of the picture, where known.", examples=[12_000_000])


class ClusterShown(Shown):
    """Items that people have confirmed to show the same; alone when nothing is confirmed of an item."""

    members: list[MemberShown] = Field(description="Those that you may read, earliest first.")
    earliest: str = Field(description="What this archive received first; not who published first.", examples=[ITEM_ID])
    best: str = Field(description="Most pixels, then most bytes: the one to look at.", examples=[ITEM_ID])


class MatchShown(Shown):
    """A relation that the archive suggests; a person decides."""

    item: str = Field(examples=[ITEM_ID])
    verdict: str = Field(
        description="`identical`, `same_content`, `derived` or `possibly_related`.", examples=["same_content"]
    )
    distance: int | None = Field(description="Bits that differ, of 256; null where it has no meaning.", examples=[6])
    explanation: str = Field(examples=["6 of 256 bits of the perceptual hash differ; at most 31 may"])
    segments: list[SegmentShown] = Field(examples=[[]])
    decision: DecisionShown | None = Field(
        default=None, description="What stands about it; null until a person decides."
    )


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
    """The matches of an item, best first; those in cases that you may not read, and those rejected, are left out."""

    item: str = Field(examples=[ITEM_ID])
    comparison: Comparison
    matches: list[MatchShown]


class FileMatches(Shown):
    """The matches of a file that was compared and not kept."""

    query: dict[str, JsonValue] = Field(examples=[{"name": "copy.jpg", "size": 120_301}])
    compared_by: ComparedBy
    matches: list[MatchShown]
