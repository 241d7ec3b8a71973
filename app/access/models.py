"""Tables of access. Token secrets are never stored, only their SHA-256 (they are 256 random bits)."""

from __future__ import annotations

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from app.custody.rows import SaltedRow, register


class User(SaltedRow, table=True):
    """A person with one role."""

    __tablename__ = "app_user"

    id: str = Field(primary_key=True, max_length=36)
    name: str = Field(unique=True, max_length=64)
    display_name: str = Field(max_length=200)
    role: str = Field(max_length=20)
    created_at: str = Field(max_length=27)
    disabled_at: str | None = Field(default=None, max_length=27)


class Token(SaltedRow, table=True):
    """A bearer token of a user."""

    __tablename__ = "access_token"

    id: str = Field(primary_key=True, max_length=36)
    user_id: str = Field(foreign_key="app_user.id", index=True, max_length=36)
    secret_sha256: str = Field(max_length=64)
    label: str = Field(max_length=100)
    created_at: str = Field(max_length=27)
    expires_at: str = Field(max_length=27)
    revoked_at: str | None = Field(default=None, max_length=27)


class CaseMember(SaltedRow, table=True):
    """A user's membership of a case; ended, never deleted."""

    __tablename__ = "case_member"
    __table_args__ = (UniqueConstraint("case_id", "user_id", name="uq_case_member_case_user"),)

    id: str = Field(primary_key=True, max_length=36)
    case_id: str = Field(index=True, max_length=36)
    user_id: str = Field(foreign_key="app_user.id", index=True, max_length=36)
    added_at: str = Field(max_length=27)
    removed_at: str | None = Field(default=None, max_length=27)


register(User, "name", "display_name", "role", "created_at", "disabled_at")
register(Token, "user_id", "secret_sha256", "label", "created_at", "expires_at", "revoked_at")
register(CaseMember, "case_id", "user_id", "added_at", "removed_at")
