"""Tables of the custody log. The canonical bytes rule; the other columns are projections."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel


class EventRow(SQLModel, table=True):
    """One event at its place in the log."""

    __tablename__ = "custody_event"
    __table_args__ = (UniqueConstraint("object", "object_seq", name="uq_custody_event_object_seq"),)

    leaf_index: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    event_id: str = Field(unique=True, max_length=36)
    object: str = Field(index=True, max_length=100)
    object_seq: int
    type: str = Field(index=True, max_length=60)
    actor_id: str = Field(max_length=64)
    time: str = Field(max_length=27)
    sha256: str | None = Field(default=None, max_length=64)
    event_sha256: str = Field(max_length=64)
    canonical: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class LogHead(SQLModel, table=True):
    """The one row that is locked to append: the number of leaves."""

    __tablename__ = "log_head"

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    size: int


class LogNode(SQLModel, table=True):
    """Root of a complete subtree of 2**level leaves (RFC 6962 section 2.1)."""

    __tablename__ = "log_node"

    level: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    index: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class CheckpointRow(SQLModel, table=True):
    """A signed checkpoint (C2SP tlog-checkpoint); `seq` has no gaps."""

    __tablename__ = "checkpoint"

    size: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    seq: int = Field(unique=True)
    note: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class LostEntry(SQLModel, table=True):
    """The place of an event that is in the log and has no effect here (app.custody.recovery).

    `entry` is what the log holds of it; `canonical` is its text, when that is known.
    """

    __tablename__ = "lost_entry"

    leaf_index: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    entry: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    canonical: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
