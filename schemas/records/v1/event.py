"""The custody event: one leaf of the log, in the terms of PREMIS 3 where it has a word.

Its RFC 8785 canonical bytes are authoritative; database columns are projections of them. The
log's entry is SHA-256 of these bytes: published entries disclose nothing, because 32 random
bytes of salt stand in every event.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

MAX_EVENT_BYTES = 65_535

EventType = Literal[
    "archive creation",
    "access",
    "access denied",
    "access granted",
    "access revoked",
    "accession",
    "annotation",
    "case creation",
    "catalogue change",
    "comparison",
    "digital signature generation",
    "dissemination",
    "evidence renewal",
    "fingerprint calculation",
    "fixity check",
    "ingestion",
    "key change",
    "link",
    "log recovery",
    "message digest calculation",
    "metadata extraction",
    "metadata modification",
    "migration",
    "redaction",
    "review",
    "time authority change",
    "token creation",
    "token revocation",
    "user change",
    "user creation",
    "witness contradiction",
    "witness policy change",
    "work given up",
    "work resumed",
]


_OUTPUTS: dict[str, JsonValue] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "role": {"type": "string"},
            "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "sha512": {"type": "string", "pattern": "^[0-9a-f]{128}$"},
            "size": {"type": "integer", "minimum": 0},
        },
        "required": ["role", "sha256", "size"],
    },
}
"""For the published schema: what was recorded before version 0.2 has no `sha512`, and stays as it is."""


class Actor(BaseModel):
    """Who did it.

    Attributes:
        id: user id, or `system`.
        name: the name at that time.
        auth: how the archive knew: `token`, `local operator` or `system`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(max_length=64)
    name: str = Field(max_length=200)
    auth: Literal["token", "local operator", "system", "none"]


class CustodyEvent(BaseModel):
    """One event; `prev` chains the events of one object.

    Attributes:
        log: origin of the log it belongs to.
        object: what it is about, `kind:id`.
        object_seq: 0 for an object's first event, then without gaps.
        prev: SHA-256 of the canonical bytes of this object's previous event.
        time: RFC 3339 UTC, the archive's own clock.
        sha256: of the file the event is about, lowercase hex; likewise sha512 and size (bytes).
        details: what this type of event tells; `outputs` names each file that was made, by SHA-256, since version 0.2
            by SHA-512 as well, so that evidence records over the event (RFC 4998, SHA-512) bind the file.
        salt: 32 random bytes, hex.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    v: Literal[1] = 1
    log: str
    event_id: str
    object: str = Field(max_length=100)
    object_seq: int = Field(ge=0)
    prev: str | None
    type: EventType
    actor: Actor
    time: str
    sha256: str | None
    sha512: str | None
    size: int | None
    details: dict[str, JsonValue] = Field(json_schema_extra={"properties": {"outputs": _OUTPUTS}})
    salt: str = Field(min_length=64, max_length=64)
