"""Provisions, links and reviews."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from schemas.api.base import EVENT_ID, ITEM_ID, SHA256, TIME, USER_ID, Cursor, Sent, Shown
from schemas.records.v1.provision import Provision


class ProvisionSummary(Shown):
    """A provision as lists show it; never without its standing."""

    id: str = Field(examples=["ap1-art62"])
    instrument: str = Field(examples=["Additional Protocol I (1977)"])
    article: str = Field(examples=["Art. 62"])
    official_title: str = Field(examples=["General protection"])
    conflict_type: str = Field(examples=["iac"])
    kind: str = Field(examples=["protection"])
    summary: str = Field(description="In the project's own words; not the treaty's text.", examples=["..."])
    confidence: str = Field(examples=["verified"])
    verified_scope: str = Field(examples=["text"])
    catalogue_version: int = Field(examples=[1])
    status: str = Field(examples=["draft until a qualified lawyer has signed it off"])


class SignedOff(Shown):
    """A lawyer's sign-off of an entry."""

    lawyer: str = Field(examples=["leo"])
    at: str = Field(examples=[TIME])
    scope: str = Field(examples=["Text, elements and summary compared with the authentic English text."])
    entry_sha256: str = Field(examples=[SHA256])


class ProvisionShown(Provision):
    """A provision in full, with its version and its standing."""

    catalogue_version: int = Field(examples=[1])
    status: str = Field(examples=["draft until a qualified lawyer has signed it off"])
    signed_off: list[SignedOff] = Field(description="Sign-offs that stand in this version; none: a draft.")
    signed_off_before: int | None = Field(
        description="Version in which the very same entry was signed off; it is a draft in this one.", examples=[None]
    )


class ProvisionList(Shown):
    """Provisions in the catalogue's order; best first when searched."""

    provisions: list[ProvisionSummary]
    cursor: Cursor


class LinkCreate(Sent):
    """State that an item may bear on a provision."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "provision": "ap1-art62",
                    "element": None,
                    "direction": "supports",
                    "rationale": "A marked fire engine is hit while its crew is at work; see 00:12 to 00:19.",
                }
            ]
        },
    )

    provision: str = Field(max_length=100, description="Id in the catalogue.")
    element: str | None = Field(default=None, max_length=100, description="Id of an element of that provision.")
    direction: str = Field(max_length=50, description="`supports`, `contradicts` or `neutral`.")
    rationale: str = Field(max_length=100_000, description="Why; 1 to 8,000 characters.")


class ReviewCreate(Sent):
    """Decide on a link that somebody else made."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"examples": [{"decision": "approve", "comment": "Seen and agreed."}]},
    )

    decision: str = Field(max_length=50, description="`approve` or `reject`.")
    comment: str = Field(default="", max_length=100_000, description="Reasons; a rejection needs some.")


class ReviewShown(Shown):
    """A decision of one person on one link."""

    id: str = Field(examples=[EVENT_ID])
    link: str = Field(examples=[EVENT_ID])
    number: int = Field(description="1 for the link's first review, then without gaps.", examples=[1])
    decision: str = Field(examples=["approve"])
    comment: str = Field(examples=["Seen and agreed."])
    reviewer: str = Field(description="User id; never the link's author.", examples=[USER_ID])
    created_at: str = Field(examples=[TIME])


class LinkShown(Shown):
    """A link with its reviews."""

    id: str = Field(examples=[EVENT_ID])
    item: str = Field(examples=[ITEM_ID])
    provision: str = Field(examples=["ap1-art62"])
    element: str | None = Field(examples=[None])
    direction: str = Field(examples=["supports"])
    rationale: str = Field(examples=["A marked fire engine is hit while its crew is at work."])
    catalogue_version: int = Field(examples=[1])
    author: str = Field(description="User id.", examples=[USER_ID])
    created_at: str = Field(examples=[TIME])
    state: str = Field(description="`proposed`, `approved`, `rejected` or `disputed`.", examples=["proposed"])
    reviews: list[ReviewShown] = Field(examples=[[]])


class LinkList(Shown):
    """All links of an item, for and against, oldest first."""

    item: str = Field(examples=[ITEM_ID])
    links: list[LinkShown]
