"""How long a failed job waits before it is tried again: a pure rule."""

from __future__ import annotations

import random

FIRST_SECONDS = 5.0
MAX_SECONDS = 600.0
_GROWTH = 4
_MOST_STEPS = 10
_JITTER = 0.25
_chance = random.SystemRandom()


def delay(attempt: int) -> float:
    """Seconds after the given attempt (from 1): 5, 20, 80, 320, then 600, each a quarter more or less.

    Jobs that failed together, because a disk was full or a server was down, thus do not come back together.
    """
    steps = min(attempt - 1, _MOST_STEPS)
    return float(min(FIRST_SECONDS * _GROWTH**steps, MAX_SECONDS)) * _chance.uniform(1 - _JITTER, 1 + _JITTER)
