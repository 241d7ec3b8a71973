"""An inclusion rule: reading it whole or not at all, and asking it of one incident in three-valued logic. Pure.

1. What is unknown stays unknown: a record that does not say what was hit is neither in nor out.
2. A date that may lie on both sides of a bound is unknown there; so is a text of which a part is not stated.
3. Every answer names the parts of the rule that decide it, or that are open.
4. A release says by which method it was counted (app.patterns.counting): a change of meaning here is another method,
   beside this one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from pydantic import JsonValue

from app.errors import CatenaError, InvalidInputError
from app.incidents.bodies import IncidentBody, Strike
from app.incidents.unknown_words import says_unknown
from app.law.suggestions_facts import Vocabulary
from app.law.suggestions_logic import Compare, Facts, Truth, evaluate
from app.law.suggestions_rules import fact_comparison
from app.patterns.days import Days
from schemas.records.v1.pattern import Unit

OF_STRIKES = ("target", "method", "result")
OF_PLACE = ("place", "city", "oblast", "place_precision")
TEXTS = ("title", *OF_PLACE, *OF_STRIKES)
NUMBERS = ("killed", "injured", "strikes")
MAX_PARTS = 200
_UNSTATED_BEFORE = (" not stated ", " unknown ", " not known ", " unclear ")
_WORDS = re.compile(r"\w+")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NUMBER_OPS: dict[str, Callable[[int, int], bool]] = {
    "eq": lambda a, b: a == b,
    "gte": lambda a, b: a >= b,
    "lte": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
}


@dataclass(frozen=True, slots=True)
class Said:
    """A text of a record: as it stands, folded for comparison, and whether it says that something is not stated."""

    text: str
    folded: str
    unstated: bool


@dataclass(frozen=True, slots=True)
class Subject:
    """What a rule is asked of: an incident with all its strikes, or with one of them.

    Attributes:
        n: number of the strike, when strikes are counted; else None.
        days: first and last possible day, the calendar's own for an open end; None when that is not known.
        unstated: whether a text says that a part of it is not known.
        texts: what `texts_of` has read of it.
    """

    body: IncidentBody
    strikes: tuple[Strike, ...]
    facts: Facts
    days: Days | None
    n: int | None = None
    unstated: Callable[[str], bool] = says_unknown
    texts: dict[str, tuple[tuple[Said, ...], bool]] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of it, and which parts of the rule decide it or are open."""

    truth: Truth
    because: tuple[str, ...] = ()


Ask = Callable[[Subject], Judged]


@dataclass(frozen=True, slots=True)
class InclusionRule:
    """A rule that was read."""

    title: str
    unit: Unit
    ask: Ask
    vocabulary: Vocabulary


def read_rule(body: Mapping[str, JsonValue], vocabulary: Vocabulary) -> InclusionRule:
    """Read a rule.

    Args:
        body: `title`, `unit` (`incident` or `strike`), optional `period` {from, to} and `note`, and `where`.
        vocabulary: facts that it may ask for.

    Raises:
        InvalidInputError: `bad_pattern_rule`, naming what is wrong.
    """
    if strange := sorted(set(body) - {"title", "unit", "period", "where", "note"}):
        raise _bad(f"it knows no {strange[0][:64]!r}")
    title, unit = body.get("title"), body.get("unit", "incident")
    if not isinstance(title, str) or not 1 <= len(title.strip()) <= 500:  # noqa: PLR2004 - as of an incident
        raise _bad("it needs a title of 1 to 500 characters")
    if unit not in ("incident", "strike"):
        raise _bad("its unit is incident or strike")
    counted: Unit = "strike" if unit == "strike" else "incident"
    if not isinstance(body.get("note", ""), str):
        raise _bad("its note is no text")
    reader = _Reader(vocabulary)
    parts = [reader.read(body["where"])] if "where" in body else []
    if "period" in body:
        parts.append(_period(body["period"]))
    if not parts:
        raise _bad("it includes everything: state a period, or what is counted under `where`")
    return InclusionRule(title, counted, _joined("all", parts), vocabulary)


def texts_of(subject: Subject, name: str) -> tuple[tuple[Said, ...], bool]:
    """What a record says in a field, each text once, and whether a part of it is not stated."""
    found = subject.texts.get(name)
    if found is None:
        found = subject.texts[name] = _texts_of(subject, name)
    return found


def _texts_of(subject: Subject, name: str) -> tuple[tuple[Said, ...], bool]:
    if name in OF_STRIKES:
        given = [getattr(strike, name) for strike in subject.strikes]
    elif name == "title":
        given = [subject.body.title]
    else:
        place, extra = subject.body.place, subject.body.place.model_extra or {}
        given = [{"place": place.text, "place_precision": place.precision}.get(name, extra.get(name))]
    known = [text.strip() for text in given if isinstance(text, str) and text.strip()]
    said = tuple(Said(text, _folded(text), subject.unstated(text)) for text in dict.fromkeys(known))
    return said, not given or len(known) < len(given) or any(one.unstated for one in said)


def says_unknown_before(text: str) -> bool:
    """As methods 1 to 3 of counting read it, which knew four words of English: releases rest on that."""
    folded = _folded(text)
    return any(word in folded for word in _UNSTATED_BEFORE)


class _Reader:
    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._left = MAX_PARTS

    def read(self, part: JsonValue) -> Ask:
        self._left -= 1
        if self._left < 0:
            raise _bad(f"it has more than {MAX_PARTS} parts")
        if not isinstance(part, dict):
            raise _bad("a condition is an object")
        if set(part) == {"not"}:
            return _negated(self.read(part["not"]))
        for mode in ("all", "any"):
            if set(part) == {mode}:
                inner = part[mode]
                if not isinstance(inner, list) or not inner:
                    raise _bad(f"{mode} needs a list of conditions")
                return _joined(mode, [self.read(one) for one in inner])
        if set(part) == {"fact", "op", "value"}:
            return self._fact(part)
        if set(part) == {"field", "op", "value"}:
            return _field(str(part["field"]), part["op"], part["value"])
        raise _bad("a condition is all, any, not, or a fact or field with op and value")

    def _fact(self, part: Mapping[str, Any]) -> Ask:
        try:
            compare = fact_comparison(part["fact"], part["op"], part["value"], self._vocabulary)
        except (CatenaError, ValueError, KeyError, TypeError) as error:
            raise _bad(f"fact {str(part['fact'])[:64]!r}: {str(error)[:200] or 'unknown'}") from None
        name = f"fact {part['fact']} {part['op']} {_shown(part['value'])}"
        return lambda subject: Judged(_truth(compare, subject.facts), (name,))


def _truth(compare: Compare, facts: Facts) -> Truth:
    return evaluate(compare, facts).truth


def _field(field: str, op: JsonValue, value: JsonValue) -> Ask:
    name = f"{field} {op} {_shown(value)}"
    if field == "date" and op == "within" and isinstance(value, list) and len(value) == 2:  # noqa: PLR2004 - from, to
        first, last = _day(value[0]), _day(value[1])
        return lambda subject: Judged(_within(subject.days, first, last), (name,))
    if field in NUMBERS and op in _NUMBER_OPS and isinstance(value, int) and not isinstance(value, bool):
        holds = _NUMBER_OPS[str(op)]
        return lambda subject: Judged(_number(subject, field, lambda number: holds(number, value)), (name,))
    if field in TEXTS and op in {"is", "mentions"}:
        words = [_folded(one) for one in value if isinstance(one, str)] if isinstance(value, list) else []
        if not words or len(words) != len(value) or not all(word.strip() for word in words):  # type: ignore[arg-type]
            raise _bad(f"{field} is compared with a list of texts")
        return lambda subject: Judged(_text(subject, field, words, whole=op == "is"), (name,))
    raise _bad(f"{field[:64]!r} cannot be asked by {str(op)[:64]!r} with this value")


def _period(given: JsonValue) -> Ask:
    if not isinstance(given, dict) or not given or set(given) - {"from", "to"}:
        raise _bad("a period has from, to, or both")
    first = _day(given["from"]) if "from" in given else date.min
    last = _day(given["to"]) if "to" in given else date.max
    if last < first:
        raise _bad("its period ends before it begins")
    name = f"period {given.get('from', '..')}/{given.get('to', '..')}"
    return lambda subject: Judged(_within(subject.days, first, last), (name,))


def _within(days: Days | None, first: date, last: date) -> Truth:
    if days is None:
        return Truth.UNKNOWN
    if first <= days[0] and days[1] <= last:
        return Truth.TRUE
    return Truth.FALSE if days[1] < first or last < days[0] else Truth.UNKNOWN


def _number(subject: Subject, field: str, holds: Callable[[int], bool]) -> Truth:
    casualties = subject.body.casualties
    found = len(subject.body.sequence) or None if field == "strikes" else getattr(casualties, field)
    if found is None:
        return Truth.UNKNOWN
    return Truth.TRUE if holds(found) else Truth.FALSE


def _text(subject: Subject, field: str, words: Sequence[str], *, whole: bool) -> Truth:
    known, open_ = texts_of(subject, field)
    for one in known:
        if any(one.folded == word if whole else word in one.folded for word in words):
            return Truth.TRUE
    return Truth.UNKNOWN if open_ else Truth.FALSE


def _negated(ask: Ask) -> Ask:
    opposite = {Truth.TRUE: Truth.FALSE, Truth.FALSE: Truth.TRUE, Truth.UNKNOWN: Truth.UNKNOWN}

    def asked(subject: Subject) -> Judged:
        inner = ask(subject)
        return Judged(opposite[inner.truth], tuple(f"not: {one}" for one in inner.because))

    return asked


def _joined(mode: str, parts: Sequence[Ask]) -> Ask:
    decisive, otherwise = (Truth.FALSE, Truth.TRUE) if mode == "all" else (Truth.TRUE, Truth.FALSE)

    def asked(subject: Subject) -> Judged:
        found = [part(subject) for part in parts]
        truths = {one.truth for one in found}
        truth = decisive if decisive in truths else Truth.UNKNOWN if Truth.UNKNOWN in truths else otherwise
        because = dict.fromkeys(name for one in found if one.truth is truth for name in one.because)
        return Judged(truth, tuple(because))

    return asked


def _folded(text: str) -> str:
    return " " + " ".join(_WORDS.findall(unicodedata.normalize("NFKC", text).casefold())) + " "


def _day(text: JsonValue) -> date:
    try:
        if isinstance(text, str) and _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise _bad("a day is YYYY-MM-DD")


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _bad(detail: str) -> InvalidInputError:
    return InvalidInputError("bad_pattern_rule", f"the inclusion rule cannot be used: {detail}")


Verdict = Literal["included", "unknown", "excluded"]
VERDICTS: dict[Truth, Verdict] = {Truth.TRUE: "included", Truth.UNKNOWN: "unknown", Truth.FALSE: "excluded"}
