"""Deposit receipts."""

from __future__ import annotations

from pydantic import Field, JsonValue

from schemas.api.base import EVENT_ID, SHA256, TIME, Shown
from schemas.api.timestamps import Stamp


class LogPosition(Shown):
    """Where the event of a deposit stands in the custody log."""

    log: str = Field(description="Origin of the log.", examples=["catena/0b0f2f6e-3f0f-4b39-8f4d-9ad3b1f7c002"])
    leaf_index: int = Field(description="Zero-based.", examples=[41])
    event_id: str = Field(examples=[EVENT_ID])
    event_sha256: str = Field(description="The log's entry, hex.", examples=[SHA256])


class ReceiptShown(Shown):
    """A deposit receipt: statement, signature and place in the log."""

    statement: dict[str, JsonValue] = Field(
        description="What is signed, as JSON; the exact signed bytes are its RFC 8785 form and `statement_base64`.",
        examples=[{"v": 1, "type": "deposit receipt", "sha256": SHA256}],
    )
    statement_base64: str = Field(description="The exact signed bytes.", examples=["eyJhcmNoaXZlIjp7Li4ufX0="])
    p7s_base64: str = Field(
        description="Detached CAdES signature, DER: level B-T with the time stamps that are there.",
        examples=["MIIG..."],
    )
    position: LogPosition
    created_at: str = Field(examples=[TIME])
    timestamps: list[Stamp] = Field(description="Of the signature. Empty: no authority was asked.", examples=[[]])
