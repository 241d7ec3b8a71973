"""Rules of assessment: sides, panels, the ladder; and pages and tables that leave nothing out."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.assessment_matrix import preferred
from app.assessment.groups import GROUPS, group_of, material_groups
from app.assessment.printed import matrix_html
from app.assessment.rules import (
    check_answer,
    in_panel,
    panel_standing,
    parse_searches,
    parse_segment,
    parse_standard,
    segment_text,
    side_of,
)
from app.assessment.tabular import matrix_csv
from app.errors import CatenaError
from app.law.catalogue import packaged_catalogue, parse_catalogue
from app.strings import LANGUAGES, Language
from schemas.records.v1.assessment import Search

SEARCH = {"what": "military use", "where": "all recordings", "when": "2025-08-20", "by": "Lena"}


def code_of(call: Any, *given_: Any) -> str:  # noqa: ANN401 - any rule
    with pytest.raises(CatenaError) as refused:
        call(*given_)
    return refused.value.code


@pytest.mark.parametrize(
    "text",
    [
        "beyond reasonable doubt",
        "beyond_reasonable_doubt",
        "Beyond a Reasonable Doubt",
        "it is BEYOND-REASONABLE-DOUBT.",
    ],
)
def test_what_belongs_to_a_court_is_refused_however_it_is_spelt(text: str) -> None:
    assert code_of(parse_standard, text) == "court_only"


def test_the_ladder_has_three_levels_and_no_others() -> None:
    assert [parse_standard(one) for one in ("reasonable_basis", "reasonable_grounds", "substantial_grounds")]
    for other in ("", "proven", "balance of probabilities", "4"):
        assert code_of(parse_standard, other) == "bad_standard"


def test_what_supports_a_loss_of_protection_speaks_against_the_provision() -> None:
    assert (side_of("supports", "conduct"), side_of("contradicts", "conduct")) == ("for", "against")
    assert (side_of("supports", "loss_of_protection"), side_of("contradicts", "loss_of_protection")) == (
        "against",
        "for",
    )
    assert {side_of(way, group) for way in ("neutral", "excluded") for group in GROUPS} == {"neither"}


def test_panels_hold_what_contradicts_and_what_bears_on_a_loss_of_protection() -> None:
    assert in_panel("contradicting", "contradicts", "mental")
    assert not in_panel("contradicting", "supports", "mental")
    assert not in_panel("contradicting", "contradicts", "loss_of_protection")
    assert all(
        in_panel("loss_of_protection", way, "loss_of_protection") for way in ("supports", "contradicts", "neutral")
    )
    assert not in_panel("loss_of_protection", "excluded", "loss_of_protection")


def test_none_found_needs_a_search_and_an_empty_panel() -> None:
    search = Search.model_validate(SEARCH)
    check_answer("searched_none_found", "", [search], [])
    check_answer("answered", "It says so.", [], ["a"])
    assert code_of(check_answer, "searched_none_found", "", [], []) == "search_required"
    assert code_of(check_answer, "searched_none_found", "", [search], ["a"]) == "panel_not_empty"
    assert code_of(check_answer, "answered", "", [search], []) == "reasoning_required"


@pytest.mark.parametrize("field", [*SEARCH])
def test_a_search_without_what_where_when_or_who_is_none(field: str) -> None:
    assert code_of(parse_searches, [{name: text for name, text in SEARCH.items() if name != field}]) == "bad_search"
    assert code_of(parse_searches, [{**SEARCH, field: ""}]) == "bad_search"
    assert code_of(parse_searches, [{**SEARCH, "more": "x"}]) == "bad_search"
    assert code_of(parse_searches, ["a search"]) == "bad_search"


def test_an_answer_does_not_cover_links_that_came_after_it() -> None:
    assert panel_standing([], []) == "unanswered"
    assert panel_standing([("searched_none_found", [])], []) == "searched_none_found"
    assert panel_standing([("searched_none_found", [])], ["a"]) == "outdated"
    assert panel_standing([("answered", ["a"])], ["a"]) == "answered"
    assert panel_standing([("answered", ["a"])], ["a", "b"]) == "outdated"
    assert panel_standing([("answered", ["a", "b"])], ["b"]) == "answered"  # one was withdrawn since
    assert panel_standing([("searched_none_found", []), ("answered", ["a"])], ["a"]) == "answered"


@given(st.from_regex(r"[0-9]{1,4}(\.[0-9]{1,3})?-1[0-9]{4,6}(\.[0-9]{1,6})?", fullmatch=True))
def test_a_time_range_is_written_as_it_was_given(text: str) -> None:
    assert segment_text(parse_segment(text)) == text


@given(st.tuples(*[st.integers(0, 1_000_000)] * 2, *[st.integers(1, 1_000_000)] * 2))
def test_a_region_is_written_as_it_was_given(region: tuple[int, ...]) -> None:
    text = ",".join(map(str, region))
    assert segment_text(parse_segment(text)) == text


@given(st.text(max_size=40))
def test_any_text_is_a_segment_or_refused_with_a_code(text: str) -> None:
    if not re.fullmatch(r"\s*[0-9][0-9.,-]*\s*", text):
        assert not text.strip() or code_of(parse_segment, text) == "bad_segment"


@pytest.mark.parametrize("text", ["5-4", "1,1,0,5", "1,1,5", "-1-2", "nan-nan", "1e3-2e3", "1,2,3,9999999", "٣-٤"])
def test_a_segment_that_cannot_be_is_refused(text: str) -> None:
    assert code_of(parse_segment, text) == "bad_segment"


def test_every_element_of_the_catalogue_has_a_group_and_the_sorting_names_no_other() -> None:
    elements = [one for each in parse_catalogue(packaged_catalogue()).provisions.values() for one in each.elements]
    assert {group_of(one) for one in elements} == set(GROUPS)
    assert {one.id for one in elements if one.kind == "material"} == set(material_groups())


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("text/html", "text/html"),
        ("text/csv;q=0.5, text/html;q=0.4", "text/csv"),
        ("text/html;q=0, application/json;q=0.1", "application/json"),
        ("text/HTML, application/xhtml+xml, */*;q=0.8", "text/html"),
        ("q=;,;;text/csv;q=9", "application/json"),
    ],
)
def test_what_an_accept_field_wants(accept: str | None, wanted: str) -> None:
    assert preferred(accept) == wanted


EVIL = "=cmd|' /C calc'!A0<script>alert(1)</script>"


def document() -> dict[str, Any]:
    """A matrix in which every text is hostile."""
    review = {
        "decision": "reject",
        "comment": EVIL,
        "reviewer": {"id": "2", "name": EVIL, "auth": "token"},
        "sealed": True,
    }
    entry = {
        "thread": "t",
        "entry": "e",
        "number": 2,
        "sha256": "0" * 64,
        "author": {"id": "1", "name": EVIL, "auth": "token"},
        "created_at": "2026-01-01T00:00:00Z",
        "reason": EVIL,
        "catalogue_version": 1,
        "review": "rejected",
        "reviews": [review],
    }
    source = {"kind": "item", "id": "i", "ref": EVIL, "sha256": "0" * 64, "segment": None}
    said = {"direction": "supports", "weight": "direct", "reasoning": EVIL, "source": source}
    link = {**entry, **said, "element": "x-e1", "side": "for", "sides_differ": [], "earlier": [{**entry, **said}]}
    ways = {way: [link] for way in ("supports", "contradicts", "neutral", "excluded", "withdrawn")}
    state = {"value": None, "standing": "people_differ", "stated": [{**entry, "state": "contested", "reasoning": EVIL}]}
    element = {"id": "x-e1", "text": EVIL, "kind": "mental", "in_catalogue": False, "state": state, **ways}
    answer = {**entry, "answer": "answered", "text": EVIL, "searches": [{**SEARCH, "what": EVIL}], "covers_all": False}
    assessment = {
        **entry,
        "standard": "reasonable_basis",
        "standard_means": "means",
        "outcome": "reached",
        "reasoning": EVIL,
        "applicability": {"statement": EVIL},
        "rests_on": [],
        "basis_changed": True,
        "earlier": [],
    }
    provision = {
        "provision": "x",
        "article": EVIL,
        "instrument": EVIL,
        "confidence": "verified",
        "verified_scope": "text",
        "status": "draft",
        "suggestion": {"standing": "suppressed", "why": EVIL, "counter_questions": [EVIL]},
        "applicability": {
            "status_data": {
                "conflict_type": {"listed_for": "iac", "established": None},
                "parties": [{"state": EVIL, "in_force_then": "yes", "fact": EVIL, "confidence": "verified"}],
            },
            "stops": EVIL,
        },
        "groups": [{"group": "mental", "heading": "Mental", "elements": [element]}],
        "panels": {"contradicting": {"standing": "outdated", "links": ["e"], "answers": [answer]}},
        "assessments": [assessment],
        "withdrawn_assessments": [{"reason": EVIL, "created_at": "then"}],
        "gaps": [{"code": "g", "element": None, "about": {"author": EVIL}, "text": EVIL}],
        "tasks": [{"task": EVIL, "fact": EVIL}],
    }
    statement = {
        "statement": "s",
        "ref": EVIL,
        "speaker": EVIL,
        "kind": EVIL,
        "summary": EVIL,
        "denial": True,
        "goes_along": "kind not known",
        "version": 2,
        "earlier": [{"version": 1, "kind": EVIL, "summary": EVIL, "speaker": EVIL}],
        "conditional": True,
        "author": EVIL,
        "authentication": EVIL,
        "directions": ["supports"],
    }
    return {
        "wording": "may bear on",
        "status": "draft",
        "incident": {"id": "i", "ref": EVIL, "version": 1, "sha256": "0" * 64, "title": EVIL, "date": {}},
        "catalogue": {"version": 1},
        "made_at": "now",
        "ladder": {"never": "never"},
        "provisions": [provision],
        "contradicting_elsewhere": [{**link, "provision": "y", "standing": "superseded"}],
        "statements": [statement],
        "suggestions": {"suppressed": [{"provision": "y", "article": EVIL, "why": EVIL}]},
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_escapes_every_text_and_loads_nothing(language: Language) -> None:
    page = matrix_html(document(), language)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 40
    assert all(word not in page for word in ("src=", "href=", "url(", "http"))


def test_a_table_guards_every_cell_and_holds_both_sides() -> None:
    rows = list(csv.DictReader(io.StringIO(matrix_csv(document()), newline="")))
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    kinds = {row["row"] for row in rows}
    assert {
        "link",
        "earlier link",
        "withdrawn link",
        "superseded link elsewhere",
        "denial",
        "panel answer",
        "gap",
    } <= kinds
    assert {"withdrawn assessment", "not to be suggested", "task", "assessment", "state", "element"} <= kinds
    assert "earlier statement" in kinds
    assert [row["basis_changed"] for row in rows if row["row"] == "assessment"] == ["yes"]
