# ruff: noqa: RUF001 - Ukrainian and Russian are written in Cyrillic letters
"""What each method of counting makes of the same records, to the byte: a released method is never changed.

When a digest here changes, do not write the new one: releases that were frozen would not be counted again to their
bytes. Give the change the next number (app.patterns.counting.METHOD), keep the way of before, and add a line here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from app.incidents.facts import Stated, stated_facts
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
ONE_END: tuple[dict[str, Any], ...] = (
    {"earliest": "2025-07-30"},
    {"latest": "2025-08-02"},
    {"value": "2025-07", "earliest": "2025-07-20"},
    {"value": "2025-08-01", "latest": "2025-08-01"},
    {"value": "2025-05", "earliest": "2025-07-20"},
    {"value": "2025-07-31"},
    {"value": "late July"},
)
MOMENTS: tuple[dict[str, Any], ...] = (
    {"earliest": "2025-07-31T23:30:00+03:00"},
    {"latest": "2025-08-01T00:10:00Z"},
    {"earliest": "2025-07-31T22:00:00Z", "latest": "2025-08-01T00:30:00+03:00"},
    {"earliest": "2025-08-02T10:00:00Z", "latest": "2025-07-30T10:00:00Z"},
    {"earliest": "2025-02-30T10:00:00Z"},
    {},
)
UNSTATED = (
    "невідомо",
    "НЕ ВСТАНОВЛЕНО",
    " не\u00a0зазначено ",
    "нез’ясовано",
    "невідомий автомобіль",
    "неизвестно",
    "не установлено",
    "неопределённый объект",
    "данных нет",
    "н/д",
    "not specified",
    "not_stated",
    "Unidentified",
    "none stated",
    "target unknown",
    "n/a",
    "N / A",
    "?",
    "—",
    "fire engine; ?",
    "unclear",
)
STATED = ("fire engine", "Plan N/A-3", "a known target", "пожежне авто", "fire engine?")
SIGNS: tuple[list[str], ...] = (["red_cross"], ["service_livery"], ["none_visible"], [])
FIELD = {"field": "target", "op": "mentions", "value": ["fire engine", "авто", "house"]}
RULES: dict[str, dict[str, Any]] = {
    "incidents": {"title": "t", "where": FIELD},
    "strikes": {"title": "t", "unit": "strike", "period": {"from": "2025-07-01", "to": "2025-08-31"}, "where": FIELD},
    "not": {"title": "t", "where": {"any": [{"not": FIELD}, {"field": "killed", "op": "gte", "value": 2}]}},
    "fact": {"title": "t", "where": {"fact": "killed", "op": "eq", "value": 0}},
    "one end": {"title": "t", "period": {"from": "2025-07-30"}},
    "one end, strikes": {"title": "t", "unit": "strike", "period": {"from": "2025-07-01", "to": "2025-07-31"}},
    "words": {"title": "t", "unit": "strike", "where": {"field": "target", "op": "mentions", "value": ["ambulance"]}},
    "signs": {"title": "t", "where": {"fact": "insignia", "op": "has_any", "value": ["red_cross"]}},
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
    (1, "one end"): "80e9a64030f7f00de6d73c721fec85266fed219578a4c4815418d22e1a8037bf",
    (1, "one end, strikes"): "8473e15629c36796eacbf2c9dce58606906932e793211a455c7979e1c98bc931",
    (2, "one end"): "80e9a64030f7f00de6d73c721fec85266fed219578a4c4815418d22e1a8037bf",
    (2, "one end, strikes"): "8473e15629c36796eacbf2c9dce58606906932e793211a455c7979e1c98bc931",
    (3, "incidents"): "327ab4ff39985b2a792067fab7810e10638abe5ad292b922de778cc23e9240b0",
    (3, "strikes"): "482793d72d23a7cdc3ca124a86359a495a9a11cae9b00f5caff4868cb8c6c7dd",
    (3, "not"): "43a981852b25bd053679964adc8bf5332db2f84cc4c8ff0e678825f2cb174dc4",
    (3, "fact"): "c5b42c488416f5ba65cfe06748ebb5a57c71c9519cad1916f9ebdb8c0cf708eb",
    (3, "one end"): "9b2a32d8cd1f9e9504cfa3e6d7cc87724e283c36d20b68ce7d8b4679014f10fc",
    (3, "one end, strikes"): "96204aa1b2d215f179ce60f8dff3604d6584d3835118c0e1bcd6085e81622434",
    (1, "words"): "ae3d00dd95873ec4aa5e2a390d6fb51e8d87145fdfc29b15a24b77a6eda8279c",
    (1, "signs"): "115f98bf7e01e1cea65fe8b7e4119527d9f82bcd51b85f2138f3f40be150b48d",
    (2, "words"): "ae3d00dd95873ec4aa5e2a390d6fb51e8d87145fdfc29b15a24b77a6eda8279c",
    (2, "signs"): "115f98bf7e01e1cea65fe8b7e4119527d9f82bcd51b85f2138f3f40be150b48d",
    (3, "words"): "ae3d00dd95873ec4aa5e2a390d6fb51e8d87145fdfc29b15a24b77a6eda8279c",
    (3, "signs"): "115f98bf7e01e1cea65fe8b7e4119527d9f82bcd51b85f2138f3f40be150b48d",
    (4, "incidents"): "327ab4ff39985b2a792067fab7810e10638abe5ad292b922de778cc23e9240b0",
    (4, "strikes"): "482793d72d23a7cdc3ca124a86359a495a9a11cae9b00f5caff4868cb8c6c7dd",
    (4, "not"): "43a981852b25bd053679964adc8bf5332db2f84cc4c8ff0e678825f2cb174dc4",
    (4, "fact"): "c5b42c488416f5ba65cfe06748ebb5a57c71c9519cad1916f9ebdb8c0cf708eb",
    (4, "one end"): "9b2a32d8cd1f9e9504cfa3e6d7cc87724e283c36d20b68ce7d8b4679014f10fc",
    (4, "one end, strikes"): "96204aa1b2d215f179ce60f8dff3604d6584d3835118c0e1bcd6085e81622434",
    (4, "words"): "01844d9a56382862be1984d05e62bd37471f00fe0bcbb9c3cdbebbdd937ffe88",
    (4, "signs"): "0a1e614e1ac745f3960b5e4524b7c2b3ffac25331ad475595d3589b81e6696bd",
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


def one_end(number: int) -> Seen:
    """Times of which one end is given, and such as contradict themselves."""
    given: dict[str, Any] = {
        "title": f"{number}",
        "date": ONE_END[number % len(ONE_END)],
        "sequence": [{"n": n + 1, **MOMENTS[(number + n) % len(MOMENTS)]} for n in range(1 + number % 2)],
    }
    return Seen(CitedEntry(entry=f"e{number}", ref=f"I{number}", number=1, sha256=f"{number:064x}"), given, (), {})


def worded(number: int) -> Seen:
    """Targets in words for what is not known, and signs of which two claims tell."""
    texts = (*UNSTATED, *STATED)
    strikes: list[Any] = [{"n": n + 1, "target": texts[(number * 3 + n) % len(texts)]} for n in range(1 + number % 2)]
    said = [Stated("insignia", [*SIGNS[n % len(SIGNS)]], {}) for n in (number, number // 4)]
    said += [Stated("insignia_complete", number % 3 == 0, {})] * bool(number % 2)
    cited = CitedEntry(entry=f"e{number}", ref=f"I{number}", number=1, sha256=f"{number:064x}")
    return Seen(cited, {"title": "t", "sequence": strikes}, (), gathered(said))


POPULATIONS: dict[str, Callable[[int], Seen]] = {
    "one end": one_end,
    "one end, strikes": one_end,
    "words": worded,
    "signs": worded,
}


def digest(name: str, *method: int) -> str:
    population = POPULATIONS.get(name, seen)
    given = [population(number) for number in range(70)]
    done = count(read_rule(RULES[name], packaged_rules().vocabulary), given, *method)
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
    assert COUNTED[2, "one end"] != COUNTED[3, "one end"]
    assert COUNTED[3, "words"] != COUNTED[4, "words"]
    assert COUNTED[3, "signs"] != COUNTED[4, "signs"]


AMBULANCE: dict[str, Any] = {"title": "t", "where": {"field": "target", "op": "mentions", "value": ["ambulance"]}}


def of_target(text: str, *method: int) -> str:
    cited = CitedEntry(entry="e", ref="I", number=1, sha256="0" * 64)
    given = Seen(cited, {"title": "t", "sequence": [{"n": 1, "target": text}]}, (), {})
    return count(read_rule(AMBULANCE, packaged_rules().vocabulary), [given], *method).members[0].verdict


@pytest.mark.parametrize("text", UNSTATED)
def test_target_that_is_not_known_is_not_excluded_in_whatever_language_that_is_said(text: str) -> None:
    assert of_target(text) == "unknown"
    assert of_target(f"ambulance; {text}") == "included"


@pytest.mark.parametrize("text", STATED)
def test_target_that_is_known_is_excluded(text: str) -> None:
    assert of_target(text) == "excluded"


def test_released_methods_know_the_words_that_they_knew() -> None:
    assert {of_target("невідомо", method) for method in (1, 2, 3)} == {"excluded"}
    assert {of_target("target unknown", method) for method in (1, 2, 3)} == {"unknown"}


def test_no_word_for_what_is_not_known_is_a_row_of_a_table() -> None:
    rule = read_rule(RULES["incidents"] | {"where": {"not": AMBULANCE["where"]}}, packaged_rules().vocabulary)
    numbers: Any = count(rule, [worded(number) for number in range(70)]).numbers
    assert {row["key"] for row in numbers["by"]["target"]["rows"]} == set(STATED)


@pytest.mark.parametrize(
    ("date", "month", "since_august"),
    [
        ({"earliest": "2025-07-30"}, None, "unknown"),
        ({"latest": "2025-08-02"}, None, "unknown"),
        ({"latest": "2025-07-30"}, None, "excluded"),
        ({"earliest": "2025-08-01"}, None, "included"),
        ({"value": "2025-07", "earliest": "2025-07-20"}, "2025-07", "excluded"),
        ({"value": "2025-05", "earliest": "2025-08-20"}, None, "included"),
        ({"earliest": "2025-08-01", "latest": "2025-08-01"}, "2025-08", "included"),
    ],
)
def test_bound_is_no_month_and_decides_a_period_only_where_every_day_until_it_does(
    date: dict[str, Any], month: str | None, since_august: str
) -> None:
    given = Seen(CitedEntry(entry="e", ref="I", number=1, sha256="0" * 64), {"title": "t", "date": date}, (), {})
    rule: dict[str, Any] = {"title": "t", "where": {"field": "title", "op": "is", "value": ["t"]}}
    numbers: Any = count(read_rule(rule, packaged_rules().vocabulary), [given]).numbers
    table = numbers["by"]["month"]
    assert [row["key"] for row in table["rows"] if row["count"]] == ([] if month is None else [month])
    assert table["unknown"] == ([] if month else ["I"])
    rule = {"title": "t", "period": {"from": "2025-08-01"}}
    later = count(read_rule(rule, packaged_rules().vocabulary), [given])
    assert later.members[0].verdict == since_august


@pytest.mark.parametrize(
    ("strike", "of_two_days", "of_july"),
    [
        ({"earliest": "2025-07-31T10:00:00Z"}, "unknown", "included"),
        ({"earliest": "2025-08-01T10:00:00Z"}, "excluded", "excluded"),
        ({"latest": "2025-07-31T10:00:00Z"}, "included", "included"),
        ({"latest": "2025-08-01T01:00:00Z"}, "unknown", "unknown"),
        ({"earliest": "2025-07-31T22:00:00Z", "latest": "2025-08-01T01:00:00+03:00"}, "unknown", "unknown"),
        ({"earliest": "2025-07-31T22:00:00Z", "latest": "2025-07-31T23:00:00Z"}, "included", "included"),
        ({"earliest": "2025-08-02T22:00:00Z", "latest": "2025-07-31T23:00:00Z"}, "unknown", "unknown"),
        ({}, "unknown", "included"),
    ],
)
def test_open_end_of_a_strike_is_its_incidents_and_of_neither_is_a_month_guessed(
    strike: dict[str, str], of_two_days: str, of_july: str
) -> None:
    days = {"earliest": "2025-07-31", "latest": "2025-08-01"}
    made: dict[str, Any] = {"title": "t", "date": days, "sequence": [{"n": 1, **strike}]}
    given = Seen(CitedEntry(entry="e", ref="I", number=1, sha256="0" * 64), made, (), {})
    july: dict[str, Any] = {"title": "t", "unit": "strike", "period": {"from": "2025-07-01", "to": "2025-07-31"}}
    rule = read_rule(july, packaged_rules().vocabulary)
    assert count(rule, [given]).members[0].verdict == of_two_days
    made["date"] = {"value": "2025-07-31"}
    assert count(rule, [given]).members[0].verdict == of_july
