"""Seals of another form: each carries the true key's signature, and each is refused with its own code."""

from __future__ import annotations

import hashlib

import pytest

from evidence_store import asn1, cades
from evidence_store.errors import EvidenceStoreError
from evidence_store.seal import verify_seal
from tests.sealing import DATA, SIGNED, Identity, identity

SHA512 = asn1.encode(asn1.SEQUENCE, asn1.oid("2.16.840.1.101.3.4.2.3"))
ECDSA_SHA512 = asn1.encode(asn1.SEQUENCE, asn1.oid("1.2.840.10045.4.3.4"))


@pytest.fixture(scope="module")
def me() -> Identity:
    return identity()


def code_of(der: bytes, me: Identity) -> str:
    with pytest.raises(EvidenceStoreError) as caught:
        verify_seal(der, DATA, [me.ca])
    return caught.value.code


def exchanged(der: bytes, *steps: tuple[str, bytes]) -> bytes:
    """The seal with named parts of SignedData or SignerInfo put in another way, lengths made right again."""
    content_info = asn1.Reader(der).enter(asn1.SEQUENCE)
    content_type = content_info.take_element(asn1.OBJECT_IDENTIFIER)
    reader = content_info.enter(asn1.context(0)).enter(asn1.SEQUENCE)
    parts = dict(zip(("version", "digests", "content", "certificates", "signers"), reader.elements(), strict=True))
    signer = asn1.Reader(parts["signers"]).enter(asn1.SET).enter(asn1.SEQUENCE)
    names = ("signer version", "sid", "signer digest", "attributes", "signature algorithm", "signature")
    inner = dict(zip(names, signer.elements(), strict=True))
    for name, value in steps:
        if name in inner or name == "unsigned attributes":
            inner[name] = value
    parts["signers"] = asn1.set_of(asn1.encode(asn1.SEQUENCE, *inner.values()))
    for name, value in steps:
        if name in parts or name == "after":
            parts[name] = value
        elif name == "content type":
            content_type = value
    signed_data = asn1.encode(asn1.SEQUENCE, *parts.values())
    return asn1.encode(asn1.SEQUENCE, content_type, asn1.encode(asn1.context(0), signed_data))


def part(der: bytes, name: str) -> bytes:
    """One part of SignedData, whole."""
    reader = asn1.Reader(der).enter(asn1.SEQUENCE)
    reader.take(asn1.OBJECT_IDENTIFIER)
    elements = reader.enter(asn1.context(0)).enter(asn1.SEQUENCE).elements()
    return dict(zip(("version", "digests", "content", "certificates", "signers"), elements, strict=True))[name]


def test_taking_a_seal_apart_and_putting_it_together_changes_nothing(me: Identity) -> None:
    der = me.seal()
    assert exchanged(der) == der


ENCLOSED = asn1.encode(asn1.SEQUENCE, cades._DATA, asn1.encode(asn1.context(0), asn1.encode(asn1.OCTET_STRING, DATA)))
TSTINFO = asn1.encode(asn1.SEQUENCE, asn1.oid("1.2.840.113549.1.9.16.1.4"))


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("content type", cades._DATA, "seal_malformed"),
        ("version", asn1.integer(3), "seal_malformed"),
        ("signer version", asn1.integer(3), "seal_malformed"),
        ("content", ENCLOSED, "seal_not_detached"),
        ("content", TSTINFO, "seal_not_detached"),
        ("digests", asn1.set_of(), "seal_algorithm_unsupported"),
        ("digests", asn1.set_of(SHA512), "seal_algorithm_unsupported"),
        ("digests", asn1.set_of(cades._SHA256, SHA512), "seal_algorithm_unsupported"),
        ("signer digest", SHA512, "seal_algorithm_unsupported"),
        ("signature algorithm", ECDSA_SHA512, "seal_algorithm_unsupported"),
        ("signers", asn1.set_of(), "seal_signer_count"),
        ("attributes", asn1.encode(asn1.context(0)), "seal_attributes_wrong"),
        ("unsigned attributes", asn1.encode(asn1.context(1)), "seal_malformed"),
        ("after", asn1.encode(asn1.NULL), "seal_malformed"),
    ],
)
def test_seal_in_another_form(name: str, value: bytes, code: str, me: Identity) -> None:
    assert code_of(exchanged(me.seal(), (name, value)), me) == code


def test_two_signers(me: Identity) -> None:
    der = me.seal()
    two = [*asn1.Reader(part(der, "signers")).enter(asn1.SET).elements()] * 2
    assert code_of(exchanged(der, ("signers", asn1.set_of(*two))), me) == "seal_signer_count"


def attribute_elements(me: Identity) -> list[bytes]:
    return asn1.Reader(cades.parse(me.seal()).attributes.encode()).enter(asn1.SET).elements()


def with_attributes(me: Identity, elements: list[bytes], *, ordered: bool = True) -> bytes:
    """A seal over freely chosen signed attributes, truly signed over their DER SET."""
    signature = asn1.encode(asn1.OCTET_STRING, me.sign(asn1.set_of(*elements)))
    attributes = asn1.encode(asn1.context(0), *(sorted(elements) if ordered else elements))
    return exchanged(me.seal(), ("attributes", attributes), ("signature", signature))


def test_signed_attribute_missing_doubled_or_added(me: Identity) -> None:
    elements = attribute_elements(me)
    verify_seal(with_attributes(me, elements), DATA, [me.ca])
    added = asn1.encode(asn1.SEQUENCE, asn1.oid("1.2.840.113549.1.9.25.3"), asn1.set_of(asn1.integer(1)))
    attacks = [elements[:index] + elements[index + 1 :] for index in range(4)]
    attacks += [[*elements, each] for each in (*elements, added)]
    for attack in attacks:
        assert code_of(with_attributes(me, attack), me) == "seal_attributes_wrong"


def test_signed_attributes_out_of_order(me: Identity) -> None:
    assert code_of(with_attributes(me, attribute_elements(me)[::-1], ordered=False), me) == "seal_malformed"


def replaced_value(me: Identity, attribute: bytes, *values: bytes) -> bytes:
    elements = [each for each in attribute_elements(me) if attribute not in each]
    assert len(elements) == 3
    return with_attributes(me, [*elements, asn1.encode(asn1.SEQUENCE, attribute, asn1.set_of(*values))])


def test_signed_attribute_with_an_odd_value(me: Identity) -> None:
    digest = asn1.encode(asn1.OCTET_STRING, hashlib.sha256(DATA).digest())
    time_element = asn1.time(SIGNED)
    assert code_of(replaced_value(me, cades._CONTENT_TYPE, cades._SIGNED_DATA), me) == "seal_attributes_wrong"
    for attribute, values in (
        (cades._MESSAGE_DIGEST, ()),
        (cades._MESSAGE_DIGEST, (digest, asn1.encode(asn1.NULL))),
        (cades._MESSAGE_DIGEST, (asn1.integer(5),)),
        (cades._SIGNING_TIME, (time_element, time_element)),
        (cades._SIGNING_TIME, (asn1.encode(asn1.GENERALIZED_TIME, b"20261122103100Z"),)),
        (cades._SIGNING_TIME, (asn1.encode(asn1.UTC_TIME, b"2611221031Z"),)),
        (cades._SIGNING_TIME, (asn1.encode(asn1.UTC_TIME, b"261122103100+0000"),)),
        (cades._SIGNING_CERTIFICATE_V2, (asn1.encode(asn1.SEQUENCE),)),
    ):
        assert code_of(replaced_value(me, attribute, *values), me) == "seal_malformed"


def test_message_digest_of_no_length(me: Identity) -> None:
    empty = asn1.encode(asn1.OCTET_STRING)
    assert code_of(replaced_value(me, cades._MESSAGE_DIGEST, empty), me) == "seal_digest_mismatch"


def test_trailing_bytes_and_every_cut(me: Identity) -> None:
    der = me.seal()
    for tail in (b"\x00", b"\n", der):
        assert code_of(der + tail, me) == "seal_malformed"
    for length in range(len(der)):
        assert code_of(der[:length], me) == "seal_malformed"


def test_ber_in_place_of_der(me: Identity) -> None:
    der = me.seal()
    assert der[:2] == b"\x30\x82"
    indefinite = b"\x30\x80" + der[4:] + b"\x00\x00"
    padded = b"\x30\x83\x00" + der[2:]
    for other in (indefinite, padded):
        assert code_of(other, me) == "seal_malformed"


def test_seal_larger_than_any_seal(me: Identity) -> None:
    assert code_of(asn1.encode(asn1.SEQUENCE, bytes(270_000)), me) == "seal_malformed"


def test_certificate_held_twice(me: Identity) -> None:
    parts = cades.parse(me.seal())
    for each in parts.certificates:
        twice = cades.Seal((*parts.certificates, each), parts.issuer_serial, parts.attributes, parts.signature)
        assert code_of(twice.encode(), me) == "seal_malformed"
