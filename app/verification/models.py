"""Tables of verification; all append-only and bound to the custody log."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, UniqueConstraint
from sqlmodel import Field

from app.custody.rows import SaltedRow, register


class Verification(SaltedRow, table=True):
    """What a record is for ever: its id, case, kind and place among the records of its case."""

    __tablename__ = "verification"
    __table_args__ = (
        UniqueConstraint("case_id", "ref", name="uq_verification_ref"),
        UniqueConstraint("case_id", "place", name="uq_verification_place"),
    )

    id: str = Field(primary_key=True, max_length=36)
    case_id: str = Field(foreign_key="evidence_case.id", max_length=36)
    kind: str = Field(max_length=20)
    ref: str = Field(max_length=200)
    place: int
    created_at: str = Field(max_length=27)
    created_by: str = Field(max_length=36)


class VerificationSubject(SaltedRow, table=True):
    """What a record is about: an item or an entry, by id."""

    __tablename__ = "verification_subject"
    __table_args__ = (
        UniqueConstraint("verification_id", "subject_id", name="uq_verification_subject"),
        Index("ix_verification_subject_of", "subject_id"),
    )

    id: str = Field(primary_key=True, max_length=36)
    verification_id: str = Field(foreign_key="verification.id", max_length=36)
    subject_kind: str = Field(max_length=20)
    subject_id: str = Field(max_length=36)


class VerificationVersion(SaltedRow, table=True):
    """One version: the canonical bytes of its record (schemas.records.v1.verification)."""

    __tablename__ = "verification_version"
    __table_args__ = (UniqueConstraint("verification_id", "number", name="uq_verification_version_number"),)

    id: str = Field(primary_key=True, max_length=36)
    verification_id: str = Field(foreign_key="verification.id", max_length=36)
    number: int
    record: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: str = Field(max_length=27)
    created_by: str = Field(max_length=36)


class VerificationReview(SaltedRow, table=True):
    """What one person says of one version: the canonical bytes of the review."""

    __tablename__ = "verification_review"
    __table_args__ = (UniqueConstraint("verification_id", "number", name="uq_verification_review_number"),)

    id: str = Field(primary_key=True, max_length=36)
    verification_id: str = Field(foreign_key="verification.id", max_length=36)
    number: int
    decision: str = Field(max_length=10)
    reviewer_id: str = Field(foreign_key="app_user.id", max_length=36)
    record: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: str = Field(max_length=27)


register(Verification, "case_id", "kind", "ref", "place", "created_at", "created_by")
register(VerificationSubject, "verification_id", "subject_kind", "subject_id")
register(VerificationVersion, "verification_id", "number", "record", "created_at", "created_by")
register(VerificationReview, "verification_id", "number", "decision", "reviewer_id", "record", "created_at")
