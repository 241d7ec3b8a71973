"""Inclusion rules, and frozen releases of what they count, version 1.

A release is a snapshot with a name: the rule, every incident that was looked at in the version that it then had, what
the rule made of each, and the numbers. Whoever holds the versions can count again and must get these very bytes. It
counts what records say; it does not say that a rule of law was broken.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from schemas.records.v1.link import Person
from schemas.records.v1.receipt import ArchiveNames

_SHA256 = r"^[0-9a-f]{64}$"
Unit = Literal["incident", "strike"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PatternRuleRecord(_Record):
    """One version of an inclusion rule; its canonical bytes are named by an event of `pattern:RULE` (role "rule").

    Attributes:
        ref: the name that people use, unique in the case; `number` is 1, then without gaps.
        body: the rule; see docs/patterns.md. No floats.
        reason: why it was changed; null for version 1.
    """

    v: Literal[1] = 1
    type: Literal["pattern rule"] = "pattern rule"
    rule: str
    case: str
    ref: str
    number: int = Field(ge=1)
    body: dict[str, JsonValue]
    reason: str | None
    author: Person
    created_at: str


class CitedRule(_Record):
    """A rule in one version, whole: a release needs nothing else to be counted again."""

    ref: str
    number: int = Field(ge=1)
    sha256: str = Field(pattern=_SHA256, description="Of the record of this version.")
    body: dict[str, JsonValue]


class CitedEntry(_Record):
    """An entry in one version, by the SHA-256 of its record."""

    entry: str
    ref: str
    number: int = Field(ge=1)
    sha256: str = Field(pattern=_SHA256)


class Member(CitedEntry):
    """An incident that was looked at.

    Attributes:
        claims: SHA-256 of the records of all claims about it that stood, in the order of their entry.
        verdict: what the rule made of it; of an incident with several strikes that are counted each, the best.
        counted: how many units of it are counted.
    """

    claims: tuple[str, ...]
    verdict: Literal["included", "unknown", "excluded"]
    counted: int = Field(ge=0)


class CountingProgram(_Record):
    """The program that counted."""

    name: Literal["catena"] = "catena"
    version: str = Field(min_length=1, max_length=64)


class FrozenReleaseRecord(_Record):
    """The statement of a release; the seal is a detached CAdES signature over exactly its canonical bytes.

    Attributes:
        release: UUID; `case` is the UUID of its case; `ref` the name that people use, unique in the case.
        method: version number of the way of counting; what a number once meant is never changed.
        program: the program that counted; releases made before it was named lack the member.
        members: every incident of the case, by ref: included, unknown and excluded ones.
        numbers: what is counted; see docs/patterns.md.
        aggregates: counts that others published, beside it; never merged with these numbers.
    """

    v: Literal[1] = 1
    type: Literal["frozen release"] = "frozen release"
    archive: ArchiveNames
    release: str
    case: str
    ref: str
    title: str
    wording: Literal["counts what records say under the rule; no finding of fact or law"] = (
        "counts what records say under the rule; no finding of fact or law"
    )
    method: int = Field(default=1, ge=1)
    program: CountingProgram | None = None
    rule: CitedRule
    members: tuple[Member, ...]
    numbers: dict[str, JsonValue]
    aggregates: tuple[CitedEntry, ...]
    author: Person
    created_at: str
