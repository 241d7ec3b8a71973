"""What people say of an incident, a provision and its elements, and what a second person decides on it, version 1.

The unit is incident x provision x element. Everything here is an opinion with a name under it; it "may bear on" a
provision and never says that a rule was broken. Nothing is deleted: a change is a further version, so is a withdrawal.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from schemas.records.v1.link import CitedElement, CitedProvision, Person
from schemas.records.v1.provision import DRAFT_MARK, CatalogueReference
from schemas.records.v1.review import MAX_COMMENT, Decision

MAX_REASONING = 8_000
MAX_REASON = 2_000

EntryType = Literal["link", "state", "panel", "assessment"]
ElementDirection = Literal["supports", "contradicts", "neutral", "excluded"]
Weight = Literal["direct", "circumstantial", "background"]
Panel = Literal["contradicting", "loss_of_protection"]
PanelAnswer = Literal["answered", "searched_none_found"]
ElementState = Literal[
    "not_examined", "no_evidence", "some_evidence", "contested", "supported", "well_supported", "contradicted"
]
Standard = Literal["reasonable_basis", "reasonable_grounds", "substantial_grounds"]
Outcome = Literal["reached", "not_reached"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Seconds = Annotated[str, Field(pattern=r"^\d{1,7}(\.\d{1,6})?$")]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TimeRange(_Record):
    """A part of a recording, in seconds from its beginning, as decimal text."""

    kind: Literal["time"] = "time"
    from_s: Seconds
    to_s: Seconds


class Region(_Record):
    """A part of a picture, in pixels of the original: left, top, width, height."""

    kind: Literal["region"] = "region"
    x: int = Field(ge=0, le=1_000_000)
    y: int = Field(ge=0, le=1_000_000)
    width: int = Field(ge=1, le=1_000_000)
    height: int = Field(ge=1, le=1_000_000)


class LinkSource(_Record):
    """What speaks: an item of the archive, a claim about the incident, or a statement of its case.

    Attributes:
        id: UUID of the item, claim or statement.
        ref: file name of an item; the id for people of a claim or statement.
        sha256: of the item's original, or of the record that the author had before him.
        segment: the part of the item that is meant; null for the whole.
    """

    kind: Literal["item", "claim", "statement"]
    id: str
    ref: str
    sha256: Sha256
    segment: TimeRange | Region | None


class _Entry(_Record):
    """What every version of an entry says.

    Attributes:
        thread: UUID, the same in every version; `entry` is this version's own.
        number: 1, then without gaps.
        supersedes: SHA-256 of the canonical bytes of the version before; null for version 1.
        withdrawn: the author takes it back; it stays on record and is shown as withdrawn.
        reason: why it was changed or withdrawn; null for version 1.
        catalogue: the version of the catalogue that the author had before him.
        created_at: RFC 3339 UTC, the archive's own clock.
    """

    v: Literal[1] = 1
    thread: str
    entry: str
    number: int = Field(ge=1)
    incident: str
    relation: Literal["may bear on"] = "may bear on"
    provision: CitedProvision
    catalogue: CatalogueReference
    withdrawn: bool
    reason: str | None = Field(max_length=MAX_REASON)
    supersedes: Sha256 | None
    author: Person
    created_at: str


class ElementLinkRecord(_Entry):
    """Evidence and an element: in which direction it speaks, with which weight, and why.

    `excluded` means: looked at and not relied on, for the reasons given. Weight is the author's word, never computed.
    """

    type: Literal["element link"] = "element link"
    element: CitedElement
    source: LinkSource
    direction: ElementDirection
    weight: Weight
    reasoning: str = Field(min_length=1, max_length=MAX_REASONING)


class ElementStateRecord(_Entry):
    """Where an element stands, as a person states it; never computed from counts or scores."""

    type: Literal["element state"] = "element state"
    element: CitedElement
    state: ElementState
    reasoning: str = Field(min_length=1, max_length=MAX_REASONING)


class Search(_Record):
    """A search that was made: what for, where, when (RFC 3339 UTC or a day), and by whom."""

    what: str = Field(min_length=1, max_length=2_000)
    where: str = Field(min_length=1, max_length=2_000)
    when: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?Z)?$")
    by: str = Field(min_length=1, max_length=300)


class PanelRecord(_Entry):
    """The answer to a mandatory panel: what contradicts, or what may have ended protection.

    `saw` counts the links that the panel held when it was answered: with later ones the answer is no longer whole.
    """

    type: Literal["panel answer"] = "panel answer"
    panel: Panel
    answer: PanelAnswer
    text: str = Field(max_length=MAX_REASONING)
    searches: tuple[Search, ...] = Field(max_length=100)
    saw: tuple[str, ...]


class RestedOn(_Record):
    """One version of an entry that lay before whoever assessed, by UUID and SHA-256 of its canonical bytes."""

    kind: EntryType
    entry: str
    sha256: Sha256


class AssessmentRecord(_Entry):
    """Which standard a person takes to be reached for incident and provision, on all that lay before him.

    Attributes:
        standard: a level of the ladder. "Beyond reasonable doubt" belongs to a court, and no record has it.
        outcome: whether the person takes that standard to be reached.
        applicability: what the status data say of the provision's application (treaties, dates, type of conflict), and
            under `statement` what the author says of it.
        rests_on: every standing link, state and panel answer at that time, for and against; none can be left out.
    """

    type: Literal["assessment"] = "assessment"
    status: Literal["draft until a qualified lawyer has signed it off"] = DRAFT_MARK
    standard: Standard
    outcome: Outcome
    reasoning: str = Field(min_length=1, max_length=MAX_REASONING)
    applicability: dict[str, JsonValue]
    rests_on: tuple[RestedOn, ...]


class AssessmentReviewRecord(_Record):
    """A second person's decision on one version of an entry; of an assessment's, the archive seals these bytes.

    Attributes:
        entry: UUID of the version; `entry_sha256` is the SHA-256 of its canonical bytes.
        number: 1 for the version's first review, then without gaps.
        supersedes: UUID of the same reviewer's earlier review of this version, which no longer stands; else null.
        reviewer: never the author.
    """

    v: Literal[1] = 1
    type: Literal["assessment review"] = "assessment review"
    review: str
    incident: str
    entry: str
    entry_type: EntryType
    entry_sha256: Sha256
    number: int = Field(ge=1)
    decision: Decision
    comment: str = Field(max_length=MAX_COMMENT)
    supersedes: str | None
    reviewer: Person
    created_at: str
