"""Tables of the care of the law: imports and sign-offs of the catalogue, changes of the rules. Append-only."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field

from app.custody.rows import SaltedRow, register


class CatalogueImport(SaltedRow, table=True):
    """Who brought a version of the catalogue, and why; the version that an archive was made with has none."""

    __tablename__ = "catalogue_import"

    version: int = Field(primary_key=True, foreign_key="catalogue.version", sa_column_kwargs={"autoincrement": False})
    reason: str = Field(sa_column=Column(Text, nullable=False))
    created_at: str = Field(max_length=27)
    created_by: str = Field(foreign_key="app_user.id", max_length=36)


class ProvisionSignoff(SaltedRow, table=True):
    """A named lawyer signs an entry off in exactly one version of the catalogue, or takes his sign-off back.

    `record` holds canonical bytes (schemas.records.v1.law_care); the columns are projections.
    """

    __tablename__ = "provision_signoff"
    __table_args__ = (
        UniqueConstraint("catalogue_version", "provision_id", "number", name="uq_provision_signoff_number"),
    )

    id: str = Field(primary_key=True, max_length=36)
    catalogue_version: int = Field(foreign_key="catalogue.version")
    provision_id: str = Field(index=True, max_length=64)
    number: int
    decision: str = Field(max_length=10)
    record: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: str = Field(max_length=27)
    created_by: str = Field(foreign_key="app_user.id", max_length=36)


class RuleChange(SaltedRow, table=True):
    """A change of the suggestion rules: another file (`data`), a rule on or off, another threshold."""

    __tablename__ = "rule_change"

    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    kind: str = Field(max_length=10)
    record: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    data: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    created_at: str = Field(max_length=27)
    created_by: str = Field(foreign_key="app_user.id", max_length=36)


class RuleChangeReview(SaltedRow, table=True):
    """What a second lawyer says of a change."""

    __tablename__ = "rule_change_review"
    __table_args__ = (UniqueConstraint("change_number", "number", name="uq_rule_change_review_number"),)

    id: str = Field(primary_key=True, max_length=36)
    change_number: int = Field(foreign_key="rule_change.number")
    number: int
    decision: str = Field(max_length=10)
    comment: str = Field(sa_column=Column(Text, nullable=False))
    created_at: str = Field(max_length=27)
    created_by: str = Field(foreign_key="app_user.id", max_length=36)


register(CatalogueImport, "reason", "created_at", "created_by", key="version")
register(
    ProvisionSignoff,
    "catalogue_version",
    "provision_id",
    "number",
    "decision",
    "record",
    "created_at",
    "created_by",
)
register(RuleChange, "kind", "record", "data", "created_at", "created_by", key="number")
register(RuleChangeReview, "change_number", "number", "decision", "comment", "created_at", "created_by")
