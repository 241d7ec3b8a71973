"""Tables of assessment; append-only and bound to the custody log."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field

from app.custody.rows import SaltedRow, register


class AssessmentEntry(SaltedRow, table=True):
    """One version of a link, state, panel answer or assessment.

    `record` holds its canonical bytes (schemas.records.v1.assessment); the columns are projections. `part` is the
    element of a link or state, the panel of a panel answer, and empty for an assessment: it is of the whole provision.
    """

    __tablename__ = "assessment_entry"
    __table_args__ = (UniqueConstraint("thread_id", "number", name="uq_assessment_entry_number"),)

    id: str = Field(primary_key=True, max_length=36)
    thread_id: str = Field(max_length=36)
    number: int
    kind: str = Field(max_length=12)
    incident_id: str = Field(foreign_key="incident_entry.id", index=True, max_length=36)
    provision_id: str = Field(max_length=64)
    part: str = Field(max_length=64)
    author_id: str = Field(foreign_key="app_user.id", max_length=36)
    record: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: str = Field(max_length=27)


class AssessmentReview(SaltedRow, table=True):
    """A decision of one person on one version; `seal` is the archive's over `record`, where it is of an assessment."""

    __tablename__ = "assessment_review"
    __table_args__ = (UniqueConstraint("entry_id", "number", name="uq_assessment_review_number"),)

    id: str = Field(primary_key=True, max_length=36)
    entry_id: str = Field(foreign_key="assessment_entry.id", max_length=36)
    number: int
    decision: str = Field(max_length=10)
    comment: str = Field(sa_column=Column(Text, nullable=False))
    reviewer_id: str = Field(foreign_key="app_user.id", max_length=36)
    record: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    seal: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    created_at: str = Field(max_length=27)


register(
    AssessmentEntry,
    "thread_id",
    "number",
    "kind",
    "incident_id",
    "provision_id",
    "part",
    "author_id",
    "record",
    "created_at",
)
register(AssessmentReview, "entry_id", "number", "decision", "comment", "reviewer_id", "record", "seal", "created_at")
