"""Users and their tokens."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from schemas.api.base import EVENT_ID, TIME, USER_ID, Cursor, Sent, Shown


class UserCreate(Sent):
    """Add a user."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"examples": [{"name": "ana", "role": "investigator", "display_name": "Ana"}]},
    )

    name: str = Field(max_length=200, description="1 to 64 of a-z, 0-9, dot, dash, underscore; unique.")
    role: str = Field(max_length=50, description="`investigator`, `legal`, `auditor` or `admin`.")
    display_name: str = Field(default="", max_length=1_000)


class UserShown(Shown):
    """A person with one role."""

    id: str = Field(examples=[USER_ID])
    name: str = Field(examples=["ana"])
    display_name: str = Field(examples=["Ana"])
    role: str = Field(examples=["investigator"])
    created_at: str = Field(examples=[TIME])
    disabled_at: str | None = None


class UserList(Shown):
    """All users, oldest first."""

    users: list[UserShown]
    cursor: Cursor


class Me(Shown):
    """Who the token speaks for."""

    id: str = Field(examples=[USER_ID])
    name: str = Field(examples=["ana"])
    role: str = Field(examples=["investigator"])
    archive: dict[str, str] = Field(examples=[{"id": "...", "org": "Example Org", "log": "catena/..."}])


class QuotaDecide(Sent):
    """Decide how much a user may deposit."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"examples": [{"max_bytes": 1_099_511_627_776}]}
    )

    max_bytes: int | None = Field(strict=True, description="Bytes; null for no limit.")


class QuotaShown(Shown):
    """How much a user has deposited, and may."""

    items: int = Field(description="Deposits.", examples=[12])
    bytes: int = Field(description="Their size.", examples=[48_000_000])
    promised: int = Field(description="Size of the uploads that are not items yet; it counts too.", examples=[0])
    max_bytes: int | None = Field(description="How much may be deposited; null for no limit.", examples=[None])
    decided: bool = Field(description="Whether an admin decided so; else it is the archive's default.")


class TokenCreate(Sent):
    """Make a token for a user."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"examples": [{"user": "ana", "label": "laptop", "days": 30}]}
    )

    user: str = Field(max_length=200, description="User name.")
    label: str = Field(default="", max_length=1_000)
    days: int | None = Field(default=None, description="1 to 3650; the archive's default when left out.")


class TokenShown(Shown):
    """A token without its secret, which the archive does not know."""

    id: str = Field(examples=[EVENT_ID])
    user_id: str = Field(examples=[USER_ID])
    label: str = Field(examples=["laptop"])
    created_at: str = Field(examples=[TIME])
    expires_at: str = Field(examples=[TIME])
    revoked_at: str | None = None


class TokenMade(TokenShown):
    """A new token; `token` is shown this once."""

    token: str = Field(description="Keep it safe: it is stored nowhere.", examples=["catena_9a4f..._3b1c..."])


class TokenList(Shown):
    """Tokens, oldest first."""

    tokens: list[TokenShown]
    cursor: Cursor
