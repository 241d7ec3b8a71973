"""One version of what is stated of an item's source; the first was stated at the deposit."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

MAX_REASON = 2_000


class SourceVersionRecord(BaseModel):
    """A version; its canonical bytes are named by an event of the item (`outputs`, role "source version").

    Version 1 is what the ingestion event states. It is a record of its own only when it was too long for that event.

    Attributes:
        item: UUID.
        number: 1 at the deposit, then without gaps.
        source: a source context, whole: what is not in it is no longer stated.
        reason: why it was changed; null for version 1.
        author: user id.
        created_at: RFC 3339 UTC, the archive's own clock.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    v: Literal[1] = 1
    type: Literal["source version"] = "source version"
    item: str
    number: int = Field(ge=1)
    source: dict[str, JsonValue]
    reason: str | None = Field(max_length=MAX_REASON)
    author: str
    created_at: str
