"""Table of reviews; append-only."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field

from app.custody.rows import SaltedRow, register


class LinkReview(SaltedRow, table=True):
    """A decision of one person on one link.

    `record` holds the review's canonical bytes (schemas.records.v1.review); the columns are projections. Of several
    reviews by one person the one with the highest number stands.
    """

    __tablename__ = "link_review"
    __table_args__ = (UniqueConstraint("link_id", "number", name="uq_link_review_number"),)

    id: str = Field(primary_key=True, max_length=36)
    link_id: str = Field(foreign_key="provision_link.id", index=True, max_length=36)
    number: int
    decision: str = Field(max_length=10)
    comment: str = Field(sa_column=Column(Text, nullable=False))
    reviewer_id: str = Field(foreign_key="app_user.id", max_length=36)
    record: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: str = Field(max_length=27)


register(LinkReview, "link_id", "number", "decision", "comment", "reviewer_id", "record", "created_at")
