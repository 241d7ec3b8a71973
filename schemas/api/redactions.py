"""Redacted copies of originals."""

from __future__ import annotations

from pydantic import Field

from schemas.api.base import EVENT_ID, ITEM_ID, SHA256, TIME, USER_ID, Sent, Shown


class RedactionCreate(Sent):
    """What to hide."""

    regions: list[list[int]] = Field(
        default_factory=list,
        max_length=1_000,
        description="`[x, y, width, height]` in pixels of the upright picture; of a recording also "
        "`[x, y, width, height, from, to]`, in milliseconds of its proxy. Empty: only the metadata are left out, and "
        "the sound, which no copy of a recording has.",
        examples=[[[120, 40, 200, 180]], [[120, 40, 200, 180, 4000, 9500]]],
    )
    method: str = Field(
        default="fill",
        max_length=40,
        description="`fill` (one colour; safe) or `mosaic` (blocks in their mean colour; faces have been recovered; "
        "photos only).",
    )
    reason: str = Field(max_length=100_000, examples=["Faces of children"])


class RedactionReviewCreate(Sent):
    """A second person's decision."""

    decision: str = Field(max_length=40, description="`approve` or `reject`.", examples=["approve"])
    comment: str = Field(default="", max_length=100_000)


class RedactionReviewShown(Shown):
    """One decision; of several by one person the last one stands."""

    decision: str = Field(examples=["approve"])
    comment: str = Field(examples=[""])
    reviewer: str = Field(examples=[USER_ID])
    created_at: str = Field(examples=[TIME])


class RedactionShown(Shown):
    """A redacted copy; its bytes are at `/redactions/{id}/file`."""

    id: str = Field(examples=[EVENT_ID])
    item: str = Field(examples=[ITEM_ID])
    state: str = Field(description="`proposed`, `approved`, `rejected`, `disputed`.", examples=["proposed"])
    method: str = Field(examples=["fill"])
    regions: list[list[int]] = Field(examples=[[[120, 40, 200, 180]]])
    reason: str = Field(examples=["Faces of children"])
    sha256: str = Field(examples=[SHA256])
    media_type: str = Field(examples=["image/jpeg"])
    width: int = Field(examples=[4000])
    height: int = Field(examples=[3000])
    created_at: str = Field(examples=[TIME])
    created_by: str = Field(examples=[USER_ID])
    reviews: list[RedactionReviewShown]


class RedactionList(Shown):
    """All of one item."""

    redactions: list[RedactionShown]
