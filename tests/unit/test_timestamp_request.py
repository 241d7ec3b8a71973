"""Requests as an authority reads them, and responses as we do."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from evidence_store import asn1
from evidence_store.errors import EvidenceStoreError
from evidence_store.timestamps.request import MAX_RESPONSE, build_request, granted_response, token_of_response
from evidence_store.timestamps.token import parse_token
from tests.tokens import Forgery, octets, sequence
from tests.tsa import LocalTsa, authority

IMPRINT = hashlib.sha256(b"x").digest()
TOKEN = Forgery(authority().tsa, IMPRINT).der()


def code_of(response: bytes) -> str:
    with pytest.raises(EvidenceStoreError) as caught:
        token_of_response(response)
    return caught.value.code


def status(value: int, *rest: bytes) -> bytes:
    return sequence(sequence(asn1.integer(value), *rest))


def reason(text: bytes) -> bytes:
    return sequence(asn1.encode(asn1.UTF8_STRING, text))


def failure(*bits: int) -> bytes:
    contents = bytearray(4)
    for bit in bits:
        contents[bit // 8] |= 0x80 >> bit % 8
    return asn1.encode(asn1.BIT_STRING, b"\x00", bytes(contents))


@pytest.mark.parametrize("name", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("nonce", [0, 1, 2**63, 2**64 - 1])
def test_openssl_answers_a_request_with_its_imprint_and_nonce(name: str, nonce: int, tmp_path: Path) -> None:
    tsa = LocalTsa(tmp_path, authority())
    imprint = hashlib.new(name, b"x").digest()
    token = parse_token(token_of_response(tsa.reply(build_request(imprint, name, nonce))))
    assert (token.imprint, token.imprint_algorithm, token.nonce) == (imprint, name, nonce)
    assert token.certificate == tsa.authority.tsa.certificate  # certReq was heard


@pytest.mark.parametrize(
    ("imprint", "name", "nonce", "code"),
    [
        (IMPRINT, "sha1", 1, "timestamp_algorithm_unsupported"),
        (IMPRINT, "sha512", 1, "bad_imprint"),
        (b"", "sha256", 1, "bad_imprint"),
        (IMPRINT, "sha256", -1, "bad_nonce"),
    ],
)
def test_request_that_cannot_be_made(imprint: bytes, name: str, nonce: int, code: str) -> None:
    with pytest.raises(EvidenceStoreError) as caught:
        build_request(imprint, name, nonce)
    assert caught.value.code == code


def test_granted_with_modifications_is_granted() -> None:
    for value in (0, 1):
        assert token_of_response(sequence(sequence(asn1.integer(value)), TOKEN)) == TOKEN
    assert token_of_response(granted_response(TOKEN)) == TOKEN


@pytest.mark.parametrize(
    ("response", "code"),
    [
        (status(2, reason(b"no"), failure(0)), "timestamp_refused"),
        (status(2, failure(2)), "timestamp_refused"),
        (status(2, failure(15)), "timestamp_refused"),
        (status(2, failure(5, 14)), "timestamp_refused"),
        (status(2, failure(14)), "timestamp_unavailable"),
        (status(2, failure(25)), "timestamp_unavailable"),
        (status(2, reason(b"quota")), "timestamp_unavailable"),
        (status(2), "timestamp_unavailable"),
        (status(3), "timestamp_unavailable"),
        (status(5, failure(0)), "timestamp_unavailable"),
        (status(99), "timestamp_unavailable"),
    ],
)
def test_refusal_is_for_good_only_when_the_authority_says_why(response: bytes, code: str) -> None:
    assert code_of(response) == code


def test_text_of_a_refusal_cannot_command_a_terminal_nor_grow() -> None:
    with pytest.raises(EvidenceStoreError) as caught:
        token_of_response(status(2, reason(b"\x1b[2Jgone\n\xff" + b"x" * 5000), failure(0)))
    assert "(badAlg)" in caught.value.detail
    assert caught.value.detail.isprintable()
    assert len(caught.value.detail) < 300


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"<html>sign in</html>",
        sequence(),
        sequence(sequence()),
        sequence(sequence(asn1.integer(0))),
        sequence(sequence(asn1.integer(0)), octets(b"x")),
        sequence(sequence(asn1.integer(0)), TOKEN, TOKEN),
        granted_response(TOKEN) + b"\x00",
        sequence(sequence(octets(b"0")), TOKEN),
        sequence(sequence(asn1.encode(asn1.INTEGER, b"\x00\x00")), TOKEN),
        status(2, octets(b"x")),
        status(2, sequence(octets(b"x"))),
        status(2, failure(0), failure(0)),
        bytes(MAX_RESPONSE + 1),
    ],
    ids=range(14),
)
def test_what_is_no_response(response: bytes) -> None:
    assert code_of(response) == "timestamp_response_malformed"
