"""Choose one value among what several places of a file say, and keep what disagrees."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.analysis.probes.readings import clean
from schemas.records.v1.media_metadata import Certainty, Conflict, IntegerFact, NumberFact, TextFact

V = TypeVar("V", str, int, float)


@dataclass(frozen=True)
class Said(Generic[V]):
    """One place's word: the value, the text it was read from, tool and tag."""

    value: V
    raw: str
    source: str
    certainty: Certainty = "recorded"


def _same(first: object, second: object) -> bool:
    return first == second


def within(tolerance: float) -> Callable[[object, object], bool]:
    """Equality of numbers up to a tolerance."""

    def near(first: object, second: object) -> bool:
        return isinstance(first, int | float) and isinstance(second, int | float) and abs(first - second) <= tolerance

    return near


def same_text(first: object, second: object) -> bool:
    """Equality of texts but for case and blanks: makers spell themselves in several ways."""
    return "".join(str(first).lower().split()) == "".join(str(second).lower().split())


def same_serial(first: object, second: object) -> bool:
    """Equality of serials but for case, blanks and zeros before them: makers pad them."""
    return same_text(str(first).lstrip("0 "), str(second).lstrip("0 "))


def _chosen(
    said: Iterable[Said[V] | None], same: Callable[[object, object], bool]
) -> tuple[Said[V] | None, Certainty, tuple[Conflict, ...]]:
    """The first word counts; a recorded word that differs from it is a conflict."""
    words = [word for word in said if word is not None]
    if not words:
        return None, "absent", ()
    first = words[0]
    others = [word for word in words[1:] if word.certainty == "recorded" and not same(first.value, word.value)]
    conflicts = tuple(Conflict(value=word.value, raw=clean(word.raw), source=word.source) for word in others)
    return first, "conflicting" if conflicts else first.certainty, conflicts


def text_fact(said: Iterable[Said[str] | None], same: Callable[[object, object], bool] = _same) -> TextFact:
    """A text from the first place that says one."""
    first, certainty, conflicts = _chosen(said, same)
    if first is None:
        return TextFact()
    return TextFact(
        value=clean(first.value), raw=clean(first.raw), source=first.source, certainty=certainty, conflicts=conflicts
    )


def number_fact(
    said: Iterable[Said[float] | None], unit: str | None, same: Callable[[object, object], bool] = _same
) -> NumberFact:
    """A number from the first place that says one."""
    first, certainty, conflicts = _chosen(said, same)
    if first is None:
        return NumberFact()
    return NumberFact(
        value=first.value,
        raw=clean(first.raw),
        unit=unit,
        source=first.source,
        certainty=certainty,
        conflicts=conflicts,
    )


def integer_fact(
    said: Iterable[Said[int] | None], unit: str | None = None, same: Callable[[object, object], bool] = _same
) -> IntegerFact:
    """A whole number from the first place that says one."""
    first, certainty, conflicts = _chosen(said, same)
    if first is None:
        return IntegerFact()
    return IntegerFact(
        value=first.value,
        raw=clean(first.raw),
        unit=unit,
        source=first.source,
        certainty=certainty,
        conflicts=conflicts,
    )
