"""Entries of a case's dossier, and claims about its incidents, version 1.

An entry is an incident, or what belongs to incidents: a statement, an aggregate, an organisation, a source, a tension
between sources, a reading (a set of facts that somebody assumes). What was given stands in `body` as it was given; what
the archive makes of it by fixed rules stands beside it in `standing`. Nothing here says that a rule was broken.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from schemas.records.v1.link import Person

MAX_CLAIM = 8_000
MAX_REASON = 2_000

EntryKind = Literal[
    "incident", "statement", "aggregate", "organisation", "observation", "source", "tension", "reading", "other"
]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class IncidentEntryRecord(_Record):
    """One version of an entry; its canonical bytes are named by an event of `KIND:entry` (`outputs`, role "entry").

    Attributes:
        entry: UUID, the same in every version; `case` is the UUID of its case.
        ref: the id that people use, unique among the case's entries of this kind.
        number: 1, then without gaps.
        body: what was given, whole. No floats: decimals are text.
        standing: what fixed rules make of the body: dates as intervals, personal data, how to read a statement.
        reason: why it was changed; null for version 1.
        supersedes: SHA-256 of the canonical bytes of the version before; null for version 1.
        created_at: RFC 3339 UTC, the archive's own clock.
    """

    v: Literal[1] = 1
    type: Literal["incident entry"] = "incident entry"
    entry: str
    case: str
    kind: EntryKind
    ref: str
    number: int = Field(ge=1)
    body: dict[str, JsonValue]
    standing: dict[str, JsonValue]
    reason: str | None = Field(max_length=MAX_REASON)
    supersedes: str | None
    author: Person
    created_at: str


class RestsOn(_Record):
    """What a claim rests on: an item of the archive with the part that is meant, a statement, or a source elsewhere."""

    kind: Literal["item", "statement", "source"]
    ref: str = Field(min_length=1, max_length=2_000)
    segment: str | None = Field(
        default=None, max_length=200, description="Seconds (12.5-19) or a region (x,y,w,h) of the item, as text."
    )


class IncidentClaimRecord(_Record):
    """Who says what of an incident; its canonical bytes are named by an event of the incident (role "claim").

    Claims that differ stand side by side. A later one takes another's place only where its author says so of his own.

    Attributes:
        ref: the id that people use, unique in the incident.
        kind: `observation` is what is seen in an item, `claim` what somebody says.
        speaker: who says it.
        text: what is said or seen; `language` is a BCP 47 tag where it is known.
        conditional: it is said under a condition; no fact is taken from it.
        fact: a fact of the suggestion rules that it states, with its `value` (integers, text, truth values, lists).
        strike, target: of which strike (its number) and of which target (its id in the incident's record) it is said;
            null where it is said of the incident as a whole. What is said of one part holds for no other.
        supersedes: UUID of an earlier claim of the same author.
    """

    v: Literal[1] = 1
    type: Literal["incident claim"] = "incident claim"
    claim: str
    incident: str
    ref: str
    kind: Literal["claim", "observation"]
    speaker: str = Field(min_length=1, max_length=300)
    text: str = Field(min_length=1, max_length=MAX_CLAIM)
    language: str | None = Field(default=None, max_length=100)
    conditional: bool
    fact: str | None
    value: JsonValue
    strike: int | None = Field(default=None, ge=1, le=1_000)
    target: str | None = Field(default=None, min_length=1, max_length=100)
    rests_on: tuple[RestsOn, ...]
    supersedes: str | None
    author: Person
    created_at: str
