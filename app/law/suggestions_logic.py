"""Kleene's three-valued logic over facts that may be unknown: pure, and nothing in it knows of law.

1. A missing fact is unknown. A fact of which sources differ has several possible values: a condition that holds of all
   of them is true, one that holds of none is false, any other is unknown. No value wins.
2. On an open-world set "has any" without a common member is unknown, unless the set was established as complete.
3. "All" is false as soon as one part is false, "any" true as soon as one part is true; what is unknown beside it does
   not matter. Adding an unknown fact therefore never changes an outcome.
4. Every outcome says which facts it rests on, and an unknown one which facts would settle it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal, TypeVar

T = TypeVar("T")
Value = bool | int | float | str | frozenset[str]
Facts = Mapping[str, tuple[Value, ...]]
"""Possible values by fact, at least one each: one when it is established, several while sources differ."""

Operator = Literal["eq", "in", "has_any", "lte", "gt", "is_unknown"]


class Truth(Enum):
    """The three values."""

    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Compare:
    """One fact compared.

    Attributes:
        fact: its name.
        op: the operator.
        value: what it is compared with; a set of members for `in` and `has_any`.
        threshold: name of the threshold that stands for `value`, when there is one.
        open_world: the fact is a set of which an absent member is not known to be absent.
        complete_flag: the fact that says that such a set is complete.
    """

    fact: str
    op: Operator
    value: Value
    threshold: str | None = None
    open_world: bool = False
    complete_flag: str | None = None


@dataclass(frozen=True, slots=True)
class Join:
    """Several conditions: all of them, or any."""

    mode: Literal["all", "any"]
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Negate:
    """The opposite of a condition."""

    part: Condition


Condition = Compare | Join | Negate


@dataclass(frozen=True, slots=True)
class Need:
    """A fact that would settle a condition, and what it would have to be.

    Attributes:
        fact: its name.
        wanted: in words, such as "is true".
        differing: sources differ on it, so it is not missing but open.
    """

    fact: str
    wanted: str
    differing: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a condition.

    Attributes:
        truth: its value.
        used: names of the known facts that it rests on, in order of reading.
        needs: of an unknown outcome, what would make it true.
    """

    truth: Truth
    used: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()


def evaluate(condition: Condition, facts: Facts, *, wanted: bool = True) -> Outcome:
    """The value of a condition.

    Args:
        condition: what is asked.
        facts: what is known.
        wanted: which value the reader hopes for: under "not" a need is for the opposite.
    """
    if isinstance(condition, Compare):
        return _compare(condition, facts, wanted=wanted)
    if isinstance(condition, Negate):
        inner = evaluate(condition.part, facts, wanted=not wanted)
        return Outcome(_NOT[inner.truth], inner.used, inner.needs)
    return _join(condition.mode, [evaluate(part, facts, wanted=wanted) for part in condition.parts])


def comparisons(condition: Condition) -> Iterator[Compare]:
    """Every comparison in a condition."""
    if isinstance(condition, Compare):
        yield condition
    elif isinstance(condition, Negate):
        yield from comparisons(condition.part)
    else:
        for part in condition.parts:
            yield from comparisons(part)


_NOT = {Truth.TRUE: Truth.FALSE, Truth.FALSE: Truth.TRUE, Truth.UNKNOWN: Truth.UNKNOWN}


def _join(mode: Literal["all", "any"], outcomes: list[Outcome]) -> Outcome:
    # what decides alone, and what the join is when nothing is open
    decisive, otherwise = (Truth.FALSE, Truth.TRUE) if mode == "all" else (Truth.TRUE, Truth.FALSE)
    deciding = [one for one in outcomes if one.truth is decisive]
    if deciding:
        return Outcome(decisive, _unique(name for one in deciding for name in one.used))
    still_open = [one for one in outcomes if one.truth is Truth.UNKNOWN]
    used = _unique(name for one in outcomes for name in one.used)
    if still_open:
        return Outcome(Truth.UNKNOWN, used, _unique(need for one in still_open for need in one.needs))
    return Outcome(otherwise, used)


def _compare(asked: Compare, facts: Facts, *, wanted: bool) -> Outcome:
    values = facts.get(asked.fact, ())
    if asked.op == "is_unknown":
        return Outcome(Truth.TRUE if (len(values) != 1) is asked.value else Truth.FALSE, (asked.fact,))
    found = {_holds(asked, value, facts) for value in values}
    if len(found) == 1 and Truth.UNKNOWN not in found:
        (truth,) = found
        consulted = (asked.complete_flag,) if asked.open_world and asked.complete_flag and truth is Truth.FALSE else ()
        return Outcome(truth, (asked.fact, *consulted))
    return Outcome(Truth.UNKNOWN, (), tuple(_needs(asked, facts, wanted=wanted)))


def _holds(asked: Compare, value: Value, facts: Facts) -> Truth:
    """Whether a comparison holds of one possible value."""
    if asked.op == "has_any":
        if _members(value) & _members(asked.value):
            return Truth.TRUE
        complete = asked.complete_flag is not None and facts.get(asked.complete_flag) == (True,)
        return Truth.UNKNOWN if asked.open_world and not complete else Truth.FALSE
    if asked.op == "in":
        holds = value in _members(asked.value)
    elif asked.op == "eq":
        holds = value == asked.value
    else:
        holds = _number(value) <= _number(asked.value) if asked.op == "lte" else _number(value) > _number(asked.value)
    return Truth.TRUE if holds else Truth.FALSE


def _needs(asked: Compare, facts: Facts, *, wanted: bool) -> Iterator[Need]:
    values = facts.get(asked.fact, ())
    if wanted or not asked.open_world or not values or len(values) > 1:
        yield Need(asked.fact, _words(asked, wanted=wanted), differing=len(values) > 1)
    if asked.open_world and asked.complete_flag is not None and not wanted:
        flag = facts.get(asked.complete_flag, ())
        if flag != (True,):
            yield Need(asked.complete_flag, "is true", differing=len(flag) > 1)


def _words(asked: Compare, *, wanted: bool) -> str:
    if isinstance(asked.value, frozenset):
        listed = ", ".join(sorted(asked.value))
        kind = "holds one of" if asked.op == "has_any" else "is one of"
        return f"{kind}: {listed}" if wanted else f"{'holds' if asked.op == 'has_any' else 'is'} none of: {listed}"
    value = str(asked.value).lower() if isinstance(asked.value, bool) else str(asked.value)
    if asked.op == "lte":
        return f"is {value} or less" if wanted else f"is more than {value}"
    if asked.op == "gt":
        return f"is more than {value}" if wanted else f"is {value} or less"
    return f"is {value}" if wanted else f"is not {value}"


def _members(value: Value) -> frozenset[Value]:
    return frozenset(value) if isinstance(value, frozenset) else frozenset()


def _number(value: Value) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")


def _unique(things: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(things))
