"""One pass, every digest; compared with published values and with the standard library."""

from __future__ import annotations

import dataclasses
import hashlib
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_store.digests import CHUNK_BYTES, DigestComputer, Digests, digest_file, digest_stream, parse_sha256
from evidence_store.errors import EvidenceStoreError

EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_abc_has_the_digests_of_fips_180_4_and_the_crc_of_zip() -> None:
    result = digest_stream([b"a", b"", b"bc"])
    assert result.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert result.sha512.startswith("ddaf35a193617abacc417349ae204131")
    assert result.crc32 == 0x352441C2
    assert result.size == 3


def test_the_empty_file_has_digests_too() -> None:
    assert digest_stream([]) == Digests(EMPTY_SHA256, hashlib.sha512().hexdigest(), 0, 0)


@given(st.lists(st.binary(max_size=64), max_size=8))
def test_the_digests_do_not_depend_on_how_the_bytes_were_cut(chunks: list[bytes]) -> None:
    whole = b"".join(chunks)
    expected = Digests(
        hashlib.sha256(whole).hexdigest(), hashlib.sha512(whole).hexdigest(), zlib.crc32(whole), len(whole)
    )
    assert digest_stream(chunks) == digest_stream([whole]) == expected


def test_a_result_in_between_does_not_end_the_computation() -> None:
    computer = DigestComputer()
    assert computer.result().sha256 == EMPTY_SHA256
    computer.update(b"ab")
    assert computer.result().size == 2
    computer.update(b"c")
    assert computer.result() == digest_stream([b"abc"])


def test_digests_cannot_be_changed_afterwards() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        digest_stream([b"abc"]).size = 4  # type: ignore[misc]


def test_a_file_larger_than_one_chunk_is_read_whole(tmp_path: Path) -> None:
    body = b"\x5a" * (CHUNK_BYTES + 17)
    file = tmp_path / "clip.mp4"
    file.write_bytes(body)
    assert digest_file(file) == digest_stream([body])


def test_an_unreadable_file_is_a_coded_error(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(EvidenceStoreError) as refusal:
            digest_file(path)
        assert refusal.value.code == "file_unreadable"


def test_a_sha256_in_the_archives_form_is_returned() -> None:
    assert parse_sha256(EMPTY_SHA256) == EMPTY_SHA256


@pytest.mark.parametrize(
    "text", ["", EMPTY_SHA256.upper(), EMPTY_SHA256[:-1], EMPTY_SHA256 + "0", EMPTY_SHA256 + "\n", "../" + "a" * 61]
)
def test_another_spelling_of_a_sha256_is_refused(text: str) -> None:
    with pytest.raises(EvidenceStoreError) as refusal:
        parse_sha256(text)
    assert refusal.value.code == "digest_form"


def test_digits_of_another_script_are_not_hexadecimal() -> None:
    with pytest.raises(EvidenceStoreError):
        parse_sha256("\u0661" * 64)
