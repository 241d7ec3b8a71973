"""what people decided about matches.

Revision: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "match_decision",
        sa.Column("row_salt", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("item_id", sa.String(length=36), nullable=False),
        sa.Column("other_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("decision", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(length=27), nullable=False),
        sa.Column("created_by", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"]),
        sa.ForeignKeyConstraint(["other_id"], ["item.id"]),
        sa.ForeignKeyConstraint(["created_by"], ["app_user.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("item_id", "other_id", "number", name="uq_match_decision_number"),
    )
    op.create_index(op.f("ix_match_decision_item_id"), "match_decision", ["item_id"])
    op.create_index(op.f("ix_match_decision_other_id"), "match_decision", ["other_id"])


def downgrade() -> None:
    """Take back."""
    op.drop_index(op.f("ix_match_decision_other_id"), table_name="match_decision")
    op.drop_index(op.f("ix_match_decision_item_id"), table_name="match_decision")
    op.drop_table("match_decision")
