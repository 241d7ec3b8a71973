"""Tables of law: versions of the catalogue, and links. Both are append-only."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, Text
from sqlmodel import Field

from app.custody.rows import SaltedRow, register


class CatalogueVersion(SaltedRow, table=True):
    """One version of the catalogue: the exact bytes of the file that was loaded."""

    __tablename__ = "catalogue"

    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    sha256: str = Field(unique=True, max_length=64)
    data: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    loaded_at: str = Field(max_length=27)


class ProvisionLink(SaltedRow, table=True):
    """An item may bear on a provision: who says so, in which direction, and why.

    `record` holds the canonical bytes of the link (schemas.records.v1.link); the columns are projections.
    """

    __tablename__ = "provision_link"

    id: str = Field(primary_key=True, max_length=36)
    item_id: str = Field(foreign_key="item.id", index=True, max_length=36)
    provision_id: str = Field(index=True, max_length=64)
    element_id: str | None = Field(default=None, max_length=64)
    direction: str = Field(max_length=12)
    rationale: str = Field(sa_column=Column(Text, nullable=False))
    catalogue_version: int = Field(foreign_key="catalogue.version")
    author_id: str = Field(foreign_key="app_user.id", max_length=36)
    record: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: str = Field(max_length=27)


register(CatalogueVersion, "sha256", "data", "loaded_at", key="version")
register(
    ProvisionLink,
    "item_id",
    "provision_id",
    "element_id",
    "direction",
    "rationale",
    "catalogue_version",
    "author_id",
    "record",
    "created_at",
)
