"""Links to elements, states, panels, assessments, reviews of them, and the element matrix."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, JsonValue

from schemas.api.base import EVENT_ID, ITEM_ID, SHA256, TIME, USER_ID, Sent, Shown

_LINK: dict[str, JsonValue] = {
    "provision": "ap1-art62",
    "element": "ap1-art62-e2",
    "source": "item",
    "ref": ITEM_ID,
    "segment": "12-19.5",
    "direction": "supports",
    "weight": "direct",
    "reasoning": "The livery of the rescue service is legible on the side of the vehicle.",
}
_CHANGE: dict[str, JsonValue] = {key: value for key, value in _LINK.items() if key not in {"provision", "element"}}
_SEARCH: dict[str, JsonValue] = {
    "what": "military use of the vehicle",
    "where": "all recordings of the case",
    "when": "2026-11-22",
    "by": "L. Example",
}


class _Evidence(Sent):
    source: str = Field(max_length=20, description="`item`, `claim` or `statement`.")
    ref: str = Field(max_length=200, description="Id of the item; id, or id for people, of claim or statement.")
    segment: str | None = Field(default=None, max_length=100, description="Seconds `12-19.5`, or pixels `x,y,w,h`.")
    direction: str = Field(max_length=20, description="`supports`, `contradicts`, `neutral` or `excluded`.")
    weight: str = Field(max_length=20, description="`direct`, `circumstantial` or `background`.")
    reasoning: str = Field(max_length=100_000, description="Why; 1 to 8,000 characters.")


class ElementLinkCreate(_Evidence):
    """State that evidence speaks for or against an element."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra={"examples": [_LINK]})

    provision: str = Field(max_length=100, description="Id in the catalogue.")
    element: str = Field(max_length=100, description="Id of an element of that provision.")


class ElementLinkChange(_Evidence):
    """State a link of your own anew; it stays at its element, and the version before stays on record."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"examples": [{**_CHANGE, "reason": "The range was too wide."}]}
    )

    reason: str = Field(max_length=100_000, description="Why; 1 to 2,000 characters.")


class ElementLinksCreate(Sent):
    """Many links at once."""

    links: list[ElementLinkCreate] = Field(max_length=500)


class EntryWithdraw(Sent):
    """Take an entry of your own back; it stays on record."""

    reason: str = Field(max_length=100_000, examples=["The recording is of another day."])


class ElementStateCreate(Sent):
    """State where an element stands."""

    provision: str = Field(max_length=100, examples=["ap1-art62"])
    element: str = Field(max_length=100, examples=["ap1-art62-e2"])
    state: str = Field(
        max_length=30,
        description="`not_examined`, `no_evidence`, `some_evidence`, `contested`, `supported`, `well_supported`, "
        "`contradicted`.",
        examples=["some_evidence"],
    )
    reasoning: str = Field(max_length=100_000, examples=["One recording shows the livery."])


class PanelCreate(Sent):
    """Answer a mandatory panel, or record that a search found nothing."""

    provision: str = Field(max_length=100, examples=["ap1-art62"])
    panel: str = Field(
        max_length=30, description="`contradicting` or `loss_of_protection`.", examples=["contradicting"]
    )
    answer: str = Field(
        max_length=30, description="`answered` or `searched_none_found`.", examples=["searched_none_found"]
    )
    text: str = Field(default="", max_length=100_000, examples=[""])
    searches: list[dict[str, JsonValue]] = Field(
        default=[], max_length=100, description="`what`, `where`, `when`, `by` of each.", examples=[[_SEARCH]]
    )


class AssessmentCreate(Sent):
    """State whether a standard is reached; both panels have to be answered before."""

    provision: str = Field(max_length=100, examples=["ap1-art62"])
    standard: str = Field(
        max_length=100,
        description="`reasonable_basis`, `reasonable_grounds` or `substantial_grounds`.",
        examples=["reasonable_basis"],
    )
    outcome: str = Field(default="reached", max_length=20, description="`reached` or `not_reached`.")
    reasoning: str = Field(max_length=100_000, examples=["Enough to open an inquiry; see the elements."])
    applicability: str = Field(default="", max_length=100_000, description="Beside what the status data say.")


class EntryReviewCreate(Sent):
    """Decide on somebody else's entry."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"examples": [{"decision": "approve", "comment": "Seen and agreed."}]},
    )

    decision: str = Field(max_length=50, description="`approve` or `reject`.")
    comment: str = Field(default="", max_length=100_000, description="Reasons; a rejection needs some.")


class EntryReviewOfMany(EntryReviewCreate):
    """One of many decisions."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"examples": [{"entry": EVENT_ID, "decision": "approve", "comment": ""}]},
    )

    entry: str = Field(max_length=36, description="Id of the version that you have read.")


class EntryReviewsCreate(Sent):
    """Many decisions at once."""

    reviews: list[EntryReviewOfMany] = Field(max_length=500)


class OneOfMany(Shown):
    """What came of one of many: `id` of what was made, or the code of its refusal."""

    id: str | None = Field(examples=[EVENT_ID])
    code: str | None = Field(examples=[None])
    detail: str | None = Field(examples=[None])


class ManyShown(Shown):
    """Results in the order of the request; what was refused stopped no other."""

    made: int = Field(examples=[1])
    refused: int = Field(examples=[0])
    results: list[OneOfMany]


class EntryReviewShown(Shown):
    """A decision; `seal_base64` is the archive's detached CAdES signature over `record_base64`, on an assessment's."""

    id: str = Field(examples=[EVENT_ID])
    entry: str = Field(examples=[EVENT_ID])
    number: int = Field(examples=[1])
    decision: str = Field(examples=["approve"])
    comment: str = Field(examples=["Seen and agreed."])
    reviewer: str = Field(description="User id; never the author.", examples=[USER_ID])
    created_at: str = Field(examples=[TIME])
    record_base64: str = Field(examples=["eyJjb21tZW50Ijoi..."])
    seal_base64: str | None = Field(examples=[None])


class EntryVersionShown(Shown):
    """One version of an entry: its record, and where it stands."""

    entry: str = Field(examples=[EVENT_ID])
    thread: str = Field(examples=[EVENT_ID])
    number: int = Field(examples=[1])
    kind: Literal["link", "state", "panel", "assessment"]
    sha256: str = Field(description="Of the record's canonical bytes.", examples=[SHA256])
    review: str = Field(
        description="`proposed`, `approved`, `rejected`, `disputed` or `withdrawn`.", examples=["proposed"]
    )
    basis_changed: bool | None = Field(
        description="Of an assessment: what it rests on has changed, also since an approval. Null of others.",
        examples=[None],
    )
    newest: bool = Field(examples=[True])
    record: dict[str, JsonValue] = Field(description="See schemas/json/v1.", examples=[{"type": "element link"}])
    reviews: list[EntryReviewShown] = Field(examples=[[]])


class EntryShown(Shown):
    """An entry in all its versions, oldest first; none is ever deleted."""

    thread: str = Field(examples=[EVENT_ID])
    versions: list[EntryVersionShown]


class MatrixShown(Shown):
    """The element matrix of an incident: see docs/assessment.md. No parameter leaves out a direction."""

    model_config = ConfigDict(frozen=True, extra="allow")

    wording: str = Field(examples=["may bear on"])
    status: str = Field(examples=["draft until a qualified lawyer has signed it off"])
    incident: dict[str, JsonValue] = Field(examples=[{"ref": "INC-1"}])
    provisions: list[dict[str, JsonValue]] = Field(examples=[[]])
    contradicting_elsewhere: list[dict[str, JsonValue]] = Field(examples=[[]])
    statements: list[dict[str, JsonValue]] = Field(examples=[[]])
