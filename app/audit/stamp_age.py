"""Whether the log is still being stamped: a stamp from long ago says nothing of what was recorded since.

A checkpoint that has been there for longer than checkpoints go without a stamp (`Settings.timestamp_seconds`), and some
minutes more, was stamped by each authority, or a larger one was. While a checkpoint's stamp is pending no other is
asked for; that one is named as pending.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice

from sqlalchemy import select
from sqlmodel import Session

from app.archive import Archive
from app.audit.stored import streamed
from app.clock import rfc3339
from app.custody.models import CheckpointRow, EventRow
from app.db import table_of
from app.timestamps.models import TimestampRow
from app.timestamps.rules import PENDING
from app.timestamps.service import checkpoint_subject
from evidence_store.verify.report import Report

GRACE_SECONDS = 600.0
_BATCH = 500


def check_recent(session: Session, archive: Archive, name: str, since: str, report: Report) -> None:
    """Name an authority that was not asked to stamp the log of late.

    Args:
        session: a read session.
        archive: whose log.
        name: of the authority.
        since: RFC 3339 UTC, since when it must have been asked.
        report: receives `timestamp_missing`.
    """
    stamp = table_of(TimestampRow)
    asked = select(stamp.c.id).where(stamp.c.tsa == name, stamp.c.subject.like("checkpoint:%"))
    found = session.connection()
    if found.execute(asked.limit(1)).first() is None:
        return  # it never was, which is named already
    if found.execute(asked.where(stamp.c.state == PENDING).limit(1)).first() is not None:
        return
    due = _due(session, archive, since)
    if due is None:
        return
    sizes = _sizes_from(session, due)
    while batch := list(islice(sizes, _BATCH)):
        subjects = [checkpoint_subject(size) for size in batch]
        if found.execute(asked.where(stamp.c.subject.in_(subjects)).limit(1)).first() is not None:
            return
    detail = f"it was not asked to stamp the checkpoint of {due} events or a later one; does a server or worker run?"
    report.finding("timestamp_missing", f"time-stamping authority {name}", detail)


def _due(session: Session, archive: Archive, since: str) -> int | None:
    """The newest checkpoint whose last event is old enough; None when there is none since the authority is asked."""
    checkpoint, event = table_of(CheckpointRow), table_of(EventRow)
    until = rfc3339(archive.clock() - timedelta(seconds=archive.settings.timestamp_seconds + GRACE_SECONDS))
    newest = (
        select(checkpoint.c.size)
        .join_from(checkpoint, event, event.c.leaf_index == checkpoint.c.size - 1)
        .where(event.c.time < until, event.c.time > since)
        .order_by(checkpoint.c.size.desc())
        .limit(1)
    )
    size = session.connection().execute(newest).scalar_one_or_none()
    return size if type(size) is int else None


def _sizes_from(session: Session, least: int) -> Iterator[int]:
    checkpoint = table_of(CheckpointRow)
    rows = streamed(session, select(checkpoint.c.size).where(checkpoint.c.size >= least).order_by(checkpoint.c.size))
    yield from (row["size"] for row in rows if type(row["size"]) is int)
