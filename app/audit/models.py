"""Table of audits: each with its report, bound to the log like any other record."""

from __future__ import annotations

from sqlalchemy import Column, Text
from sqlmodel import Field, SQLModel

from app.custody.rows import SaltedRow, register

READY, RUNNING, DONE, FAILED = "ready", "running", "done", "failed"
"""States of an audit that was asked for."""


class AuditRow(SaltedRow, table=True):
    """One finished audit."""

    __tablename__ = "audit"

    id: str = Field(primary_key=True, max_length=36)
    requested_by: str = Field(max_length=36)
    started_at: str = Field(max_length=27)
    finished_at: str = Field(max_length=27)
    ok: bool
    sample: int | None = None
    report: str = Field(sa_column=Column(Text, nullable=False))


register(AuditRow, "requested_by", "started_at", "finished_at", "ok", "sample", "report")


class AuditRunRow(SQLModel, table=True):
    """An audit that is under way, waiting or was interrupted: where it can go on.

    `options` and `progress` are JSON objects. `state` is `ready`, `running`, `done` or `failed`. It is bookkeeping and
    not bound to the log; the finished audit is (`AuditRow`).
    """

    __tablename__ = "audit_run"

    id: str = Field(primary_key=True, max_length=36)
    requested_by: str = Field(max_length=36)
    options: str = Field(sa_column=Column(Text, nullable=False))
    state: str = Field(index=True, max_length=10)
    progress: str = Field(sa_column=Column(Text, nullable=False))
    started_at: str = Field(max_length=27)
    updated_at: str = Field(max_length=27)
    failure: str | None = Field(default=None, max_length=500)
