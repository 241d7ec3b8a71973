"""The pure rules of incidents: bodies, standing, stated facts, files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import CatenaError
from app.incidents.bodies import MASK, IncidentBody, When, check_body, read_body
from app.incidents.dossier import put_together, read_file, take_apart
from app.incidents.facts import WHOLE, parts_of, stated_facts
from app.incidents.standing import days_of, masked, standing_of, told
from app.incidents.statement_kinds import PLAIN, against, is_denial
from app.incidents.unresolved import unresolved
from schemas.records.v1.incident import IncidentClaimRecord
from schemas.records.v1.link import Person
from tests.incident_samples import body, document

NOW = "2026-11-28T20:00:00.000000Z"


def refusal(attempt: Callable[[], object]) -> str:
    with pytest.raises(CatenaError) as refused:
        attempt()
    return refused.value.code


def claim(name: str, fact: str | None, value: Any, **changed: Any) -> tuple[IncidentClaimRecord, str]:  # noqa: ANN401
    fields: dict[str, Any] = {
        "claim": name,
        "incident": "i",
        "ref": name,
        "kind": "claim",
        "speaker": "Service A",
        "text": "so it is said",
        "conditional": False,
        "fact": fact,
        "value": value,
        "rests_on": (),
        "supersedes": None,
        "author": Person(id="u", name="ana", auth="token"),
        "created_at": NOW,
        **changed,
    }
    return IncidentClaimRecord(**fields), "0" * 64


@pytest.mark.parametrize(
    ("when", "days"),
    [
        ({"value": "2025-07-06"}, ("2025-07-06", "2025-07-06")),
        ({"value": "2025-02"}, ("2025-02-01", "2025-02-28")),
        ({"value": "2024"}, ("2024-01-01", "2024-12-31")),
        ({"value": "2025-07", "earliest": "2025-07-01", "latest": "2025-07-10"}, ("2025-07-01", "2025-07-10")),
        ({"earliest": "2025-07-01"}, ("2025-07-01", None)),  # a bound is not the day
        ({"latest": "2025-07-01"}, (None, "2025-07-01")),
        ({"value": "2025-07", "earliest": "2025-07-20"}, ("2025-07-20", "2025-07-31")),
        ({"value": "2025-07-20", "earliest": "2025-07-20"}, ("2025-07-20", "2025-07-20")),
        ({"value": "2025-05", "earliest": "2025-07-20"}, ("2025-07-20", None)),  # they contradict each other
        ({"value": "late July", "latest": "2025-07-31"}, (None, "2025-07-31")),
        ({"earliest": "2025-07-02", "latest": "2025-07-01"}, None),
        ({"value": "early July"}, None),
        ({"value": "2025-02-30"}, None),
        ({"value": "2025-13"}, None),
        ({}, None),
    ],
)
def test_date_is_an_interval_of_days_or_none(when: dict[str, str], days: tuple[str | None, str | None] | None) -> None:
    found = days_of(When(**when))
    assert (None if found is None else tuple(day and day.isoformat() for day in found)) == days


@pytest.mark.parametrize(
    ("date", "told_so"),
    [
        ({"earliest": "2025-07-01", "precision": "exact_day"}, "not before 2025-07-01"),
        ({"latest": "2025-07-01", "precision": "exact_day"}, "not after 2025-07-01"),
        ({"value": "early July"}, "date not understood"),
        ({}, "date not known"),
        ({"value": "2025-07"}, "between 2025-07-01 and 2025-07-31"),
        ({"value": "2025-07-01", "precision": "exact_day"}, "on 2025-07-01"),
    ],
)
def test_bound_is_told_as_a_bound_and_never_as_an_exact_day_of_a_stated_year(
    date: dict[str, Any], told_so: str
) -> None:
    standing: Any = standing_of("incident", "INC-B", {"title": "t", "date": date}, NOW)["date"]
    whole = bool(standing["earliest"] and standing["latest"])
    assert told(standing) == told_so
    assert (standing["exact_day"], standing["year"]) == (told_so.startswith("on "), "stated" if whole else "unknown")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"date": {"value": "2024-13-45"}}, "date.value '2024-13-45'"),
        ({"date": {"value": "2025-02-30"}}, "date.value"),
        ({"date": {"value": "2025-13"}}, "date.value"),
        ({"date": {"value": "0000"}}, "date.value"),
        ({"date": {"earliest": "2024-13-45"}}, "date: earliest '2024-13-45'"),
        ({"date": {"earliest": "2025-07-02", "latest": "2025-07-01"}}, "latest 2025-07-01 is before earliest"),
        ({"sequence": [{"n": 1, "latest": "2025-02-30T10:00:00Z"}]}, "strike 1: latest"),
        ({"sequence": [{"n": 1, "earliest": "2025-02-03T25:00:00Z"}]}, "strike 1: earliest"),
        (
            {"sequence": [{"n": 1, "earliest": "2025-07-06T10:00:00Z", "latest": "2025-07-06T12:00:00+03:00"}]},
            "is before earliest",
        ),
    ],
)
def test_date_that_no_calendar_has_is_refused_and_named(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(CatenaError) as refused:
        check_body("incident", "INC-A", body(**changed))
    assert refused.value.code == "bad_incident_entry"
    assert "INC-A" in refused.value.detail
    assert said in refused.value.detail


def test_date_in_words_is_kept_and_is_a_warning_and_so_is_an_id_that_leads_nowhere() -> None:
    given = body(date={"value": "early July"}, candidate_provisions=["ap1-art62", "ap1-art999"])
    assert check_body("incident", "INC-A", given) == given
    found = [(one.code, one.entry) for one in unresolved("incident", "INC-A", given, set(), {"ap1-art62"})]
    codes = ["unknown_statement", "unknown_provision", "date_not_understood"]
    assert found == [(code, "incident:INC-A") for code in codes]
    known = {("statement", "ST-CAPTION")}
    assert [one.code for one in unresolved("incident", "INC-A", body(), known, None)] == []
    unread = unresolved("incident", "INC-A", {"title": "t", "candidate_provisions": ["x"]}, known, None)
    assert [*unread] == []  # a catalogue that cannot be read tells nothing of any provision
    counted: Any = {"claim": "two", "includes": ["INC-9"], "includes_possible": ["INC-8"]}
    assert [one.detail[:8] for one in unresolved("aggregate", "A", counted, known, ())] == ["includes", "includes"]
    assert [one.code for one in unresolved("reading", "R", {"incident": "I"}, known, ())] == ["unknown_incident"]


@pytest.mark.parametrize(
    ("strikes", "codes"),
    [
        ([("2025-08-06T10:00:00Z", "2025-08-06T10:10:00Z")], ["strike_outside_date"]),
        ([("2025-06-06T10:00:00Z", None)], []),  # not before: it may have been on the day
        ([(None, "2025-06-06T10:00:00Z")], ["strike_outside_date"]),
        ([("2025-08-06T10:00:00Z", None)], ["strike_outside_date"]),
        ([("2025-07-06T23:50:00-10:00", "2025-07-06T23:50:00-10:00")], []),  # the day of somebody's time zone
        ([("2025-07-06T00:10:00+14:00", "2025-07-06T00:10:00+14:00")], []),
        ([("2025-07-06T10:30:00Z", "2025-07-06T10:30:00Z"), (None, "2025-07-06T10:00:00Z")], ["strikes_out_of_order"]),
        ([("2025-07-06T10:00:00Z", "2025-07-06T10:30:00Z"), (None, "2025-07-06T10:00:00Z")], []),  # perhaps at once
        (
            [(at, at) for at in ("2025-07-06T10:00:00Z", "2025-07-06T10:40:00Z", "2025-07-06T10:20:00Z")],
            ["strikes_out_of_order"],
        ),
        ([(None, None), (None, None)], []),
    ],
)
def test_strike_whose_time_contradicts_the_day_or_the_order_is_kept_and_is_a_warning(
    strikes: list[tuple[str | None, str | None]], codes: list[str]
) -> None:
    sequence = [{"n": n, "earliest": one, "latest": other} for n, (one, other) in enumerate(strikes, 1)]
    given = body(sequence=sequence, statements=[])
    assert check_body("incident", "INC-A", given) == given
    found = [*unresolved("incident", "INC-A", given, set(), None)]
    assert [one.code for one in found] == codes
    assert all(f"strike {len(strikes)} is timed" in one.detail for one in found)
    undated = [*unresolved("incident", "INC-A", {**given, "date": {}}, set(), None)]
    assert [one.code for one in undated] == [code for code in codes if code != "strike_outside_date"]


def test_what_was_not_given_is_not_added() -> None:
    standing = standing_of("incident", "INC-B", {"title": "t"}, NOW)
    assert standing["date"] == {
        "earliest": None,
        "latest": None,
        "precision": None,
        "understood": True,  # nothing was said
        "exact_day": False,
        "year": "unknown",
        "year_basis": None,
    }
    assert (standing["time_known"], standing["personal_data"], standing["accounts"]) == (False, [], [])
    assert standing_of("organisation", "A", {"name": "A"}, NOW) == {}


@pytest.mark.parametrize("word", ["unknown", "невідомо", "не Встановлено", "неизвестно", "n/a", "?", "not specified"])
def test_word_for_what_is_not_known_is_no_time_no_date_and_no_name_in_any_language(word: str) -> None:
    given: dict[str, Any] = {"title": "t", "time": {"value": word}, "date": {"value": word}}
    standing: Any = standing_of("incident", "INC-B", given, NOW)
    assert (standing["time_known"], told(standing["date"])) == (False, "date not known")
    assert [*unresolved("incident", "INC-B", given, set(), None)] == []
    said: Any = standing_of("statement", "ST", {"speaker": f"soldier, {word}", "summary": "s"}, NOW)
    assert said["author"] == "unknown"
    evening = {**given, "time": {"value": f"evening, {word}"}}
    assert standing_of("incident", "INC-B", evening, NOW)["time_known"] is True


def test_names_are_masked_in_a_copy() -> None:
    given = body()
    hidden: Any = masked(given)
    assert hidden["casualties"]["persons"] == [{"name": MASK, "role": "driver"}]
    assert given["casualties"]["persons"][0]["name"] == "Sample Person"
    without: Any
    for without in ({}, {"casualties": None}, {"casualties": {"persons": None}}, {"casualties": {"persons": [1, {}]}}):
        assert masked(dict(without)) == without


def test_statement_is_read_both_ways_until_somebody_reviewed_it() -> None:
    spoken = {"speaker": "Expert A", "kind": "UN report, conditional", "overstatement": "said without the condition"}
    standing: Any = standing_of("statement", "ST", {**spoken, "text": "т", "translation": "t"}, NOW)
    assert (standing["author"], standing["conditional"], standing["translation"]) == ("named", True, "one reader")
    assert standing["paraphrases"][0]["conditional"] is False
    read_twice: Any = standing_of("statement", "ST", {**spoken, "translation": "t", "second_reader": "B"}, NOW)
    assert read_twice["translation"] == "second reader named, not signed off here"


@pytest.mark.parametrize(
    "kind",
    [
        "denial",
        "Denial and counter-allegation",
        "counter_allegation",
        "counter allegation",
        "Counterallegation",
        "refutation",
        "Заперечення",
        "спростування Міноборони",
        "зустрічне звинувачення",
        "опровержение",
    ],
)
def test_denial_and_counter_allegation_are_known_however_they_are_joined_and_in_ukrainian(kind: str) -> None:
    assert is_denial(kind)
    assert against([kind]) == "denial"
    assert not is_denial("allegation")


def test_a_statement_that_was_ever_a_denial_or_of_an_unknown_word_goes_along_whatever_it_is_called_later() -> None:
    assert against(["denial", "witness"]) == "earlier denial"
    assert against(["dementi", "witness"]) == "kind not known"
    assert against(["witness", "witness, speaks for the unit"]) == "kind not known"
    assert against([None]) == "kind not known"
    assert against([None, "Expert opinion"]) is None, "a kind that was missing was named"
    assert not [kind for kind in PLAIN if against([kind]) is not None]


def test_every_kind_of_the_acceptance_data_is_known_or_missing(shared: Path) -> None:
    kinds = {one.get("kind") for one in json.loads((shared / "ihl" / "incidents.json").read_text())["statements"]}
    denials = {kind for kind in kinds if kind and against([kind])}
    assert denials == {"denial", "denial and counter-allegation"}


def test_facts_come_from_counts_claims_and_readings_and_values_that_differ_all_stay() -> None:
    readings: dict[str, Any] = {
        "R1": {"facts": {"killed": 1, "weapon": "mortar", "struck": None, "actor": "unknown"}},
        "R2": {"facts": {"killed": 3, "injured": 4}},
    }
    claims = [
        claim("a", "killed", 2),
        claim("b", "second_strike", True, conditional=True),  # noqa: FBT003 - a fact's value
        claim("c", None, None),
    ]
    found = stated_facts({"casualties": {"killed": 0, "injured": None}}, readings, claims)
    assert [(one.fact, one.value, one.rests_on["kind"]) for one in found.stated] == [
        ("killed", 0, "record"),
        ("killed", 2, "claim"),
        ("killed", 1, "reading"),
        ("killed", 3, "reading"),
    ]
    assert [(one.fact, one.value) for one in found.assumed] == [("weapon", "mortar"), ("injured", 4)]


def test_nothing_is_stated_of_an_incident_of_which_nothing_is_known() -> None:
    assert stated_facts({"title": "t"}, {}, []).stated == []
    assert stated_facts({"casualties": None}, {"R": {}}, []).stated == []


@pytest.mark.parametrize("wrong", [None, [], "text", 3, {"title": 3}, {"title": "t", "sequence": [{"n": "1"}]}])
def test_body_that_is_none_is_refused(wrong: object) -> None:
    assert refusal(lambda: check_body("incident", "INC", wrong)) == "bad_incident_entry"


def test_body_that_is_too_deep_or_too_long_is_refused() -> None:
    deep: Any = "x"
    for _ in range(40):
        deep = [deep]
    for wrong in ({"title": "t", "more": deep}, {"title": "t", "more": "x" * 300_000}, {"title": "t", "m": "\ud800"}):
        assert refusal(lambda wrong=wrong: check_body("incident", "INC", wrong)) == "bad_incident_entry"  # type: ignore[misc]


def test_body_stays_as_it_was_given_with_fields_of_the_givers_own() -> None:
    given = body(traps=["one"], mine={"a": [1, None, True]})
    assert check_body("incident", "INC", given) == given
    assert read_body("incident", "INC", given, IncidentBody).sequence[1].target == "fire engine"


def test_file_taken_apart_and_put_together_is_the_same() -> None:
    file = take_apart(document())
    assert put_together(file.entries, file.claims) == document()
    assert read_file(json.dumps(document()).encode()) == file


@pytest.mark.parametrize(
    "data", [b"", b"{", b"\xff", b"[]", b"{}", b'{"incidents": 3}', b'{"incidents": [1]}', b"[" * 99_999]
)
def test_file_that_is_none_is_refused(data: bytes) -> None:
    assert refusal(lambda: read_file(data)) == "bad_incident_file"


@pytest.mark.parametrize("data", [b"[]", b"{}", b'{"id": "INC-1", "title": "an incident, no file"}'])
def test_file_without_incidents_is_told_in_one_line_what_is_expected(data: bytes) -> None:
    with pytest.raises(CatenaError) as refused:
        read_file(data)
    assert refused.value.code == "bad_incident_file"
    assert 'expected {"incidents": [{"id": "...", "title": "..."}, ...]}' in refused.value.detail
    assert "\n" not in refused.value.detail


_NAMES = st.sampled_from(["incidents", "id", "title", "statements", "claims", "facts", "rule_base_cases", "name"])
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60)
@given(_ANYTHING)
def test_any_document_is_taken_apart_or_refused_by_code(anything: Any) -> None:  # noqa: ANN401
    try:
        take_apart(anything)
    except CatenaError as error:
        assert error.code in {"bad_incident_file", "bad_incident_entry", "bad_incident_ref", "entry_twice"}  # noqa: PT017


PARTS = st.tuples(st.none() | st.integers(1, 3), st.none() | st.sampled_from(["T-1", "T-2"]))


@given(said=st.lists(PARTS, max_size=12), listed=st.dictionaries(st.sampled_from(["T-1", "T-2"]), st.integers(0, 3)))
def test_what_is_said_of_a_part_reaches_that_part_no_other_and_is_never_lost(
    said: list[tuple[int | None, str | None]], listed: dict[str, int]
) -> None:
    targets: list[Any] = [
        {"id": name, "kind": "object", "text": "x", "strikes": [*range(1, strikes + 1)]}
        for name, strikes in listed.items()
    ]
    claims = [claim(str(n), "killed", n, strike=strike, target=target) for n, (strike, target) in enumerate(said)]
    incident: dict[str, Any] = {"targets": targets}
    facts = stated_facts(incident, {}, claims)
    assert {one.scope for one in facts.of(WHOLE)} <= {WHOLE}
    asked = [WHOLE, *parts_of(incident, facts)]
    for scope in asked:
        for one in facts.of(scope):
            assert one.scope.strike in {None, scope.strike}
            assert one.scope.target in {None, scope.target}
    assert {one.value for scope in asked for one in facts.of(scope)} == {*range(len(said))}


def test_claim_that_a_fact_is_unknown_states_nothing_and_breaks_nothing() -> None:
    facts = stated_facts({}, {}, [claim("A", "killed", "unknown"), claim("B", "killed", 3)])
    assert [one.value for one in facts.stated] == [3]


def test_target_that_names_a_strike_twice_is_one_part() -> None:
    target: Any = {"id": "T-1", "kind": "object", "text": "x", "strikes": [2, 2, 2]}
    assert len(parts_of({"targets": [target]}, stated_facts({}, {}, []))) == 1
