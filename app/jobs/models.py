"""The job table. Operational state: not part of the evidence, so not bound to the log."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Text
from sqlmodel import Field, SQLModel


class Job(SQLModel, table=True):
    """One piece of work.

    `attempt` is the fencing token: only the holder of the current attempt may finish the job. `subject` names what the
    job is about as the log does (`item:UUID`); progress is what its handler last told, in steps of the handler's own.
    `started_at` is when the current attempt began.
    """

    __tablename__ = "job"
    __table_args__ = (
        Index("ix_job_ready", "state", "priority", "run_after"),
        Index("ix_job_waiting", "state", "run_after"),
        Index("ix_job_subject", "subject"),
    )

    id: int | None = Field(default=None, primary_key=True)
    kind: str = Field(max_length=40)
    dedupe_key: str = Field(unique=True, max_length=150)
    payload: str = Field(sa_column=Column(Text, nullable=False))
    priority: int = 0
    state: str = Field(max_length=10)
    attempt: int = 0
    max_attempts: int = 3
    run_after: str = Field(max_length=27)
    lease_until: str | None = Field(default=None, max_length=27)
    worker: str | None = Field(default=None, max_length=100)
    last_error: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    created_at: str = Field(max_length=27)
    started_at: str | None = Field(default=None, max_length=27)
    finished_at: str | None = Field(default=None, max_length=27)
    subject: str | None = Field(default=None, max_length=80)
    progress_done: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    progress_total: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
