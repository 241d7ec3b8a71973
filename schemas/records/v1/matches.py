"""The relations found between one item and others, as a bundle carries them, version 1.

A view made for the bundle: the seal over the bundle covers it, no event of its own does.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class DecisionEntry(BaseModel):
    """What a person decided about a relation; the events of both items name it (`match_decision`), with its reason.

    Attributes:
        id: UUID.
        number: 1 for the first decision on the two items; of several, the one with the highest number stands.
        decision: `confirm`, `reject`, or `same_scene` (the same place or event, but different pictures).
        by: id of the user who decided; the event has the name.
        at: RFC 3339 UTC, the archive's own clock.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    number: int
    decision: str
    reason: str
    by: str
    at: str


class MatchEntry(BaseModel):
    """One relation, as seen from the item that the record is about.

    Attributes:
        item: UUID of the other item.
        verdict: `identical`, `same_content`, `derived` or `possibly_related`; never a statement on authenticity.
        distance: of the fingerprints, smaller is nearer; null where there is none.
        explanation: why, in words.
        segments: which parts agree: seconds as decimal text, by name.
        decisions: what people decided about it, oldest first; absent in bundles of before version 0.3.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    item: str
    verdict: str
    distance: int | None
    explanation: str
    segments: tuple[dict[str, str], ...]
    decisions: tuple[DecisionEntry, ...] = ()


class Matches(BaseModel):
    """The relations of one item to other items of the same bundle, nearest first.

    Attributes:
        item: UUID of the item.
        among: between which items relations are told; whether there are others is never said.
        matches: the relations.
        cluster: ids of all items of this bundle that people's standing confirmations join with this one, its own among
            them; empty when there are none. Nothing is merged: each stays an item of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    v: Literal[1] = 1
    type: Literal["matches"] = "matches"
    item: str
    among: Literal["items of this bundle"] = "items of this bundle"
    matches: tuple[MatchEntry, ...]
    cluster: tuple[str, ...] = ()
