"""Custody events."""

from __future__ import annotations

from pydantic import Field, JsonValue

from schemas.api.base import ITEM_ID, SHA256, Cursor, Shown


class EventShown(Shown):
    """One event with its place in the log."""

    leaf_index: int = Field(description="Zero-based.", examples=[41])
    event_sha256: str = Field(description="SHA-256 of the canonical bytes: the log's entry.", examples=[SHA256])
    event: dict[str, JsonValue] = Field(
        description="The event; its RFC 8785 form is what was hashed.",
        examples=[{"v": 1, "type": "ingestion", "object_seq": 0, "prev": None}],
    )


class EventList(Shown):
    """The events of one object, oldest first; each names the hash of the one before it."""

    object: str = Field(examples=[f"item:{ITEM_ID}"])
    events: list[EventShown]
    cursor: Cursor
