"""Double tap: which pairs of strikes lie within a set time and distance of each other. Pure triage, no verdict.

1. Times are intervals and places have an uncertainty. Both are carried through: what is told is the least and the
   greatest gap that they allow, never a middle. An end that nothing tells ("not before 10:00") is open: beyond it
   there is no greatest gap, and nothing is excluded.
2. `certain`: the greatest gap is within the limits. `excluded`: the least one is beyond one of them. `possible`: all
   else, missing times and places included, with what would settle it.
3. Where an incident is, is not where each of its strikes fell: a strike without a place of its own is somewhere at its
   incident, so that there is no greatest gap. Only incidents that are far from each other are told apart by it.
4. That responders were there is evidence to be found. It is not concluded from the gap.
5. The limits are triage numbers of this project and have no legal source.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, timedelta
from typing import Literal

from pydantic import JsonValue

from app.errors import InvalidInputError
from app.incidents.bodies import Body, IncidentBody, Place, Strike, read_body
from app.incidents.standing import completed, days_of
from app.incidents.unknown_words import is_unknown

Verdict = Literal["certain", "possible", "excluded"]
Order = Literal["shown", "open", "reversed"]
EARTH_M = 6_371_008.8  # mean radius of WGS 84
_SPHERE = 0.006  # a sphere is off by at most 0.56 per cent of the distance
_EAST, _WEST = timedelta(hours=14), timedelta(hours=12)  # a day begins first at UTC+14 and ends last at UTC-12

_NEEDS_OF_ORDER: dict[Order, tuple[str, ...]] = {
    "shown": (),
    "open": ("evidence of which strike came first",),
    "reversed": ("which strike came first: the recorded times show the reverse of the recorded order",),
}
_FIRST, _LAST = MINYEAR + 1, MAXYEAR - 1
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Limits:
    """How near in time (minutes) and space (metres) a pair must be."""

    minutes: float = 60
    metres: float = 300

    def __post_init__(self) -> None:
        """Refuse what is no limit.

        Raises:
            InvalidInputError: `bad_threshold`.
        """
        if not all(0 < value < math.inf for value in (self.minutes, self.metres)):
            raise InvalidInputError("bad_threshold", "minutes and metres must be numbers above 0")


@dataclass(frozen=True, slots=True)
class Spot:
    """A place: degrees, and within how many metres of it the point is; None when that is not known."""

    lat: float
    lon: float
    uncertainty_m: float | None


@dataclass(frozen=True, slots=True)
class Hit:
    """One strike as far as it can be compared.

    Attributes:
        incident: id of the incident.
        n: number in the incident.
        earliest: first possible moment, with `latest` the last one; None for an end that is open.
        spot: None when nothing is known.
        own_spot: the point is stated of this strike; else it is that of its incident.
    """

    incident: str
    n: int
    earliest: datetime | None
    latest: datetime | None
    spot: Spot | None
    own_spot: bool = True


@dataclass(frozen=True, slots=True)
class Gap:
    """The least and the greatest value that uncertainty allows; None without an upper bound."""

    least: float
    greatest: float | None

    def within(self, limit: float) -> Verdict:
        """Whether it is within a limit."""
        if self.least > limit:
            return "excluded"
        return "certain" if self.greatest is not None and self.greatest <= limit else "possible"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two strikes compared.

    Attributes:
        verdict: of both dimensions together.
        minutes: gap in time; `metres` in space.
        order: whether the times alone show that `first` came first; `reversed` when they show that `second` did.
        needs: what would settle it, and what the pair does not show.
    """

    first: Hit
    second: Hit
    verdict: Verdict
    minutes: Gap
    metres: Gap
    order: Order
    needs: tuple[str, ...]


def as_json(pair: Pair) -> dict[str, JsonValue]:
    """A pair for interfaces: minutes and metres as decimal text; null where there is no upper bound."""
    ends: list[JsonValue] = [{"incident": one.incident, "strike": one.n} for one in (pair.first, pair.second)]
    return {
        "strikes": ends,
        "verdict": pair.verdict,
        "minutes": _bounds(pair.minutes),
        "metres": _bounds(pair.metres),
        "order": pair.order,
        "needs": [*pair.needs],
    }


def _bounds(gap: Gap) -> JsonValue:
    greatest = None if gap.greatest is None else f"{gap.greatest:.1f}"
    return {"least": f"{gap.least:.1f}", "greatest": greatest}


def compare(first: Hit, second: Hit, limits: Limits) -> Pair:
    """Compare two strikes; `first` is the one that is taken to be earlier."""
    minutes, metres = _time_gap(first, second), _space_gap(first, second)
    parts = minutes.within(limits.minutes), metres.within(limits.metres)
    verdict: Verdict = "excluded" if "excluded" in parts else "certain" if set(parts) == {"certain"} else "possible"
    order: Order = "shown" if _wholly_before(first, second) else "reversed" if _wholly_before(second, first) else "open"
    needs = [
        *(["the times of both strikes, more exactly"] if parts[0] == "possible" else []),
        *(["the places of both strikes, with their uncertainty"] if parts[1] == "possible" else []),
        *_NEEDS_OF_ORDER[order],
        "evidence that responders were there at the later strike",
    ]
    return Pair(first, second, verdict, minutes, metres, order, tuple(needs))


def _wholly_before(one: Hit, other: Hit) -> bool:
    return one.latest is not None and other.earliest is not None and one.latest < other.earliest


def pairs(hits: Sequence[Hit], limits: Limits) -> Iterator[Pair]:
    """Pairs that are not excluded, the certain and possible ones.

    Strikes of one incident are compared whatever is known of them. Strikes of different incidents are compared when
    both have a place and a time of which one end at least is known: without, everything would be possible with
    everything.
    """
    by_incident: dict[str, list[Hit]] = {}
    for hit in hits:
        by_incident.setdefault(hit.incident, []).append(hit)
    for own in by_incident.values():
        for place, first in enumerate(own):
            yield from _kept(compare(first, second, limits) for second in own[place + 1 :])
    known = [hit for hit in hits if (hit.earliest or hit.latest) and hit.spot]
    known.sort(key=lambda hit: (hit.earliest or _BEFORE_ALL, hit.incident, hit.n))
    for place, first in enumerate(known):
        for second in known[place + 1 :]:
            if first.latest and second.earliest and _minutes(second.earliest - first.latest) > limits.minutes:
                break  # all later ones begin later still
            if first.incident != second.incident and not _beyond_by_latitude(first, second, limits.metres):
                yield from _kept([compare(first, second, limits)])


def hits_of(incident: str, body: Body) -> list[Hit]:
    """The strikes of an incident in their order.

    A strike of which no place is stated has the point of its incident, and is marked (`own_spot`). One whose place is
    stated in words only has no point. A strike without a time has the incident's day, in any time zone. One of which a
    single end is known has the other one of that day, where this does not contradict it.
    """
    read: IncidentBody = read_body("incident", incident, body, IncidentBody)
    day = day_of(read)
    return [_hit(incident, strike, read.place, day) for strike in read.sequence]


def day_of(read: IncidentBody) -> tuple[datetime | None, datetime | None]:
    """The first and the last moment of an incident's days in any time zone; None for an end that is open."""
    first, last = days_of(read.date) or (None, None)
    start, end = _midnight(first), _midnight(last)
    return None if start is None else start - _EAST, None if end is None else end + timedelta(days=1) + _WEST


def misdated(incident: str, body: Body) -> Iterator[tuple[int, int | None]]:
    """Strikes that the recorded times put wholly outside of the incident's days, or before a strike of a lower number.

    Yields:
        The number of the strike, and that of the one which it cannot follow; None where it is the days.
    """
    start, end = day_of(read_body("incident", incident, body, IncidentBody))
    begun: Hit | None = None
    for hit in hits_of(incident, body):
        if (hit.latest and start and hit.latest < start) or (hit.earliest and end and hit.earliest > end):
            yield hit.n, None
        if begun is not None and _wholly_before(hit, begun):
            yield hit.n, begun.n
        if hit.earliest and (begun is None or hit.earliest > (begun.earliest or _BEFORE_ALL)):
            begun = hit


def _hit(incident: str, strike: Strike, place: Place, day: tuple[datetime | None, datetime | None]) -> Hit:
    start, end = _moment(strike.earliest), _moment(strike.latest)
    if start is not None and end is not None and end < start:
        start = end = None  # what contradicts itself shows nothing
    else:
        start, end = completed(start, end, day)
    own = _is_stated(strike.place)  # words alone ("the other bank") are another place than the incident's point
    return Hit(incident, strike.n, start, end, _spot(strike.place if own else place), own)


def _midnight(day: date | None) -> datetime | None:
    """As if in UTC; None for a day beyond which no clock counts."""
    return None if day is None or not _FIRST <= day.year <= _LAST else datetime(*day.timetuple()[:3], tzinfo=UTC)


def _moment(text: str | None) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _is_stated(place: Place | None) -> bool:
    said = () if place is None else place.model_dump().values()
    return any(not is_unknown(value) if isinstance(value, str) else value is not None for value in said)


def _spot(place: Place | None) -> Spot | None:
    if place is None or place.lat is None or place.lon is None:
        return None
    lat, lon = float(place.lat), float(place.lon)
    if abs(lat) > 90 or abs(lon) > 180:  # noqa: PLR2004 - degrees
        return None
    return Spot(lat, lon, None if place.uncertainty_m is None else float(place.uncertainty_m))


def _time_gap(first: Hit, second: Hit) -> Gap:
    least = max(_after(first.latest, second.earliest), _after(second.latest, first.earliest), 0.0)
    if first.earliest is None or first.latest is None or second.earliest is None or second.latest is None:
        return Gap(least, None)
    greatest = max(abs(_minutes(second.latest - first.earliest)), abs(_minutes(first.latest - second.earliest)))
    return Gap(least, greatest)


def _after(end: datetime | None, start: datetime | None) -> float:
    return 0.0 if end is None or start is None else _minutes(start - end)


def _space_gap(one: Hit, other: Hit) -> Gap:
    first, second = one.spot, other.spot
    if first is None or second is None:
        return Gap(0, None)
    far = distance_m(first, second)
    if first.uncertainty_m is None or second.uncertainty_m is None:
        return Gap(0, None)  # a point of unknown precision excludes nothing
    doubt = first.uncertainty_m + second.uncertainty_m + far * _SPHERE
    least = max(0.0, far - doubt)
    if one.own_spot and other.own_spot:
        return Gap(least, far + doubt)
    return Gap(0 if one.incident == other.incident else least, None)


def _beyond_by_latitude(first: Hit, second: Hit, metres: float) -> bool:
    """Whether latitudes alone, a tenth of the work, put two strikes further apart than the limit.

    No great circle is shorter than the part of a meridian between its ends' latitudes.
    """
    here, there = first.spot, second.spot
    if here is None or there is None or here.uncertainty_m is None or there.uncertainty_m is None:
        return False
    far = math.radians(abs(here.lat - there.lat)) * EARTH_M
    return far * (1 - _SPHERE) - here.uncertainty_m - there.uncertainty_m > metres


def distance_m(first: Spot, second: Spot) -> float:
    """Great-circle distance in metres (haversine)."""
    a, b = math.radians(first.lat), math.radians(second.lat)
    turned = math.radians(second.lon - first.lon)
    half = math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(turned / 2) ** 2
    return 2 * EARTH_M * math.asin(min(1.0, math.sqrt(half)))


def _minutes(gap: timedelta) -> float:
    return gap.total_seconds() / 60


def _kept(found: Iterator[Pair] | list[Pair]) -> Iterator[Pair]:
    yield from (pair for pair in found if pair.verdict != "excluded")
