"""Canonical JSON holds for any value and any bytes, not for chosen ones."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_store.canonical import MAX_INTEGER, Json, canonical_bytes, parse_canonical
from evidence_store.errors import EvidenceStoreError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=25,
)


@given(VALUES)
def test_a_value_survives_its_canonical_form(value: Json) -> None:
    data = canonical_bytes(value)
    assert parse_canonical(data) == value
    assert json.loads(data) == value


@given(VALUES)
def test_member_order_does_not_change_the_bytes(value: Json) -> None:
    def reversed_members(node: Json) -> Json:
        if isinstance(node, dict):
            return {key: reversed_members(node[key]) for key in reversed(node)}
        return [reversed_members(item) for item in node] if isinstance(node, list) else node

    assert canonical_bytes(reversed_members(value)) == canonical_bytes(value)


@given(VALUES)
def test_the_common_spellings_of_json_libraries_are_refused_unless_they_are_canonical(value: Json) -> None:
    canonical = canonical_bytes(value)
    for other in (json.dumps(value).encode(), json.dumps(value, indent=1).encode(), canonical + b"\n"):
        if other == canonical:
            continue
        with pytest.raises(EvidenceStoreError) as refusal:
            parse_canonical(other)
        assert refusal.value.code == "canonical_form"


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_parse_to_themselves_or_are_refused(data: bytes) -> None:
    with suppress(EvidenceStoreError):
        assert canonical_bytes(parse_canonical(data)) == data


@given(VALUES, st.data())
def test_one_changed_byte_is_another_value_or_refused(value: Json, data: st.DataObject) -> None:
    original = canonical_bytes(value)
    position = data.draw(st.integers(0, len(original) - 1))
    replacement = data.draw(st.integers(0, 255).filter(lambda byte: byte != original[position]))
    changed = original[:position] + bytes([replacement]) + original[position + 1 :]
    with suppress(EvidenceStoreError):
        assert canonical_bytes(parse_canonical(changed)) == changed != original
