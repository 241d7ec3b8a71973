"""What fixed rules make of a body: dates as intervals, how to read a statement, which names are personal data. Pure.

1. Nothing is added that the body does not bear: a missing time stays missing, a year that was not printed is inferred.
2. A statement that nobody has reviewed is read both for and against; its author is unknown unless he is named, and its
   authentication is pending until somebody has authenticated it.
3. A condition stays a condition: who repeats a conditional statement without it makes a claim of his own.
4. An aggregate is one statement with a number; it is never expanded into incidents.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date, datetime, timedelta
from functools import partial
from typing import TypeVar

from pydantic import JsonValue

from app.incidents.bodies import MASK, PERSONAL_TEXTS, AggregateBody, Body, IncidentBody, StatementBody, When, read_body
from app.incidents.statement_kinds import is_denial
from app.incidents.unknown_words import is_unknown, says_unknown
from app.strings import DEFAULT, Language, message
from schemas.records.v1.incident import EntryKind

PURPOSE = "identification of a person who was harmed, for the assessment of this incident"
REVIEW_AFTER = timedelta(days=365)
PENDING = "pending"
ONE_READER = "one reader"
NAMED_READER = "second reader named, not signed off here"
"""That a file names a second reader is what the file says; a sign-off is a record of its own (app.verification)."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
_YEAR = re.compile(r"\d{4}", re.ASCII)
_UNNAMED = ("unnamed", "anonymous", "неназван", "анонім", "аноним")

Standing = dict[str, JsonValue]
Days = tuple[date | None, date | None]
"""First and last possible day; None for an end that is open: nothing tells how far off it is."""
_T = TypeVar("_T", date, datetime)


def standing_of(kind: EntryKind, ref: str, body: Body, now: str) -> Standing:
    """The standing of an entry.

    Args:
        kind: what it is.
        ref: its id for people.
        body: checked.
        now: RFC 3339 UTC; reviews of personal data fall due a year later.
    """
    if kind == "incident":
        return _incident(read_body(kind, ref, body, IncidentBody), now)
    if kind == "statement":
        return {**_statement(read_body(kind, ref, body, StatementBody)), **_flagged(body, now)}
    if kind == "observation":
        return _flagged(body, now)
    if kind == "aggregate":
        return _aggregate(read_body(kind, ref, body, AggregateBody))
    published = body.get("publication_date")
    if kind == "source" and isinstance(published, dict):
        return {"publication_date": {**published, "inferred": published.get("precision") == "inferred"}}
    return {}


def days_of(when: When) -> Days | None:
    """First and last possible day; None when the date does not tell, or is none.

    "Not before 10 July" has one end. The other one is that of the date's value ("July"), where there is one; else it is
    open, and never the same day.
    """
    try:
        first, last = (None if end is None else date.fromisoformat(end) for end in (when.earliest, when.latest))
    except ValueError:
        return None
    if first is not None and last is not None and last < first:
        return None
    days = completed(first, last, _days_of_value(when.value or "") or (None, None))
    return None if days == (None, None) else days


def completed(first: _T | None, last: _T | None, other: tuple[_T | None, _T | None]) -> tuple[_T | None, _T | None]:
    """An interval whose open end is that of another one, unless this contradicts the end that is given."""
    before, after = other
    if first is None and last is None:
        return other
    if first is None and last is not None and before is not None and before <= last:
        return before, last
    if last is None and first is not None and after is not None and first <= after:
        return first, after
    return first, last


def bounds(days: Days) -> tuple[date, date]:
    """The same to compare with: an open end is the first or the last day of the calendar. Nobody is shown these."""
    return days[0] or date.min, days[1] or date.max


def _days_of_value(value: str) -> tuple[date, date] | None:
    try:
        if _DAY.fullmatch(value):
            return date.fromisoformat(value), date.fromisoformat(value)
        if month := _MONTH.fullmatch(value):
            year, number = int(month[1]), int(month[2])
            return date(year, number, 1), date(year, number, monthrange(year, number)[1])
        if _YEAR.fullmatch(value):
            return date(int(value), 1, 1), date(int(value), 12, 31)
    except ValueError:
        return None
    return None


def is_stated(when: When) -> bool:
    """Whether a date says anything, be it in words that no rule here understands ("early July")."""
    return not is_unknown(when.value or "") or bool(when.earliest or when.latest)


def told(date_of_standing: object, language: Language = DEFAULT) -> str:
    """When an incident was, for people, as its standing has it: an open end is said, not left out."""
    say = partial(message, language=language)
    known = date_of_standing if isinstance(date_of_standing, dict) else {}
    first, last = known.get("earliest"), known.get("latest")
    if known.get("understood") is False:
        return say("date.not_understood")
    if first and last:
        return say("date.on" if first == last else "date.between").format(day=first, first=first, last=last)
    if first or last:
        return say("date.not_before" if first else "date.not_after").format(first=first, last=last)
    return say("date.unknown")


def masked(body: Body) -> Body:
    """A body with the names of persons hidden, and the texts of one that says that it holds personal data."""
    if body.get("personal_data") is True:
        body = {name: MASK if name in PERSONAL_TEXTS and value else value for name, value in body.items()}
    casualties = body.get("casualties")
    persons = casualties.get("persons") if isinstance(casualties, dict) else None
    if not isinstance(casualties, dict) or not isinstance(persons, list):
        return body
    hidden: list[JsonValue] = [
        {**person, "name": MASK} if isinstance(person, dict) and person.get("name") else person for person in persons
    ]
    return {**body, "casualties": {**casualties, "persons": hidden}}


def _incident(body: IncidentBody, now: str) -> Standing:
    days = days_of(body.date)
    first, last = days or (None, None)
    named = [place for place, person in enumerate(body.casualties.persons) if person.name]
    review = (datetime.fromisoformat(now) + REVIEW_AFTER).date().isoformat()
    extra = body.date.model_extra or {}
    return {
        "date": {
            "earliest": None if first is None else first.isoformat(),
            "latest": None if last is None else last.isoformat(),
            "understood": days is not None or not is_stated(body.date),
            "precision": body.date.precision,
            "exact_day": body.date.precision == "exact_day" and first is not None and first == last,
            "year": "inferred" if extra.get("year_in_text") is False else "stated" if first and last else "unknown",
            "year_basis": extra.get("year_basis") or extra.get("note"),
        },
        "time_known": not is_unknown(body.time.value or ""),
        "strikes": len(body.sequence),
        "personal_data": [
            {"field": f"casualties.persons.{place}.name", "purpose": PURPOSE, "review_by": review} for place in named
        ],
        "accounts": [_account(given) for given in body.outside_seed],
    }


def _account(given: dict[str, JsonValue]) -> JsonValue:
    """What another source says; where it says something else, both stay, and a possible match is nobody's merger."""
    match = str(given.get("match") or "")
    return {
        "source": given.get("source"),
        "says": given.get("says"),
        "differs": [value for key, value in given.items() if key.startswith("conflict")],
        "possible_match": match.startswith("possible"),
        "merged": False,
        "needs": ["two people"] if match.startswith("possible") else [],
    }


def _statement(body: StatementBody) -> Standing:
    unnamed = says_unknown(body.speaker) or any(word in body.speaker.casefold() for word in _UNNAMED)
    conditional = "conditional" in (body.kind or "").casefold()
    overstated: list[JsonValue] = []
    if body.overstatement:
        overstated = [{"by": "who reports the statement", "text": body.overstatement, "conditional": False}]
    return {
        "author": "unknown" if unnamed else "named",
        "authentication": PENDING,
        "directions": ["supports", "contradicts"],
        "conditional": conditional,
        "denial": is_denial(body.kind),
        "paraphrases": overstated,
        "translation": "none" if body.translation is None else ONE_READER if not body.second_reader else NAMED_READER,
    }


def _flagged(body: Body, now: str) -> Standing:
    """Texts that the giver calls personal data, as those of an incident are flagged."""
    if body.get("personal_data") is not True:
        return {}
    review = (datetime.fromisoformat(now) + REVIEW_AFTER).date().isoformat()
    fields = [name for name in PERSONAL_TEXTS if body.get(name)]
    return {"personal_data": [{"field": name, "purpose": PURPOSE, "review_by": review} for name in fields]}


def _aggregate(body: AggregateBody) -> Standing:
    return {
        "counted": body.value is not None,
        "value": body.value,
        "inclusion_rule": body.inclusion_rule or body.method,
        "denominator": body.denominator,
        "expanded": False,
    }
