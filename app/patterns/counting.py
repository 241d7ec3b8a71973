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
from app.incidents.standing import days_of
from app.law.suggestions_logic import Facts, Truth
from app.patterns.conditions import (
    VERDICTS,
    InclusionRule,
    Subject,
    days_of_strike,
    is_unstated,
    texts_of,
)
from app.patterns.withheld import hider, is_restricted
from schemas.records.v1.pattern import CitedEntry, Member

METHOD = 1
"""Version number of this way of counting, which releases state. What changes a number of a release is METHOD + 1."""
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


@dataclass(frozen=True, slots=True)
class _Unit:
    name: str
    truth: Truth
    because: tuple[str, ...]
    subject: Subject


def count(rule: InclusionRule, seen: Iterable[Seen]) -> Counted:
    """Count.

    Args:
        rule: what is included, and whether incidents or strikes are counted.
        seen: all incidents that were looked at, in any order.
    """
    ordered = sorted(seen, key=lambda one: (one.cited.ref, one.cited.entry))
    members: list[Member] = []
    units: list[_Unit] = []
    because: dict[str, tuple[str, ...]] = {}
    for one in ordered:
        own = _units(rule, one)
        best = _best(own)
        sure = sum(unit.truth is Truth.TRUE for unit in own)
        because[one.cited.entry] = tuple(
            dict.fromkeys(part for unit in own if unit.truth is best for part in unit.because)
        )
        members.append(
            Member(**one.cited.model_dump(), claims=one.claims, verdict=VERDICTS[best], counted=sure),
        )
        units += own
    return Counted(tuple(members), _numbers(rule, units), because)


def _best(units: Sequence[_Unit]) -> Truth:
    truths = {unit.truth for unit in units}
    return next(truth for truth in (Truth.TRUE, Truth.UNKNOWN, Truth.FALSE) if truth in truths)


def _units(rule: InclusionRule, one: Seen) -> list[_Unit]:
    body: IncidentBody = read_body("incident", one.cited.ref, one.body, IncidentBody)
    if rule.unit == "incident" or not body.sequence:  # without strikes, how many there were is not known
        whole = Subject(body, tuple(body.sequence), one.facts, days_of(body.date))
        judged = rule.ask(whole)
        truth = Truth.UNKNOWN if rule.unit == "strike" and judged.truth is Truth.TRUE else judged.truth
        because = ("the record lists no strikes",) if truth is not judged.truth else judged.because
        return [_Unit(one.cited.ref, truth, because, whole)]
    found = []
    for strike in body.sequence:
        subject = Subject(body, (strike,), one.facts, days_of_strike(body, strike), strike.n)
        judged = rule.ask(subject)
        found.append(_Unit(f"{one.cited.ref} #{strike.n}", judged.truth, judged.because, subject))
    return found


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
        known, possible, open_ = _KEYS[name](unit.subject)
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


# What a subject counts under, under which else it may, and whether it could be any other.
_Keys = tuple[list[str], list[str], bool]


def _months(subject: Subject) -> _Keys:
    if subject.days is None:
        return [], [], True
    first, last = subject.days
    start, end = first.year * 12 + first.month - 1, last.year * 12 + last.month - 1
    if end - start >= _MONTHS_LISTED:
        return [], [], True
    months = [f"{number // 12:04}-{number % 12 + 1:02}" for number in range(start, end + 1)]
    return (months, [], False) if len(months) == 1 else ([], months, False)


def _places(subject: Subject) -> _Keys:
    if is_restricted(subject.body.place) or any(is_restricted(strike.place) for strike in subject.strikes):
        return [WITHHELD], [], False
    return _texts(subject, "city")


def _texts(subject: Subject, field: str) -> _Keys:
    """What the record says, with the names of its persons hidden: a table is published."""
    known, open_ = texts_of(subject, field)
    hide = hider(subject.body)
    stated = [text if hide is None else str(hide(text)) for text in known if not is_unstated(text)]
    return list(dict.fromkeys(stated)), [], open_


def _kinds(subject: Subject) -> _Keys:
    """The fact `targets`: what is listed under every account of it counts; what only some list is possible."""
    values = [value for value in subject.facts.get("targets", ()) if isinstance(value, frozenset)]
    if not values:
        return [], [], True
    agreed = frozenset.intersection(*values)
    return sorted(agreed), sorted(frozenset.union(*values) - agreed), False


_KEYS: dict[str, Callable[[Subject], _Keys]] = {
    "month": _months,
    "place": _places,
    "target": lambda subject: _texts(subject, "target"),
    "method": lambda subject: _texts(subject, "method"),
    "target_kind": _kinds,
}
