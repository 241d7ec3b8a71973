"""Header fields: what clients send is read strictly, what is sent back is safe."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api import fields
from app.api.metrics import Metrics
from app.api.paging import page_of
from app.api.ranges import ByteRange, UnsatisfiableRangeError, not_modified, requested_range
from app.errors import CatenaError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
DIGEST = hashlib.sha256(b"data")


@given(TEXT)
def test_percent_encoded_text_comes_back_as_it_was(text: str) -> None:
    assert fields.text_of("X", quote(text, safe="")) == text


@given(TEXT.filter(lambda text: "%" not in text))
def test_raw_utf8_text_comes_back_as_it_was(text: str) -> None:
    assert fields.text_of("X", text.encode().decode("latin-1")) == text


@given(st.text(st.characters(max_codepoint=255), max_size=80))
def test_any_header_value_is_read_or_refused_with_a_code(value: str) -> None:
    for read in (
        lambda: fields.text_of("X", value),
        lambda: fields.source_of({"x-source": value}),
        lambda: fields.source_of({"x-collector": value}),
        lambda: fields.announced_digests(value),
        lambda: fields.idempotency_key(value),
        lambda: fields.whole_number("X", value),
    ):
        assert _refusal(read) in {None, "bad_header"}


def _refusal(read: Callable[[], object]) -> str | None:
    try:
        read()
    except CatenaError as error:
        return error.code
    return None


@given(st.dictionaries(st.sampled_from(["url", "note", "collector"]), TEXT))
def test_source_is_the_same_from_json_and_from_fields(said: dict[str, str]) -> None:
    plain = {key: value for key, value in said.items() if key != "url"}
    headers = {"x-source-note": "note", "x-collector": "collector"}
    single = {name: quote(plain[key], safe="") for name, key in headers.items() if key in plain}
    assert fields.source_of(single) == plain
    assert fields.source_of({"x-source": json.dumps(said)}) == said
    assert fields.source_of({"x-source": quote(json.dumps(said, ensure_ascii=False))}) == said


def test_percent_signs_in_a_url_are_left_alone() -> None:
    url = "https://example.org/a%20b?x=%D0%B0"
    assert fields.source_of({"x-source-url": url}) == {"url": url}
    assert fields.source_of({"x-source": json.dumps({"url": url})}) == {"url": url}


@pytest.mark.parametrize("value", ["[" * 100_000, "{" + '"a":{' * 100_000, '{"a": "' + "x" * 300_000 + '"}'])
def test_oversized_or_nested_source_is_refused(value: str) -> None:
    with pytest.raises(CatenaError) as caught:
        fields.source_of({"x-source": value})
    assert caught.value.code == "bad_header"


def test_digest_field_round_trips() -> None:
    assert fields.announced_digests(fields.digest_field(DIGEST.hexdigest())) == {"sha256": DIGEST.hexdigest()}
    assert fields.announced_digests(None) == {}


@pytest.mark.parametrize(
    "value",
    [
        "",
        "sha-256",
        "sha-256=abc",
        f"sha-256={base64.b64encode(DIGEST.digest()).decode()}",
        f"sha-256=:{DIGEST.hexdigest()}:",
        "sha-256=:****:",
        "sha-256=:AAA:",
        "sha-512=:" + base64.b64encode(DIGEST.digest()).decode() + ":",
        "md5=:AAAAAAAAAAAAAAAAAAAAAA==:",
    ],
)
def test_unreadable_digest_is_refused(value: str) -> None:
    with pytest.raises(CatenaError) as caught:
        fields.announced_digests(value)
    assert caught.value.code == "bad_header"


@given(st.text(max_size=60))
def test_disposition_is_one_safe_line_that_gives_the_name_back(name: str) -> None:
    value = fields.attachment(name)
    match = re.fullmatch(r'attachment; filename="([A-Za-z0-9._ -]+)"; filename\*=UTF-8\'\'(\S*)', value)
    assert match is not None
    assert unquote(match[2]) == name.encode("utf-8", "replace").decode()
    assert value.isascii()
    assert value.isprintable()


@given(st.integers(0, 300), st.integers(0, 300), st.integers(1, 200))
def test_a_range_is_what_slicing_gives(first: int, last: int, size: int) -> None:
    data = bytes(range(200))[:size]
    try:
        part = requested_range(f"bytes={first}-{last}", None, '"t"', size)
    except UnsatisfiableRangeError:
        assert data[first : last + 1] == b""
        return
    if part is None:
        assert last < first
        return
    assert data[part.first : part.last + 1] == data[first : last + 1]
    assert part.length == len(data[first : last + 1])
    assert part.content_range == f"bytes {part.first}-{part.last}/{size}"


@given(st.integers(0, 300), st.integers(1, 200))
def test_a_suffix_range_is_the_end(count: int, size: int) -> None:
    if count == 0:
        with pytest.raises(UnsatisfiableRangeError):
            requested_range("bytes=-0", None, '"t"', size)
        return
    assert requested_range(f"bytes=-{count}", None, '"t"', size) == ByteRange(max(0, size - count), size - 1, size)


@given(st.text(max_size=40), st.integers(0, 100))
def test_any_range_header_is_served_ignored_or_unsatisfiable(header: str, size: int) -> None:
    try:
        part = requested_range(header, None, '"t"', size)
    except UnsatisfiableRangeError:
        return
    assert part is None or 0 <= part.first <= part.last < size


@pytest.mark.parametrize(
    ("header", "same"),
    [
        (None, False),
        ('"t"', True),
        ('W/"t"', True),
        ('"a", "t"', True),
        ("*", True),
        ('"a"', False),
        ("t", False),
        ("", False),
    ],
)
def test_if_none_match_compares_tags(header: str | None, same: bool) -> None:  # noqa: FBT001 - the expected answer
    assert not_modified(header, '"t"') is same


@given(st.lists(st.integers(), unique=True, max_size=30), st.integers(1, 10))
def test_pages_together_are_the_list(rows: list[int], limit: int) -> None:
    seen: list[int] = []
    cursor: str | None = None
    while True:
        page, cursor = page_of(rows, str, cursor, limit)
        assert len(page) <= limit
        seen += page
        if cursor is None:
            break
    assert seen == rows


def test_cursor_that_nobody_made_is_refused() -> None:
    with pytest.raises(CatenaError) as caught:
        page_of([1, 2], str, "3", 1)
    assert caught.value.code == "bad_cursor"


def test_metric_labels_cannot_break_out_of_their_quotes() -> None:
    metrics = Metrics()
    metrics.request_done("GET", 'a"b\\c\nd', 200, 0.25)
    metrics.request_done("GET", 'a"b\\c\nd', 200, 0.25)
    text = metrics.text({"catena_jobs": ("Jobs.", {(("state", "ready"),): 3})})
    assert 'catena_http_requests_total{method="GET",route="a\\"b\\\\c\\nd",status="200"} 2\n' in text
    assert 'catena_http_request_seconds_total{method="GET",route="a\\"b\\\\c\\nd"} 0.500000\n' in text
    assert 'catena_jobs{state="ready"} 3\n' in text
    assert text.count("# TYPE") == 4
