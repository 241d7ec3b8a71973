"""what a job is about, when it was begun and how far it has come.

Revision: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# Until now every job was about an item, and its payload was written by one function: {"item": "UUID"}
_SUBJECT = sa.text("UPDATE job SET subject = :kind || substr(payload, 11, 36) WHERE payload LIKE :shape")


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("job") as job:
        job.add_column(sa.Column("started_at", sa.String(length=27), nullable=True))
        job.add_column(sa.Column("subject", sa.String(length=80), nullable=True))
        job.add_column(sa.Column("progress_done", sa.BigInteger(), nullable=True))
        job.add_column(sa.Column("progress_total", sa.BigInteger(), nullable=True))
    op.create_index("ix_job_subject", "job", ["subject"])
    op.create_index("ix_job_waiting", "job", ["state", "run_after"])
    op.get_bind().execute(_SUBJECT, {"kind": "item:", "shape": '{"item": "%"}'})


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_job_waiting", table_name="job")
    op.drop_index("ix_job_subject", table_name="job")
    with op.batch_alter_table("job") as job:
        for column in ("progress_total", "progress_done", "subject", "started_at"):
            job.drop_column(column)
