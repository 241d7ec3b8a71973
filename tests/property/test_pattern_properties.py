"""Inclusion rules in three-valued logic: what is learnt later decides what was unknown, and undoes nothing known."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import SQLModel

import app.tables  # noqa: F401 - registers every table
from app.custody.rows import formats
from app.law.incident_suggestions import gathered
from app.law.suggestions_rules import packaged_rules
from app.patterns.conditions import read_rule
from app.patterns.counting import DIMENSIONS, Seen, count
from schemas.records.v1.pattern import CitedEntry

PARTS = st.sampled_from(
    [
        {"field": "target", "op": "mentions", "value": ["fire engine"]},
        {"field": "method", "op": "is", "value": ["drone"]},
        {"field": "city", "op": "is", "value": ["Town A"]},
        {"field": "killed", "op": "gt", "value": 0},
        {"field": "date", "op": "within", "value": ["2025-07-01", "2025-07-31"]},
    ]
)
WHERE = st.recursive(
    PARTS,
    lambda inner: st.one_of(
        st.builds(lambda one: {"not": one}, inner),
        st.builds(
            lambda mode, some: {mode: some}, st.sampled_from(["all", "any"]), st.lists(inner, min_size=1, max_size=3)
        ),
    ),
    max_leaves=6,
)
KNOWN: dict[str, Any] = {
    "target": st.sampled_from(["a fire engine", "bridge"]),
    "method": st.sampled_from(["drone", "bomb"]),
    "city": st.sampled_from(["Town A", "Town B"]),
    "killed": st.integers(0, 2),
    "date": st.sampled_from(["2025-07-06", "2025-08-06"]),
}
TABLES = {
    "pattern_rule",
    "frozen_release",
    "catalogue_import",
    "provision_signoff",
    "rule_change",
    "rule_change_review",
}


def seen(ref: str, known: dict[str, Any]) -> Seen:
    body: dict[str, Any] = {
        "title": "t",
        "date": {"value": known.get("date")},
        "place": {"city": known.get("city")},
        "sequence": [{"n": 1, "target": known.get("target"), "method": known.get("method")}],
        "casualties": {"killed": known.get("killed")},
    }
    cited = CitedEntry(entry=ref, ref=ref, number=1, sha256="0" * 64)
    return Seen(cited, body, (), gathered([]))


@settings(deadline=None)
@given(WHERE, st.fixed_dictionaries(KNOWN), st.sets(st.sampled_from(sorted(KNOWN))))
def test_what_is_learnt_never_undoes_what_was_known(where: Any, whole: dict[str, Any], hidden: set[str]) -> None:  # noqa: ANN401 - any JSON
    rule = read_rule({"title": "t", "where": where}, packaged_rules().vocabulary)
    less = {name: value for name, value in whole.items() if name not in hidden}
    (before,), (after,) = (count(rule, [seen("A", known)]).members for known in (less, whole))
    assert after.verdict != "unknown"  # all is known
    assert before.verdict in {"unknown", after.verdict}


@settings(deadline=None)
@given(WHERE, st.lists(st.fixed_dictionaries({}, optional=KNOWN), max_size=5), st.randoms())
def test_order_changes_nothing_and_no_unit_is_lost(where: Any, records: list[dict[str, Any]], shuffle: Any) -> None:  # noqa: ANN401 - any JSON
    rule = read_rule({"title": "t", "where": where}, packaged_rules().vocabulary)
    all_ = [seen(f"INC-{number}", known) for number, known in enumerate(records)]
    done = count(rule, all_)
    shuffle.shuffle(all_)
    again = count(rule, all_)
    assert (again.members, again.numbers) == (done.members, done.numbers)
    numbers: Any = done.numbers
    assert numbers["included"] + numbers["unknown"] + numbers["excluded"] == len(records)
    for name in DIMENSIONS:
        table = numbers["by"][name]
        placed = sum(row["count"] for row in table["rows"]) + len(table["uncertain"]) + len(table["unknown"])
        assert placed == numbers["included"]
        assert all(row["count"] <= row["at_most"] <= numbers["at_most"] for row in table["rows"])


def test_every_column_of_these_tables_is_bound_to_the_log() -> None:
    bound = {name: set(form.columns) for name, form in formats() if name in TABLES}
    assert bound == {name: set(SQLModel.metadata.tables[name].columns.keys()) for name in TABLES}
