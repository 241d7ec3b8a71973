"""The relations found between one item and others, as a bundle carries them, version 1.

A view made for the bundle: the seal over the bundle covers it, no event of its own does.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class MatchEntry(BaseModel):
    """One relation, as seen from the item that the record is about.

    Attributes:
        item: UUID of the other item.
        verdict: `identical`, `same_content`, `derived` or `possibly_related`; never a statement on authenticity.
        distance: of the fingerprints, smaller is nearer; null where there is none.
        explanation: why, in words.
        segments: which parts agree: seconds as decimal text, by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    item: str
    verdict: str
    distance: int | None
    explanation: str
    segments: tuple[dict[str, str], ...]


class Matches(BaseModel):
    """The relations of one item to other items of the same bundle, nearest first.

    Attributes:
        item: UUID of the item.
        among: between which items relations are told; whether there are others is never said.
        matches: the relations.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    v: Literal[1] = 1
    type: Literal["matches"] = "matches"
    item: str
    among: Literal["items of this bundle"] = "items of this bundle"
    matches: tuple[MatchEntry, ...]
