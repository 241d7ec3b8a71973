"""Gaps between strikes as facts: with their uncertainty, from one pair, and never against what people state."""

from __future__ import annotations

from typing import Any

import pytest

from app.incidents.double_tap import Limits
from app.law.catalogue import packaged_catalogue, parse_catalogue
from app.law.derived_facts import derived_facts
from app.law.suggestions import suggest
from app.law.suggestions_applicability import packaged_status
from app.law.suggestions_logic import Facts
from app.law.suggestions_rules import packaged_rules

LIMITS = Limits()
DAY = "2025-07-06T"
BASE: Facts = {
    "conflict_type": ("iac",),
    "targets": (frozenset({"fire_rescue_vehicle"}),),
    "directed_at_target": (True,),
    "second_strike": (True,),
    "responders_present": (True,),
}


def strike(n: int, times: tuple[str, str] | None, east: str | None = "32.6", doubt: int | None = 10) -> dict[str, Any]:
    made: dict[str, Any] = {"n": n}
    if times is not None:
        made |= {"earliest": f"{DAY}{times[0]}Z", "latest": f"{DAY}{times[1]}Z"}
    if east is not None:
        made["place"] = {"lat": "46.6", "lon": east, "uncertainty_m": doubt}
    return made


def body(*strikes: dict[str, Any]) -> dict[str, Any]:
    return {"title": "t", "date": {"value": "2025-07-06"}, "sequence": list(strikes)}


def told(facts: Facts, derived: Facts) -> dict[str, Any]:
    provisions = parse_catalogue(packaged_catalogue()).provisions
    return suggest({**derived, **facts}, packaged_rules(), provisions, packaged_status(), None, derived)


def fired(document: dict[str, Any]) -> set[str]:
    return {rule for one in document["suggest"] for rule in one["rules"]}


FIRST, NEAR, FAR = ("09:00:00", "09:05:00"), ("09:20:00", "09:30:00"), ("14:00:00", "14:10:00")


def test_gap_is_least_and_greatest_and_says_what_it_rests_on() -> None:
    found = derived_facts("INC", body(strike(1, FIRST), strike(2, NEAR)), {}, LIMITS)
    assert found.facts["minutes_between"] == (15.0, 30.0)
    assert found.facts["metres_between"] == (0.0, 20.0)
    shown: Any = found.told["minutes_between"]
    assert (shown["derived"], shown["strikes"], shown["least"], shown["greatest"]) == (True, [1, 2], "15.0", "30.0")
    assert shown["stated_by"] is None


def test_what_people_state_is_never_overridden() -> None:
    stated: Facts = {"minutes_between": (500,)}
    found = derived_facts("INC", body(strike(1, FIRST), strike(2, NEAR)), stated, LIMITS)
    assert set(found.facts) == {"metres_between"}
    assert set(found.told) == {"metres_between"}


@pytest.mark.parametrize(
    ("later", "derived"),
    [
        (strike(2, NEAR, None), {"minutes_between"}),
        (strike(2, NEAR, "32.6", None), {"minutes_between"}),
        (strike(2, None), {"minutes_between", "metres_between"}),
    ],
)
def test_without_an_upper_bound_nothing_is_derived(later: dict[str, Any], derived: set[str]) -> None:
    found = derived_facts("INC", body(strike(1, FIRST), later), {}, LIMITS)
    assert set(found.facts) == derived
    assert set(found.told) == {"minutes_between", "metres_between"}  # that nothing follows is told, too
    assert derived_facts("INC", body(strike(1, FIRST)), {}, LIMITS).told == {}


def test_derived_gap_decides_a_rule_only_when_both_bounds_do() -> None:
    near = derived_facts("INC", body(strike(1, FIRST), strike(2, NEAR)), {}, LIMITS).facts
    far = derived_facts("INC", body(strike(1, FIRST), strike(2, FAR)), {}, LIMITS).facts
    open_ = derived_facts("INC", body(strike(1, FIRST), strike(2, ("09:30:00", "10:30:00"))), {}, LIMITS).facts
    assert open_["minutes_between"] == (25.0, 90.0)
    assert "R11" in fired(told(BASE, near))
    assert "R11" not in fired(told(BASE, far))
    document = told(BASE, open_)
    assert "R11" not in fired(document)
    assert document["conflicting_facts"] == []
    assert document["facts"]["minutes_between"] == {"derived_between": [25.0, 90.0]}
    (task,) = [one for one in document["tasks"] if one["fact"] == "minutes_between"]
    assert task["sources_differ"] is False
    assert "R11" in task["rules"]


@pytest.mark.parametrize("date", [{"value": "2025-07-06"}, {}])
def test_beginning_alone_of_a_second_strike_decides_no_rule_and_leaves_a_task(date: dict[str, Any]) -> None:
    second = strike(2, NEAR)
    del second["latest"]
    found = derived_facts("INC", {**body(strike(1, FIRST), second), "date": date}, {}, LIMITS)
    assert found.facts.get("minutes_between") == ((15.0, 1620.0) if date else None)
    document = told(BASE, found.facts)
    assert "R11" not in fired(document)
    assert "R11" in [rule for one in document["tasks"] if one["fact"] == "minutes_between" for rule in one["rules"]]


@pytest.mark.parametrize("place", [None, {"text": "fire station on the other bank, 4 km away"}])
def test_strike_without_a_point_of_its_own_decides_no_rule_and_its_distance_is_a_task(place: Any) -> None:  # noqa: ANN401
    at_incident: Any = {"lat": "46.635", "lon": "32.617", "uncertainty_m": 10}
    given = body(strike(1, FIRST, None), {**strike(2, NEAR, None), "place": place})
    found = derived_facts("INC", {**given, "place": at_incident}, {}, LIMITS)
    assert set(found.facts) == {"minutes_between"}
    shown: Any = found.told["metres_between"]
    assert (shown["derived"], shown["greatest"]) == (False, None)
    document = told(BASE, found.facts)
    assert "R11" not in fired(document)
    assert "R11" in [rule for one in document["tasks"] if one["fact"] == "metres_between" for rule in one["rules"]]


def test_strikes_whose_times_show_the_reverse_of_their_order_decide_no_rule() -> None:
    reverse = body(strike(1, NEAR), strike(2, FIRST))
    found = derived_facts("INC", reverse, {}, LIMITS)
    assert found.facts == {}
    shown: Any = found.told
    assert [(one["derived"], one["order"], one["strikes"]) for one in shown.values()] == [
        (False, "reversed", [1, 2])
    ] * 2
    document = told(BASE, found.facts)
    assert "R11" not in fired(document)
    asked = {one["fact"] for one in document["tasks"] if "R11" in one["rules"]}
    assert {"minutes_between", "metres_between"} <= asked
    reverse["sequence"].append(strike(3, ("09:40:00", "09:50:00")))  # which is later than strike 1 in any case
    later: Any = derived_facts("INC", reverse, {}, LIMITS)
    assert (later.told["minutes_between"]["strikes"], later.facts["minutes_between"]) == ([1, 3], (10.0, 30.0))


def test_both_facts_are_of_the_pair_that_is_nearest_to_a_double_tap() -> None:
    # strikes 1 and 2 are near in time and far in space, 1 and 3 near in both
    given = body(strike(1, FIRST), strike(2, ("09:06:00", "09:07:00"), "33.6"), strike(3, NEAR))
    found = derived_facts("INC", given, {}, LIMITS)
    shown: Any = found.told
    assert shown["minutes_between"]["strikes"] == shown["metres_between"]["strikes"] == [1, 3]
    assert found.facts["minutes_between"] == (15.0, 30.0)
