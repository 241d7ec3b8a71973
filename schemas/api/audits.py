"""Audits of the whole archive."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, JsonValue

from schemas.api.base import EVENT_ID, TIME, USER_ID, Cursor, Sent, Shown


class AuditCreate(Sent):
    """Ask for an audit."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"examples": [{"sample": 100}, {"all_digests": True}]}
    )

    sample: int | None = Field(
        default=None, ge=1, le=2**53 - 1, description="Re-hash only so many stored files, chosen at random."
    )
    all_digests: bool = Field(default=False, description="Compare SHA-512 and CRC-32 as well as SHA-256.")
    checkpoint: str | None = Field(
        default=None,
        max_length=1_000_000,
        description="A signed checkpoint of this log that you kept: the log must continue it.",
    )


class AuditProgress(Shown):
    """How far an audit has come."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    stage: str = Field(examples=["files"])
    done: int = Field(description="Events, rows or files of this stage.", examples=[120])
    total: int = Field(description="0 when nobody counted them.", examples=[400])
    bytes_done: int = Field(examples=[1_200_000_000])
    bytes_total: int = Field(description="0 in stages that hash nothing.", examples=[4_000_000_000])
    rate: int = Field(description="Bytes per second, or of what `done` counts.", examples=[240_000_000])
    seconds_left: int | None = Field(description="Of this stage.", examples=[12])


class AuditLine(Shown):
    """One audit in short."""

    id: str = Field(examples=[EVENT_ID])
    state: Literal["waiting", "running", "interrupted", "done", "failed"]
    requested_by: str = Field(description="User id, `local` or `system`.", examples=[USER_ID])
    started_at: str = Field(examples=[TIME])
    finished_at: str | None = Field(default=None, examples=[TIME])
    sample: int | None = Field(default=None, description="Null: all stored files.")
    ok: bool | None = Field(default=None, description="No error was found; null until it is done.")
    progress: AuditProgress | None = None
    failure: str | None = Field(default=None, description="Why it was given up.")


class AuditList(Shown):
    """Audits, newest first."""

    audits: list[AuditLine]
    cursor: Cursor


class AuditFinding(Shown):
    """One thing that the audit found."""

    model_config = ConfigDict(frozen=True, extra="allow")

    code: str = Field(examples=["blob_altered"])
    severity: str = Field(examples=["error"])
    subject: str = Field(examples=["blob:9f86d0..."])
    detail: str = Field(examples=["the stored bytes do not have the recorded SHA-256"])


class AuditShown(Shown):
    """An audit: how far it has come, or what it checked and found, in the words of `catena audit --json`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    id: str = Field(examples=[EVENT_ID])
    state: Literal["waiting", "running", "interrupted", "done", "failed"]
    started_at: str = Field(examples=[TIME])
    finished_at: str | None = Field(default=None, examples=[TIME])
    progress: AuditProgress | None = None
    failure: str | None = Field(default=None, description="Why it was given up.")
    ok: bool | None = Field(default=None, description="Null until it is done.")
    signed: bool | None = Field(default=None, description="Whether the report has the archive's seal.")
    resumed: bool | None = Field(default=None, description="It was interrupted, and rests on what earlier runs hashed.")
    checked: dict[str, JsonValue] = Field(default={}, examples=[{"blobs hashed": 12, "events": 57}])
    findings: list[AuditFinding] = Field(default=[], examples=[[]])
    claims: list[JsonValue] = Field(default=[], examples=[[]])
