"""A person's statement that an item may bear on a provision, version 1.

A link is an opinion with a name under it. It never says that a provision was violated.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.records.v1.provision import DRAFT_MARK, CatalogueReference, Identifier

MAX_RATIONALE = 8_000

Direction = Literal["supports", "contradicts", "neutral"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Person(_Record):
    """Who stated it: user id, the name at that time, and how the archive knew.

    `local operator` means: somebody with a shell on the archive's machine said so. Two people who
    both act as local operators may be one; a reader of a four-eyes decision must be able to see that.
    """

    id: str
    name: str
    auth: Literal["token", "local operator"]


class CitedProvision(_Record):
    """Enough of the provision to be read without the catalogue, its confidence marks included."""

    id: Identifier
    instrument: str
    article: str
    confidence: str
    verified_scope: str
    status: Literal["draft until a qualified lawyer has signed it off"] = DRAFT_MARK


class CitedElement(_Record):
    """The element that the item speaks to."""

    id: Identifier
    text: str


class LinkRecord(_Record):
    """One link; its canonical bytes are named by a "link" event of the item.

    Attributes:
        link: UUID.
        item: UUID; `item_sha256` is the SHA-256 of its original.
        element: null when the link is to the provision as a whole.
        direction: whether the item speaks for the element (or provision), against it, or neither.
        rationale: the author's reasons, 1 to 8,000 characters.
        catalogue: the version of the catalogue that the author had before him.
        created_at: RFC 3339 UTC, the archive's own clock.
    """

    v: Literal[1] = 1
    type: Literal["link"] = "link"
    link: str
    item: str
    item_sha256: str
    relation: Literal["may bear on"] = "may bear on"
    provision: CitedProvision
    element: CitedElement | None
    direction: Direction
    rationale: str = Field(min_length=1, max_length=MAX_RATIONALE)
    catalogue: CatalogueReference
    author: Person
    created_at: str
