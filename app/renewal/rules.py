"""When something is to be renewed, and why: pure rules.

1. A hash tree's last time stamp is renewed before a certificate that vouches for it expires (RFC 4998, section 5.2).
   Afterwards it cannot be renewed any more: it has lapsed.
2. A fresh tree over the whole history is made before a certificate expires that vouches for checkpoints which no
   renewal covers yet, when the log has doubled since, and once a year while it grows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

DAYS_AHEAD: Final = 180
YEAR: Final = timedelta(days=365)
MUCH: Final = 10_000
"""Events that a log must have grown by before its doubling counts."""


@dataclass(frozen=True, slots=True)
class Covered:
    """What the newest hash tree covers: how many events, and when it was made."""

    tree_size: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Due:
    """Something to be renewed.

    Attributes:
        renewal: number of the hash tree whose time stamp is to be renewed; None for a fresh tree.
        why: one line for a person.
    """

    renewal: int | None
    why: str


def stamps_due(now: datetime, days: int, holds: Sequence[tuple[int, datetime]]) -> list[Due]:
    """Rule 1.

    Args:
        now: the current time.
        days: how long before an expiry it is renewed.
        holds: number of each renewal, and until when its last time stamp holds.
    """
    limit = now + timedelta(days=days)
    return [
        Due(number, f"the time stamp of renewal {number} holds until {_day(until)}")
        for number, until in holds
        if now <= until <= limit
    ]


def tree_due(
    now: datetime, days: int, log_size: int, begun: datetime, newest: Covered | None, expiry: datetime | None
) -> list[Due]:
    """Rule 2.

    Args:
        now: the current time.
        days: how long before an expiry it is renewed.
        log_size: events in the log.
        begun: when the archive was made.
        newest: what the newest tree covers; None when there is none.
        expiry: the earliest expiry of a certificate behind a checkpoint's time stamp that no tree covers.
    """
    reasons = []
    since = newest.at if newest is not None else begun
    covered = newest.tree_size if newest is not None else 0
    grown = log_size - covered
    if grown <= 0:
        return []
    if expiry is not None and expiry <= now + timedelta(days=days):
        reasons.append(f"the time stamps of the newest checkpoints hold until {_day(expiry)}")
    if newest is not None and grown >= max(covered, MUCH):
        reasons.append(f"the log has grown from {covered} to {log_size} events since the last renewal")
    if now - since >= YEAR:
        what = "the last renewal" if newest is not None else "the archive, of which nothing was renewed yet,"
        reasons.append(f"{what} is older than a year, and {grown} events are not covered")
    return [Due(None, why) for why in reasons]


def _day(moment: datetime) -> str:
    return moment.date().isoformat()
