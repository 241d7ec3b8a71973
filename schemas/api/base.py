"""What every request and response body shares."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

ITEM_ID = "5f1d7c1e-6c0f-4a53-9b0e-0f5cf1f6a001"
CASE_ID = "0b0f2f6e-3f0f-4b39-8f4d-9ad3b1f7c002"
EVENT_ID = "9a4f2a4e-53a8-4a0c-8c1d-3d2f6be2d003"
USER_ID = "c1d8cbb0-7f4e-4d7a-a7d5-1f4e6f1ab004"
TIME = "2026-11-22T10:31:00.123456Z"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
SHA512 = (
    "ee26b0dd4af7e749aa1a8ee3c10ae9923f618980772e473f8819a5d4940e0db2"
    "7ac185f8a0e1d5f84f88bc887fd67b143732c304cc5fa9ad8e6f57f50028a8ff"
)

Cursor = Annotated[
    str | None, Field(description="Pass it as `cursor` to get the next page; null at the end.", examples=[None])
]


class Sent(BaseModel):
    """A request body: unknown fields are refused, so that a misspelt one is not silently lost."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Shown(BaseModel):
    """A response body."""

    model_config = ConfigDict(frozen=True)
