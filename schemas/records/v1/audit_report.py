"""The audit report: what an audit checked, when, and what it found, version 1."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.records.v1.receipt import ArchiveNames


class Head(BaseModel):
    """A state of the custody log: number of entries and RFC 6962 root (hex)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = Field(ge=0)
    root: str = Field(pattern=r"^[0-9a-f]{64}$")


class Auditor(BaseModel):
    """Who had the archive checked; `id` is a user id, `local` or `system`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str


class Part(BaseModel):
    """Files that one run of the audit hashed; an audit that was interrupted has several.

    Attributes:
        size: of the log when the list of files was made.
        files: how many were hashed; `bytes` their size.
        until: RFC 3339 UTC, when the last one was hashed; empty when there was none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = Field(ge=0)
    files: int = Field(ge=0)
    bytes: int = Field(ge=0)
    until: str


class Finding(BaseModel):
    """One thing that was found; the codes are explained in findings.json of the verifier."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    severity: Literal["error", "warning", "info"]
    subject: str
    detail: str


class Claim(BaseModel):
    """One sentence on what the audit shows or does not show."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str


class AuditReport(BaseModel):
    """The report; its seal is a detached CAdES signature over exactly its canonical bytes.

    Attributes:
        audit: UUID.
        started_at: RFC 3339 UTC, the archive's own clock; likewise `finished_at`.
        ok: no finding of severity error.
        sample: how many stored files were hashed, chosen at random; null for all.
        digests: what was computed of each of them.
        as_of: the state of the log that was checked; null when events are missing, so that it has no root.
        checkpoint: the state that the log was compared with, when the auditor brought a checkpoint.
        resumed: True when it was interrupted, so that it rests on what the database kept of earlier `parts`.
        parts: which files were hashed when, the last run last.
        checked: how many of each kind were checked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    v: Literal[1] = 1
    type: Literal["audit report"] = "audit report"
    archive: ArchiveNames
    audit: str
    auditor: Auditor
    started_at: str
    finished_at: str
    ok: bool
    sample: int | None = Field(ge=1)
    digests: list[str]
    as_of: Head | None
    checkpoint: Head | None
    resumed: bool
    parts: list[Part]
    checked: dict[str, int]
    findings: list[Finding]
    claims: list[Claim]
