"""the walking skeleton.

Revision: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "app_user",
        sa.Column("row_salt", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("display_name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("created_at", sa.String(length=27), nullable=False),
        sa.Column("disabled_at", sa.String(length=27), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "audit",
        sa.Column("row_salt", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("requested_by", sa.String(length=36), nullable=False),
        sa.Column("started_at", sa.String(length=27), nullable=False),
        sa.Column("finished_at", sa.String(length=27), nullable=False),
        sa.Column("ok", sa.Boolean(), nullable=False),
        sa.Column("sample", sa.Integer(), nullable=True),
        sa.Column("report", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "blob",
        sa.Column("row_salt", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("sha512", sa.String(length=128), nullable=False),
        sa.Column("crc32", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("stored_at", sa.String(length=27), nullable=False),
        sa.PrimaryKeyConstraint("sha256"),
    )
    op.create_table(
        "catalogue",
        sa.Column("row_salt", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("loaded_at", sa.String(length=27), nullable=False),
        sa.PrimaryKeyConstraint("version"),
        sa.UniqueConstraint("sha256"),
    )
    op.create_table(
        "checkpoint",
        sa.Column("size", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("size"),
        sa.UniqueConstraint("seq"),
    )
    op.create_table(
        "custody_event",
        sa.Column("leaf_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.String(length=36), nullable=False),
        sa.Column("object", sa.String(length=100), nullable=False),
        sa.Column("object_seq", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(length=60), nullable=False),
        sa.Column("actor_id", sa.String(length=64), nullable=False),
        sa.Column("time", sa.String(length=27), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("event_sha256", sa.String(length=64), nullable=False),
        sa.Column("canonical", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("leaf_index"),
        sa.UniqueConstraint("event_id"),
        sa.UniqueConstraint("object", "object_seq", name="uq_custody_event_object_seq"),
    )
    with op.batch_alter_table("custody_event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_custody_event_object"), ["object"], unique=False)
        batch_op.create_index(batch_op.f("ix_custody_event_type"), ["type"], unique=False)

    op.create_table(
        "evidence_case",
        sa.Column("row_salt", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("ref", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("created_at", sa.String(length=27), nullable=False),
        sa.Column("created_by", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("ref"),
    )
    op.create_table(
        "job",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("dedupe_key", sa.String(length=150), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("run_after", sa.String(length=27), nullable=False),
        sa.Column("lease_until", sa.String(length=27), nullable=True),
        sa.Column("worker", sa.String(length=100), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=27), nullable=False),
        sa.Column("finished_at", sa.String(length=27), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("dedupe_key"),
    )
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.create_index("ix_job_ready", ["state", "priority", "run_after"], unique=False)

    op.create_table(
        "log_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "log_node",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "index"),
    )
    op.create_table(
        "access_token",
        sa.Column("row_salt", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("label", sa.String(length=100), nullable=False),
        sa.Column("created_at", sa.String(length=27), nullable=False),
        sa.Column("expires_at", sa.String(length=27), nullable=False),
        sa.Column("revoked_at", sa.String(length=27), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("access_token", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_access_token_user_id"), ["user_id"], unique=False)

    op.create_table(
        "case_member",
        sa.Column("row_salt", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("case_id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("added_at", sa.String(length=27), nullable=False),
        sa.Column("removed_at", sa.String(length=27), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("case_id", "user_id", name="uq_case_member_case_user"),
    )
    with op.batch_alter_table("case_member", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_case_member_case_id"), ["case_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_case_member_user_id"), ["user_id"], unique=False)

    op.create_table(
        "export",
        sa.Column("row_salt", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("cases", sa.Text(), nullable=False),
        sa.Column("items", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.String(length=27), nullable=False),
        sa.Column("finished_at", sa.String(length=27), nullable=True),
        sa.Column("tree_size", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("files", sa.Integer(), nullable=True),
        sa.Column("failure_code", sa.String(length=60), nullable=True),
        sa.Column("failure_detail", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["requested_by"], ["app_user.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("export", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_export_created_at"), ["created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_export_state"), ["state"], unique=False)

    op.create_table(
        "item",
        sa.Column("row_salt", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("case_id", sa.String(length=36), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("original_name", sa.String(length=1024), nullable=False),
        sa.Column("received_at", sa.String(length=27), nullable=False),
        sa.Column("received_by", sa.String(length=36), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("deposit_key", sa.String(length=100), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["evidence_case.id"]),
        sa.ForeignKeyConstraint(["sha256"], ["blob.sha256"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("received_by", "deposit_key", name="uq_item_deposit_key"),
    )
    with op.batch_alter_table("item", schema=None) as batch_op:
        batch_op.create_index("ix_item_case_received", ["case_id", "received_at", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_item_received_at"), ["received_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_item_sha256"), ["sha256"], unique=False)

    op.create_table(
        "analysis_run",
        sa.Column("row_salt", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("item_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=True),
        sa.Column("failure_code", sa.String(length=60), nullable=True),
        sa.Column("failure_detail", sa.Text(), nullable=True),
        sa.Column("lat", sa.String(length=24), nullable=True),
        sa.Column("lon", sa.String(length=24), nullable=True),
        sa.Column("captured_at", sa.String(length=40), nullable=True),
        sa.Column("created_at", sa.String(length=27), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("item_id", "number", name="uq_analysis_run_item_number"),
    )
    with op.batch_alter_table("analysis_run", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_analysis_run_item_id"), ["item_id"], unique=False)

    op.create_table(
        "derivative",
        sa.Column("row_salt", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("item_id", sa.String(length=36), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.String(length=27), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"]),
        sa.ForeignKeyConstraint(["sha256"], ["blob.sha256"]),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("derivative", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_derivative_item_id"), ["item_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_derivative_sha256"), ["sha256"], unique=False)

    op.create_table(
        "fingerprint",
        sa.Column("row_salt", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("item_id", sa.String(length=36), nullable=False),
        sa.Column("algorithm", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=True),
        sa.Column("failure_code", sa.String(length=60), nullable=True),
        sa.Column("failure_detail", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=27), nullable=False),
        sa.Column("leaf_index", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("item_id", "algorithm", name="uq_fingerprint_item_algorithm"),
    )
    with op.batch_alter_table("fingerprint", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_fingerprint_item_id"), ["item_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_fingerprint_leaf_index"), ["leaf_index"], unique=False)

    op.create_table(
        "item_match",
        sa.Column("row_salt", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("query_item", sa.String(length=36), nullable=False),
        sa.Column("item", sa.String(length=36), nullable=False),
        sa.Column("algorithm", sa.String(length=60), nullable=False),
        sa.Column("verdict", sa.String(length=20), nullable=False),
        sa.Column("distance", sa.Integer(), nullable=True),
        sa.Column("explanation", sa.Text(), nullable=False),
        sa.Column("segments", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(length=27), nullable=False),
        sa.ForeignKeyConstraint(["item"], ["item.id"]),
        sa.ForeignKeyConstraint(["query_item"], ["item.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("query_item", "item", "algorithm", name="uq_item_match_pair"),
    )
    with op.batch_alter_table("item_match", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_item_match_item"), ["item"], unique=False)
        batch_op.create_index(batch_op.f("ix_item_match_query_item"), ["query_item"], unique=False)

    op.create_table(
        "provision_link",
        sa.Column("row_salt", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("item_id", sa.String(length=36), nullable=False),
        sa.Column("provision_id", sa.String(length=64), nullable=False),
        sa.Column("element_id", sa.String(length=64), nullable=True),
        sa.Column("direction", sa.String(length=12), nullable=False),
        sa.Column("rationale", sa.Text(), nullable=False),
        sa.Column("catalogue_version", sa.Integer(), nullable=False),
        sa.Column("author_id", sa.String(length=36), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.String(length=27), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["app_user.id"]),
        sa.ForeignKeyConstraint(["catalogue_version"], ["catalogue.version"]),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("provision_link", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_provision_link_item_id"), ["item_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_provision_link_provision_id"), ["provision_id"], unique=False)

    op.create_table(
        "receipt",
        sa.Column("row_salt", sa.String(length=64), nullable=False),
        sa.Column("item_id", sa.String(length=36), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.String(length=27), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"]),
        sa.PrimaryKeyConstraint("item_id"),
    )
    op.create_table(
        "link_review",
        sa.Column("row_salt", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("link_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("decision", sa.String(length=10), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("reviewer_id", sa.String(length=36), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.String(length=27), nullable=False),
        sa.ForeignKeyConstraint(["link_id"], ["provision_link.id"]),
        sa.ForeignKeyConstraint(["reviewer_id"], ["app_user.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("link_id", "number", name="uq_link_review_number"),
    )
    with op.batch_alter_table("link_review", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_link_review_link_id"), ["link_id"], unique=False)


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("link_review", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_link_review_link_id"))

    op.drop_table("link_review")
    op.drop_table("receipt")
    with op.batch_alter_table("provision_link", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_provision_link_provision_id"))
        batch_op.drop_index(batch_op.f("ix_provision_link_item_id"))

    op.drop_table("provision_link")
    with op.batch_alter_table("item_match", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_item_match_query_item"))
        batch_op.drop_index(batch_op.f("ix_item_match_item"))

    op.drop_table("item_match")
    with op.batch_alter_table("fingerprint", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_fingerprint_leaf_index"))
        batch_op.drop_index(batch_op.f("ix_fingerprint_item_id"))

    op.drop_table("fingerprint")
    with op.batch_alter_table("derivative", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_derivative_sha256"))
        batch_op.drop_index(batch_op.f("ix_derivative_item_id"))

    op.drop_table("derivative")
    with op.batch_alter_table("analysis_run", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_analysis_run_item_id"))

    op.drop_table("analysis_run")
    with op.batch_alter_table("item", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_item_sha256"))
        batch_op.drop_index(batch_op.f("ix_item_received_at"))
        batch_op.drop_index("ix_item_case_received")

    op.drop_table("item")
    with op.batch_alter_table("export", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_export_state"))
        batch_op.drop_index(batch_op.f("ix_export_created_at"))

    op.drop_table("export")
    with op.batch_alter_table("case_member", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_case_member_user_id"))
        batch_op.drop_index(batch_op.f("ix_case_member_case_id"))

    op.drop_table("case_member")
    with op.batch_alter_table("access_token", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_access_token_user_id"))

    op.drop_table("access_token")
    op.drop_table("log_node")
    op.drop_table("log_head")
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.drop_index("ix_job_ready")

    op.drop_table("job")
    op.drop_table("evidence_case")
    with op.batch_alter_table("custody_event", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_custody_event_type"))
        batch_op.drop_index(batch_op.f("ix_custody_event_object"))

    op.drop_table("custody_event")
    op.drop_table("checkpoint")
    op.drop_table("catalogue")
    op.drop_table("blob")
    op.drop_table("audit")
    op.drop_table("app_user")
