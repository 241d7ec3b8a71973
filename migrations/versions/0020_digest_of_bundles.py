"""a bundle's own digest is SHA-256 alone: rows of new bundles have no SHA-512, those of before keep theirs.

Revision: 0020
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_NEW = sa.text("SELECT count(*) FROM export_part WHERE sha512 IS NULL")


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("export_part") as part:
        part.alter_column("sha512", existing_type=sa.String(length=128), nullable=True)


def downgrade() -> None:
    """Take back; impossible once a bundle was made without: a digest that nobody computed cannot be written down."""
    if op.get_bind().execute(_NEW).scalar_one():
        raise ValueError("bundles without SHA-512 were made: the rows cannot be brought back to revision 0019")
    with op.batch_alter_table("export_part") as part:
        part.alter_column("sha512", existing_type=sa.String(length=128), nullable=False)
