"""Whether a provision applies at all, as far as the status data tell: pure, and no more than an aid to a lawyer.

1. Type of conflict: an entry of the catalogue that is listed for the other type does not apply, unless the rule that
   suggests it asks for the type itself: then its author has decided that.
2. Date and party: an instrument in force for a State only after the event did not bind it then. Becoming a party is not
   yet being bound: the instrument is in force for a State as much later as it says itself, and for nobody before it
   came into force at all. Neither signature nor doubt is decided here: it is said beside the suggestion, with the facts
   of status.json and their confidence.
   Nor does a date stop an instrument of which further facts are to be read, such as the Rome Statute with declarations
   under Art. 12(3) that reach back: it would hide what one party did and show the same of another.
3. What is not known (no date, a State that the data do not know) stays unknown and hides nothing.
"""

from __future__ import annotations

import json
import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from pydantic import JsonValue

from app.errors import EnvironmentFailedError, InvalidInputError
from app.law.suggestions_logic import Facts
from schemas.records.v1.provision import Provision

Bound = Literal["yes", "no", "unknown"]
Span = tuple[date, date]
_IN_FORCE = "in force"
_CONFLICTS = {"iac": "international", "niac": "non-international"}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_YEAR = re.compile(r"(\d{4})(?:/(\d{4}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Days:
    """When it happened, as far as that is known: first and last possible day."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Treaty:
    """When an instrument is in force, by its own words.

    Attributes:
        months: from the day on which a State became a party to that on which it is in force for it.
        days: the same in days.
        rule: its article that says so.
        in_force: id of the fact that tells when it came into force at all; None where none does.
    """

    months: int = 0
    days: int = 0
    rule: str = ""
    in_force: str | None = None


@dataclass(frozen=True)
class Status:
    """The status data: facts by id, and which of them speak of which instrument (`data/applicability.json`)."""

    facts: Mapping[str, Mapping[str, Any]]
    actors: Mapping[str, str]
    instruments: Mapping[str, Mapping[str, str]]
    treaties: Mapping[str, Treaty]
    party_since: Mapping[str, Mapping[str, str]]
    not_bound: frozenset[str]
    also_read: Mapping[str, tuple[str, ...]]
    as_of: str


@dataclass(frozen=True, slots=True)
class Applies:
    """What is known of a provision's application.

    Attributes:
        shown: for the reader: type of conflict, parties with dates and confidence, further facts.
        stops: why it does not apply, or None.
    """

    shown: dict[str, JsonValue]
    stops: str | None


def parse_days(text: str) -> Days:
    """A day, or two days with a slash between them (ISO 8601 interval).

    Raises:
        InvalidInputError: `bad_date`.
    """
    try:
        first, _, last = text.partition("/")
        if not all(_DAY.fullmatch(part) for part in (first, last or first)):
            raise ValueError  # noqa: TRY301 - as a day that there is not
        days = Days(date.fromisoformat(first), date.fromisoformat(last or first))
    except ValueError:
        raise InvalidInputError("bad_date", "a date is YYYY-MM-DD, or two of them with a slash between") from None
    if days.last < days.first:
        raise InvalidInputError("bad_date", "the last day is before the first")
    return days


@cache
def packaged_status() -> Status:
    """The status data that this program came with.

    Raises:
        EnvironmentFailedError: `status_invalid` when a fact that is referred to is not there, or nothing tells how much
            later than the date of a fact an instrument is in force.
    """
    folder = files("app.law") / "data"
    status = json.loads((folder / "status.json").read_bytes())
    reading = json.loads((folder / "applicability.json").read_bytes())
    facts = {fact["id"]: fact for fact in status["facts"]}
    named = {one for states in reading["instruments"].values() for one in states.values()}
    named |= {one for more in reading["also_read"].values() for one in more} | set(reading["not_bound"])
    treaties = {name: Treaty(**told) for name, told in reading["treaties"].items()}
    named |= {one.in_force for one in treaties.values() if one.in_force} | set(reading["party_since"])
    if named - set(facts):
        raise EnvironmentFailedError("status_invalid", f"there is no status fact {min(named - set(facts))}", status=500)
    for name, states in reading["instruments"].items():
        dates_force = set(reading["not_bound"]) | {one for one in facts if facts[one]["fact"].startswith(_IN_FORCE)}
        if set(states.values()) - dates_force and name not in treaties:
            raise EnvironmentFailedError("status_invalid", f"nothing tells when {name} is in force", status=500)
    return Status(
        facts=facts,
        actors=reading["actors"],
        instruments=reading["instruments"],
        treaties=treaties,
        party_since=reading["party_since"],
        not_bound=frozenset(reading["not_bound"]),
        also_read={name: tuple(more) for name, more in reading["also_read"].items()},
        as_of=status["as_of_note"],
    )


def applies(provision: Provision, facts: Facts, days: Days | None, status: Status, *, type_decided: bool) -> Applies:
    """What the status data say of a provision's application.

    Args:
        provision: the entry.
        facts: `conflict_type` and `actor` are read.
        days: when it happened; None when that is not known.
        status: the data.
        type_decided: a rule that suggests it asks for the type of conflict itself.
    """
    conflict, stops = _conflict(provision, facts, type_decided=type_decided)
    states = status.instruments.get(provision.instrument, {})
    treaty = status.treaties.get(provision.instrument, Treaty())
    parties = [_party(state, status.facts[fact_id], treaty, status, days) for state, fact_id in states.items()]
    at_all = None if treaty.in_force is None else _at_all(status.facts[treaty.in_force], days)
    actor = facts.get("actor", ())
    acting = status.actors.get(str(actor[0])) if len(actor) == 1 else None
    more = status.also_read.get(provision.instrument, ())
    if at_all is not None and at_all["in_force_then"] == "no" and stops is None and not more:
        stops = f"the instrument was not yet in force for any State: {at_all['since']} ({at_all['confidence']})"
    for party in parties:
        if party["state"] == acting and party["in_force_then"] == "no" and stops is None and not more:
            stops = f"the instrument was not yet in force for {acting}: {party['since']} ({party['since_confidence']})"
    shown: dict[str, JsonValue] = {"conflict_type": conflict, "parties": [dict(one) for one in parties]}
    if at_all is not None:
        shown["treaty"] = at_all
    if more:
        shown["also_read"] = [_cited(status.facts[fact_id]) for fact_id in more]
    if not states:
        shown["note"] = "no date of entry into force is held for this instrument"
    return Applies(shown, stops)


def _conflict(provision: Provision, facts: Facts, *, type_decided: bool) -> tuple[dict[str, JsonValue], str | None]:
    values = facts.get("conflict_type", ())
    established = str(values[0]) if len(values) == 1 else None
    shown: dict[str, JsonValue] = {"listed_for": provision.conflict_type, "established": established}
    if established is None or provision.conflict_type in {"both", established} or type_decided:
        return shown, None
    here, there = _CONFLICTS[established], _CONFLICTS[provision.conflict_type]
    return shown, f"the catalogue lists it for {there} armed conflict; this one is classified as {here}"


def _party(
    state: str, fact: Mapping[str, Any], treaty: Treaty, status: Status, days: Days | None
) -> dict[str, JsonValue]:
    """Whether it was in force for a State then; `since` is the day of that, or the two between which it lies."""
    since, why = _force(state, fact, treaty, status)
    at_all = None if treaty.in_force is None else _span(status.facts[treaty.in_force]["date"])
    then = "no" if _then(at_all, days) == "no" else _then(since, days)
    computed = fact["confidence"] == "verified" and not fact["fact"].startswith(_IN_FORCE)
    return {
        "state": state,
        "in_force_then": then,
        "since": _written(since),
        "since_by": why,
        "since_confidence": "computed" if computed else fact["confidence"],
        **_cited(fact),
    }


def _force(state: str, fact: Mapping[str, Any], treaty: Treaty, status: Status) -> tuple[Span | None, str | None]:
    """When an instrument came into force for a State, and by what; nothing where that is not known."""
    dated = _span(status.party_since.get(fact["id"], {}).get(state, fact["date"]))
    if fact["id"] in status.not_bound or dated is None:
        return None, None
    since, why = dated, "the fact itself"
    if not fact["fact"].startswith(_IN_FORCE):
        since = _later(dated[0], treaty), _later(dated[1], treaty)
        wait = f"{treaty.months} months" if treaty.months else f"{treaty.days} days"
        why = f"{wait} after it became a party, {_written(dated)} ({treaty.rule})"
    at_all = None if treaty.in_force is None else _span(status.facts[treaty.in_force]["date"])
    if at_all is not None and since[0] < at_all[0]:
        since, why = (at_all[0], max(since[1], at_all[1])), "the entry into force of the instrument itself"
    return since, why


def _at_all(fact: Mapping[str, Any], days: Days | None) -> dict[str, JsonValue]:
    since = _span(fact["date"])
    return {"in_force_then": _then(since, days), "since": _written(since), **_cited(fact)}


def _then(since: Span | None, days: Days | None) -> Bound:
    if since is None or days is None:
        return "unknown"
    if since[1] <= days.first:
        return "yes"
    return "no" if days.last < since[0] else "unknown"


def _later(day: date, treaty: Treaty) -> date:
    """The same day of the month so many months later, or its last one where there is none; then so many days."""
    years, month = divmod(day.month - 1 + treaty.months, 12)
    last = monthrange(day.year + years, month + 1)[1]
    return date(day.year + years, month + 1, min(day.day, last)) + timedelta(days=treaty.days)


def _written(span: Span | None) -> str | None:
    if span is None:
        return None
    return "/".join(dict.fromkeys(day.isoformat() for day in span))


def _cited(fact: Mapping[str, Any]) -> dict[str, JsonValue]:
    return {
        "status_fact": fact["id"],
        "fact": fact["fact"],
        "date": fact["date"],
        "confidence": fact["confidence"],
        "notes": fact["notes"],
    }


def _span(text: str | None) -> Span | None:
    """The days between which a date of the status data lies: a day, a year, or two years."""
    if text is None:
        return None
    if _DAY.fullmatch(text):
        return date.fromisoformat(text), date.fromisoformat(text)
    years = _YEAR.fullmatch(text)
    if years is None:
        return None
    return date(int(years[1]), 1, 1), date(int(years[2] or years[1]), 12, 31)
