"""Tables of received bundles: what came from another archive, and which item became of which of theirs."""

from __future__ import annotations

from sqlalchemy import Column, Text, UniqueConstraint
from sqlmodel import Field

from app.custody.rows import SaltedRow, register


class ReceivedBundle(SaltedRow, table=True):
    """One bundle of a partner in one case; its whole ZIP is kept as a blob.

    `state` is `receiving` or `done`. `told` is canonical JSON: what the bundle says of itself (`partner`), and what the
    offline verifier said of it (`verdict`, `findings`, `claims`).
    """

    __tablename__ = "received_bundle"
    __table_args__ = (UniqueConstraint("case_id", "sha256", name="uq_received_bundle_case"),)

    id: str = Field(primary_key=True, max_length=36)
    case_id: str = Field(foreign_key="evidence_case.id", max_length=36)
    sha256: str = Field(foreign_key="blob.sha256", index=True, max_length=64)
    state: str = Field(index=True, max_length=10)
    told: str = Field(sa_column=Column(Text, nullable=False))
    received_at: str = Field(index=True, max_length=27)
    received_by: str = Field(foreign_key="app_user.id", max_length=36)
    finished_at: str | None = Field(default=None, max_length=27)


class ReceivedItem(SaltedRow, table=True):
    """One item of a received bundle and the item that it is here.

    `matched` is 1 when the case held the same bytes before: then no second item was made.
    """

    __tablename__ = "received_item"
    __table_args__ = (UniqueConstraint("bundle_id", "partner_item", name="uq_received_item_partner"),)

    id: str = Field(primary_key=True, max_length=36)
    bundle_id: str = Field(foreign_key="received_bundle.id", max_length=36)
    item_id: str = Field(foreign_key="item.id", index=True, max_length=36)
    partner_item: str = Field(max_length=36)
    matched: int


register(ReceivedBundle, "case_id", "sha256", "state", "told", "received_at", "received_by", "finished_at")
register(ReceivedItem, "bundle_id", "item_id", "partner_item", "matched")
