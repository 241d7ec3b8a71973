"""bundles that came from other archives.

Revision: 0019
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "received_bundle",
        sa.Column("row_salt", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("case_id", sa.String(length=36), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.Column("received_at", sa.String(length=27), nullable=False),
        sa.Column("received_by", sa.String(length=36), nullable=False),
        sa.Column("finished_at", sa.String(length=27), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["evidence_case.id"]),
        sa.ForeignKeyConstraint(["sha256"], ["blob.sha256"]),
        sa.ForeignKeyConstraint(["received_by"], ["app_user.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("case_id", "sha256", name="uq_received_bundle_case"),
    )
    for column in ("sha256", "state", "received_at"):
        op.create_index(op.f(f"ix_received_bundle_{column}"), "received_bundle", [column])
    op.create_table(
        "received_item",
        sa.Column("row_salt", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("bundle_id", sa.String(length=36), nullable=False),
        sa.Column("item_id", sa.String(length=36), nullable=False),
        sa.Column("partner_item", sa.String(length=36), nullable=False),
        sa.Column("matched", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["bundle_id"], ["received_bundle.id"]),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("bundle_id", "partner_item", name="uq_received_item_partner"),
    )
    op.create_index(op.f("ix_received_item_item_id"), "received_item", ["item_id"])


def downgrade() -> None:
    """Take back."""
    op.drop_index(op.f("ix_received_item_item_id"), table_name="received_item")
    op.drop_table("received_item")
    for column in ("received_at", "state", "sha256"):
        op.drop_index(op.f(f"ix_received_bundle_{column}"), table_name="received_bundle")
    op.drop_table("received_bundle")
