"""Audits of the whole archive."""

from __future__ import annotations

from pydantic import ConfigDict, Field, JsonValue

from schemas.api.base import EVENT_ID, Sent, Shown


class AuditCreate(Sent):
    """Run an audit."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra={"examples": [{"sample": 100}]})

    sample: int | None = Field(default=None, ge=1, description="Re-hash only so many blobs, chosen at random.")


class AuditFinding(Shown):
    """One thing that the audit found."""

    model_config = ConfigDict(frozen=True, extra="allow")

    code: str = Field(examples=["blob_altered"])
    severity: str = Field(examples=["error"])
    subject: str = Field(examples=["blob:9f86d0..."])
    detail: str = Field(examples=["the stored bytes do not have the recorded SHA-256"])


class AuditReport(Shown):
    """What an audit checked and found; the same shape as `catena audit --json`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    id: str | None = Field(default=None, examples=[EVENT_ID])
    ok: bool
    checked: dict[str, JsonValue] = Field(examples=[{"blobs": 12, "events": 57}])
    findings: list[AuditFinding] = Field(examples=[[]])
    claims: list[JsonValue] = Field(default=[], examples=[[]])
