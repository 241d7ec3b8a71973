"""Incidents, claims about them, and what they may bear on."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, JsonValue

from schemas.api.base import CASE_ID, SHA256, TIME, USER_ID, Cursor, Sent, Shown
from schemas.records.v1.incident import MAX_CLAIM, MAX_REASON, RestsOn

INCIDENT_ID = "7d0c7f5e-1b0a-4d0e-9a55-3c1f0b9d0009"
_BODY: dict[str, JsonValue] = {
    "title": "Petrol station, then fire engine",
    "date": {
        "value": "2025-07-06",
        "precision": "exact_day",
        "year_in_text": False,
        "year_basis": "the article's month",
    },
    "sequence": [{"n": 1, "target": "petrol station"}, {"n": 2, "target": "fire engine that came to strike 1"}],
    "casualties": {"killed": 0, "injured": 0, "basis": "article: none reported"},
}


class IncidentCreate(Sent):
    """Enter an incident."""

    ref: str = Field(max_length=200, description="Its id for people, unique in the case.", examples=["INC-1"])
    body: dict[str, JsonValue] = Field(description="See docs/incidents.md.", examples=[_BODY])


class IncidentRevise(Sent):
    """State an incident anew."""

    body: dict[str, JsonValue] = Field(description="The whole new body.", examples=[_BODY])
    reason: str = Field(max_length=MAX_REASON, examples=["The rescue service's report gives the vehicle."])
    version: int = Field(ge=1, description="The version that you had before you.", examples=[1])


class ClaimCreate(Sent):
    """Who says what of an incident, or what is seen in an item."""

    ref: str | None = Field(default=None, max_length=200, examples=["CL-1"])
    kind: Literal["claim", "observation"] = "claim"
    speaker: str = Field(max_length=300, examples=["Emergency service, press release"])
    text: str = Field(max_length=MAX_CLAIM, examples=["Nobody of the crew was hurt."])
    language: str | None = Field(default=None, max_length=100, examples=["uk"])
    conditional: bool = Field(default=False, description="Said under a condition: no fact is taken from it.")
    fact: str | None = Field(default=None, max_length=100, examples=["injured"])
    value: JsonValue = Field(default=None, examples=[0])
    strike: int | None = Field(default=None, ge=1, le=1_000, description="Said of this strike alone.", examples=[2])
    target: str | None = Field(
        default=None, max_length=100, description="Said of this target alone: its id in the record.", examples=["T-1"]
    )
    rests_on: list[RestsOn] = Field(default=[], max_length=100)
    supersedes: str | None = Field(default=None, max_length=36, description="An earlier claim of your own.")


class UnresolvedShown(Shown):
    """What an entry says that is taken as unknown here: an id that leads nowhere, a date in words."""

    code: str = Field(examples=["unknown_statement"])
    entry: str = Field(examples=["incident:INC-1"])
    detail: str = Field(examples=["statements names 'ST-9', which is not in the case"])


class ClaimShown(Shown):
    """A claim; `stands` is false when its author replaced it."""

    claim: str = Field(examples=[INCIDENT_ID])
    ref: str = Field(examples=["CL-1"])
    kind: str = Field(examples=["claim"])
    speaker: str = Field(examples=["Emergency service, press release"])
    text: str = Field(examples=["Nobody of the crew was hurt."])
    language: str | None = Field(examples=["uk"])
    conditional: bool = Field(examples=[False])
    fact: str | None = Field(examples=["injured"])
    value: JsonValue = Field(examples=[0])
    strike: int | None = Field(examples=[2])
    target: str | None = Field(examples=["T-1"])
    rests_on: list[RestsOn]
    supersedes: str | None = Field(examples=[None])
    author: str = Field(examples=[USER_ID])
    created_at: str = Field(examples=[TIME])
    stands: bool = Field(examples=[True])


class IncidentSummary(Shown):
    """An incident as lists show it."""

    id: str = Field(examples=[INCIDENT_ID])
    ref: str = Field(examples=["INC-1"])
    case: str = Field(examples=[CASE_ID])
    version: int = Field(examples=[1])
    sha256: str = Field(description="Of the version's record.", examples=[SHA256])
    title: str = Field(examples=["Petrol station, then fire engine"])
    date: dict[str, JsonValue] = Field(description="An interval of days with its precision; `year` may be inferred.")
    strikes: int = Field(examples=[2])
    created_at: str = Field(examples=[TIME])


class IncidentShown(IncidentSummary):
    """An incident in one version. Names of persons are hidden unless `personal=true` asks for them: it is recorded."""

    body: dict[str, JsonValue]
    standing: dict[str, JsonValue]
    reason: str | None = Field(examples=[None])
    author: str = Field(examples=[USER_ID])
    claims: list[ClaimShown]
    warnings: list[UnresolvedShown] = Field(default=[], description="As of now; of an earlier version, none.")


class IncidentList(Shown):
    """Incidents by case, in the order in which they were entered."""

    incidents: list[IncidentSummary]
    cursor: Cursor


class ImportShown(Shown):
    """What came of an import, as `kind:ref`; what differs was left alone unless a reason was given.

    What `warnings` names was taken in all the same.
    """

    created: list[str]
    revised: list[str]
    unchanged: list[str]
    differs: list[str]
    warnings: list[UnresolvedShown]


class StrikeShown(Shown):
    """One strike of an incident."""

    incident: str = Field(examples=["INC-1"])
    strike: int = Field(examples=[2])


class GapShown(Shown):
    """The least and the greatest value that uncertainty allows, as decimal text; null without an upper bound."""

    least: str = Field(examples=["12.0"])
    greatest: str | None = Field(examples=["20.0"])


class PairShown(Shown):
    """Two strikes compared; `order` is what the times alone show: `reversed` when the second came first."""

    strikes: list[StrikeShown]
    verdict: Literal["certain", "possible"]
    minutes: GapShown
    metres: GapShown
    order: Literal["shown", "open", "reversed"]
    needs: list[str] = Field(examples=[["evidence that responders were there at the later strike"]])


class DoubleTaps(Shown):
    """Pairs within the limits; excluded ones are left out. `more` says that not all are shown."""

    pairs: list[PairShown]
    more: bool = Field(examples=[False])


FILE_EXAMPLE: dict[str, JsonValue] = {
    "incidents": [{"id": "INC-1", **_BODY}],
    "statements": [{"id": "ST-1", "speaker": "Ministry A", "summary": "Only military aims.", "kind": "denial"}],
}


class _Open(Shown):
    """Holds more than is named here: see docs/suggestions.md."""

    model_config = ConfigDict(frozen=True, extra="allow")


class SuggestedShown(_Open):
    """A provision that the incident may bear on."""

    provision: str = Field(examples=["ap1-art62"])
    strength: Literal["lead", "candidate", "check"]
    rules: list[str] = Field(examples=[["R01"]])
    reason: str = Field(examples=["..."])


class SuppressedShown(_Open):
    """A provision that is not to be suggested, and why."""

    provision: str = Field(examples=["ap1-art15"])
    why: str = Field(examples=["Covers medical and religious staff only."])


class PossibleShown(_Open):
    """A provision that would be suggested if these facts were shown."""

    provision: str = Field(examples=["ap1-art67"])
    needs: list[str] = Field(examples=[["personnel_status"]])


class SuggestionsShown(_Open):
    """What an incident may bear on; drafts until a qualified lawyer has signed them off."""

    ref: str = Field(examples=["INC-1"])
    wording: str = Field(examples=["may bear on"])
    status: str = Field(examples=["draft until a qualified lawyer has signed it off"])
    suggest: list[SuggestedShown]
    suppressed: list[SuppressedShown]
    possible: list[PossibleShown]
    ask_lawyer: list[dict[str, JsonValue]]
    tasks: list[dict[str, JsonValue]]
    by_part: list[dict[str, JsonValue]] = Field(
        default=[], description="The same in short, of each target at each of its strikes: what is said of it alone."
    )
