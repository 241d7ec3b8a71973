"""One provision of the law catalogue, and the provisions that a bundle carries, version 1.

Summaries are in the project's own words. How far an entry was checked against a source stays with it
(`confidence`, `verified_scope`); the whole catalogue is a draft until a qualified lawyer has signed it off.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

Identifier = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
Text = Annotated[str, Field(min_length=1)]

DRAFT_MARK: Final = "draft until a qualified lawyer has signed it off"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Element(_Record):
    """One thing that has to be shown, or that would take protection away."""

    id: Identifier
    text: Text
    kind: Literal["contextual", "material", "mental", "loss_of_protection_exception"]
    typical_evidence: tuple[str, ...]


class InForce(_Record):
    """Since when it binds; `date` is an ISO 8601 day or null where there is none."""

    date: str | None = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    notes: str


class Provision(_Record):
    """An article, rule or crime.

    Attributes:
        id: stable across versions of the catalogue.
        title_basis: where `official_title` is from; some treaties give their articles none.
        conflict_type: international armed conflict (iac), non-international (niac) or both.
        protected: whom or what it protects.
        conduct: which conduct it is about.
        summary: in the project's own words; never the treaty's text.
        related: ids of other provisions.
        confidence: `verified` was seen in the source that `verified_by` names, `from_memory` was not.
        verified_scope: how much of the entry was checked.
    """

    id: Identifier
    instrument: Text
    article: Text
    official_title: str
    title_basis: str
    conflict_type: Literal["iac", "niac", "both"]
    protected: tuple[str, ...]
    conduct: tuple[str, ...]
    kind: Text
    summary: Text
    elements: tuple[Element, ...]
    related: tuple[Identifier, ...]
    in_force: InForce
    source_url: str | None
    confidence: Literal["verified", "computed", "from_memory"]
    verified_scope: Literal["text", "summary", "number_and_title", "none"]
    verified_by: str
    notes: str | None


class CatalogueReference(_Record):
    """Which version of the catalogue: its number in this archive and the SHA-256 of its bytes."""

    version: int = Field(ge=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class VersionedProvision(_Record):
    """A provision as one version of the catalogue has it."""

    catalogue: CatalogueReference
    provision: Provision


class Provisions(_Record):
    """The provisions that the links of a bundle name, each in the version that the link was made against."""

    v: Literal[1] = 1
    type: Literal["provisions"] = "provisions"
    status: Literal["draft until a qualified lawyer has signed it off"] = DRAFT_MARK
    provisions: tuple[VersionedProvision, ...]
