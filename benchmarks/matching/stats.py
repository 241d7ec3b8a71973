"""Shares with their intervals, and limits at an equal rate of false positives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

Z: Final = 1.959964  # 95 %


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (Wilson 1927); (0, 1) without trials."""
    if trials == 0:
        return 0.0, 1.0
    share, square = hits / trials, Z * Z
    centre = (share + square / (2 * trials)) / (1 + square / trials)
    half = Z / (1 + square / trials) * math.sqrt(share * (1 - share) / trials + square / (4 * trials * trials))
    return max(0.0, centre - half), min(1.0, centre + half)


def limit_at(negatives: Sequence[int], allowed: int) -> int:
    """The largest distance at which at most so many negatives would be accepted; -1 when none is."""
    ordered = sorted(negatives)
    return ordered[allowed] - 1 if allowed < len(ordered) else 256


def shown(hits: int, trials: int) -> str:
    """A share with its interval, for a table."""
    low, high = wilson(hits, trials)
    return f"{hits / trials:.3f} [{low:.3f}, {high:.3f}]" if trials else "-"
