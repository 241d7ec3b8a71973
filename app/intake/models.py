"""Tables of intake. Uploads and usage are operational state; a quota is a decision, and bound to the log."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Text
from sqlmodel import Field, SQLModel

from app.custody.rows import SaltedRow, register


class Upload(SQLModel, table=True):
    """A resumable upload (tus 1.0) on its way to becoming an item.

    `committed` bytes are on disk, synced; whatever the file holds beyond them is not part of the upload.
    """

    __tablename__ = "upload"
    __table_args__ = (Index("ix_upload_user_state", "user_id", "state"), Index("ix_upload_expires", "expires_at"))

    id: str = Field(primary_key=True, max_length=36)
    user_id: str = Field(foreign_key="app_user.id", max_length=36)
    case_id: str = Field(foreign_key="evidence_case.id", max_length=36)
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    committed: int = Field(sa_column=Column(BigInteger, nullable=False))
    original_name: str = Field(max_length=1024)
    source: str = Field(sa_column=Column(Text, nullable=False))
    metadata_header: str = Field(sa_column=Column(Text, nullable=False))
    digests: str = Field(sa_column=Column(Text, nullable=False))
    deposit_key: str | None = Field(default=None, max_length=100)
    state: str = Field(max_length=10)
    item_id: str | None = Field(default=None, max_length=36)
    failure_code: str | None = Field(default=None, max_length=60)
    created_at: str = Field(max_length=27)
    updated_at: str = Field(max_length=27)
    expires_at: str = Field(max_length=27)


class UserUsage(SQLModel, table=True):
    """How much each user has deposited; kept beside the items so that a quota costs one row to ask."""

    __tablename__ = "user_usage"

    user_id: str = Field(primary_key=True, foreign_key="app_user.id", max_length=36)
    items: int
    bytes: int = Field(sa_column=Column("bytes", BigInteger, nullable=False))


class Quota(SaltedRow, table=True):
    """The decision on how much a user may deposit, null for no limit; the log keeps those that it replaced."""

    __tablename__ = "quota"

    id: str = Field(primary_key=True, max_length=36)
    user_id: str = Field(foreign_key="app_user.id", index=True, unique=True, max_length=36)
    max_bytes: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    created_at: str = Field(max_length=27)
    created_by: str = Field(max_length=36)


register(Quota, "user_id", "max_bytes", "created_at", "created_by")
