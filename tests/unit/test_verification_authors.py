"""Who counts as an author of a record that came with a file: whoever any file in it names; no form of it raises."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from app.verification.rules import authors_of, folded, named_in
from schemas.records.v1.verification import VerificationRecord

HERE = {"id": "here", "name": "Hanna Here"}
MEMBERS = ["author", "versions", "elsewhere", "id", "name", "body", "translator", "contributors"]
INNER: JsonValue = {
    "author": {"id": "first", "name": "Fedir First"},
    "versions": [{"author": {"id": "second", "name": "Sofia Second"}, "body": {"translator": "Taras Translator"}}],
}


def record(elsewhere: JsonValue) -> VerificationRecord:
    return VerificationRecord.model_construct(author=_Author(), body={}, elsewhere=elsewhere)


class _Author:
    id = HERE["id"]
    name = HERE["name"]


def test_authors_and_translators_of_a_file_within_a_file_are_authors() -> None:
    outer: JsonValue = {"author": {"id": "third", "name": "Taisa Third"}, "versions": [{"elsewhere": INNER}]}
    assert authors_of([record(outer)]) == {"here", "first", "second", "third"}
    names = {"Fedir First", "Sofia Second", "Taisa Third", "Taras Translator"}
    assert named_in([record(outer)]) == {folded(name) for name in names}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["author", "versions", "elsewhere", "id", "name", "body", "translator", "contributors"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_a_file_of_any_form_takes_no_author_away_and_raises_nothing(elsewhere: JsonValue) -> None:
    assert "here" in authors_of([record(elsewhere)])
    assert "" not in named_in([record(elsewhere)])
