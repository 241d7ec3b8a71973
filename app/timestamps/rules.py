"""When an authority is asked again, and when no longer: pure rules."""

from __future__ import annotations

import re

PENDING, DONE, FAILED = "pending", "done", "failed"

FIRST_DELAY_SECONDS = 5.0
MAX_DELAY_SECONDS = 3600.0
GIVE_UP_SECONDS = 7 * 86_400.0
_PERMANENT = frozenset({"timestamp_refused"})
_SUBJECT = re.compile(r"(checkpoint:[0-9]{1,18}|(receipt|bundle|audit|release):[0-9a-f-]{36})", re.ASCII)


def delay_after(attempts: int) -> float:
    """Seconds to wait after so many failed attempts: doubling, up to an hour."""
    return min(FIRST_DELAY_SECONDS * 2.0 ** min(attempts - 1, 20), MAX_DELAY_SECONDS)


def gives_up(code: str, waited: float) -> bool:
    """Whether a failure is final: the authority will never do it, or has not for a week.

    Args:
        code: of the error.
        waited: seconds since the stamp was asked for.
    """
    return code in _PERMANENT or waited > GIVE_UP_SECONDS


def is_subject(text: str) -> bool:
    """Whether a text names something that can be stamped: `checkpoint:SIZE`, `receipt:ITEM` and their like."""
    return _SUBJECT.fullmatch(text) is not None
