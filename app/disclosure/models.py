"""Tables of disclosure: who was to get what, and how what was kept back can be opened later. Append-only."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field

from app.custody.rows import SaltedRow, register


class DisclosureRow(SaltedRow, table=True):
    """One handing over to a recipient: of a bundle, or of openings of one.

    `left_out` is a JSON array of what speaks against and is not in it, `decided` a JSON object: of a bundle how many
    items are whole, partly withheld, withheld; of openings their names. `sha256` is that of an opening file; a bundle's
    stands in its export.
    """

    __tablename__ = "disclosure"

    id: str = Field(primary_key=True, max_length=36)
    export_id: str = Field(foreign_key="export.id", index=True, max_length=36)
    kind: str = Field(max_length=10)
    recipient: str = Field(max_length=300)
    recipient_kind: str = Field(max_length=20)
    purpose: str = Field(sa_column=Column(Text, nullable=False))
    decided: str = Field(sa_column=Column(Text, nullable=False))
    left_out: str = Field(sa_column=Column(Text, nullable=False))
    acknowledged: str = Field(sa_column=Column(Text, nullable=False))
    sha256: str | None = Field(default=None, max_length=64)
    created_at: str = Field(index=True, max_length=27)
    created_by: str = Field(foreign_key="app_user.id", max_length=36)


class DisclosureItem(SaltedRow, table=True):
    """What became of an item of which something was restricted or withheld; `parts` and `terms` are JSON arrays."""

    __tablename__ = "disclosure_item"

    id: str = Field(primary_key=True, max_length=36)
    disclosure_id: str = Field(foreign_key="disclosure.id", index=True, max_length=36)
    item_id: str = Field(foreign_key="item.id", index=True, max_length=36)
    place: int
    state: str = Field(max_length=20)
    parts: str = Field(sa_column=Column(Text, nullable=False))
    terms: str = Field(sa_column=Column(Text, nullable=False))
    released: str | None = Field(default=None, sa_column=Column(Text, nullable=True))


class DisclosureOpenings(SaltedRow, table=True):
    """The salts of a bundle's commitments: canonical JSON, by item `[salt, name, value]` of each."""

    __tablename__ = "disclosure_openings"

    export_id: str = Field(primary_key=True, foreign_key="export.id", max_length=36)
    data: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: str = Field(max_length=27)


register(
    DisclosureRow,
    "export_id",
    "kind",
    "recipient",
    "recipient_kind",
    "purpose",
    "decided",
    "left_out",
    "acknowledged",
    "sha256",
    "created_at",
    "created_by",
)
register(DisclosureItem, "disclosure_id", "item_id", "place", "state", "parts", "terms", "released")
register(DisclosureOpenings, "data", "created_at", key="export_id")


class Redaction(SaltedRow, table=True):
    """A redacted copy of an item's original: which regions were made unreadable, how, and why.

    `regions` is a JSON array; `derivative_id` is the file that was made.
    """

    __tablename__ = "redaction"

    id: str = Field(primary_key=True, max_length=36)
    item_id: str = Field(foreign_key="item.id", index=True, max_length=36)
    derivative_id: str = Field(foreign_key="derivative.id", max_length=36)
    sha256: str = Field(max_length=64)
    method: str = Field(max_length=10)
    regions: str = Field(sa_column=Column(Text, nullable=False))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    created_at: str = Field(max_length=27)
    created_by: str = Field(foreign_key="app_user.id", max_length=36)


class RedactionReview(SaltedRow, table=True):
    """A second person's decision on a redacted copy: only what was approved goes out in the place of an original."""

    __tablename__ = "redaction_review"
    __table_args__ = (UniqueConstraint("redaction_id", "number", name="uq_redaction_review_number"),)

    id: str = Field(primary_key=True, max_length=36)
    redaction_id: str = Field(foreign_key="redaction.id", max_length=36)
    number: int
    decision: str = Field(max_length=10)
    comment: str = Field(sa_column=Column(Text, nullable=False))
    reviewer_id: str = Field(foreign_key="app_user.id", max_length=36)
    created_at: str = Field(max_length=27)


register(Redaction, "item_id", "derivative_id", "sha256", "method", "regions", "reason", "created_at", "created_by")
register(RedactionReview, "redaction_id", "number", "decision", "comment", "reviewer_id", "created_at")
