"""Tables of analysis: one row per run; of a metadata record the bytes are authoritative."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field

from app.custody.rows import SaltedRow, register


class AnalysisRun(SaltedRow, table=True):
    """What one run of the analysers said of an item.

    `state` is `done` or `failed`; a failed run has a code and a reason and perhaps no record.
    Position and time are projections of the record, as decimal text, for lists and searches.
    """

    __tablename__ = "analysis_run"
    __table_args__ = (UniqueConstraint("item_id", "number", name="uq_analysis_run_item_number"),)

    id: str = Field(primary_key=True, max_length=36)
    item_id: str = Field(foreign_key="item.id", index=True, max_length=36)
    number: int
    state: str = Field(max_length=10)
    media_type: str = Field(max_length=100)
    kind: str = Field(max_length=10)
    record: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    failure_code: str | None = Field(default=None, max_length=60)
    failure_detail: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    lat: str | None = Field(default=None, max_length=24)
    lon: str | None = Field(default=None, max_length=24)
    captured_at: str | None = Field(default=None, max_length=40)
    created_at: str = Field(max_length=27)


class ProxyRun(SaltedRow, table=True):
    """What came of making a proxy of an item once.

    `state` is `done` (all that the container announces is in it), `partial` (`missing` says what is not, as a JSON list
    of codes) or `failed` (code and reason; no derivative). Times are milliseconds; `covered_ms` is how long the proxy
    is, `claimed_ms` what the original's container says of itself, `origin_ms` what is to be added to a time of the
    proxy to get the container's.
    """

    __tablename__ = "proxy_run"
    __table_args__ = (UniqueConstraint("item_id", "number", name="uq_proxy_run_item_number"),)

    id: str = Field(primary_key=True, max_length=36)
    item_id: str = Field(foreign_key="item.id", max_length=36)
    number: int
    state: str = Field(max_length=10)
    derivative_id: str | None = Field(default=None, foreign_key="derivative.id", max_length=36)
    covered_ms: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    claimed_ms: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    origin_ms: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    missing: str = Field(default="[]", sa_column=Column(Text, nullable=False))
    tool: str | None = Field(default=None, max_length=300)
    failure_code: str | None = Field(default=None, max_length=60)
    failure_detail: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    created_at: str = Field(max_length=27)


register(
    AnalysisRun,
    "item_id",
    "number",
    "state",
    "media_type",
    "kind",
    "record",
    "failure_code",
    "failure_detail",
    "lat",
    "lon",
    "captured_at",
    "created_at",
)
register(
    ProxyRun,
    "item_id",
    "number",
    "state",
    "derivative_id",
    "covered_ms",
    "claimed_ms",
    "origin_ms",
    "missing",
    "tool",
    "failure_code",
    "failure_detail",
    "created_at",
)
