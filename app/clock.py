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


def parse_rfc3339(text: str) -> datetime:
    """Read RFC 3339 text with an offset or `Z`.

    Raises:
        ValueError: not RFC 3339, or without an offset.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs an offset, such as Z or +03:00")
    return moment.astimezone(UTC)


def later(moment: datetime, seconds: float) -> str:
    """RFC 3339 text of a moment some seconds later."""
    return rfc3339(moment + timedelta(seconds=seconds))
