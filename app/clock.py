"""Time as the archive tells it: the machine's clock, in UTC, to the microsecond.

These times are the archive's own claim; nobody else has witnessed them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The current time, timezone-aware UTC."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """RFC 3339 UTC text with six decimals and `Z`: fixed width, so it sorts as text."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def later(moment: datetime, seconds: float) -> str:
    """RFC 3339 text of a moment some seconds later."""
    return rfc3339(moment + timedelta(seconds=seconds))
