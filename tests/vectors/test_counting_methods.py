"""What each method of counting makes of the same records, to the byte: a released method is never changed.

When a digest here changes, do not write the new one: releases that were frozen would not be counted again to their
bytes. Give the change the next number (app.patterns.counting.METHOD), keep the way of before, and add a line here.
"""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from app.incidents.facts import stated_facts
from app.law.incident_suggestions import gathered
from app.law.suggestions_rules import packaged_rules
from app.patterns import counting
from app.patterns.conditions import read_rule
from app.patterns.counting import Seen, count
from evidence_store.canonical import canonical_bytes
from schemas.records.v1.pattern import CitedEntry

TARGETS = ("пожежне авто", "a fire engine", "fire engine; not stated", None, "the house of Ada", "Canada Street", " ")
DATES: tuple[dict[str, Any], ...] = (
    {"value": "2025-07-06"},
    {"earliest": "2025-07-30", "latest": "2025-08-02"},
    {"value": "2025-08"},
    {"value": "about noon"},
    {"value": "2025"},
    {"earliest": "1990-01-01", "latest": "2025-01-01"},
    {},
)
PLACES: tuple[dict[str, Any], ...] = (
    {"city": "Херсон"},
    {"city": "Town A", "handling": "restricted"},
    {"city": "unknown"},
    {},
    {"city": "Adaville"},
)
FIELD = {"field": "target", "op": "mentions", "value": ["fire engine", "авто", "house"]}
RULES: dict[str, dict[str, Any]] = {
    "incidents": {"title": "t", "where": FIELD},
    "strikes": {"title": "t", "unit": "strike", "period": {"from": "2025-07-01", "to": "2025-08-31"}, "where": FIELD},
    "not": {"title": "t", "where": {"any": [{"not": FIELD}, {"field": "killed", "op": "gte", "value": 2}]}},
    "fact": {"title": "t", "where": {"fact": "killed", "op": "eq", "value": 0}},
}
COUNTED = {
    (1, "incidents"): "25b6a921bab965ef88937aac3b48239c258d900553a5f091d1b49e09eb61d250",
    (1, "strikes"): "f4c02f6fbde259384d36372755548e1e70599529dafbcdebe2b5f125e79c24eb",
    (1, "not"): "e080bf113d04ff14596cfe4169a288ed3762b3ac713189b0fa9af43c4997c286",
    (1, "fact"): "abf4be850af90a2061d4a334328b7385c80401863b396c7d3c3618470d18b0c6",
    (2, "incidents"): "327ab4ff39985b2a792067fab7810e10638abe5ad292b922de778cc23e9240b0",
    (2, "strikes"): "482793d72d23a7cdc3ca124a86359a495a9a11cae9b00f5caff4868cb8c6c7dd",
    (2, "not"): "43a981852b25bd053679964adc8bf5332db2f84cc4c8ff0e678825f2cb174dc4",
    (2, "fact"): "c5b42c488416f5ba65cfe06748ebb5a57c71c9519cad1916f9ebdb8c0cf708eb",
}


def seen(number: int) -> Seen:
    given: dict[str, Any] = {
        "title": f"{number}",
        "date": DATES[number % len(DATES)],
        "place": PLACES[number % len(PLACES)],
        "sequence": [
            {"n": n + 1, "target": TARGETS[(number + n) % len(TARGETS)], "method": ("drone", None)[(number + n) % 2]}
            for n in range(number % 4)
        ],
        "casualties": {"killed": (None, 0, 1, 2)[number % 4], "persons": [{"name": "Ada"}] if number % 2 else []},
    }
    cited = CitedEntry(entry=f"e{number}", ref=f"I{number}", number=1, sha256=f"{number:064x}")
    return Seen(cited, given, (), gathered(stated_facts(given, {}, []).stated))


def digest(name: str, *method: int) -> str:
    done = count(read_rule(RULES[name], packaged_rules().vocabulary), [seen(number) for number in range(70)], *method)
    members: list[Any] = [one.model_dump(mode="json") for one in done.members]
    counted: dict[str, Any] = {"members": members, "numbers": done.numbers}
    return hashlib.sha256(canonical_bytes(counted)).hexdigest()


@pytest.mark.parametrize(("method", "name"), COUNTED)
def test_method_gives_the_bytes_that_it_always_gave(method: int, name: str) -> None:
    assert digest(name, method) == COUNTED[method, name]


def test_every_method_is_pinned_and_today_counts_by_the_newest() -> None:
    assert set(COUNTED) == {(method, name) for method in counting.METHODS for name in RULES}
    assert max(counting.METHODS) == counting.METHOD
    assert [digest(name) for name in RULES] == [COUNTED[counting.METHOD, name] for name in RULES]
    assert COUNTED[1, "incidents"] != COUNTED[2, "incidents"]
