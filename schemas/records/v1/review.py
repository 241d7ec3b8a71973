"""A second person's decision on a link, version 1."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.records.v1.link import Person

MAX_COMMENT = 8_000

Decision = Literal["approve", "reject"]


class LinkReviewRecord(BaseModel):
    """One review; its canonical bytes are named by a "review" event of the item.

    Attributes:
        review: UUID.
        link: UUID; `link_sha256` is the SHA-256 of the link's canonical bytes.
        number: 1 for the link's first review, then without gaps.
        supersedes: UUID of the same reviewer's earlier review of this link, which no longer stands; else null.
        comment: the reviewer's reasons, at most 8,000 characters.
        reviewer: never the link's author.
        created_at: RFC 3339 UTC, the archive's own clock.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    v: Literal[1] = 1
    type: Literal["link review"] = "link review"
    review: str
    link: str
    link_sha256: str
    item: str
    number: int = Field(ge=1)
    decision: Decision
    comment: str = Field(max_length=MAX_COMMENT)
    supersedes: str | None
    reviewer: Person
    created_at: str
