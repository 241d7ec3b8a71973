"""What renewals cover today, until when it holds, and what is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from app.archive import Archive
from app.custody.log_store import tree_size
from app.renewal.expiry import uncovered_expiry
from app.renewal.records import Renewal, newest_of, recorded
from app.renewal.rules import DAYS_AHEAD, Covered, Due, stamps_due, tree_due


@dataclass(frozen=True, slots=True)
class Standing:
    """What is covered today.

    Attributes:
        log_size: events in the log.
        renewals: oldest first.
        due: what is to be renewed.
        as_of: when this was found.
    """

    log_size: int
    renewals: list[Renewal]
    due: list[Due]
    as_of: datetime


def standing(archive: Archive, days: int = DAYS_AHEAD) -> Standing:
    """What is covered and what is due, whoever asks.

    Raises:
        EnvironmentFailedError: `renewal_damaged`.
    """
    with archive.db.read() as session:
        size = tree_size(session)
        renewals = recorded(session, archive.about)
        due = due_now(session, archive, renewals, size, days)
    return Standing(size, renewals, due, archive.clock())


def due_now(session: Session, archive: Archive, renewals: Sequence[Renewal], size: int, days: int) -> list[Due]:
    """What is to be renewed, and why."""
    now = archive.clock()
    newest = newest_of(renewals)
    begun = datetime.fromisoformat(archive.identity.created_at)
    covered = None
    if newest is not None:
        covered = Covered(newest.tree_size, datetime.fromisoformat(newest.created_at))
    expiry = uncovered_expiry(session, newest.created_at if newest is not None else None)
    holds = [(renewal.number, renewal.holds_until) for renewal in renewals]
    return [*stamps_due(now, days, holds), *tree_due(now, days, size, begun, covered, expiry)]
