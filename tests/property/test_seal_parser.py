"""No bytes make the seal parser fail in any other way than by its own coded error, and no flip passes."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import example, given
from hypothesis import strategies as st

from evidence_store import asn1, cades
from evidence_store.certificates import parse_certificate
from evidence_store.errors import EvidenceStoreError
from evidence_store.seal import build_seal, verify_seal
from tests.sealing import DATA, SIGNED, identity

KNOWN_CODES = {
    "seal_malformed",
    "seal_not_detached",
    "seal_signer_count",
    "seal_algorithm_unsupported",
    "seal_attributes_wrong",
    "seal_digest_mismatch",
    "seal_certificate_mismatch",
    "seal_signature_invalid",
    "certificate_malformed",
    "seal_untrusted",
    "seal_certificate_unsuitable",
    "seal_certificate_expired",
    "seal_certificate_not_yet_valid",
}

# Without the authority's certificate: nothing in it is compared byte for byte with what the caller has.
VALID = build_seal(DATA, identity().certificate, identity().sign, SIGNED)
CERTIFICATE = identity().certificate.public_bytes(Encoding.DER)


def code_of(der: bytes) -> str | None:
    """The error's code, or None when the seal verifies."""
    try:
        verify_seal(der, DATA, [identity().ca])
    except EvidenceStoreError as error:
        return error.code
    return None


@st.composite
def edits(draw: st.DrawFn, original: bytes) -> bytes:
    """The original after a few bytes were replaced, removed, inserted or repeated."""
    edited = bytearray(original)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(edited)))
        length = draw(st.integers(0, 12))
        kind = draw(st.sampled_from(["replace", "remove", "insert", "repeat"]))
        if kind == "repeat":
            edited[start:start] = edited[start : start + length]
        else:
            new = b"" if kind == "remove" else draw(st.binary(max_size=12))
            edited[start : start + (0 if kind == "insert" else length)] = new
    return bytes(edited)


def test_every_byte_of_a_seal_matters() -> None:
    """One bit of every byte inside the certificates (all under one hash), and every bit of everything else."""
    survivors = []
    hashed = range(VALID.index(CERTIFICATE), VALID.index(CERTIFICATE) + len(CERTIFICATE))
    for position in range(len(VALID)):
        for bit in [position % 8] if position in hashed else range(8):
            flipped = bytearray(VALID)
            flipped[position] ^= 1 << bit
            code = code_of(bytes(flipped))
            if code not in KNOWN_CODES:
                survivors.append((position, bit, code))
    assert survivors == []
    assert code_of(VALID) is None


def test_every_byte_of_the_companion_certificate_matters() -> None:
    whole = identity().seal()
    authority = identity().ca.public_bytes(Encoding.DER)
    start = whole.index(authority)
    for position in range(start, start + len(authority)):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << position % 8
        assert code_of(bytes(flipped)) in {"seal_untrusted", "seal_malformed"}, position
    assert code_of(whole) is None


@given(st.binary(max_size=300))
def test_random_bytes_are_no_seal(data: bytes) -> None:
    assert code_of(data) in KNOWN_CODES


@given(edits(VALID))
def test_edited_seal_fails_with_a_code(data: bytes) -> None:
    assert code_of(data) in (KNOWN_CODES if data != VALID else {None})


@given(edits(CERTIFICATE))
def test_edited_certificate_that_the_signature_covers_fails_with_a_code(certificate: bytes) -> None:
    """The archive's own key holder as the attacker: digest and signature are made to fit the broken certificate."""
    if certificate == CERTIFICATE:
        return
    parts = cades.parse(VALID)
    attributes = replace(parts.attributes, certificate_digest=hashlib.sha256(certificate).digest())
    forged = replace(
        parts,
        certificates=(certificate,),
        attributes=attributes,
        signature=identity().sign(attributes.encode()),
    )
    assert code_of(forged.encode()) in KNOWN_CODES


@given(edits(CERTIFICATE) | st.binary(max_size=200))
@example(CERTIFICATE)
def test_certificate_is_read_whole_or_refused(data: bytes) -> None:
    try:
        certificate = parse_certificate(data)
    except EvidenceStoreError as error:
        code: str | None = error.code
    else:
        code = None
        assert certificate.public_bytes(Encoding.DER) == data
        assert certificate.serial_number > 0
    assert code in ({None} if data == CERTIFICATE else {None, "certificate_malformed"})


@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001 - bounds
def test_every_time_comes_back_to_the_second(moment: datetime) -> None:
    assert asn1.parse_time(asn1.time(moment)) == moment.replace(microsecond=0)


@given(st.binary(max_size=64))
def test_reading_any_bytes_either_returns_all_of_them_or_refuses(data: bytes) -> None:
    try:
        elements = asn1.Reader(data).elements()
    except asn1.Asn1Error:
        return
    assert b"".join(elements) == data


@given(st.binary(max_size=40))
def test_any_bytes_as_a_time_are_read_exactly_or_refused(data: bytes) -> None:
    try:
        moment = asn1.parse_time(data)
    except asn1.Asn1Error:
        return
    assert asn1.time(moment) == data


def test_known_codes_are_each_reachable_by_name() -> None:
    assert verify_seal.__doc__ is not None
    missing = [code for code in sorted(KNOWN_CODES) if f"`{code}`" not in verify_seal.__doc__]
    if missing:
        pytest.fail(f"verify_seal does not document {missing}")
