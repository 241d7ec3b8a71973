"""Tables of exports: who was given what, when and why, in which files."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field

from app.custody.rows import SaltedRow, register


class ExportRow(SaltedRow, table=True):
    """One export.

    `state` is `queued`, `building`, `done` or `failed`; size, number of files and tree size are there when it is done,
    the digest too unless the export is a set: then its parts have their own. `scope` is canonical JSON; `cases` and
    `items` are JSON arrays of UUIDs.
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


class ExportPartRow(SaltedRow, table=True):
    """One bundle of a finished export: its only one, or a part of its set; `id` is the bundle's own identifier.

    `recipe` is what it takes to make the same file again out of the archive (app.export.recipe); None when that is more
    than the archive keeps. `size` is in bytes; `items` and `files` are numbers. `sha512` is in rows of before ADR 43
    and null in all others; the digest of a row covers it either way, so none can be put there later.
    """

    __tablename__ = "export_part"
    __table_args__ = (UniqueConstraint("export_id", "part", name="uq_export_part_part"),)

    id: str = Field(primary_key=True, max_length=36)
    export_id: str = Field(foreign_key="export.id", max_length=36)
    part: int
    parts: int
    items: int
    files: int
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    sha256: str = Field(max_length=64)
    sha512: str | None = Field(default=None, max_length=128)
    sealed_list_sha256: str = Field(max_length=64)
    recipe: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))


register(
    ExportPartRow,
    "export_id",
    "part",
    "parts",
    "items",
    "files",
    "size",
    "sha256",
    "sha512",
    "sealed_list_sha256",
    "recipe",
)


class ExportSetRow(SaltedRow, table=True):
    """The signed list of an export in several parts; `id` is the export's."""

    __tablename__ = "export_set"

    id: str = Field(foreign_key="export.id", primary_key=True, max_length=36)
    statement: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    seal: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


register(ExportSetRow, "statement", "seal")


class ExportRequestRow(SaltedRow, table=True):
    """A request that its sender may repeat: the same person and key make one export; `id` is the export's."""

    __tablename__ = "export_request"
    __table_args__ = (UniqueConstraint("user_id", "request_key", name="uq_export_request_key"),)

    id: str = Field(foreign_key="export.id", primary_key=True, max_length=36)
    user_id: str = Field(foreign_key="app_user.id", max_length=36)
    request_key: str = Field(max_length=100)
    request_sha256: str = Field(max_length=64)


register(ExportRequestRow, "user_id", "request_key", "request_sha256")
