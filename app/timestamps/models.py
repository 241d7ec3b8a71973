"""Table of time stamps: what was asked of which authority, and what came back.

Rows are not bound to the log: a token proves itself, and an event for each would make the log grow with every
checkpoint that it is over. A row that was deleted is found by the audit as a time stamp that is missing.
"""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel


class TimestampRow(SQLModel, table=True):
    """One authority's token over one subject, wanted or there.

    `subject` is `checkpoint:SIZE`, `receipt:ITEM` or their like; `imprint` the SHA-256 (hex) of what is stamped:
    the checkpoint's own note, or the signature value of a seal. `state` is `pending`, `done` or `failed`.
    `response` is the whole TimeStampResp (RFC 3161, section 2.4.2), `gen_time` its time (RFC 3339 UTC).
    """

    __tablename__ = "timestamp"
    __table_args__ = (UniqueConstraint("subject", "tsa", name="uq_timestamp_subject_tsa"),)

    id: int | None = Field(default=None, primary_key=True)
    subject: str = Field(index=True, max_length=100)
    tsa: str = Field(max_length=64)
    imprint: str = Field(max_length=64)
    state: str = Field(index=True, max_length=10)
    attempts: int = 0
    next_attempt_at: str = Field(max_length=27)
    requested_at: str = Field(max_length=27)
    done_at: str | None = Field(default=None, max_length=27)
    gen_time: str | None = Field(default=None, max_length=27)
    last_error: str | None = Field(default=None, max_length=500)
    response: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
