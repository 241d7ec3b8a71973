"""Cases and their members."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from schemas.api.base import CASE_ID, TIME, USER_ID, Cursor, Sent, Shown


class CaseCreate(Sent):
    """Open a case."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"examples": [{"ref": "T1", "title": "Strike on the ring road"}]}
    )

    ref: str = Field(max_length=200, description="1 to 64 letters, digits, dots, dashes or underscores; unique.")
    title: str = Field(default="", max_length=2_000, description="At most 300 characters; the reference when left out.")


class CaseShown(Shown):
    """A case: the unit of access."""

    id: str = Field(examples=[CASE_ID])
    ref: str = Field(examples=["T1"])
    title: str = Field(examples=["Strike on the ring road"])
    created_at: str = Field(examples=[TIME])
    created_by: str = Field(description="User id.", examples=[USER_ID])


class CaseList(Shown):
    """Cases, oldest first."""

    cases: list[CaseShown]
    cursor: Cursor


class MemberAdd(Sent):
    """Let a user into a case."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra={"examples": [{"user": "ana"}]})

    user: str = Field(max_length=200, description="User name.")


class MemberShown(Shown):
    """A membership in force."""

    case: str = Field(examples=[CASE_ID])
    user: str = Field(description="User name.", examples=["ana"])
    user_id: str = Field(examples=[USER_ID])
    added_at: str = Field(examples=[TIME])
