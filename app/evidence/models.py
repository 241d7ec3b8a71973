"""Tables of evidence. Every row is immutable and bound to the custody log."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field

from app.custody.rows import SaltedRow, register


class Case(SaltedRow, table=True):
    """A case: the unit of access."""

    __tablename__ = "evidence_case"

    id: str = Field(primary_key=True, max_length=36)
    ref: str = Field(unique=True, max_length=64)
    title: str = Field(max_length=300)
    created_at: str = Field(max_length=27)
    created_by: str = Field(max_length=36)


class Blob(SaltedRow, table=True):
    """What is known of stored bytes; the store holds them under their SHA-256."""

    __tablename__ = "blob"

    sha256: str = Field(primary_key=True, max_length=64)
    sha512: str = Field(max_length=128)
    crc32: int = Field(sa_column=Column(BigInteger, nullable=False))
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    stored_at: str = Field(max_length=27)


class Item(SaltedRow, table=True):
    """One deposit of one file: the same bytes deposited twice are two items over one blob."""

    __tablename__ = "item"
    __table_args__ = (
        UniqueConstraint("received_by", "deposit_key", name="uq_item_deposit_key"),
        Index("ix_item_case_received", "case_id", "received_at", "id"),
    )

    id: str = Field(primary_key=True, max_length=36)
    case_id: str = Field(foreign_key="evidence_case.id", max_length=36)
    sha256: str = Field(foreign_key="blob.sha256", index=True, max_length=64)
    original_name: str = Field(max_length=1024)
    received_at: str = Field(index=True, max_length=27)
    received_by: str = Field(max_length=36)
    source: str = Field(sa_column=Column(Text, nullable=False))
    deposit_key: str | None = Field(default=None, max_length=100)


class Derivative(SaltedRow, table=True):
    """A file made from an item (preview, proxy, track); the original is never touched.

    Width and height are pixels; 0 for what is no picture.
    """

    __tablename__ = "derivative"

    id: str = Field(primary_key=True, max_length=36)
    item_id: str = Field(foreign_key="item.id", index=True, max_length=36)
    role: str = Field(max_length=20)
    sha256: str = Field(foreign_key="blob.sha256", index=True, max_length=64)
    media_type: str = Field(max_length=100)
    width: int
    height: int
    created_at: str = Field(max_length=27)


class SourceVersion(SaltedRow, table=True):
    """What is stated of an item's source, from the second version on; the first stands in the item itself."""

    __tablename__ = "source_version"
    __table_args__ = (UniqueConstraint("item_id", "number", name="uq_source_version_item_number"),)

    id: str = Field(primary_key=True, max_length=36)
    item_id: str = Field(foreign_key="item.id", max_length=36)
    number: int
    record: str = Field(sa_column=Column(Text, nullable=False))
    reason: str = Field(max_length=2000)
    created_at: str = Field(max_length=27)
    created_by: str = Field(max_length=36)


class ItemRelation(SaltedRow, table=True):
    """That one item belongs to another: a sidecar to its recording."""

    __tablename__ = "item_relation"
    __table_args__ = (UniqueConstraint("item_id", "related_id", "kind", name="uq_item_relation_pair"),)

    id: str = Field(primary_key=True, max_length=36)
    item_id: str = Field(foreign_key="item.id", max_length=36)
    related_id: str = Field(foreign_key="item.id", index=True, max_length=36)
    kind: str = Field(max_length=20)
    basis: str = Field(max_length=200)
    created_at: str = Field(max_length=27)
    created_by: str = Field(max_length=36)


class CollectorCheck(SaltedRow, table=True):
    """What came of checking a collector's own hashes and signatures at the deposit of an item."""

    __tablename__ = "collector_check"
    __table_args__ = (UniqueConstraint("item_id", "number", name="uq_collector_check_item_number"),)

    id: str = Field(primary_key=True, max_length=36)
    item_id: str = Field(foreign_key="item.id", max_length=36)
    number: int
    kind: str = Field(max_length=40)
    verdict: str = Field(max_length=20)
    record: str = Field(sa_column=Column(Text, nullable=False))
    created_at: str = Field(max_length=27)


class Receipt(SaltedRow, table=True):
    """The deposit receipt: canonical statement and its detached CAdES signature (DER)."""

    __tablename__ = "receipt"

    item_id: str = Field(primary_key=True, foreign_key="item.id", max_length=36)
    statement: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    seal: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: str = Field(max_length=27)


register(Case, "ref", "title", "created_at", "created_by")
register(Blob, "sha512", "crc32", "size", "stored_at", key="sha256")
register(Item, "case_id", "sha256", "original_name", "received_at", "received_by", "source", "deposit_key")
register(Derivative, "item_id", "role", "sha256", "media_type", "width", "height", "created_at")
register(SourceVersion, "item_id", "number", "record", "reason", "created_at", "created_by")
register(ItemRelation, "item_id", "related_id", "kind", "basis", "created_at", "created_by")
register(CollectorCheck, "item_id", "number", "kind", "verdict", "record", "created_at")
register(Receipt, "statement", "seal", "created_at", key="item_id")
