"""The catalogue file and the pure rules of links and searches."""

from __future__ import annotations

import copy
import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import CatenaError, EnvironmentFailedError, InvalidInputError
from app.law.catalogue import element_of, packaged_catalogue, parse_catalogue
from app.law.rules import clean_text, find_provisions, parse_direction, parse_rationale
from schemas.records.v1.link import MAX_RATIONALE

CATALOGUE = parse_catalogue(packaged_catalogue())
ENTRIES: list[dict[str, Any]] = json.loads(packaged_catalogue())


def refusal(attempt: Callable[[], object]) -> str | None:
    """The code of the error that a call raises; only ours may come."""
    try:
        attempt()
    except CatenaError as error:
        return error.code
    return None


def found(query: str) -> list[str]:
    return [provision.id for provision in find_provisions(CATALOGUE.provisions.values(), query)]


def test_packaged_catalogue_is_the_whole_working_data() -> None:
    assert len(CATALOGUE.provisions) == 110
    assert CATALOGUE.elements == 372
    assert {entry["id"] for entry in ENTRIES} == set(CATALOGUE.provisions)


def test_packaged_catalogue_is_the_shared_one_byte_for_byte(shared: Path) -> None:
    assert packaged_catalogue() == (shared / "ihl" / "catalogue.json").read_bytes()


def test_packaged_catalogue_loses_nothing_when_parsed() -> None:
    for entry in ENTRIES:
        assert CATALOGUE.provisions[entry["id"]].model_dump(mode="json") == entry


def test_confidence_marks_stay_with_every_entry() -> None:
    marks = [(entry.confidence, entry.verified_scope) for entry in CATALOGUE.provisions.values()]
    assert sum(confidence == "from_memory" for confidence, _ in marks) == 18
    assert sum(scope == "none" for _, scope in marks) == 3


def _unknown_field(entries: list[dict[str, Any]]) -> None:
    entries[3]["verdict"] = "guilty"


def _missing_mark(entries: list[dict[str, Any]]) -> None:
    del entries[3]["confidence"]


def _invented_mark(entries: list[dict[str, Any]]) -> None:
    entries[3]["confidence"] = "certain"


def _same_provision_twice(entries: list[dict[str, Any]]) -> None:
    entries.append(entries[0])


def _same_element_twice(entries: list[dict[str, Any]]) -> None:
    entries[0]["elements"].append(entries[1]["elements"][0])


def _related_to_nothing(entries: list[dict[str, Any]]) -> None:
    entries[0]["related"].append("ap9-art1")


def _number_for_text(entries: list[dict[str, Any]]) -> None:
    entries[0]["article"] = 8


def _path_as_id(entries: list[dict[str, Any]]) -> None:
    entries[0]["id"] = "../../etc/passwd"


@pytest.mark.parametrize(
    "damage",
    [
        _unknown_field,
        _missing_mark,
        _invented_mark,
        _same_provision_twice,
        _same_element_twice,
        _related_to_nothing,
        _number_for_text,
        _path_as_id,
    ],
)
def test_damaged_catalogue_is_refused_whole(damage: Callable[[list[dict[str, Any]]], None]) -> None:
    entries = copy.deepcopy(ENTRIES)
    damage(entries)
    with pytest.raises(EnvironmentFailedError) as refused:
        parse_catalogue(json.dumps(entries).encode())
    assert refused.value.code == "catalogue_invalid"


@given(st.binary(max_size=200) | st.recursive(st.none() | st.text(), st.lists).map(lambda v: json.dumps(v).encode()))
def test_any_other_bytes_raise_only_our_error(data: bytes) -> None:
    assert refusal(lambda: parse_catalogue(data)) in {None, "catalogue_invalid"}


def test_element_of_another_provision_is_not_found() -> None:
    first, second = CATALOGUE.provisions["ap1-art8"], CATALOGUE.provisions["ap1-art62"]
    assert element_of(first, "ap1-art8-e1") is first.elements[0]
    assert element_of(second, "ap1-art8-e1") is None


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("ap1-art62", "ap1-art62"),
        ("AP I art 62", "ap1-art62"),
        ("8(2)(b)(xxiv)", "icc-8-2-b-xxiv"),
        ("red crystal", "ap3-art2"),
    ],
)
def test_search_finds_a_provision_as_one_would_type_it(query: str, best: str) -> None:
    assert found(query)[0] == best


def test_search_wants_every_word() -> None:
    both = found("civil defence")
    assert both
    assert set(both) <= set(found("civil")) & set(found("defence"))
    assert found("civil zeppelin") == []


def test_short_words_and_numbers_do_not_match_the_beginning_of_others() -> None:
    assert "ap1-art62" not in found("ap1-art6")
    assert found("am") == []
    assert "ap1-art21" in found("ambul")


@given(st.text(max_size=40))
def test_search_never_fails_and_finds_only_what_is_there(query: str) -> None:
    assert set(found(query)) <= set(CATALOGUE.provisions)


@pytest.mark.parametrize("text", ["", "Supports", "violates", "support", " supports"])
def test_unknown_direction_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_direction(text)
    assert refused.value.code == "bad_direction"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "rationale_required"),
        (" \n\t ", "rationale_required"),
        ("x" * (MAX_RATIONALE + 1), "text_too_long"),
        ("null\x00byte", "bad_text"),
        ("escape \x1b[31m", "bad_text"),
        ("lone \ud800 surrogate", "bad_text"),
    ],
)
def test_rationale_that_no_record_may_hold_is_refused(text: str, code: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_rationale(text)
    assert refused.value.code == code


def test_longest_rationale_with_paragraphs_is_kept_as_written() -> None:
    beginning = "Абзац.\n\nІнший:\tтаблиця. "  # noqa: RUF001 - Ukrainian
    text = beginning + "ї" * (MAX_RATIONALE - len(beginning))
    assert parse_rationale(f"  {text}\n") == text


@given(st.text(max_size=300))
def test_cleaned_text_is_the_text_or_a_coded_refusal(text: str) -> None:
    too_long = len(text.strip()) > 200
    bad = any(unicodedata.category(c) in {"Cc", "Cs"} and c not in "\n\r\t" for c in text.strip())
    expected = "text_too_long" if too_long else "bad_text" if bad else None
    assert refusal(lambda: clean_text(text, 200, "note")) == expected
    if expected is None:
        assert clean_text(text, 200, "note") == text.strip()
