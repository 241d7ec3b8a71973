"""The relations found between one item and others, as a bundle carries them, version 1.

A view made for the bundle: the seal over the bundle covers it, no event of its own does.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue


class MatchEntry(BaseModel):
    """One comparison.

    Attributes:
        query: UUID of the item that was compared with what was already there.
        item: UUID of the item it was found to be related to.
        algorithm: name and version.
        verdict: `identical`, `same_content`, `derived` or `possibly_related`; never a statement on authenticity.
        distance: of the algorithm; null where it has none.
        explanation: why, in words.
        segments: which parts agree; seconds are decimal text.
        found_at: RFC 3339 UTC.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    query: str
    item: str
    algorithm: str
    verdict: str
    distance: int | None
    explanation: str
    segments: tuple[JsonValue, ...]
    found_at: str


class Matches(BaseModel):
    """All relations of one item that the exporter may see."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    v: Literal[1] = 1
    type: Literal["matches"] = "matches"
    item: str
    matches: tuple[MatchEntry, ...]
