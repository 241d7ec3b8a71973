"""Table of exports: who was given what, when and why."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Text
from sqlmodel import Field

from app.custody.rows import SaltedRow, register


class ExportRow(SaltedRow, table=True):
    """One export.

    `state` is `building`, `done` or `failed`; digest, size, number of files and tree size are there when it is done.
    `scope` is canonical JSON; `cases` and `items` are JSON arrays of UUIDs.
    """

    __tablename__ = "export"

    id: str = Field(primary_key=True, max_length=36)
    state: str = Field(index=True, max_length=10)
    scope: str = Field(sa_column=Column(Text, nullable=False))
    cases: str = Field(sa_column=Column(Text, nullable=False))
    items: str = Field(sa_column=Column(Text, nullable=False))
    purpose: str = Field(sa_column=Column(Text, nullable=False))
    requested_by: str = Field(foreign_key="app_user.id", max_length=36)
    created_at: str = Field(index=True, max_length=27)
    finished_at: str | None = Field(default=None, max_length=27)
    tree_size: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    sha256: str | None = Field(default=None, max_length=64)
    size: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    files: int | None = None
    failure_code: str | None = Field(default=None, max_length=60)
    failure_detail: str | None = Field(default=None, sa_column=Column(Text, nullable=True))


register(
    ExportRow,
    "state",
    "scope",
    "cases",
    "items",
    "purpose",
    "requested_by",
    "created_at",
    "finished_at",
    "tree_size",
    "sha256",
    "size",
    "files",
    "failure_code",
    "failure_detail",
)
