"""disclosures: to whom what went, what was withheld, redacted copies.

Revision: 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_ID = sa.String(length=36)
_TIME = sa.String(length=27)


def _salted(name: str, *parts: sa.Column[str] | sa.Column[int] | sa.Column[bytes] | sa.Constraint) -> None:
    op.create_table(name, sa.Column("row_salt", sa.String(length=64), nullable=False), *parts)


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def upgrade() -> None:
    """Apply."""
    _salted(
        "disclosure",
        sa.Column("id", _ID, nullable=False),
        sa.Column("export_id", _ID, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("recipient", sa.String(length=300), nullable=False),
        sa.Column("recipient_kind", sa.String(length=20), nullable=False),
        *_texts("purpose", "decided", "left_out", "acknowledged"),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("created_by", _ID, nullable=False),
        sa.ForeignKeyConstraint(["export_id"], ["export.id"]),
        sa.ForeignKeyConstraint(["created_by"], ["app_user.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_disclosure_export_id"), "disclosure", ["export_id"])
    op.create_index(op.f("ix_disclosure_created_at"), "disclosure", ["created_at"])
    _salted(
        "disclosure_item",
        sa.Column("id", _ID, nullable=False),
        sa.Column("disclosure_id", _ID, nullable=False),
        sa.Column("item_id", _ID, nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        *_texts("parts", "terms"),
        sa.Column("released", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["disclosure_id"], ["disclosure.id"]),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_disclosure_item_disclosure_id"), "disclosure_item", ["disclosure_id"])
    op.create_index(op.f("ix_disclosure_item_item_id"), "disclosure_item", ["item_id"])
    _salted(
        "disclosure_openings",
        sa.Column("export_id", _ID, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["export_id"], ["export.id"]),
        sa.PrimaryKeyConstraint("export_id"),
    )
    _salted(
        "redaction",
        sa.Column("id", _ID, nullable=False),
        sa.Column("item_id", _ID, nullable=False),
        sa.Column("derivative_id", _ID, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("method", sa.String(length=10), nullable=False),
        *_texts("regions", "reason"),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("created_by", _ID, nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"]),
        sa.ForeignKeyConstraint(["derivative_id"], ["derivative.id"]),
        sa.ForeignKeyConstraint(["created_by"], ["app_user.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_redaction_item_id"), "redaction", ["item_id"])
    _salted(
        "redaction_review",
        sa.Column("id", _ID, nullable=False),
        sa.Column("redaction_id", _ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("decision", sa.String(length=10), nullable=False),
        *_texts("comment"),
        sa.Column("reviewer_id", _ID, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["redaction_id"], ["redaction.id"]),
        sa.ForeignKeyConstraint(["reviewer_id"], ["app_user.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("redaction_id", "number", name="uq_redaction_review_number"),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("redaction_review")
    op.drop_index(op.f("ix_redaction_item_id"), table_name="redaction")
    op.drop_table("redaction")
    op.drop_table("disclosure_openings")
    op.drop_index(op.f("ix_disclosure_item_item_id"), table_name="disclosure_item")
    op.drop_index(op.f("ix_disclosure_item_disclosure_id"), table_name="disclosure_item")
    op.drop_table("disclosure_item")
    op.drop_index(op.f("ix_disclosure_created_at"), table_name="disclosure")
    op.drop_index(op.f("ix_disclosure_export_id"), table_name="disclosure")
    op.drop_table("disclosure")
