"""The pure rules of disclosure."""

from __future__ import annotations

from typing import Any

import pytest

from app.errors import InvalidInputError
from app.export.rules import (
    MAX_ITEMS,
    Output,
    claims,
    missing_records,
    outputs_of,
    parse_purpose,
    preview_path,
    require_exportable,
    require_one_scope,
)


@pytest.mark.parametrize(("case", "items"), [(None, None), (None, []), ("T1", ["a"])])
def test_export_without_a_scope_or_with_two_is_refused(case: str | None, items: list[str] | None) -> None:
    with pytest.raises(InvalidInputError) as refused:
        require_one_scope(case, items)
    assert refused.value.code == "bad_scope"


def test_one_scope_is_enough() -> None:
    require_one_scope("T1", None)
    require_one_scope("T1", [])
    require_one_scope(None, ["a"])
    require_one_scope(None, None, "INC-1")
    require_one_scope("T1", None, "INC-1")


@pytest.mark.parametrize("case", [None, "T1"])
def test_items_beside_an_incident_are_a_second_scope(case: str | None) -> None:
    with pytest.raises(InvalidInputError, match="an export is of"):
        require_one_scope(case, ["a"], "INC-1")


@pytest.mark.parametrize(("count", "code"), [(0, "nothing_to_export"), (MAX_ITEMS + 1, "too_many_items")])
def test_selection_that_no_bundle_can_hold_is_refused(count: int, code: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        require_exportable(count)
    assert refused.value.code == code


def test_purpose_is_bounded() -> None:
    assert parse_purpose(" For the court \n") == "For the court"
    with pytest.raises(InvalidInputError) as refused:
        parse_purpose("x" * 2_001)
    assert refused.value.code == "text_too_long"


def test_outputs_are_read_from_every_event_that_has_some() -> None:
    details: list[dict[str, Any]] = [
        {},
        {"outputs": [{"role": "link", "sha256": "aa"}, {"role": "receipt", "sha256": "bb"}]},
        {"outputs": []},
    ]
    assert outputs_of(details) == [Output("link", "aa"), Output("receipt", "bb")]


def test_contradicting_link_that_was_left_out_is_missed() -> None:
    named = [Output("link", "for"), Output("link", "against"), Output("review", "dissent"), Output("metadata", "old")]
    assert missing_records(named, ["for", "dissent"]) == [Output("link", "against")]
    assert missing_records(named, ["for", "against"]) == [Output("review", "dissent")]
    assert missing_records(named, ["for", "against", "dissent"]) == []


def test_claims_never_say_that_law_was_violated_and_tell_what_is_missing() -> None:
    assert not any("violated" in claim for claim in claims(9, 0))
    assert not any("no metadata record" in claim for claim in claims(9, 0))
    assert any(claim.startswith("2 item(s) have no metadata record") for claim in claims(9, 2))


def test_preview_of_an_unknown_type_still_gets_a_safe_name() -> None:
    assert preview_path("i", "image/jpeg") == "data/previews/i.jpg"
    assert preview_path("i", "../../x") == "data/previews/i.bin"
