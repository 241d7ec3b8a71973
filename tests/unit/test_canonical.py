"""RFC 8785 canonical JSON: what it writes, and everything it refuses."""

from __future__ import annotations

import enum
from types import MappingProxyType
from typing import Any, cast

import pytest

from evidence_store import canonical
from evidence_store.canonical import MAX_DEPTH, MAX_INTEGER, Json, JsonInput, canonical_bytes, parse_canonical
from evidence_store.errors import EvidenceStoreError


def _refused(data: bytes) -> None:
    with pytest.raises(EvidenceStoreError) as refusal:
        parse_canonical(data)
    assert refusal.value.code == "canonical_form"


def _unwritable(value: object) -> None:
    with pytest.raises(EvidenceStoreError) as refusal:
        canonical_bytes(cast("Json", value))
    assert refusal.value.code == "canonical_form"


def _nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def test_keys_sort_as_in_the_example_of_rfc_8785_section_3_2_3() -> None:
    value = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    expected = (
        '{"\\r":"Carriage Return","1":"One","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis",'
        '"\u20ac":"Euro Sign","\U0001f600":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}'
    )
    assert canonical_bytes(value) == expected.encode()


def test_strings_are_escaped_as_in_the_example_of_rfc_8785_section_3_2_2() -> None:
    assert canonical_bytes('\u20ac$\u000f\nA\'B"\\\\"/') == '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'.encode()


def test_every_control_character_has_its_shortest_lower_case_escape() -> None:
    text = "".join(map(chr, range(0x20))) + "\x7f\u2028"
    short = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
    expected = "".join(short.get(c, f"\\u{ord(c):04x}") for c in text[:0x20]) + "\x7f\u2028"
    assert canonical_bytes(text) == f'"{expected}"'.encode()


def test_literals_and_containers_have_no_white_space() -> None:
    value: Json = {"b": [True, False, None, -1, 0], "a": {}, "": []}
    assert canonical_bytes(value) == b'{"":[],"a":{},"b":[true,false,null,-1,0]}'
    assert parse_canonical(b'{"":[],"a":{},"b":[true,false,null,-1,0]}') == value


def test_text_is_never_normalised() -> None:
    assert canonical_bytes("e\u0301") != canonical_bytes("\u00e9")


def test_read_only_mappings_tuples_and_enumerations_have_the_form_of_their_value() -> None:
    class Kind(enum.StrEnum):
        INGESTION = "ingestion"

    class Version(enum.IntEnum):
        ONE = 1

    value: JsonInput = MappingProxyType({"type": Kind.INGESTION, "v": Version.ONE, "t": (1, 2)})
    assert canonical_bytes(value) == b'{"t":[1,2],"type":"ingestion","v":1}'


@pytest.mark.parametrize("value", [1.0, float("nan"), float("inf"), b"bytes", {1, 2}, object(), [1, [2.5]]])
def test_a_value_without_canonical_form_is_refused(value: object) -> None:
    _unwritable(value)


@pytest.mark.parametrize("key", [1, None, True, b"a", ("a",)])
def test_a_key_that_is_not_a_string_is_refused(key: object) -> None:
    _unwritable({key: 1})


@pytest.mark.parametrize("value", ["\ud800", ["\udfff"], {"\ud83d": 1}, {"a": "\ude00\ud83d"}])
def test_a_lone_surrogate_is_refused(value: object) -> None:
    _unwritable(value)


def test_integers_are_taken_to_exactly_2_to_the_53_minus_1() -> None:
    assert canonical_bytes([MAX_INTEGER, -MAX_INTEGER]) == b"[9007199254740991,-9007199254740991]"
    assert parse_canonical(b"[9007199254740991,-9007199254740991]") == [2**53 - 1, 1 - 2**53]
    for beyond in (MAX_INTEGER + 1, -MAX_INTEGER - 1, 10**5000):
        _unwritable(beyond)
    _refused(b"9007199254740992")
    _refused(b"-9007199254740992")
    _refused(b"1" * 100_000)


def test_nesting_is_taken_to_exactly_the_limit() -> None:
    assert canonical_bytes(parse_canonical(_nested(MAX_DEPTH))) == _nested(MAX_DEPTH)
    _refused(_nested(MAX_DEPTH + 1))
    _refused(b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1))


@pytest.mark.parametrize("bomb", [_nested(100_000), b"[" * 200_000, b'{"a":' * 100_000])
def test_a_nesting_bomb_ends_as_a_coded_refusal(bomb: bytes) -> None:
    _refused(bomb)


@pytest.mark.parametrize("value", [b"{}", b"[]", b"0", b'{"a":0}', b'""', b'",{["', b'"\\",{["'])
def test_values_are_counted_before_any_is_made(value: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    many = b"[" + b",".join([value] * 20) + b"]"
    exact = 41 if value[:1] in b"{[" else 21  # the array and what is in it; an empty container counts twice
    monkeypatch.setattr(canonical, "MAX_VALUES", exact)
    assert parse_canonical(many)
    monkeypatch.setattr(canonical, "MAX_VALUES", exact - 1)
    with pytest.raises(EvidenceStoreError, match="more than"):
        parse_canonical(many)


def test_a_value_that_holds_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    _unwritable(loop)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" 1",
        b"1\n",
        b"[1, 2]",
        b'{"b":1,"a":2}',
        b'{"a":1,"a":1}',
        b'{"a":1,"a":2}',
        b"1.0",
        b"1e2",
        b"-0",
        b"01",
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b'"\\/"',
        b'"\\u0041"',
        b'"\\u000F"',
        b'"\\u000a"',
        b'"\\ud800"',
        b'"\\ud83d\\ude00"',
        b'"\n"',
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b"\xef\xbb\xbf1",
        b"1\x00",
        '"a"'.encode("utf-16"),
        b'{"a":1}{"b":2}',
        b"nul",
        b"'a'",
        b"[1,]",
    ],
)
def test_another_spelling_of_a_value_is_refused(data: bytes) -> None:
    _refused(data)


def test_an_emoji_key_that_sorts_by_code_point_is_refused() -> None:
    by_code_point = '{"\ufb33":1,"\U0001f600":2}'.encode()
    by_code_unit = '{"\U0001f600":2,"\ufb33":1}'.encode()
    assert parse_canonical(by_code_unit) == {"\ufb33": 1, "\U0001f600": 2}
    _refused(by_code_point)


@pytest.mark.parametrize("data", [b'{"a":1,"a":2}', b'[{"b":{"a":1,"a":1}}]', b'{"a":1,"\\u0061":2}'])
def test_a_repeated_key_is_named_as_the_reason(data: bytes) -> None:
    with pytest.raises(EvidenceStoreError) as refusal:
        parse_canonical(data)
    assert refusal.value.detail == "an object repeats a key"
