"""No bytes make the readers of time stamps fail in any other way than by a coded error, and no flip passes."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import cache

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import example, given
from hypothesis import strategies as st

from evidence_store import asn1
from evidence_store.errors import EvidenceStoreError
from evidence_store.seal import add_tokens, build_seal, seal_imprint, seal_tokens, verify_seal, without_tokens
from evidence_store.timestamps.request import granted_response, token_of_response
from evidence_store.timestamps.roots import parse_roots
from evidence_store.timestamps.token import parse_token, verify_token
from tests.sealing import DATA, SIGNED, identity
from tests.tokens import Forgery, der_of, octets, sequence
from tests.tsa import Authority, Kind, authority

IMPRINT = hashlib.sha256(b"what is stamped").digest()
TOKEN_CODES = {
    "timestamp_malformed",
    "timestamp_algorithm_unsupported",
    "timestamp_imprint_mismatch",
    "timestamp_signature_invalid",
    "timestamp_untrusted",
    "timestamp_certificate_unsuitable",
    "timestamp_certificate_expired",
}
RESPONSE_CODES = {"timestamp_response_malformed", "timestamp_refused", "timestamp_unavailable"}
FULL = sequence(asn1.integer(1), asn1.encode(0x80, b"\x01\xf4"), asn1.encode(0x81, b"\x64"))


def tsa(kind: Kind = "ec") -> Authority:
    """With an intermediate: a certificate that the token's signature does not cover."""
    return _made(kind)


@cache
def _made(kind: Kind) -> Authority:
    return authority(f"property {kind}", kind, intermediate=True)


def forgery(kind: Kind = "ec") -> Forgery:
    here = tsa(kind)
    held = [der_of(one.certificate) for one in (here.tsa, *here.between)]
    name = asn1.encode(asn1.context(0), asn1.encode(asn1.primitive(6), b"urn:tsa"))
    return Forgery(here.tsa, IMPRINT, nonce=2**63, after_time=FULL, after_nonce=name, certificates=held)


def token(kind: Kind = "ec") -> bytes:
    return _token(kind)


@cache
def _token(kind: Kind) -> bytes:
    return forgery(kind).der()


@cache
def sealed() -> bytes:
    """A seal of level B-T."""
    der = build_seal(DATA, identity().certificate, identity().sign, SIGNED)
    return add_tokens(der, [Forgery(tsa().tsa, seal_imprint(der), certificates=forgery().certificates).der()])


def code_of(der: bytes, kind: Kind = "ec") -> str | None:
    """The error's code, or None when the token verifies."""
    try:
        verify_token(der, IMPRINT, "sha256", tsa(kind).roots)
    except EvidenceStoreError as error:
        return error.code
    return None


def code_of_seal(der: bytes) -> str | None:
    """The error's code, or None when the seal verifies and its time stamp as well."""
    try:
        info = verify_seal(der, DATA, [identity().ca])
        for each in info.tokens:
            verify_token(each, seal_imprint(der), "sha256", tsa().roots)
    except EvidenceStoreError as error:
        return error.code
    return None if info.tokens else "stripped"


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


@pytest.mark.parametrize("kind", ["ec", "rsa", "ed25519"])
def test_every_byte_of_a_token_matters(kind: Kind) -> None:
    """One bit of every byte in the certificates, every bit of everything else."""
    der = token(kind)
    hashed: set[int] = set()
    for one in (tsa(kind).tsa, *tsa(kind).between):
        start = der.index(der_of(one.certificate))
        hashed.update(range(start, start + len(der_of(one.certificate))))
    survivors = []
    for position in range(len(der)):
        for bit in [position % 8] if position in hashed else range(8):
            flipped = bytearray(der)
            flipped[position] ^= 1 << bit
            if code_of(bytes(flipped), kind) not in TOKEN_CODES:
                survivors.append((position, bit))
    assert survivors == []
    assert code_of(der, kind) is None


def test_every_byte_of_a_stamped_seal_matters() -> None:
    der = sealed()
    survivors = []
    for position in range(len(der)):
        flipped = bytearray(der)
        flipped[position] ^= 1 << position % 8
        if code_of_seal(bytes(flipped)) is None:
            survivors.append(position)
    assert survivors == []
    assert code_of_seal(der) is None


@given(st.binary(max_size=300))
def test_random_bytes_are_no_token_no_response_and_no_roots(data: bytes) -> None:
    assert code_of(data) == "timestamp_malformed"
    with pytest.raises(EvidenceStoreError) as caught:
        token_of_response(data)
    assert caught.value.code == "timestamp_response_malformed"
    with pytest.raises(EvidenceStoreError) as caught:
        parse_roots(b"-----BEGIN CERTIFICATE-----\n" + data + b"\n-----END CERTIFICATE-----\n")
    assert caught.value.code == "tsa_roots_malformed"


@given(st.sampled_from(["ec", "rsa", "ed25519"]), st.data())
def test_edited_token_fails_with_a_code(kind: Kind, data: st.DataObject) -> None:
    der = data.draw(edits(token(kind)))
    assert code_of(der, kind) in (TOKEN_CODES if der != token(kind) else {None})


@given(edits(forgery().statement()))
@example(forgery().statement())
def test_edited_statement_that_the_authority_itself_signs(info: bytes) -> None:
    """The authority as the attacker: either its statement can be read, or the error has a code."""
    der = replace(forgery(), info=info).der()
    if code_of(der) is None:
        assert parse_token(der).imprint == IMPRINT
    else:
        assert code_of(der) in TOKEN_CODES


@given(st.lists(st.binary(max_size=40) | edits(forgery().signing_certificate("v2")), max_size=4))
def test_odd_signed_attributes_that_the_authority_itself_signs(extra: list[bytes]) -> None:
    der = replace(forgery(), attributes=extra).der()
    assert code_of(der) in {None, *TOKEN_CODES}
    assert code_of(replace(forgery(), instead=extra).der()) in TOKEN_CODES


@given(edits(der_of(tsa().tsa.certificate)))
def test_edited_certificate_fails_with_a_code(certificate: bytes) -> None:
    der = replace(forgery(), certificates=[certificate]).der()
    if certificate != der_of(tsa().tsa.certificate):
        assert code_of(der) in TOKEN_CODES


@given(edits(granted_response(token())))
def test_edited_response_is_refused_or_holds_a_token_that_fails(response: bytes) -> None:
    found: str | None
    try:
        der = token_of_response(response)
    except EvidenceStoreError as error:
        found = error.code
    else:
        found = code_of(der)
    assert found in ({*RESPONSE_CODES, *TOKEN_CODES} if token() not in response else {None, *RESPONSE_CODES})


@given(edits(tsa().root.certificate.public_bytes(Encoding.PEM)))
def test_edited_roots_are_refused_or_are_certificates(pem: bytes) -> None:
    try:
        found = len(parse_roots(pem).roots)
    except EvidenceStoreError as error:
        found = error.code == "tsa_roots_malformed"
    assert found


@given(edits(sealed()))
def test_edited_stamped_seal_fails_with_a_code(der: bytes) -> None:
    if der not in {sealed(), without_tokens(sealed())}:
        assert code_of_seal(der) is not None
    for read in (seal_tokens, seal_imprint, without_tokens):
        code = None
        try:
            read(der)
        except EvidenceStoreError as error:
            code = error.code
        assert code is None or code.startswith("seal_")


@given(st.binary(max_size=64), st.sampled_from([sequence(), octets(b""), b""]))
def test_junk_in_place_of_a_token_is_not_added_to_a_seal(junk: bytes, frame: bytes) -> None:
    for data in (junk, frame, sequence(junk), sequence(frame)):
        with pytest.raises(EvidenceStoreError) as caught:
            add_tokens(without_tokens(sealed()), [data])
        assert caught.value.code == "timestamp_malformed"


@given(st.binary(max_size=40) | st.integers().map(asn1.integer))
def test_any_bytes_as_a_number_are_read_exactly_or_refused(data: bytes) -> None:
    reader = asn1.Reader(data)
    try:
        value = reader.take_integer()
    except asn1.Asn1Error:
        return
    assert data.startswith(asn1.integer(value))


@given(st.binary(max_size=40) | st.binary(max_size=40).map(lambda data: asn1.encode(asn1.OBJECT_IDENTIFIER, data)))
def test_any_bytes_as_an_identifier_are_read_exactly_or_refused(data: bytes) -> None:
    try:
        dotted = asn1.dotted(data)
    except asn1.Asn1Error:
        return
    assert asn1.oid(dotted) == data
