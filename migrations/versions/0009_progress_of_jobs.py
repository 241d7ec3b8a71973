"""what a job is about and how far it has come.

Revision: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("job") as job:
        job.add_column(sa.Column("started_at", sa.String(length=27), nullable=True))
        job.add_column(sa.Column("subject", sa.String(length=80), nullable=True))
        job.add_column(sa.Column("progress_done", sa.Integer(), nullable=True))
        job.add_column(sa.Column("progress_total", sa.Integer(), nullable=True))
    op.create_index("ix_job_subject", "job", ["subject"])


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_job_subject", table_name="job")
    with op.batch_alter_table("job") as job:
        for column in ("progress_total", "progress_done", "subject", "started_at"):
            job.drop_column(column)
