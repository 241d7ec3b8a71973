"""Signs that several people saw add up; a sign that somebody excludes is a conflict, and none wins."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.law.catalogue import packaged_catalogue, parse_catalogue
from app.law.suggestions import suggest
from app.law.suggestions_applicability import packaged_status
from app.law.suggestions_facts import NOTHING_SEEN, united
from app.law.suggestions_logic import Facts
from app.law.suggestions_rules import packaged_rules

VOCABULARY = packaged_rules().vocabulary
EMBLEM = {"icc-8-2-b-xxiv", "cihl-rule30"}
BASE: Facts = {"conflict_type": ("iac",), "targets": (frozenset({"ambulance"}),), "insignia_lawful": (True,)}
CROSS, LIVERY, BARE = frozenset({"red_cross"}), frozenset({"service_livery"}), frozenset({NOTHING_SEEN})


def told(**facts: tuple[Any, ...]) -> dict[str, Any]:
    provisions = parse_catalogue(packaged_catalogue()).provisions
    return suggest(united({**BASE, **facts}, VOCABULARY), packaged_rules(), provisions, packaged_status())


def leads(document: dict[str, Any]) -> set[str]:
    return {one["provision"] for one in document["suggest"] if one["strength"] == "lead"}


@pytest.mark.parametrize("flag", [(), (False,)])
def test_a_further_sign_takes_away_no_suggestion(flag: tuple[bool, ...]) -> None:
    complete: dict[str, tuple[Any, ...]] = {"insignia_complete": flag} if flag else {}
    alone, both = told(insignia=(CROSS,), **complete), told(insignia=(CROSS, LIVERY), **complete)
    assert leads(alone) >= EMBLEM
    assert leads(both) >= EMBLEM
    assert both["conflicting_facts"] == []
    assert both["facts"]["insignia"] == ["red_cross", "service_livery"]


@pytest.mark.parametrize("flag", [(True,), (True, False)])
def test_a_sign_outside_of_a_set_that_somebody_calls_whole_is_a_conflict(flag: tuple[bool, ...]) -> None:
    document = told(insignia=(CROSS, LIVERY), insignia_complete=flag)
    assert not leads(document) & EMBLEM
    assert "insignia" in document["conflicting_facts"]
    assert {one["provision"] for one in document["possible"]} >= EMBLEM
    (task,) = [one for one in document["tasks"] if one["fact"] == "insignia"]
    assert task["sources_differ"] is True
    agreed = told(insignia=(CROSS, CROSS | LIVERY), insignia_complete=flag)
    assert leads(agreed) >= EMBLEM, "of the red cross all sources tell"


def test_no_sign_at_all_differs_from_any_sign_and_is_never_put_beside_it() -> None:
    document = told(insignia=(CROSS, BARE, LIVERY))
    assert document["facts"]["insignia"] == {"sources_differ": [["red_cross", "service_livery"], [NOTHING_SEEN]]}
    assert not leads(document) & EMBLEM
    assert document["conflicting_facts"] == ["insignia"]


def test_only_facts_of_which_the_data_say_so_are_sets_of_that_kind() -> None:
    """Who was struck is a list that a source gives whole: sources that list others differ (AC06)."""
    assert [name for name, spec in VOCABULARY.items() if spec.open_world] == ["insignia"]
    assert NOTHING_SEEN in VOCABULARY["insignia"].values
    differing: Facts = {"targets": (frozenset({"ambulance"}), frozenset({"fire_rescue_vehicle"})), "killed": (1, 3)}
    assert united(differing, VOCABULARY) == differing


SIGNS = st.frozensets(st.sampled_from(VOCABULARY["insignia"].values), max_size=3)


@given(st.lists(SIGNS, min_size=1, max_size=5, unique=True), st.randoms())
def test_nothing_depends_on_who_spoke_first_and_no_sign_is_lost(said: list[frozenset[str]], random: Any) -> None:  # noqa: ANN401
    shuffled = random.sample(said, len(said))
    found, again = (united({"insignia": tuple(some)}, VOCABULARY)["insignia"] for some in (said, shuffled))
    assert found == again
    assert frozenset[str]().union(*found) == frozenset[str]().union(*said)  # type: ignore[arg-type]
    assert 1 <= len(found) <= 2
