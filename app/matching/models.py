"""Tables of matching: fingerprints as versioned data, and the relations found."""

from __future__ import annotations

from sqlalchemy import Column, Integer, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from app.custody.rows import SaltedRow, register


class FingerprintRow(SaltedRow, table=True):
    """The fingerprint of an item by one algorithm version.

    `leaf_index` is the place of its event in the log: commits are in that order, so readers can
    load incrementally. It is not part of the row's digest, which the event itself carries.
    """

    __tablename__ = "fingerprint"
    __table_args__ = (UniqueConstraint("item_id", "algorithm", name="uq_fingerprint_item_algorithm"),)

    id: str = Field(primary_key=True, max_length=36)
    item_id: str = Field(foreign_key="item.id", index=True, max_length=36)
    algorithm: str = Field(max_length=60)
    kind: str = Field(max_length=10)
    state: str = Field(max_length=10)
    data: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    failure_code: str | None = Field(default=None, max_length=60)
    failure_detail: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    created_at: str = Field(max_length=27)
    leaf_index: int | None = Field(default=None, index=True)


class FingerprintHashes(SQLModel, table=True):
    """Of a fingerprint the hashes that are searched, once more and side by side.

    Derived, and not bound to the log: audits compare it with the fingerprint (`app/audit/hash_checks.py`), and where a
    row is missing the fingerprint itself is read. `data` is as `app.matching.kept_hashes.packed` gives it, None where
    the fingerprint failed.
    """

    __tablename__ = "fingerprint_hashes"

    leaf_index: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    item_id: str = Field(foreign_key="item.id", max_length=36)
    algorithm: str = Field(max_length=60)
    kind: str = Field(max_length=10)
    data: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))


class MatchRow(SaltedRow, table=True):
    """A relation between two items: `query_item` was compared with what was already here."""

    __tablename__ = "item_match"
    __table_args__ = (UniqueConstraint("query_item", "item", "algorithm", name="uq_item_match_pair"),)

    id: str = Field(primary_key=True, max_length=36)
    query_item: str = Field(foreign_key="item.id", index=True, max_length=36)
    item: str = Field(foreign_key="item.id", index=True, max_length=36)
    algorithm: str = Field(max_length=60)
    verdict: str = Field(max_length=20)
    distance: int | None = None
    explanation: str = Field(sa_column=Column(Text, nullable=False))
    segments: str = Field(sa_column=Column(Text, nullable=False))
    created_at: str = Field(max_length=27)


class MatchDecision(SaltedRow, table=True):
    """What a person decided about two items that a comparison has related; append-only.

    `item_id` is the smaller of the two ids. Of several decisions on a pair the one with the highest number stands.
    """

    __tablename__ = "match_decision"
    __table_args__ = (UniqueConstraint("item_id", "other_id", "number", name="uq_match_decision_number"),)

    id: str = Field(primary_key=True, max_length=36)
    item_id: str = Field(foreign_key="item.id", index=True, max_length=36)
    other_id: str = Field(foreign_key="item.id", index=True, max_length=36)
    number: int
    decision: str = Field(max_length=10)
    reason: str = Field(sa_column=Column(Text, nullable=False))
    created_at: str = Field(max_length=27)
    created_by: str = Field(foreign_key="app_user.id", max_length=36)


register(
    FingerprintRow,
    "item_id",
    "algorithm",
    "kind",
    "state",
    "data",
    "failure_code",
    "failure_detail",
    "created_at",
)
register(MatchRow, "query_item", "item", "algorithm", "verdict", "distance", "explanation", "segments", "created_at")
register(MatchDecision, "item_id", "other_id", "number", "decision", "reason", "created_at", "created_by")
