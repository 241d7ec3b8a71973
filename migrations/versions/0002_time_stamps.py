"""time stamps that are wanted, and those that are there.

Revision: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "timestamp",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=100), nullable=False),
        sa.Column("tsa", sa.String(length=64), nullable=False),
        sa.Column("imprint", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.String(length=27), nullable=False),
        sa.Column("requested_at", sa.String(length=27), nullable=False),
        sa.Column("done_at", sa.String(length=27), nullable=True),
        sa.Column("gen_time", sa.String(length=27), nullable=True),
        sa.Column("last_error", sa.String(length=500), nullable=True),
        sa.Column("response", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("subject", "tsa", name="uq_timestamp_subject_tsa"),
    )
    op.create_index("ix_timestamp_state", "timestamp", ["state"])
    op.create_index("ix_timestamp_subject", "timestamp", ["subject"])


def downgrade() -> None:
    """Take back."""
    op.drop_table("timestamp")
