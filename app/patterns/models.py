"""Tables of patterns: versions of inclusion rules, and frozen releases. Both are append-only."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, UniqueConstraint
from sqlmodel import Field

from app.custody.rows import SaltedRow, register


class PatternRuleVersion(SaltedRow, table=True):
    """One version of an inclusion rule: the canonical bytes of its record (schemas.records.v1.pattern)."""

    __tablename__ = "pattern_rule"
    __table_args__ = (UniqueConstraint("case_id", "ref", "number", name="uq_pattern_rule_number"),)

    id: str = Field(primary_key=True, max_length=36)
    case_id: str = Field(foreign_key="evidence_case.id", max_length=36)
    ref: str = Field(max_length=200)
    number: int
    record: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: str = Field(max_length=27)
    created_by: str = Field(foreign_key="app_user.id", max_length=36)


class FrozenRelease(SaltedRow, table=True):
    """A signed snapshot: the canonical bytes of its statement, and the seal over exactly these."""

    __tablename__ = "frozen_release"
    __table_args__ = (UniqueConstraint("case_id", "ref", name="uq_frozen_release_ref"),)

    id: str = Field(primary_key=True, max_length=36)
    case_id: str = Field(foreign_key="evidence_case.id", max_length=36)
    ref: str = Field(max_length=200)
    statement: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    seal: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: str = Field(max_length=27)
    created_by: str = Field(foreign_key="app_user.id", max_length=36)


register(PatternRuleVersion, "case_id", "ref", "number", "record", "created_at", "created_by")
register(FrozenRelease, "case_id", "ref", "statement", "seal", "created_at", "created_by")
