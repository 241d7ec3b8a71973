"""Seals: what verifies, and every way in which somebody may try to make another thing verify."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID, ObjectIdentifier

from evidence_store import asn1, cades
from evidence_store.certificates import DOCUMENT_SIGNING
from evidence_store.errors import EvidenceStoreError
from evidence_store.keys.authority import create_ca, issue_seal_certificate
from evidence_store.keys.file import FileSigner, generate_p256
from evidence_store.seal import build_seal, verify_seal
from tests.sealing import ARCHIVE, DATA, ISSUED, ORG, SIGNED, Identity, identity, low_s, new_identity, other_s

SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def me() -> Identity:
    return identity()


def code_of(der: bytes, me: Identity, data: bytes = DATA, roots: list[x509.Certificate] | None = None) -> str:
    with pytest.raises(EvidenceStoreError) as caught:
        verify_seal(der, data, [me.ca] if roots is None else roots)
    return caught.value.code


def signed(parts: cades.Seal, attributes: cades.SignedAttributes, me: Identity) -> bytes:
    """A forger's seal with a real signature by the seal key."""
    return replace(parts, attributes=attributes, signature=me.sign(attributes.encode())).encode()


def sealed_with(
    certificate: x509.Certificate,
    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey,
    *others: x509.Certificate,
) -> bytes:
    """A seal that build_seal would refuse to make: any certificate, used as if it were good."""
    der = certificate.public_bytes(Encoding.DER)
    issuer_serial = cades.issuer_and_serial(certificate)
    moment = SIGNED.replace(microsecond=0)
    digest = hashlib.sha256(der).digest()
    attributes = cades.SignedAttributes(hashlib.sha256(DATA).digest(), moment, digest, issuer_serial)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        signature = key.sign(attributes.encode())
    else:
        signature = key.sign(attributes.encode(), ec.ECDSA(hashes.SHA256()))
        signature = low_s(signature) if isinstance(key.curve, ec.SECP256R1) else signature
    certificates = (der, *(each.public_bytes(Encoding.DER) for each in others))
    return cades.Seal(certificates, issuer_serial, attributes, signature).encode()


# What verifies


def test_seal_verifies_and_says_who_signed_and_when(me: Identity) -> None:
    info = verify_seal(me.seal(), DATA, [me.ca])
    assert info.signing_time == datetime(2026, 11, 22, 10, 31, 0, tzinfo=UTC)
    assert info.certificate == me.certificate
    assert info.signer == "CN=Catena seal 0d8f1c3e,O=Example Documentation Centre"


def test_seal_without_the_authority_inside_verifies_too(me: Identity) -> None:
    der = build_seal(DATA, me.certificate, me.sign, SIGNED)
    assert len(der) < len(me.seal()) - 300
    verify_seal(der, DATA, [me.ca])


@pytest.mark.parametrize("data", [b"", b"\x00", b"x" * 1_000_000])
def test_any_bytes_can_be_sealed(data: bytes, me: Identity) -> None:
    verify_seal(me.seal(data), data, [me.ca])


def test_the_right_authority_is_found_among_several(me: Identity) -> None:
    others = [new_identity().ca, new_identity("Another organisation").ca]
    verify_seal(me.seal(), DATA, [*others, me.ca])
    verify_seal(me.seal(), DATA, [me.ca, *others])


def test_seals_of_one_moment_differ_only_in_their_signature(me: Identity) -> None:
    first, second = cades.parse(me.seal()), cades.parse(me.seal())
    assert replace(first, signature=b"") == replace(second, signature=b"")


def test_signing_time_may_come_from_any_zone(me: Identity) -> None:
    elsewhere = SIGNED.astimezone(timezone(timedelta(hours=-9, minutes=-30)))
    assert verify_seal(me.seal(at=elsewhere), DATA, [me.ca]).signing_time == SIGNED.replace(microsecond=0)


def test_seal_after_2049_carries_a_four_digit_year(me: Identity) -> None:
    late = datetime(2051, 3, 1, 0, 0, 0, tzinfo=UTC)
    key = generate_p256()
    certificate = issue_seal_certificate(me.ca, me.ca_key, key.public_key(), ORG, ARCHIVE, late - 9 * SECOND)
    der = build_seal(DATA, certificate, FileSigner(key).sign, late)
    assert b"\x18\x0f20510301000000Z" in der
    assert verify_seal(der, DATA, [me.ca]).signing_time == late


def test_validity_includes_both_of_its_ends(me: Identity) -> None:
    for moment in (me.certificate.not_valid_before_utc, me.certificate.not_valid_after_utc):
        verify_seal(me.seal(at=moment), DATA, [me.ca])


# What build_seal refuses


def test_no_seal_is_made_with_another_key_than_the_certificates(me: Identity) -> None:
    with pytest.raises(EvidenceStoreError) as caught:
        build_seal(DATA, me.certificate, FileSigner(generate_p256()).sign, SIGNED)
    assert caught.value.code == "seal_signature_invalid"


@pytest.mark.parametrize(
    ("moment", "code"),
    [
        (SIGNED.replace(tzinfo=None), "bad_time"),
        (ISSUED - SECOND, "seal_certificate_not_yet_valid"),
        (ISSUED.replace(year=2031) + SECOND, "seal_certificate_expired"),
    ],
)
def test_no_seal_is_made_outside_the_certificates_validity(moment: datetime, code: str, me: Identity) -> None:
    with pytest.raises(EvidenceStoreError) as caught:
        me.seal(at=moment)
    assert caught.value.code == code


def test_no_seal_is_made_with_an_authoritys_certificate(me: Identity) -> None:
    with pytest.raises(EvidenceStoreError) as caught:
        build_seal(DATA, me.ca, FileSigner(me.ca_key).sign, SIGNED)
    assert caught.value.code == "seal_certificate_unsuitable"


# Other bytes, other keys


def test_seal_does_not_fit_other_bytes(me: Identity) -> None:
    assert code_of(me.seal(), me, DATA + b" ") == "seal_digest_mismatch"
    assert code_of(me.seal(), me, b"") == "seal_digest_mismatch"


def test_seal_moved_to_other_bytes_by_exchanging_the_digest(me: Identity) -> None:
    parts = cades.parse(me.seal())
    other = replace(parts.attributes, message_digest=hashlib.sha256(b"other").digest())
    assert code_of(replace(parts, attributes=other).encode(), me, b"other") == "seal_signature_invalid"


def test_back_dated_seal(me: Identity) -> None:
    parts = cades.parse(me.seal())
    earlier = replace(parts.attributes, signing_time=SIGNED.replace(microsecond=0) - timedelta(days=30))
    assert code_of(replace(parts, attributes=earlier).encode(), me) == "seal_signature_invalid"


def test_signature_of_another_key_or_no_signature(me: Identity) -> None:
    parts = cades.parse(me.seal())
    foreign = FileSigner(generate_p256()).sign(parts.attributes.encode())
    for signature in (foreign, b"", b"\x30\x06\x02\x01\x00\x02\x01\x00", parts.signature + b"\x00"):
        assert code_of(replace(parts, signature=signature).encode(), me) == "seal_signature_invalid"


def test_second_signature_that_ecdsa_accepts_is_refused(me: Identity) -> None:
    der = me.seal()
    parts = cades.parse(der)
    mirrored = replace(parts, signature=other_s(parts.signature))
    me.seal_key.public_key().verify(mirrored.signature, parts.attributes.encode(), ec.ECDSA(hashes.SHA256()))
    assert mirrored.encode() != der
    assert code_of(mirrored.encode(), me) == "seal_signature_invalid"


def test_every_seal_has_the_lower_s_whatever_the_signer_returns(me: Identity) -> None:
    for sign in (me.sign, lambda message: other_s(me.sign(message))):
        der = build_seal(DATA, me.certificate, sign, SIGNED)
        signature = cades.parse(der).signature
        assert low_s(signature) == signature
        assert verify_seal(der, DATA, [me.ca])


def test_signer_that_returns_no_signature_makes_no_seal(me: Identity) -> None:
    with pytest.raises(EvidenceStoreError) as caught:
        build_seal(DATA, me.certificate, lambda _: b"junk", SIGNED)
    assert caught.value.code == "seal_signature_invalid"


def test_seal_of_an_unknown_archive_is_untrusted(me: Identity) -> None:
    stranger = new_identity()
    assert stranger.ca.subject == me.ca.subject  # the same name is not enough
    assert code_of(build_seal(DATA, stranger.certificate, stranger.sign, SIGNED), me) == "seal_untrusted"
    assert code_of(stranger.seal(), me) == "seal_untrusted"
    assert code_of(me.seal(), me, roots=[]) == "seal_untrusted"
    assert code_of(me.seal(), me, roots=[me.certificate]) == "seal_untrusted"


def test_unsigned_certificate_smuggled_into_the_seal(me: Identity) -> None:
    parts = cades.parse(me.seal())
    extra = new_identity().ca.public_bytes(Encoding.DER)
    assert code_of(replace(parts, certificates=(*parts.certificates, extra)).encode(), me) == "seal_untrusted"


def test_certificate_exchanged_for_another_of_the_same_key(me: Identity) -> None:
    twin = issue_seal_certificate(me.ca, me.ca_key, me.seal_key.public_key(), ORG, ARCHIVE, ISSUED)
    parts = cades.parse(me.seal())
    exchanged = replace(
        parts, certificates=(twin.public_bytes(Encoding.DER),), issuer_serial=cades.issuer_and_serial(twin)
    )
    assert code_of(exchanged.encode(), me) == "seal_certificate_mismatch"


def test_signer_certificate_absent(me: Identity) -> None:
    parts = cades.parse(me.seal())
    without = replace(parts, certificates=(me.ca.public_bytes(Encoding.DER),))
    assert code_of(without.encode(), me) == "seal_certificate_mismatch"
    assert code_of(replace(parts, certificates=()).encode(), me) == "seal_certificate_mismatch"


@pytest.mark.parametrize("where", ["signer", "attribute"])
def test_issuer_and_serial_must_name_the_same_certificate_everywhere(where: str, me: Identity) -> None:
    parts = cades.parse(me.seal())
    other = me.ca.subject.public_bytes() + asn1.integer(me.certificate.serial_number + 1)
    if where == "signer":
        forged = replace(parts, issuer_serial=other).encode()
    else:
        forged = signed(parts, replace(parts.attributes, issuer_serial=other), me)
    assert code_of(forged, me) == "seal_certificate_mismatch"


# Time


@pytest.mark.parametrize(
    ("moment", "code"),
    [
        (ISSUED - SECOND, "seal_certificate_not_yet_valid"),
        (ISSUED.replace(year=2031) + SECOND, "seal_certificate_expired"),
    ],
)
def test_seal_signed_outside_the_certificates_validity(moment: datetime, code: str, me: Identity) -> None:
    parts = cades.parse(me.seal())
    assert code_of(signed(parts, replace(parts.attributes, signing_time=moment), me), me) == code


def test_seal_signed_when_the_authority_had_expired(me: Identity) -> None:
    old = create_ca(me.ca_key, ORG, ARCHIVE, ISSUED.replace(year=1996) - SECOND)
    assert verify_seal(me.seal(at=ISSUED), DATA, [me.ca])
    assert code_of(build_seal(DATA, me.certificate, me.sign, ISSUED), me, roots=[old]) == "seal_certificate_expired"


# Certificates that may not do this


def certificate_with(
    me: Identity,
    key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey,
    *,
    extra: tuple[x509.ExtensionType, bool] | None = None,
    omit: type[x509.ExtensionType] | None = None,
    uncritical: type[x509.ExtensionType] | None = None,
    instead: x509.ExtensionType | None = None,
    algorithm: hashes.SHA224 | hashes.SHA256 | None = None,
) -> x509.Certificate:
    """The seal certificate again, issued by the true authority with one thing wrong."""
    builder = x509.CertificateBuilder(
        me.ca.subject, me.certificate.subject, key, 4711, ISSUED, ISSUED.replace(year=2031)
    )
    for extension in me.certificate.extensions:
        kind = type(extension.value)
        if kind is omit:
            continue
        value = instead if instead is not None and type(instead) is kind else extension.value
        builder = builder.add_extension(value, critical=extension.critical and kind is not uncritical)
    if extra is not None:
        builder = builder.add_extension(extra[0], critical=extra[1])
    return builder.sign(me.ca_key, algorithm or hashes.SHA256())


def key_usage(**allowed: bool) -> x509.KeyUsage:
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    every = dict.fromkeys((*names, "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(**{**every, **allowed})


UNKNOWN = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00")


def test_unknown_extension_is_ignored_only_when_it_is_not_critical(me: Identity) -> None:
    harmless = certificate_with(me, me.seal_key.public_key(), extra=(UNKNOWN, False))
    verify_seal(sealed_with(harmless, me.seal_key), DATA, [me.ca])
    critical = certificate_with(me, me.seal_key.public_key(), extra=(UNKNOWN, True))
    assert code_of(sealed_with(critical, me.seal_key), me) == "seal_certificate_unsuitable"


@pytest.mark.parametrize(
    "change",
    [
        {"omit": x509.BasicConstraints},
        {"omit": x509.KeyUsage},
        {"omit": x509.ExtendedKeyUsage},
        {"uncritical": x509.BasicConstraints},
        {"uncritical": x509.KeyUsage},
        {"instead": x509.BasicConstraints(ca=True, path_length=0)},
        {"instead": key_usage(content_commitment=True)},
        {"instead": key_usage(digital_signature=True)},
        {"instead": x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])},
        {"extra": (x509.NameConstraints([x509.DNSName("example.org")], None), True)},
    ],
)
def test_certificate_with_one_thing_wrong_cannot_seal(change: dict[str, object], me: Identity) -> None:
    key = me.seal_key.public_key()
    good = certificate_with(me, key)
    verify_seal(sealed_with(good, me.seal_key), DATA, [me.ca])
    bad = certificate_with(me, key, **change)  # type: ignore[arg-type]
    assert code_of(sealed_with(bad, me.seal_key), me) == "seal_certificate_unsuitable"


def test_authority_cannot_seal_with_its_own_certificate(me: Identity) -> None:
    assert code_of(sealed_with(me.ca, me.ca_key), me) == "seal_certificate_unsuitable"


def test_key_of_another_kind_cannot_seal(me: Identity) -> None:
    large, edwards = ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()
    der = sealed_with(certificate_with(me, large.public_key()), large)
    assert code_of(der, me) == "seal_certificate_unsuitable"
    der = sealed_with(certificate_with(me, edwards.public_key()), edwards)
    assert code_of(der, me) == "seal_signature_invalid"


def test_certificate_signed_with_a_short_hash_is_untrusted(me: Identity) -> None:
    weak = certificate_with(me, me.seal_key.public_key(), algorithm=hashes.SHA224())
    assert code_of(sealed_with(weak, me.seal_key), me) == "seal_untrusted"


def test_seal_certificate_cannot_issue_another(me: Identity) -> None:
    """A thief of one seal key cannot make certificates that verify, even where the caller trusts too much."""
    key = generate_p256()
    builder = x509.CertificateBuilder(
        me.certificate.subject, me.certificate.subject, key.public_key(), 99, ISSUED, ISSUED.replace(year=2031)
    )
    for extension in me.certificate.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    forged = builder.sign(me.seal_key, hashes.SHA256())
    der = sealed_with(forged, key, me.certificate)
    assert code_of(der, me) == "seal_untrusted"
    assert code_of(der, me, roots=[me.ca, me.certificate]) == "seal_certificate_unsuitable"


def test_root_that_may_not_sign_certificates_anchors_nothing(me: Identity) -> None:
    for usage in (key_usage(crl_sign=True), key_usage(key_cert_sign=True)):
        root = (
            x509.CertificateBuilder(
                me.ca.subject, me.ca.subject, me.ca_key.public_key(), 1, ISSUED, ISSUED.replace(year=2050)
            )
            .add_extension(x509.BasicConstraints(ca=usage.crl_sign, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign(me.ca_key, hashes.SHA256())
        )
        der = build_seal(DATA, me.certificate, me.sign, SIGNED)
        assert code_of(der, me, roots=[root]) == "seal_certificate_unsuitable"


def test_certificate_that_is_not_x509_v3(me: Identity) -> None:
    parts = cades.parse(me.seal())
    for junk in (b"\x30\x00", b"\x30\x03\x02\x01\x01", asn1.encode(asn1.SEQUENCE, me.ca.tbs_certificate_bytes)):
        attributes = replace(parts.attributes, certificate_digest=hashlib.sha256(junk).digest())
        forged = signed(replace(parts, certificates=(junk,)), attributes, me)
        assert code_of(forged, me) == "certificate_malformed"


def test_certificate_with_an_extension_twice(me: Identity) -> None:
    good = me.certificate.public_bytes(Encoding.DER)
    # The key identifiers differ by one bit in their type: 2.5.29.14 and 2.5.29.15 (key usage).
    twice = good.replace(b"\x06\x03\x55\x1d\x0e", b"\x06\x03\x55\x1d\x0f")
    assert twice != good
    parts = cades.parse(me.seal())
    attributes = replace(parts.attributes, certificate_digest=hashlib.sha256(twice).digest())
    assert code_of(signed(replace(parts, certificates=(twice,)), attributes, me), me) == "certificate_malformed"
    assert ExtensionOID.KEY_USAGE.dotted_string == "2.5.29.15"


def test_root_that_cannot_be_read_is_refused(me: Identity) -> None:
    version_1 = x509.load_der_x509_certificate(_version_1_certificate(me))
    assert code_of(me.seal(), me, roots=[version_1, me.ca]) == "certificate_malformed"


def _version_1_certificate(me: Identity) -> bytes:
    """A self-made v1 root: no extensions, hence no word on what it may do."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "old")]).public_bytes()
    ecdsa = asn1.encode(asn1.SEQUENCE, asn1.oid("1.2.840.10045.4.3.2"))
    validity = asn1.encode(asn1.SEQUENCE, asn1.time(ISSUED), asn1.time(SIGNED))
    spki = asn1.Reader(me.ca.tbs_certificate_bytes).enter(asn1.SEQUENCE).elements()[6]
    tbs = asn1.encode(asn1.SEQUENCE, asn1.integer(7), ecdsa, name, validity, name, spki)
    signature = asn1.encode(asn1.BIT_STRING, b"\x00", FileSigner(me.ca_key).sign(tbs))
    return asn1.encode(asn1.SEQUENCE, tbs, ecdsa, signature)


def test_document_signing_is_the_purpose_of_rfc_9336() -> None:
    assert DOCUMENT_SIGNING.dotted_string == "1.3.6.1.5.5.7.3.36"
