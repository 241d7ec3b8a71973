"""Header fields of tus: whatever comes, they are read right or refused with a code."""

from __future__ import annotations

import base64
import hashlib
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.tus_fields import (
    MAX_METADATA_CHARACTERS,
    MAX_PAIRS,
    http_date,
    metadata_pairs,
    read_checksum,
    read_metadata,
    required_number,
)
from app.clock import rfc3339
from app.errors import CatenaError

KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=","), min_size=1, max_size=100)
LATIN = st.text(st.characters(max_codepoint=255), max_size=300)
CODES = {"bad_header", "bad_source"}


def refusal(header: str) -> str:
    with pytest.raises(CatenaError) as told:
        read_metadata(header)
    return told.value.code


@given(st.dictionaries(KEYS, st.binary(max_size=200), max_size=20), st.sampled_from([",", ", ", " , "]))
def test_pairs_are_read_as_they_were_written(pairs: dict[str, bytes], comma: str) -> None:
    written = comma.join(f"{key} {base64.b64encode(value).decode()}".rstrip() for key, value in pairs.items())
    assert metadata_pairs(written) == pairs


@given(st.one_of(LATIN, st.text("abc =,\t\x00é+/AZ09", max_size=80)))
def test_nothing_but_a_coded_refusal_comes_of_any_header(header: str) -> None:
    for read in (metadata_pairs, read_metadata, read_checksum):
        codes = {"bad_header", "bad_source", "unknown_algorithm"}
        refused = None
        try:
            read(header)
        except CatenaError as error:
            refused = error
        assert refused is None or refused.code in codes


@given(st.binary(max_size=60))
def test_values_that_are_not_utf8_are_refused_where_they_mean_something(value: bytes) -> None:
    header = f"filename {base64.b64encode(value).decode()}"
    try:
        name = value.decode("utf-8")
    except UnicodeDecodeError:
        assert refusal(header) == "bad_header"
    else:
        assert read_metadata(header).filename == name


def test_hostile_metadata_is_refused() -> None:
    deep = base64.b64encode(b'{"note":' * 50_000).decode()
    for header in (
        "filename YQ==,filename YQ==",
        "idempotency-key YQ==,idempotency_key Yg==",
        ",",
        "a,,b",
        "filename YQ",
        "filename YQ==  YQ==",
        "filename\x00 YQ==",
        "ключ".encode().decode("latin-1") + " YQ==",
        "x" * (MAX_METADATA_CHARACTERS + 1),
        ",".join(f"k{number} YQ==" for number in range(MAX_PAIRS + 1)),
        f"source {deep}"[:MAX_METADATA_CHARACTERS],
        "source " + base64.b64encode(b"[" * 40_000).decode(),
        "sha256 " + base64.b64encode(b"A" * 64).decode(),
    ):
        assert refusal(header) in CODES, header[:60]


@given(st.binary(max_size=2000))
def test_checksum_is_read_as_it_was_written(data: bytes) -> None:
    for algorithm in ("sha1", "sha256"):
        digest = hashlib.new(algorithm, data).digest()
        found = read_checksum(f"{algorithm} {base64.b64encode(digest).decode()}")
        assert found is not None
        assert (found.algorithm, found.digest) == (algorithm, digest)
    assert read_checksum(None) is None


def test_checksum_of_another_algorithm_or_length_is_refused() -> None:
    for header, code in (
        ("md5 1B2M2Y8AsgTpgAmY7PhCfg==", "unknown_algorithm"),
        ("SHA256 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "unknown_algorithm"),
        ("sha1 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "bad_header"),
        ("sha256 47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=", "bad_header"),
        ("sha256", "bad_header"),
        ("", "unknown_algorithm"),
    ):
        with pytest.raises(CatenaError) as told:
            read_checksum(header)
        assert told.value.code == code, header


@given(st.one_of(st.integers(min_value=-10, max_value=2**70).map(str), st.text(max_size=20)))
def test_numbers_are_whole_and_bounded(text: str) -> None:
    with suppress(CatenaError):
        number = required_number("Upload-Offset", text)
        assert 0 <= number < 2**63
        assert int(text) == number


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001 - made aware below
def test_times_are_written_as_http_reads_them(moment: datetime) -> None:
    aware = moment.replace(tzinfo=UTC)
    assert parsedate_to_datetime(http_date(rfc3339(aware))) == aware.replace(microsecond=0)
