"""Three-valued logic over any facts: agreed with an evaluator of its own, and never surprised by more knowledge."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.law.suggestions_facts import parse_facts
from app.law.suggestions_logic import Facts, Truth, Value, evaluate
from app.law.suggestions_rules import packaged_rules
from tests.suggestion_cases import RULES, SPECS, fired, suggested, undecided, verdict

BASE = packaged_rules()
_TRUTHS = {Truth.TRUE: True, Truth.FALSE: False, Truth.UNKNOWN: None}
# A rule that asks whether a fact is unknown is meant to change when it becomes known.
ASK_FOR_IGNORANCE = {"R48"}


def values_of(name: str) -> st.SearchStrategy[Any]:
    spec = SPECS[name]
    if spec["type"] == "bool":
        return st.booleans()
    if spec["type"] == "number":
        return st.sampled_from([0, 1, 59, 60, 61, 300, 301])
    if spec["type"] == "enum":
        return st.sampled_from(spec["values"])
    return st.lists(st.sampled_from(spec["values"]), max_size=3)


FACTS = st.fixed_dictionaries({}, optional={name: values_of(name) for name in SPECS})
MOSTLY = st.fixed_dictionaries(
    {"conflict_type": st.just("iac"), "targets": values_of("targets")},
    optional={name: values_of(name) for name in SPECS if name not in {"conflict_type", "targets"}},
)


def outcomes(facts: Facts) -> dict[str, bool | None]:
    return {name: _TRUTHS[evaluate(rule.when, facts).truth] for name, rule in BASE.rules.items()}


def known(facts: dict[str, Any]) -> Facts:
    return parse_facts(facts, BASE.vocabulary)


@given(st.one_of(FACTS, MOSTLY))
def test_every_rule_comes_out_as_the_letter_of_the_file_says(facts: dict[str, Any]) -> None:
    assert outcomes(known(facts)) == {name: verdict(rule["when"], facts) for name, rule in RULES.items()}


@given(MOSTLY, st.lists(st.sampled_from(sorted(SPECS))), st.sampled_from([None, "unknown"]))
def test_adding_an_unknown_fact_never_changes_anything(
    facts: dict[str, Any], names: list[str], unknown: object
) -> None:
    more = facts | {name: unknown for name in names if name not in facts}
    assert suggested(more) == suggested(facts)


@given(MOSTLY, st.lists(st.sampled_from(sorted(SPECS))))
def test_what_is_known_with_fewer_facts_stays_so_with_more(facts: dict[str, Any], gone: list[str]) -> None:
    fewer = {name: value for name, value in facts.items() if name not in gone}
    before, after = outcomes(known(fewer)), outcomes(known(facts))
    for name in set(RULES) - ASK_FOR_IGNORANCE:
        if before[name] is not None:
            assert before[name] == after[name], name


@given(MOSTLY, FACTS)
def test_where_sources_differ_only_what_holds_of_each_of_them_is_known(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    first, second = known(one), known({**one, **other})
    both: dict[str, tuple[Value, ...]] = {
        name: tuple({*first.get(name, ()), *values}) for name, values in second.items()
    }
    alone = [outcomes(facts) for facts in (second, {**second, **first})]
    for name, joined in outcomes(both).items():
        if joined is not None and name not in ASK_FOR_IGNORANCE:
            assert {joined} == {each[name] for each in alone}, name


@given(MOSTLY)
def test_every_rule_that_is_not_false_is_told_and_no_false_one_is(facts: dict[str, Any]) -> None:
    document = suggested(facts)
    found = outcomes(known(facts))
    assert fired(document) == {name for name, truth in found.items() if truth is True}
    assert undecided(document) == {name for name, truth in found.items() if truth is None}
    shown = {one["provision"] for part in ("suggest", "suppressed", "possible") for one in document[part]}
    for name, truth in found.items():
        if truth is not False:
            assert {one["provision"] for one in RULES[name]["suggest"]} <= shown, name
