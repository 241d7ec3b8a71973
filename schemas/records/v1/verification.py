"""Where, when and how well: what one person worked out and a second one signed off, version 1.

A record says what was done so that a stranger can repeat it. What the archive computed from it (`computed`) stands
beside what was given (`body`). Nothing here says that a rule was broken.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from schemas.records.v1.incident import MAX_REASON
from schemas.records.v1.link import Person

MAX_COMMENT = 8_000

VerificationKind = Literal[
    "geolocation", "chronolocation", "corroboration", "translation", "attribution", "decision", "status"
]
Verdict = Literal["approve", "reject", "dissent"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Subject(_Record):
    """What a record is about: an item, or an entry (incident, statement, observation, ...), by its UUID."""

    kind: str = Field(max_length=20)
    id: str = Field(max_length=36)


class VerificationRecord(_Record):
    """One version; its canonical bytes are named by an event of `verification:UUID` (`outputs`, role "verification").

    Attributes:
        verification: UUID, the same in every version; `case` is the UUID of its case.
        ref: the id that people use, unique in the case.
        number: 1, then without gaps. Reviews are of one version and do not pass on to the next.
        subjects: what it is about; the same in every version.
        body: what was given, whole. No floats: decimals are text.
        computed: what the archive worked out from the body: positions of the sun, digests of the items, values that
            stood side by side.
        elsewhere: what a file said of it that was imported: its author and reviews there. It gives nobody a say here;
            who is named there as an author does not review it.
        reason: why it was changed; null for version 1.
        supersedes: SHA-256 of the canonical bytes of the version before; null for version 1.
        created_at: RFC 3339 UTC, the archive's own clock.
    """

    v: Literal[1] = 1
    type: Literal["verification"] = "verification"
    verification: str
    case: str
    kind: VerificationKind
    ref: str
    number: int = Field(ge=1)
    subjects: tuple[Subject, ...]
    body: dict[str, JsonValue]
    computed: dict[str, JsonValue]
    elsewhere: JsonValue = None
    reason: str | None = Field(max_length=MAX_REASON)
    supersedes: str | None
    author: Person
    created_at: str


class VerificationReviewRecord(_Record):
    """What a second person says of one version; named by a "review" event (role "verification review").

    Attributes:
        review: UUID.
        version: number of the version that the reviewer had before him; `version_sha256` of its canonical bytes.
        number: 1 for the record's first review, then without gaps over all versions.
        decision: approve, reject, or dissent: somebody disagrees, and that stays to be seen.
        comment: the reasons; only an approval may go without.
        supersedes: UUID of the same person's earlier review of this version, which no longer stands; else null.
        reviewer: never one who wrote any version of the record.
    """

    v: Literal[1] = 1
    type: Literal["verification review"] = "verification review"
    review: str
    verification: str
    version: int = Field(ge=1)
    version_sha256: str
    number: int = Field(ge=1)
    decision: Verdict
    comment: str = Field(max_length=MAX_COMMENT)
    supersedes: str | None
    reviewer: Person
    created_at: str
