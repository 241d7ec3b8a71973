"""The deposit receipt: what the archive states, under its seal, on taking a file in, version 1."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ArchiveNames(BaseModel):
    """Who keeps the archive: its UUID, the organisation, the origin line of its custody log."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    org: str
    log: str


class DepositReceipt(BaseModel):
    """The statement; the seal is a detached CAdES signature over exactly its canonical bytes.

    Attributes:
        item: UUID; likewise `case`.
        original_name: as received, made printable.
        crc32: unsigned; `size` is in bytes.
        received_at: RFC 3339 UTC, the archive's own clock.
        event_id: the "ingestion" event; `event_sha256` is the SHA-256 of its canonical bytes.
        leaf_index: where that event stands in the log, from 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    v: Literal[1] = 1
    type: Literal["deposit receipt"] = "deposit receipt"
    archive: ArchiveNames
    item: str
    case: str
    original_name: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    sha512: str = Field(pattern=r"^[0-9a-f]{128}$")
    crc32: int = Field(ge=0, le=0xFFFFFFFF)
    size: int = Field(ge=1)
    received_at: str
    event_id: str
    event_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    leaf_index: int = Field(ge=0)
