"""What a depositor may say of a source, and what is refused with the field's name."""

from __future__ import annotations

import pytest

from app.errors import InvalidInputError
from app.intake.service import parse_source
from schemas.records.v1.source import AS_STORED, SourceContext


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
        ({"url": "example.org/1"}, "url"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"url": "file:///etc/passwd"}, "url"),
        ({"url": "https://"}, "url"),
        ({"url": "https://example.org/a b"}, "url"),
        ({"url": "https://[example.org"}, "url"),
        ({"platform": ""}, "platform"),
        ({"platform": "x" * 101}, "platform"),
        ({"channel": "two\nlines"}, "channel"),
        ({"tool": "two\u2028lines"}, "tool"),
        ({"caption": "x" * 20_001}, "caption"),
        ({"caption": "a\ud800"}, "caption"),
        ({"caption_language": "ukrainian language"}, "caption_language"),
        ({"caption_language": "u"}, "caption_language"),
        ({"caption_language": "uk-"}, "caption_language"),
        ({"posted_at": "2025-07-06 14:00:00+03:00"}, "posted_at"),
        ({"posted_at": "2025-07-06T14:00:00+14:01"}, "posted_at"),
        ({"posted_at": "2025-07-06T14:00:00-12:01"}, "posted_at"),
        ({"posted_at": "2025-02-30T14:00:00Z"}, "posted_at"),
        ({"legal_basis": "because"}, "legal_basis"),
        ({"legal_basis": "other"}, "source"),
        ({"consent": "given_with_conditions"}, "source"),
        ({"handling": ["embargo"]}, "source"),
        ({"handling": []}, "handling"),
        ({"handling": ["minors", "minors"]}, "handling"),
        ({"handling": ["secret"]}, "handling"),
        ({"handling": "minors"}, "handling"),
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


@pytest.mark.parametrize(
    "tag", ["uk", "ar-SY", "zh-Hant", "sr-Latn-RS", "de-1996", "es-419", "x-whatever", "en-a-bbb-x-a"]
)
def test_a_language_is_a_well_formed_tag(tag: str) -> None:
    assert parse_source({"caption_language": tag}).as_record() == {"caption_language": tag}


@pytest.mark.parametrize(
    "url",
    ["https://t.me/a/1", "HTTP://EXAMPLE.ORG", "tg://resolve?domain=a", "magnet:?xt=urn:btih:aa", "ipfs://bafy/1.jpg"],
)
def test_a_url_is_kept_as_it_was_written(url: str) -> None:
    assert parse_source({"url": url}).as_record() == {"url": url}


def test_nothing_is_derived_and_absent_stays_absent() -> None:
    assert parse_source({}).as_record() == {}
    assert parse_source({"url": "https://t.me/channel/17"}).as_record() == {"url": "https://t.me/channel/17"}


def test_restrictions_have_one_order() -> None:
    said = parse_source({"handling": ["minors", "do_not_publish"]}).as_record()
    assert said["handling"] == ["do_not_publish", "minors"]


@pytest.mark.parametrize(
    "record",
    [
        {"url": "seen at the market", "note": "", "collector": "a\nb", "collected_at": "2025-07-06T14:00:00+23:59"},
        {"url": "https://example.org/1", "note": "x" * 8_000, "collected_at": "2025-07-06T14:00:00+03:00"},
        {},
    ],
)
def test_a_record_of_before_still_parses_and_is_the_same_record(record: dict[str, str]) -> None:
    assert SourceContext.model_validate(record, context=AS_STORED).as_record() == record
