"""Counting incidents, or strikes, under a rule: by month, place, target and method. Pure.

1. A unit counts under a key only when the record says so. One that may lie in two months is uncertain, one of which the
   record says nothing is unknown; both are listed by name, neither is dropped.
2. `count` is what is sure, `at_most` what could be: it adds what is uncertain, unknown or undecided by the rule.
3. An incident counts under each of its targets and methods, so those sums may exceed the total. It is said there.
4. The same members give the same bytes: nothing here depends on the order of rows, the day or the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from app.incidents.bodies import Body, IncidentBody, read_body
from app.incidents.unknown_words import says_unknown
from app.law.suggestions_facts import united
from app.law.suggestions_logic import Facts, Truth
from app.patterns.conditions import (
    VERDICTS,
    InclusionRule,
    Subject,
    says_unknown_before,
    texts_of,
)
from app.patterns.days import DAYS
from app.patterns.withheld import hider, hider_of_parts, is_restricted
from schemas.records.v1.pattern import CitedEntry, Member

METHOD = 4
"""Version number of this way of counting, which releases state. What changes any byte of a count is the next number,
and every earlier one stays as it is: 1 hid the names of persons within longer words, too; 1 and 2 took the one end of
a time that was given for both; 1 to 3 knew four English words for what is not known, and took signs that several people
saw for sources that differ."""
_HIDERS = {1: hider_of_parts, 2: hider, 3: hider, METHOD: hider}
METHODS = frozenset(_HIDERS)
_BEFORE_WORDS = (1, 2, 3)
WITHHELD = "(withheld)"
DIMENSIONS = ("month", "place", "target", "method", "target_kind")
SEVERAL = ("target", "method", "target_kind")
_MONTHS_LISTED = 120  # ten years of possible months; beyond, an event could have been at any time


@dataclass(frozen=True, slots=True)
class Seen:
    """An incident in one version, with the claims about it that stand.

    Attributes:
        cited: entry, ref, number and SHA-256 of the version.
        claims: SHA-256 of the records of the claims.
        facts: what the record and the claims state.
    """

    cited: CitedEntry
    body: Body
    claims: tuple[str, ...]
    facts: Facts


@dataclass(frozen=True, slots=True)
class Counted:
    """What came of it: every incident with its verdict, and the numbers as JSON."""

    members: tuple[Member, ...]
    numbers: dict[str, JsonValue]
    because: dict[str, tuple[str, ...]]


# What a subject counts under, under which else it may, and whether it could be any other.
_Keys = tuple[list[str], list[str], bool]


@dataclass(frozen=True, slots=True)
class _Unit:
    name: str
    truth: Truth
    because: tuple[str, ...]
    keys: dict[str, _Keys]


def count(rule: InclusionRule, seen: Iterable[Seen], method: int = METHOD) -> Counted:
    """Count.

    Args:
        rule: what is included, and whether incidents or strikes are counted.
        seen: all incidents that were looked at, in any order.
        method: one of METHODS.
    """
    found: list[tuple[Member, list[_Unit]]] = []  # no body is kept: ten thousand of them are what takes the time
    because: dict[str, tuple[str, ...]] = {}
    for one in seen:
        own = _units(rule, one, method)
        best = _best(own)
        sure = sum(unit.truth is Truth.TRUE for unit in own)
        because[one.cited.entry] = tuple(
            dict.fromkeys(part for unit in own if unit.truth is best for part in unit.because)
        )
        told = one.cited.model_dump()
        found.append((Member(**told, claims=one.claims, verdict=VERDICTS[best], counted=sure), own))
    found.sort(key=lambda pair: (pair[0].ref, pair[0].entry))
    units = [unit for _, own in found for unit in own]
    return Counted(tuple(member for member, _ in found), _numbers(rule, units), because)


def _best(units: Sequence[_Unit]) -> Truth:
    truths = {unit.truth for unit in units}
    return next(truth for truth in (Truth.TRUE, Truth.UNKNOWN, Truth.FALSE) if truth in truths)


def _units(rule: InclusionRule, one: Seen, method: int) -> list[_Unit]:
    body: IncidentBody = read_body("incident", one.cited.ref, one.body, IncidentBody)
    facts, unstated = one.facts, says_unknown_before
    if method not in _BEFORE_WORDS:
        facts, unstated = united(one.facts, rule.vocabulary), says_unknown
    if rule.unit == "incident" or not body.sequence:  # without strikes, how many there were is not known
        whole = Subject(body, tuple(body.sequence), facts, DAYS[method](body, None), unstated=unstated)
        judged = rule.ask(whole)
        truth = Truth.UNKNOWN if rule.unit == "strike" and judged.truth is Truth.TRUE else judged.truth
        because = ("the record lists no strikes",) if truth is not judged.truth else judged.because
        return [_Unit(one.cited.ref, truth, because, _keys(whole, truth, method))]
    found = []
    for strike in body.sequence:
        subject = Subject(body, (strike,), facts, DAYS[method](body, strike), strike.n, unstated)
        judged = rule.ask(subject)
        keys = _keys(subject, judged.truth, method)
        found.append(_Unit(f"{one.cited.ref} #{strike.n}", judged.truth, judged.because, keys))
    return found


def _keys(subject: Subject, truth: Truth, method: int) -> dict[str, _Keys]:
    """Under what a unit counts in each table; of one that is excluded, nothing is asked."""
    return {} if truth is Truth.FALSE else {name: _KEYS[name](subject, method) for name in DIMENSIONS}


def _numbers(rule: InclusionRule, units: Sequence[_Unit]) -> dict[str, JsonValue]:
    of = {truth: [unit for unit in units if unit.truth is truth] for truth in Truth}
    undecided: list[JsonValue] = [{"unit": unit.name, "open": [*unit.because]} for unit in of[Truth.UNKNOWN]]
    by: dict[str, JsonValue] = {name: _by(name, of[Truth.TRUE], of[Truth.UNKNOWN]) for name in DIMENSIONS}
    return {
        "unit": rule.unit,
        "included": len(of[Truth.TRUE]),
        "unknown": len(of[Truth.UNKNOWN]),
        "excluded": len(of[Truth.FALSE]),
        "at_most": len(of[Truth.TRUE]) + len(of[Truth.UNKNOWN]),
        "undecided": undecided,
        "by": by,
    }


def _by(name: str, included: Sequence[_Unit], undecided: Sequence[_Unit]) -> dict[str, JsonValue]:
    """One table: sure counts, what is uncertain or unknown by name, and what each count could be at most."""
    sure: dict[str, int] = {}
    at_most: dict[str, int] = {}
    anywhere = 0
    uncertain: list[JsonValue] = []
    unknown: list[JsonValue] = []
    for unit in (*included, *undecided):
        known, possible, open_ = unit.keys[name]
        anywhere += open_
        for key in known if open_ else (*known, *possible):
            at_most[key] = at_most.get(key, 0) + (not open_)
            sure.setdefault(key, 0)
        if unit.truth is not Truth.TRUE:
            continue
        for key in known:
            sure[key] += 1
        if open_:
            unknown.append(unit.name)
        elif possible:
            uncertain.append({"unit": unit.name, "possible": [*possible]})
    rows: list[JsonValue] = [
        {"key": key, "count": sure[key], "at_most": at_most.get(key, 0) + anywhere} for key in sorted(sure)
    ]
    return {"rows": rows, "uncertain": uncertain, "unknown": unknown, "several_keys": name in SEVERAL}


def _months(subject: Subject, _: int) -> _Keys:
    if subject.days is None:
        return [], [], True
    first, last = subject.days
    start, end = first.year * 12 + first.month - 1, last.year * 12 + last.month - 1
    if end - start >= _MONTHS_LISTED:
        return [], [], True
    months = [f"{number // 12:04}-{number % 12 + 1:02}" for number in range(start, end + 1)]
    return (months, [], False) if len(months) == 1 else ([], months, False)


def _places(subject: Subject, method: int) -> _Keys:
    if is_restricted(subject.body.place) or any(is_restricted(strike.place) for strike in subject.strikes):
        return [WITHHELD], [], False
    return _texts(subject, "city", method)


def _texts(subject: Subject, field: str, method: int) -> _Keys:
    """What the record says, with the names of its persons hidden: a table is published."""
    known, open_ = texts_of(subject, field)
    hide = _HIDERS[method](subject.body)
    stated = [one.text if hide is None else hide(one.text) for one in known if not one.unstated]
    return list(dict.fromkeys(stated)), [], open_


def _kinds(subject: Subject, _: int) -> _Keys:
    """The fact `targets`: what is listed under every account of it counts; what only some list is possible."""
    values = [value for value in subject.facts.get("targets", ()) if isinstance(value, frozenset)]
    if not values:
        return [], [], True
    agreed = frozenset.intersection(*values)
    return sorted(agreed), sorted(frozenset.union(*values) - agreed), False


_KEYS: dict[str, Callable[[Subject, int], _Keys]] = {
    "month": _months,
    "place": _places,
    "target": lambda subject, method: _texts(subject, "target", method),
    "method": lambda subject, method: _texts(subject, "method", method),
    "target_kind": _kinds,
}
