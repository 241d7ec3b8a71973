"""Facts that follow from the strikes of an incident: the gap in time and in space between two of them. Pure.

1. Only where nobody states the fact. What people state is never overridden, not even where it cannot be.
2. A gap is a least and a greatest value, from the intervals and uncertainties of both strikes. A condition that holds
   of both is true, one that holds of neither is false, any other is unknown. No middle is taken.
3. Without an upper bound (no times, no places, a point of unknown precision) nothing is derived, and it is told.
4. Of several pairs it is the one that is nearest to a double tap: both facts are of the same pair. From a pair whose
   times show the reverse of its order nothing is derived: its second strike is not the later one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

from pydantic import JsonValue

from app.incidents.bodies import Body
from app.incidents.double_tap import Gap, Limits, Pair, compare, hits_of
from app.law.suggestions_logic import Facts, Value

MINUTES, METRES = "minutes_between", "metres_between"
_NEAREST = {"certain": 0, "possible": 1, "excluded": 2}


@dataclass(frozen=True, slots=True)
class Derived:
    """What follows.

    Attributes:
        facts: possible values by fact: the least and the greatest.
        told: for the reader: the pair, the bounds, what they rest on.
    """

    facts: dict[str, tuple[Value, ...]]
    told: dict[str, JsonValue]


def derived_facts(ref: str, body: Body, stated: Facts, limits: Limits) -> Derived:
    """Facts that follow from the strikes.

    Args:
        ref: of the incident.
        body: of its newest version.
        stated: what people state; a fact that is here is not derived.
        limits: of the rules in force: they tell which pair is nearest.
    """
    wanted = [name for name in (MINUTES, METRES) if name not in stated]
    hits = hits_of(ref, body) if wanted else []
    pairs = [compare(first, second, limits) for first, second in combinations(hits, 2)]
    if not pairs:
        return Derived({}, {})
    nearest = min(pairs, key=_distance)
    gaps = {MINUTES: nearest.minutes, METRES: nearest.metres}
    facts = {name: _bounds(gaps[name]) for name in wanted if _is_derived(nearest, gaps[name])}
    return Derived(facts, {name: _told(nearest, name, gaps[name]) for name in wanted})


def _is_derived(pair: Pair, gap: Gap) -> bool:
    return pair.order != "reversed" and gap.greatest is not None


def _distance(pair: Pair) -> tuple[bool, int, bool, float, float]:
    return (
        pair.order == "reversed",
        _NEAREST[pair.verdict],
        pair.minutes.greatest is None,
        pair.minutes.least,
        pair.metres.least,
    )


def _bounds(gap: Gap) -> tuple[Value, ...]:
    least, greatest = gap.least, gap.least if gap.greatest is None else gap.greatest
    return (least,) if least == greatest else (least, greatest)


def _told(pair: Pair, name: str, gap: Gap) -> JsonValue:
    rests = "times as recorded of the strikes, else the incident's day in any time zone"
    if name == METRES:
        rests = "places as recorded of each strike, with their uncertainty; the incident's place tells none of them"
    return {
        "derived": _is_derived(pair, gap),
        "strikes": [pair.first.n, pair.second.n],
        "order": pair.order,
        "least": f"{gap.least:.1f}",
        "greatest": None if gap.greatest is None else f"{gap.greatest:.1f}",
        "rests_on": rests,
        "stated_by": None,
    }
