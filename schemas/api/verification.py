"""Verification records, their sign-off, and where an item or incident stands."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from schemas.api.base import CASE_ID, ITEM_ID, SHA256, TIME, Cursor, Sent, Shown
from schemas.records.v1.incident import MAX_REASON, EntryKind
from schemas.records.v1.link import Person
from schemas.records.v1.verification import MAX_COMMENT, Subject, Verdict, VerificationKind

VERIFICATION_ID = "5a0d7c62-8f8e-4f0b-9e0b-2b1f0b9d0010"
ENTRY_ID = "5a0d7c62-8f8e-4f0b-9e0b-2b1f0b9d0011"
BODY: dict[str, JsonValue] = {
    "about": {"kind": "item", "ref": ITEM_ID},
    "position": {"lat": "46.635", "lon": "32.617", "precision": "building", "uncertainty_m": 25},
    "method": "landmarks",
    "landmarks": [
        {"feature": "water tower", "segment": "12.5@310,40,60,200", "map_reference": "tower north of the crossing"}
    ],
    "imagery": [{"source": "satellite picture of the city", "date": "2025-06-30"}],
    "sun": [{"lat": "46.635", "lon": "32.617", "at": "2025-07-06T06:30:00Z", "observed_shadow_direction": "270"}],
    "reasoning": "The tower, the wall and the crossing stand in this order only here.",
}
State = Literal["proposed", "approved", "rejected", "disputed"]
_STATEMENT: dict[str, JsonValue] = {
    "speaker": "Ministry A",
    "kind": "denial",
    "text": "Only military aims.",
    "language": "en",
}


class EntryCreate(Sent):
    """Enter a statement, an aggregate, an organisation or an observation."""

    kind: EntryKind = Field(examples=["statement"])
    ref: str = Field(max_length=200, description="Its id for people; an organisation's is its name.", examples=["ST-1"])
    body: dict[str, JsonValue] = Field(description="See docs/incidents.md.", examples=[_STATEMENT])


class EntryRevise(Sent):
    """State an entry anew."""

    body: dict[str, JsonValue] = Field(description="The whole new body.", examples=[_STATEMENT])
    reason: str = Field(max_length=MAX_REASON, examples=["The recording gives the wording."])
    version: int = Field(ge=1, description="The version that you had before you.", examples=[1])


class EntryShown(Shown):
    """An entry in one version. Personal data are hidden unless `personal=true` asks for them: it is recorded."""

    id: str = Field(examples=[ENTRY_ID])
    kind: EntryKind = Field(examples=["statement"])
    ref: str = Field(examples=["ST-1"])
    case: str = Field(examples=[CASE_ID])
    version: int = Field(examples=[1])
    sha256: str = Field(description="Of the version's record.", examples=[SHA256])
    body: dict[str, JsonValue] = Field(examples=[_STATEMENT])
    standing: dict[str, JsonValue]
    reason: str | None = Field(examples=[None])
    author: Person
    created_at: str = Field(description="Of this version.", examples=[TIME])


class EntryList(Shown):
    """Entries by case, in the order in which they were entered."""

    entries: list[EntryShown]
    cursor: Cursor


class VerificationCreate(Sent):
    """Enter a record; it is proposed until a second person signs it off."""

    kind: VerificationKind = Field(examples=["geolocation"])
    ref: str | None = Field(default=None, max_length=200, description="Its id for people.", examples=["GEO-1"])
    body: dict[str, JsonValue] = Field(description="See docs/verification.md.", examples=[BODY])


class VerificationRevise(Sent):
    """State a record anew: it begins as proposed again."""

    body: dict[str, JsonValue] = Field(description="The whole new body.", examples=[BODY])
    reason: str = Field(max_length=MAX_REASON, examples=["A better satellite picture."])
    version: int = Field(ge=1, description="The version that you had before you.", examples=[1])


class Decide(Sent):
    """What you say of a record that somebody else made."""

    decision: Verdict = Field(examples=["approve"])
    comment: str = Field(default="", max_length=MAX_COMMENT, description="Only an approval may go without.")
    version: int = Field(ge=1, description="The version that you had before you.", examples=[1])


class DecideOne(Decide):
    """A decision in a list of them."""

    verification: str = Field(max_length=200, examples=[VERIFICATION_ID])


class DecideMany(Sent):
    """Decisions on records of others: all of them are made, or none."""

    reviews: list[DecideOne] = Field(min_length=1, max_length=200)


class VerificationImport(Sent):
    """Records of a file, as exports hold them. Nothing is signed off by an import."""

    verifications: list[dict[str, JsonValue]] = Field(
        max_length=1_000, examples=[[{"kind": "geolocation", "ref": "GEO-1", "body": BODY}]]
    )


class SignOff(Shown):
    """What one person says of one version; `stands` is false for what he replaced, and for earlier versions."""

    review: str = Field(examples=[VERIFICATION_ID])
    version: int = Field(examples=[1])
    version_sha256: str = Field(examples=[SHA256])
    decision: Verdict
    comment: str = Field(examples=["I found the same place from the same pictures."])
    reviewer: Person
    created_at: str = Field(examples=[TIME])
    stands: bool = Field(examples=[True])


class VerificationVersionShown(Shown):
    """One version of a record."""

    version: int = Field(examples=[1])
    sha256: str = Field(description="Of the version's record.", examples=[SHA256])
    body: dict[str, JsonValue] = Field(examples=[BODY])
    computed: dict[str, JsonValue] = Field(description="What the archive worked out from the body.")
    elsewhere: JsonValue = Field(description="What an imported file said of it; it counts for nothing here.")
    reason: str | None = Field(examples=[None])
    author: Person
    created_at: str = Field(examples=[TIME])


class VerificationSummary(VerificationVersionShown):
    """A record in its newest version. Personal data are hidden unless `personal=true` asks for them: it is recorded."""

    id: str = Field(examples=[VERIFICATION_ID])
    ref: str = Field(examples=["GEO-1"])
    kind: VerificationKind
    case: str = Field(examples=[CASE_ID])
    subjects: list[Subject]
    state: State
    reviews: list[SignOff]


class VerificationShown(VerificationSummary):
    """As summarised, with the positions of the sun computed again today."""

    sun_again: list[dict[str, JsonValue]]


class VerificationList(Shown):
    """Records by case, in the order in which they were entered."""

    verifications: list[VerificationSummary]
    cursor: Cursor


class StepShown(Shown):
    """One step of the ladder."""

    step: str = Field(examples=["located"])
    reached: bool
    at: str | None = Field(examples=[TIME])
    records: list[dict[str, JsonValue]]
    why_not: str | None = Field(examples=[None])
    dissent: list[dict[str, JsonValue]]


class StatusShown(Shown):
    """Where an item or incident stands, computed from signed-off records, and how it came there."""

    kind: Literal["item", "incident"]
    id: str = Field(examples=[ITEM_ID])
    level: str = Field(examples=["located"])
    steps: list[StepShown]
    history: list[dict[str, JsonValue]]
    records: list[dict[str, JsonValue]]


class ConflictShown(Shown):
    """A fact on which sources differ. No value is held unless a signed-off decision holds it."""

    fact: str = Field(examples=["killed"])
    strike: int | None = Field(examples=[None])
    target: str | None = Field(examples=[None])
    values: list[dict[str, JsonValue]]
    decided: bool
    held: JsonValue = Field(examples=[None])
    why_not: str | None = Field(examples=["nobody has decided"])
    decisions: list[dict[str, JsonValue]]


class ConflictList(Shown):
    """What sources differ on."""

    conflicts: list[ConflictShown]
