"""Tracks: where a recorder was while it recorded."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.api.base import ITEM_ID, SHA256, Shown
from schemas.records.v1.media_metadata import Finding
from schemas.records.v1.track import Certainty, PositionTrack, TrackPoint


class TrackShown(Shown):
    """The track that an item offers: its own, or that of what belongs to it."""

    item: str = Field(examples=[ITEM_ID])
    track_of: str = Field(description="The item whose track it is.", examples=[ITEM_ID])
    basis: str | None = Field(
        description="How it is known that the track belongs to the item; null for the item's own.",
        examples=["the same name beside it"],
    )
    sha256: str = Field(description="Of the stored track, as its event names it.", examples=[SHA256])
    summary: PositionTrack
    findings: tuple[Finding, ...] = Field(description="What the track says beside the video that it belongs to.")


class PositionShown(Shown):
    """Where the recorder was at a second of the video: recorded, derived between two samples, or not known."""

    item: str = Field(examples=[ITEM_ID])
    track_of: str = Field(examples=[ITEM_ID])
    at: float = Field(description="Seconds of the video.", examples=[12.5])
    state: Literal["recorded", "derived", "none"] = Field(description="`none`: nothing is known, for the `reason`.")
    reason: Literal["outside_track", "gap", "no_position", "no_fix", "checksum_wrong", "jump", "untimed"] | None
    certainty: Certainty = Field(description="`inferred` where the whole track is.")
    between: tuple[float, float] | None = Field(
        description="Seconds of the samples that a derived position lies between."
    )
    point: TrackPoint | None
