"""What a depositor may say of a source, and what is refused with the field's name."""

from __future__ import annotations

import pytest

from app.errors import InvalidInputError
from app.intake.service import parse_source


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"collected_at": 1}, "collected_at"),
        ({"collected_at": "1"}, "collected_at"),
        ({"collected_at": "2025-07-06T14:00:00"}, "collected_at"),
        ({"collected_at": "0001-01-01T00:00:00Z"}, "collected_at"),
        ({"collected_at": "9999-01-01T00:00:00Z"}, "collected_at"),
        ({"note": "x" * 8001}, "note"),
        ({"note": "a\x00b"}, "note"),
        ({"collector": "a\x1b[2J"}, "collector"),
        ({"uri": "https://example.org"}, "uri"),
        ("no record", "source"),
    ],
)
def test_what_cannot_be_is_refused_and_the_field_is_named(said: object, field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_source(said)
    assert caught.value.code == "bad_source"
    assert caught.value.detail.startswith(field)


def test_a_note_of_five_thousand_characters_is_kept_whole() -> None:
    note = "записка " * 625
    assert parse_source({"note": note}).as_record()["note"] == note.strip()


def test_times_keep_the_offset_that_was_given() -> None:
    said = parse_source({"collected_at": "2025-07-06T14:00:00+03:00"}).as_record()
    assert said["collected_at"] == "2025-07-06T14:00:00+03:00"
