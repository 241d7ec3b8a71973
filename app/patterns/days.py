"""On which days an incident or a strike may lie, as each method of counting reads it. Pure.

1. An open end ("not before 31 July") is open: the first or the last day of the calendar stands for it in comparisons,
   so that a period decides only what it decides of every day until there.
2. Methods 1 and 2 took the one end that was given for both, which makes a bound a fact. Releases rest on that.
3. A strike has its own days. Those that it does not state are its incident's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime

from app.incidents import standing
from app.incidents.bodies import IncidentBody, Strike
from app.incidents.standing import bounds, completed, days_of

Days = tuple[date, date]


def days_today(body: IncidentBody, strike: Strike | None) -> Days | None:
    """First and last possible day of an incident, or of one of its strikes; None when that is not known."""
    whole = days_of(body.date)
    found = whole if strike is None else _of_strike(strike, whole)
    return None if found is None else bounds(found)


def _of_strike(strike: Strike, whole: standing.Days | None) -> standing.Days | None:
    try:
        first, last = (None if one is None else datetime.fromisoformat(one) for one in (strike.earliest, strike.latest))
    except ValueError:
        return None
    if first is None or last is None:
        days = first and first.date(), last and last.date()  # as they are written, in the time zone of the record
        return whole if days == (None, None) else completed(*days, whole or (None, None))
    if last < first:
        return None  # what contradicts itself shows nothing
    return min(first.date(), last.date()), max(first.date(), last.date())  # written in two time zones, they may cross


def days_before(body: IncidentBody, strike: Strike | None) -> Days | None:
    """The same as methods 1 and 2 read it, for the releases that they counted."""
    try:
        if strike is not None and (strike.earliest or strike.latest):
            given = [moment[:10] for moment in (strike.earliest, strike.latest) if moment is not None]
            days = sorted(date.fromisoformat(one) for one in given)
            return days[0], days[-1]
        one, other = body.date.earliest, body.date.latest
        if (one is None) != (other is None):
            day = date.fromisoformat(one or other or "")
            return day, day
    except ValueError:
        return None
    found = days_of(body.date)
    return None if found is None else bounds(found)


DAYS: Mapping[int, Callable[[IncidentBody, Strike | None], Days | None]] = {
    1: days_before,
    2: days_before,
    3: days_today,
    4: days_today,
}
"""By the number of the method."""
