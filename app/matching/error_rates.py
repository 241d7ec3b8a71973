"""How often a verdict was wrong where that was counted: figures of the benchmark, with the media they were counted on.

The figures stand in `data/error_rates.json`, which `python -m benchmarks.matching.publish` writes from runs. They hold
for these media only; a verdict without a figure says so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from app.matching.recipe import ALGORITHM_ID


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """Pairs of strangers that got a verdict, among all that were compared.

    Attributes:
        false: pairs that got it.
        pairs: pairs compared.
        high: upper end of Wilson's 95 % interval of the share, 0 to 1.
        data_set: what was compared, in a few words.
    """

    false: int
    pairs: int
    high: float
    data_set: str


@cache
def _published() -> dict[str, Any]:
    text = files("app.matching").joinpath("data/error_rates.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def error_rate(media: str, verdict: str) -> ErrorRate | None:
    """The counted rate of a verdict by today's recipe.

    Args:
        media: `photo` (two photos), `video` (two recordings) or `still` (one of each).
        verdict: name of it.

    Returns:
        None when nothing was counted, or by another recipe only.
    """
    published = _published()
    row = published["media"].get(media) if published["recipe"] == ALGORITHM_ID else None
    if row is None or verdict not in row["false"]:
        return None
    return ErrorRate(row["false"][verdict], row["pairs"], row["high"][verdict], row["data_set"])


def sentence(media: str, verdict: str) -> str:
    """The rate for people, true from either side of a pair."""
    rate = error_rate(media, verdict)
    if rate is None:
        return "How often this verdict is wrong has not been counted."
    return (
        f"This verdict was given to {rate.false:,} of {rate.pairs:,} pairs of strangers (with 95 % confidence to less "
        f"than 1 in {int(1 / rate.high):,}): {rate.data_set}."
    )
