"""Double tap: uncertainty of time and place is carried through, and nothing is concluded from the gap."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidInputError
from app.incidents.double_tap import Hit, Limits, Spot, compare, distance_m, hits_of, pairs
from tests.incident_samples import body

NOON = datetime(2025, 7, 6, 12, tzinfo=UTC)
HERE = Spot(46.6, 32.6, 10)
LIMITS = Limits()


Ends = tuple[float | None, float | None]


def hit(minutes: Ends | None, spot: Spot | None = HERE, incident: str = "A", n: int = 1) -> Hit:
    first, last = (None if at is None else NOON + timedelta(minutes=at) for at in minutes or (None, None))
    return Hit(incident, n, first, last, spot)


def north(metres: float, uncertainty: float | None = 10) -> Spot:
    return Spot(HERE.lat + metres / 111_195, HERE.lon, uncertainty)


@pytest.mark.parametrize(
    ("second", "verdict"),
    [
        ((20, 20), "certain"),
        ((60, 60), "certain"),
        ((60.1, 60.1), "excluded"),
        ((50, 70), "possible"),
        ((61, 90), "excluded"),
        ((-70, -61), "excluded"),
        ((-20, -10), "certain"),
        ((-1_000, 1_000), "possible"),
        (None, "possible"),
        ((20, None), "possible"),  # not before 12:20
        ((None, 20), "possible"),
        ((-500, None), "possible"),
        ((None, 500), "possible"),
        ((61, None), "excluded"),
        ((None, -61), "excluded"),
    ],
)
def test_time_is_judged_by_the_least_and_the_greatest_gap(second: Ends | None, verdict: str) -> None:
    assert compare(hit((0, 0)), hit(second, n=2), LIMITS).verdict == verdict


@pytest.mark.parametrize(
    ("spot", "verdict"),
    [
        (north(0), "certain"),
        (north(270), "certain"),
        (north(290), "possible"),
        (north(315), "possible"),
        (north(330), "excluded"),
        (north(100, 500), "possible"),
        (north(600, 500), "possible"),
        (north(10_000, None), "possible"),
        (None, "possible"),
    ],
)
def test_distance_is_judged_with_the_uncertainty_of_both_places(spot: Spot | None, verdict: str) -> None:
    assert compare(hit((0, 0)), hit((5, 5), spot), LIMITS).verdict == verdict


def test_what_is_missing_is_a_need_and_responders_are_never_concluded() -> None:
    sure = compare(hit((0, 0)), hit((5, 5), n=2), LIMITS)
    assert (sure.order, sure.needs) == ("shown", ("evidence that responders were there at the later strike",))
    unsure = compare(hit(None, None), hit(None, None, n=2), LIMITS)
    assert (unsure.verdict, unsure.order, len(unsure.needs)) == ("possible", "open", 4)
    assert (unsure.minutes.greatest, unsure.metres.greatest) == (None, None)


def test_distance_is_that_of_known_places() -> None:
    kherson, nikopol = Spot(46.6354, 32.6169, 0), Spot(47.5712, 34.3964, 0)
    assert distance_m(kherson, nikopol) == pytest.approx(170_800, rel=0.01)
    assert distance_m(Spot(0, 179.9, 0), Spot(0, -179.9, 0)) == pytest.approx(22_239, rel=0.001)


def test_strikes_without_a_time_have_the_day_in_any_time_zone() -> None:
    first, second = hits_of("A", body())
    assert (first.n, second.n, first.spot) == (1, 2, None)
    assert (first.earliest, first.latest) == (
        datetime(2025, 7, 5, 10, tzinfo=UTC),
        datetime(2025, 7, 7, 12, tzinfo=UTC),
    )
    (pair,) = pairs([first, second], LIMITS)
    assert pair.verdict == "possible"
    assert "the times of both strikes, more exactly" in pair.needs


def test_strikes_with_times_and_places_of_their_own_are_compared_by_them() -> None:
    there = {"lat": "46.600000", "lon": "32.600000", "uncertainty_m": 20}
    strikes = [
        {"n": 1, "earliest": "2025-07-06T12:00:00+03:00", "latest": "2025-07-06T12:05:00+03:00", "place": there},
        {"n": 2, "earliest": "2025-07-06T09:20:00Z", "latest": "2025-07-06T09:20:00Z", "place": there},
        {"n": 3, "earliest": "2025-07-06T23:00:00Z", "latest": "2025-07-06T22:00:00Z", "place": there},
        {"n": 4, "earliest": "2025-02-30T23:00:00Z", "place": {"lat": "91", "lon": "0", "uncertainty_m": 1}},
    ]
    hits = hits_of("A", body(sequence=strikes))
    pair = compare(hits[0], hits[1], LIMITS)
    assert (pair.verdict, pair.minutes.least, pair.minutes.greatest, pair.order) == ("certain", 15, 20, "shown")
    assert hits[2].earliest is None  # it contradicts itself
    assert hits[3].spot is None


def test_times_that_show_the_reverse_of_the_order_are_told_as_that_and_leave_a_need() -> None:
    pair = compare(hit((30, 30)), hit((0, 10), n=2), LIMITS)
    assert (pair.order, pair.verdict, pair.minutes.least) == ("reversed", "certain", 20)
    assert pair.needs[0] == "which strike came first: the recorded times show the reverse of the recorded order"
    for second in ((0, 30), (0, None), None):  # they may have been at once, or nothing tells
        assert compare(hit((30, 30)), hit(second, n=2), LIMITS).order == "open"


POINT = {"lat": "46.635", "lon": "32.617", "uncertainty_m": 10}


@pytest.mark.parametrize(
    "place",
    [
        {"text": "fire station on the other bank, 4 km away", "precision": "named site"},
        {"city": "Town B"},
        {"outline": {"type": "Polygon", "coordinates": []}},
        {"lat": "91", "lon": "0", "uncertainty_m": 1},
    ],
)
def test_strike_that_is_placed_elsewhere_in_words_does_not_get_the_point_of_its_incident(place: dict[str, Any]) -> None:
    first, second = hits_of("A", body(place=POINT, sequence=[{"n": 1, "place": POINT}, {"n": 2, "place": place}]))
    assert (first.spot, second.spot) == (Spot(46.635, 32.617, 10), None)
    pair = compare(first, second, LIMITS)
    assert (pair.verdict, pair.metres.least, pair.metres.greatest) == ("possible", 0, None)


@pytest.mark.parametrize(
    "stated", [None, {}, {"text": None}, {"text": "не встановлено"}, POINT, {**POINT, "lat": "46.9"}]
)
def test_point_of_an_incident_makes_no_pair_of_its_own_strikes_certain_and_excludes_none(
    stated: dict[str, Any] | None,
) -> None:
    times = [{"earliest": at, "latest": at} for at in ("2025-07-06T10:00:00Z", "2025-07-06T10:20:00Z")]
    strikes = [{"n": 1, **times[0]}, {"n": 2, **times[1], **({} if stated is None else {"place": stated})}]
    (pair,) = pairs(hits_of("A", body(place=POINT, sequence=strikes)), LIMITS)
    assert (pair.verdict, pair.metres.least, pair.metres.greatest) == ("possible", 0, None)
    assert "the places of both strikes, with their uncertainty" in pair.needs


def test_incidents_far_from_each_other_are_no_pair_and_near_ones_are_possible_at_most() -> None:
    at = {"n": 1, "earliest": "2025-07-06T10:00:00Z", "latest": "2025-07-06T10:00:00Z"}
    places = {"A": POINT, "B": {**POINT, "lat": "46.636"}, "C": {**POINT, "lat": "46.735"}}
    hits = [hit_ for ref, place in places.items() for hit_ in hits_of(ref, body(place=place, sequence=[at]))]
    (pair,) = pairs(hits, LIMITS)
    assert (pair.first.incident, pair.second.incident, pair.verdict) == ("A", "B", "possible")
    assert pair.metres.least == pytest.approx(91, abs=1)
    assert pair.metres.greatest is None


@pytest.mark.parametrize(
    ("date", "second", "least", "greatest", "order"),
    [
        ({"value": "2025-07-06"}, {"earliest": "2025-07-06T09:20:00Z"}, 15, 27 * 60, "shown"),
        ({"value": "2025-07-06"}, {"latest": "2025-07-06T09:20:00Z"}, 0, 23 * 60 + 5, "open"),
        ({}, {"earliest": "2025-07-06T09:20:00Z"}, 15, None, "shown"),
        ({}, {"latest": "2025-07-06T09:20:00Z"}, 0, None, "open"),
        ({"value": "2025-05-01"}, {"earliest": "2025-07-06T09:20:00Z"}, 15, None, "shown"),
    ],
)
def test_strike_of_which_one_end_is_known_is_never_taken_as_exact(
    date: dict[str, str], second: dict[str, str], least: float, greatest: float | None, order: str
) -> None:
    there = {"lat": "46.600000", "lon": "32.600000", "uncertainty_m": 20}
    first = {"earliest": "2025-07-06T09:00:00Z", "latest": "2025-07-06T09:05:00Z"}
    strikes = [{"n": 1, **first, "place": there}, {"n": 2, **second, "place": there}]
    one, other = hits_of("A", body(date=date, sequence=strikes))
    pair = compare(one, other, LIMITS)
    assert (pair.verdict, pair.minutes.least, pair.minutes.greatest, pair.order) == ("possible", least, greatest, order)
    assert pair.needs[0] == "the times of both strikes, more exactly"


def test_possible_double_tap_whose_second_strike_has_only_a_beginning_does_not_vanish() -> None:
    """Both were given as "not before": five hours lie between the bounds, and perhaps no minute between the strikes."""
    there = {"lat": "46.6", "lon": "32.6", "uncertainty_m": 20}
    times = ("2025-07-06T06:00:00Z", "2025-07-06T11:00:00Z")
    strikes = [{"n": n, "earliest": at, "place": there} for n, at in enumerate(times, 1)]
    (pair,) = pairs(hits_of("A", body(sequence=strikes)), LIMITS)
    assert (pair.verdict, pair.minutes.least) == ("possible", 0)
    apart = [hit_ for ref, n in (("A", 0), ("B", 1)) for hit_ in hits_of(ref, alone(strikes[n]))]
    (pair,) = pairs(apart, LIMITS)
    assert (pair.verdict, pair.minutes.greatest) == ("possible", None)


def alone(strike: dict[str, Any]) -> dict[str, Any]:
    return body(date={}, sequence=[{**strike, "n": 1}])


def test_day_of_an_incident_with_one_end_bounds_its_strikes_on_that_side_only() -> None:
    (first, _) = hits_of("A", body(date={"earliest": "2025-07-06"}))
    assert (first.earliest, first.latest) == (datetime(2025, 7, 5, 10, tzinfo=UTC), None)
    (first, _) = hits_of("A", body(date={"latest": "2025-07-06"}))
    assert (first.earliest, first.latest) == (None, datetime(2025, 7, 7, 12, tzinfo=UTC))


def test_strikes_of_different_incidents_are_compared_when_both_have_time_and_place() -> None:
    hits = [
        hit((0, 0), incident="A"),
        hit((30, 40), incident="B"),
        hit((500, 500), incident="C"),
        hit(None, incident="D"),
        hit((10, 10), None, incident="E"),
        hit((10, 10), north(5_000), incident="F"),
        hit((None, -100), incident="G"),
        hit((600, None), incident="H"),
        hit((None, 700), incident="I"),
    ]
    found = {pair.first.incident + pair.second.incident for pair in pairs(hits, LIMITS)}
    assert found == {"AB", "GI", "IA", "IB", "IC", "IH"}  # I may have been at any time before


@pytest.mark.parametrize("bad", [0, -1, float("nan"), float("inf")])
def test_limit_that_is_none_is_refused(bad: float) -> None:
    for limits in ({"minutes": bad}, {"metres": bad}):
        with pytest.raises(InvalidInputError) as refused:
            Limits(**limits)
        assert refused.value.code == "bad_threshold"


def opened(span: tuple[int, int], ends: tuple[bool, bool]) -> Ends:
    return None if ends[0] else span[0], None if ends[1] else span[1]


_OPEN = st.tuples(st.booleans(), st.booleans())
_SPAN = st.tuples(st.integers(-200, 200), st.integers(0, 200)).map(lambda pair: (pair[0], pair[0] + pair[1]))
_SPOT = st.tuples(st.integers(-600, 600), st.integers(0, 400))


@given(_SPAN, _SPAN, _SPOT, st.data())
def test_verdict_holds_of_every_moment_and_point_that_the_uncertainty_allows(
    one: tuple[int, int],
    other: tuple[int, int],
    spot: tuple[int, int],
    data: Any,  # noqa: ANN401
) -> None:
    pair = compare(hit(one), hit(other, north(*spot)), LIMITS)
    at = data.draw(st.integers(*one)), data.draw(st.integers(*other))
    points = north(data.draw(st.integers(-10, 10)), 0), north(spot[0] + data.draw(st.integers(-spot[1], spot[1])), 0)
    exact = compare(hit((at[0], at[0]), points[0]), hit((at[1], at[1]), points[1]), LIMITS)
    if pair.verdict == "excluded":
        assert exact.verdict != "certain"
    if pair.verdict == "certain":
        assert exact.verdict != "excluded"
    assert pair.minutes.least <= exact.minutes.least
    assert pair.minutes.greatest is not None
    assert exact.minutes.greatest is not None
    assert exact.minutes.greatest <= pair.minutes.greatest


@given(_SPAN, _SPAN, _OPEN, _OPEN)
def test_end_that_is_open_only_widens_the_gap(
    one: tuple[int, int], other: tuple[int, int], open_one: tuple[bool, bool], open_other: tuple[bool, bool]
) -> None:
    closed = compare(hit(one), hit(other), LIMITS)
    wider = compare(hit(opened(one, open_one)), hit(opened(other, open_other)), LIMITS)
    assert wider.minutes.least <= closed.minutes.least
    assert wider.verdict in {closed.verdict, "possible"}
    if any((*open_one, *open_other)):
        assert wider.minutes.greatest is None
        assert wider.verdict != "certain"


@given(st.lists(st.tuples(st.integers(-600, 600), st.none() | st.integers(0, 400)), min_size=2, max_size=8))
def test_short_cuts_leave_out_only_pairs_that_the_comparison_excludes(spots: list[tuple[int, int | None]]) -> None:
    hits = [hit((0, 0), north(*spot), incident=f"I{number}") for number, spot in enumerate(spots)]
    every = [(one, two) for place, one in enumerate(hits) for two in hits[place + 1 :]]
    wanted = [(one, two) for one, two in every if compare(one, two, LIMITS).verdict != "excluded"]
    assert [(pair.first, pair.second) for pair in pairs(hits, LIMITS)] == wanted
