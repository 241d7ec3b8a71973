"""Time-stamp tokens: what verifies, and every way in which another thing may be passed off as one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from evidence_store import asn1
from evidence_store.errors import EvidenceStoreError
from evidence_store.timestamps.token import MAX_TOKEN, parse_token, verify_token
from tests.tokens import (
    CONTENT_TYPE,
    DEFAULT_TIME,
    ESS_V2,
    MESSAGE_DIGEST,
    SIGNED_DATA,
    TST_INFO,
    Forgery,
    algorithm,
    attribute,
    der_of,
    octets,
    pss_parameters,
    sequence,
)
from tests.tsa import END, START, Authority, Kind, Wanted, authority

DATA = b"what is stamped"
IMPRINT = hashlib.sha256(DATA).digest()
SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def tsa() -> Authority:
    return authority()


def forgery(tsa: Authority, **changes: Any) -> Forgery:  # noqa: ANN401 - fields of Forgery
    return Forgery(tsa.tsa, IMPRINT, **changes)


def code_of(der: bytes, tsa: Authority, imprint: bytes = IMPRINT, name: str = "sha256") -> str:
    with pytest.raises(EvidenceStoreError) as caught:
        verify_token(der, imprint, name, tsa.roots)
    return caught.value.code


# What verifies


def test_token_says_time_imprint_policy_serial_nonce_accuracy_and_who(tsa: Authority) -> None:
    accuracy = sequence(asn1.integer(1), asn1.encode(0x80, b"\x01\xf4"), asn1.encode(0x81, b"\x64"))
    token = verify_token(forgery(tsa, nonce=2**63 + 7, after_time=accuracy).der(), IMPRINT, "sha256", tsa.roots)
    assert token.gen_time == DEFAULT_TIME
    assert (token.imprint_algorithm, token.imprint) == ("sha256", IMPRINT)
    assert (token.policy, token.serial, token.nonce) == ("1.3.6.1.4.1.55555.3.2", 77, 2**63 + 7)
    assert token.accuracy == timedelta(seconds=1, milliseconds=500, microseconds=100)
    assert token.certificate == tsa.tsa.certificate
    assert list(token.path) == [tsa.tsa.certificate, tsa.root.certificate]
    assert (token.digest, token.signature_algorithm) == ("sha256", "1.2.840.10045.4.3.2")


def test_reading_a_token_believes_nothing_and_says_the_same(tsa: Authority) -> None:
    der = forgery(tsa).der()
    read, verified = parse_token(der), verify_token(der, IMPRINT, "sha256", tsa.roots)
    assert read.path == ()
    assert replace(verified, path=()) == read
    assert der.hex() not in repr(read)


@pytest.mark.parametrize("kind", ["ec", "rsa", "ed25519"])
@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_every_supported_signature_verifies_and_a_foreign_key_does_not(kind: Kind, digest: str) -> None:
    here, there = authority(f"here {kind}", kind), authority(f"there {kind}", kind)
    der = Forgery(here.tsa, IMPRINT, digest=digest).der()
    assert verify_token(der, IMPRINT, "sha256", here.roots).digest == digest
    swapped = Forgery(replace(here.tsa, key=there.tsa.key), IMPRINT, digest=digest)
    assert code_of(swapped.der(), here) == "timestamp_signature_invalid"


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_rsa_pss_verifies(digest: str) -> None:
    rsa = authority("pss", "rsa")
    der = Forgery(rsa.tsa, IMPRINT, pss=True, digest=digest).der()
    assert verify_token(der, IMPRINT, "sha256", rsa.roots).signature_algorithm == "1.2.840.113549.1.1.10"


def test_rsa_signature_may_be_named_without_its_digest() -> None:
    rsa = authority("pss", "rsa")
    plain = sequence(asn1.oid("1.2.840.113549.1.1.1"), asn1.encode(asn1.NULL))
    verify_token(Forgery(rsa.tsa, IMPRINT, signature_algorithm=plain).der(), IMPRINT, "sha256", rsa.roots)


@pytest.mark.parametrize("name", ["sha256", "sha384", "sha512"])
def test_imprint_of_every_supported_digest_verifies(name: str, tsa: Authority) -> None:
    imprint = hashlib.new(name, DATA).digest()
    der = Forgery(tsa.tsa, imprint, imprint_algorithm=name).der()
    assert verify_token(der, imprint, name, tsa.roots).imprint_algorithm == name


@pytest.mark.parametrize(
    "changes",
    [
        {"ess": ("v1",)},
        {"ess": ("v1", "v2")},
        {"ess_digest": "sha512"},
        {"issuer_serial": False},
        {"by_key_identifier": True},
        {"attributes": (attribute(asn1.oid("1.2.840.113549.1.9.5"), asn1.time(DEFAULT_TIME)),)},
        {"attributes": (attribute(asn1.oid("1.3.6.1.4.1.55555.9"), asn1.integer(1), asn1.integer(2)),)},
        {"unsigned": asn1.encode(asn1.context(1), attribute(ESS_V2, octets(b"anything")))},
        {"revocations": asn1.encode(asn1.context(1), sequence())},
        {"digests": [algorithm("sha512"), algorithm("sha256")]},
        {"after_time": asn1.encode(asn1.BOOLEAN, b"\x00")},
        {"after_time": asn1.encode(asn1.BOOLEAN, b"\xff")},
        {"after_nonce": asn1.encode(asn1.context(0), asn1.encode(asn1.primitive(6), b"urn:tsa"))},
        {"after_nonce": asn1.encode(asn1.context(1), sequence(asn1.oid("1.3.6.1.4.1.55555.8"), octets(b"x")))},
    ],
)
def test_token_with_parts_that_are_allowed_and_not_needed_verifies(changes: dict[str, Any], tsa: Authority) -> None:
    verify_token(forgery(tsa, **changes).der(), IMPRINT, "sha256", tsa.roots)


def test_attribute_certificate_beside_the_certificate_is_skipped(tsa: Authority) -> None:
    held = [asn1.encode(asn1.context(2), b""), der_of(tsa.tsa.certificate)]
    verify_token(forgery(tsa, certificates=held).der(), IMPRINT, "sha256", tsa.roots)


@pytest.mark.parametrize(
    ("contents", "time"),
    [
        (b"20261122103100Z", DEFAULT_TIME),
        (b"20261122103100.5Z", DEFAULT_TIME.replace(microsecond=500_000)),
        (b"20261122103100.001Z", DEFAULT_TIME.replace(microsecond=1000)),
        (b"20261122103100.1234567Z", DEFAULT_TIME.replace(microsecond=123_456)),
        (b"19991231235959Z", datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_times_with_and_without_fractions(contents: bytes, time: datetime, tsa: Authority) -> None:
    assert parse_token(forgery(tsa, gen_time=contents).der()).gen_time == time


def test_certificate_may_come_from_elsewhere(tsa: Authority) -> None:
    bare = forgery(tsa, certificates=()).der()
    assert parse_token(bare).certificate is None
    assert code_of(bare, tsa) == "timestamp_untrusted"
    token = verify_token(bare, IMPRINT, "sha256", tsa.roots, [tsa.root.certificate, tsa.tsa.certificate])
    assert token.certificate == tsa.tsa.certificate


# Other bytes, other keys


def test_token_is_not_over_other_bytes_nor_under_another_digest_name(tsa: Authority) -> None:
    der = forgery(tsa).der()
    assert code_of(der, tsa, hashlib.sha256(b"other").digest()) == "timestamp_imprint_mismatch"
    assert code_of(der, tsa, IMPRINT[:-1]) == "timestamp_imprint_mismatch"
    assert code_of(der, tsa, hashlib.sha512(DATA).digest(), "sha512") == "timestamp_imprint_mismatch"
    assert code_of(der, tsa, IMPRINT, "sha1") == "timestamp_imprint_mismatch"


def test_token_of_an_authority_that_is_not_trusted(tsa: Authority) -> None:
    stranger = authority("stranger")
    assert code_of(Forgery(stranger.tsa, IMPRINT).der(), tsa) == "timestamp_untrusted"
    with pytest.raises(EvidenceStoreError) as caught:
        verify_token(forgery(tsa).der(), IMPRINT, "sha256", [])
    assert caught.value.code == "timestamp_untrusted"


def test_statement_exchanged_under_the_signature(tsa: Authority) -> None:
    good = forgery(tsa)
    earlier = forgery(tsa, at=DEFAULT_TIME - timedelta(days=365))
    content = asn1.encode(asn1.context(0), octets(good.statement()))
    der = good.der()
    assert der.count(content) == 1
    swapped = der.replace(content, asn1.encode(asn1.context(0), octets(earlier.statement())))
    assert code_of(swapped, tsa) == "timestamp_signature_invalid"


def test_signature_must_name_the_certificate_it_is_checked_with(tsa: Authority) -> None:
    twin = Wanted("first TSA").issue(tsa.root, key=tsa.tsa.key)
    assert code_of(forgery(tsa, named=twin.certificate).der(), tsa) == "timestamp_signature_invalid"
    assert code_of(forgery(tsa, named=twin.certificate, ess=("v1",)).der(), tsa) == "timestamp_signature_invalid"
    assert code_of(forgery(tsa, ess=()).der(), tsa) == "timestamp_signature_invalid"


def test_one_right_and_one_wrong_name_of_the_certificate(tsa: Authority) -> None:
    twin = Wanted("first TSA").issue(tsa.root, key=tsa.tsa.key)
    wrong = forgery(tsa, named=twin.certificate).signing_certificate("v1")
    assert code_of(forgery(tsa, attributes=(wrong,)).der(), tsa) == "timestamp_signature_invalid"


def test_issuer_in_the_attribute_of_another_certificate(tsa: Authority) -> None:
    own = hashlib.sha256(der_of(tsa.tsa.certificate)).digest()
    other = forgery(authority("stranger")).signing_certificate("v2")
    issuer = asn1.Reader(other).enter(asn1.SEQUENCE)
    issuer.take(asn1.OBJECT_IDENTIFIER)
    ess_id = issuer.enter(asn1.SET).enter(asn1.SEQUENCE).enter(asn1.SEQUENCE).enter(asn1.SEQUENCE)
    ess_id.take(asn1.OCTET_STRING)
    mixed = attribute(ESS_V2, sequence(sequence(sequence(octets(own), ess_id.take_element(asn1.SEQUENCE)))))
    assert code_of(forgery(tsa, ess=(), attributes=(mixed,)).der(), tsa) == "timestamp_signature_invalid"


@pytest.mark.parametrize("kind", ["v1", "v2"])
def test_an_attribute_that_names_two_certificates_is_refused(kind: str, tsa: Authority) -> None:
    """It has one value (RFC 5035, section 3): who reads the first and who reads the last would differ."""
    good = forgery(tsa)
    twin = authority("second").tsa.certificate
    first, second = (
        asn1.Reader(each.signing_certificate(kind)).enter(asn1.SEQUENCE) for each in (good, forgery(tsa, named=twin))
    )
    name = first.take_element(asn1.OBJECT_IDENTIFIER)
    second.take_element(asn1.OBJECT_IDENTIFIER)
    both = attribute(name, first.take(asn1.SET), second.take(asn1.SET))
    assert code_of(forgery(tsa, ess=(), attributes=(both,)).der(), tsa) == "timestamp_malformed"


def test_signed_attributes_missing_wrong_or_doubled(tsa: Authority) -> None:
    good = forgery(tsa)
    content_type = attribute(CONTENT_TYPE, TST_INFO)
    message_digest = attribute(MESSAGE_DIGEST, octets(hashlib.sha256(good.statement()).digest()))
    ess = good.signing_certificate("v2")
    verify_token(replace(good, instead=[content_type, message_digest, ess]).der(), IMPRINT, "sha256", tsa.roots)
    for instead in (
        [message_digest, ess],
        [content_type, ess],
        [attribute(CONTENT_TYPE, SIGNED_DATA), message_digest, ess],
        [content_type, attribute(MESSAGE_DIGEST, octets(bytes(32))), ess],
        [content_type, attribute(MESSAGE_DIGEST), ess],
        [attribute(CONTENT_TYPE, TST_INFO, TST_INFO), message_digest, ess],
        [],
    ):
        assert code_of(replace(good, instead=instead).der(), tsa) == "timestamp_signature_invalid", instead
    for doubled in (content_type, message_digest, ess):
        parts = [content_type, message_digest, ess, doubled]
        assert code_of(replace(good, instead=parts).der(), tsa) == "timestamp_malformed"


@pytest.mark.parametrize("broken", [sequence(), sequence(sequence()), sequence(sequence(sequence())), octets(b"")])
def test_signing_certificate_attribute_that_cannot_be_read(broken: bytes, tsa: Authority) -> None:
    attributes = (attribute(ESS_V2, broken),)
    assert code_of(forgery(tsa, ess=(), attributes=attributes).der(), tsa) == "timestamp_malformed"


# Algorithms


def test_signature_algorithm_must_fit_digest_and_key(tsa: Authority) -> None:
    rsa, edwards = authority("pss", "rsa"), authority("edwards", "ed25519")
    null = asn1.encode(asn1.NULL)
    ecdsa_sha512 = sequence(asn1.oid("1.2.840.10045.4.3.4"))
    for who, identifier in (
        (tsa, ecdsa_sha512),
        (tsa, sequence(asn1.oid("1.2.840.10045.4.3.2"), null)),
        (tsa, sequence(asn1.oid("1.2.840.10045.4.1"))),
        (tsa, sequence(asn1.oid("1.3.101.112"))),
        (rsa, ecdsa_sha512),
        (rsa, sequence(asn1.oid("1.2.840.113549.1.1.13"), null)),
        (rsa, sequence(asn1.oid("1.2.840.113549.1.1.5"), null)),
        (rsa, sequence(asn1.oid("1.2.840.113549.1.1.1"), octets(b""))),
        (edwards, ecdsa_sha512),
        (edwards, sequence(asn1.oid("1.3.101.112"), null)),
    ):
        der = Forgery(who.tsa, IMPRINT, signature_algorithm=identifier).der()
        assert code_of(der, who) == "timestamp_algorithm_unsupported", identifier.hex()


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        (pss_parameters("sha512", "sha256", 32), "timestamp_algorithm_unsupported"),
        (pss_parameters("sha256", "sha512", 32), "timestamp_algorithm_unsupported"),
        (pss_parameters("sha256", "sha256", 65), "timestamp_algorithm_unsupported"),
        (pss_parameters("sha256", "sha256", -1), "timestamp_algorithm_unsupported"),
        (pss_parameters("sha1", "sha1", 20), "timestamp_algorithm_unsupported"),
        (pss_parameters("sha256", "sha256", 20), "timestamp_signature_invalid"),
        (sequence(), "timestamp_malformed"),
        (
            pss_parameters("sha256", "sha256", 32).replace(b"\xf7\x0d\x01\x01\x08", b"\xf7\x0d\x01\x01\x09"),
            "timestamp_algorithm_unsupported",
        ),
    ],
)
def test_rsa_pss_with_other_parameters(parameters: bytes, code: str) -> None:
    rsa = authority("pss", "rsa")
    der = Forgery(rsa.tsa, IMPRINT, pss=True, pss_parameters=parameters).der()
    assert code_of(der, rsa) == code


def test_sha_1_is_refused_for_imprint_and_signature(tsa: Authority) -> None:
    imprint = hashlib.sha1(DATA, usedforsecurity=False).digest()
    weak = Forgery(tsa.tsa, imprint, imprint_algorithm="sha1").der()
    assert code_of(weak, tsa, imprint, "sha1") == "timestamp_algorithm_unsupported"
    assert code_of(forgery(tsa, digest="sha1").der(), tsa) == "timestamp_algorithm_unsupported"


def test_signer_whose_digest_the_token_does_not_announce(tsa: Authority) -> None:
    for digests in ([], [algorithm("sha512")]):
        assert code_of(forgery(tsa, digests=digests).der(), tsa) == "timestamp_malformed"


def test_no_signature_or_one_that_is_none(tsa: Authority) -> None:
    for signature in (b"", b"\x00", bytes(64), b"\x30\x06\x02\x01\x00\x02\x01\x00"):
        assert code_of(forgery(tsa, signature=signature).der(), tsa) == "timestamp_signature_invalid"


def test_signature_of_the_token_with_the_other_s_is_another_token_of_the_same_statement(tsa: Authority) -> None:
    """ECDSA allows it, RFC 3161 asks for nothing more, and it states the same: not an attack, but told here."""
    good = forgery(tsa)
    _, signature = good._signature(asn1.set_of(*good.signed_attributes()))
    r, s = decode_dss_signature(signature)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    other = sequence(asn1.integer(r), asn1.integer(order - s))
    verify_token(replace(good, signature=other).der(), IMPRINT, "sha256", tsa.roots)


# Form


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 1},
        {"version": 4},
        {"content_type": asn1.oid("1.2.840.113549.1.7.1")},
        {"signers": 0},
        {"signer_version": 3},
        {"signer_version": 2},
        {"by_key_identifier": True, "signer_version": 1},
        {"info_version": 2},
        {"info": b""},
        {"info": sequence()},
        {"info": octets(b"x")},
        {"gen_time": b"20261122103100"},
        {"gen_time": b"20261122103100+0100"},
        {"gen_time": b"202611221031Z"},
        {"gen_time": b"20261122103100.50Z"},
        {"gen_time": b"20261122103100.Z"},
        {"gen_time": b"20261122103100,5Z"},
        {"gen_time": b"20261322103100Z"},
        {"gen_time": b"20261122103160Z"},
        {"gen_time": b"00001122103100Z"},
        {"after_time": sequence(asn1.integer(-1))},
        {"after_time": sequence(asn1.integer(2**31))},
        {"after_time": sequence(asn1.encode(0x80, b"\x03\xe8"))},
        {"after_time": sequence(asn1.encode(0x81, b"\x00"))},
        {"after_time": sequence(asn1.integer(1), asn1.integer(1))},
        {"after_time": asn1.encode(asn1.BOOLEAN, b"\x01")},
        {"after_time": asn1.encode(asn1.BOOLEAN, b"")},
        {"after_nonce": octets(b"more")},
        {"after_nonce": asn1.encode(asn1.context(0), b"")},
        {"after_nonce": asn1.encode(asn1.context(0), octets(b"x"), octets(b"y"))},
        {
            "after_nonce": asn1.encode(
                asn1.context(1),
                sequence(asn1.oid("1.3.6.1.4.1.55555.8"), asn1.encode(asn1.BOOLEAN, b"\xff"), octets(b"x")),
            )
        },
        {"certificates": [sequence(b"\x05\x00")]},
        {"certificates": [asn1.encode(asn1.context(2), bytes([each])) for each in range(21)]},
    ],
    ids=str,
)
def test_token_in_another_form(changes: dict[str, Any], tsa: Authority) -> None:
    assert code_of(forgery(tsa, **changes).der(), tsa) == "timestamp_malformed"


def test_two_signers(tsa: Authority) -> None:
    assert code_of(forgery(tsa, signers=2).der(), tsa) == "timestamp_malformed"


def test_imprint_of_the_wrong_length(tsa: Authority) -> None:
    der = Forgery(tsa.tsa, IMPRINT[:-1]).der()
    assert code_of(der, tsa, IMPRINT[:-1]) == "timestamp_malformed"


def test_explicit_false_before_an_extensions_value_is_not_critical(tsa: Authority) -> None:
    extension = sequence(asn1.oid("1.3.6.1.4.1.55555.8"), asn1.encode(asn1.BOOLEAN, b"\x00"), octets(b"x"))
    der = forgery(tsa, after_nonce=asn1.encode(asn1.context(1), extension)).der()
    assert verify_token(der, IMPRINT, "sha256", tsa.roots).nonce is None


def _indefinite(der: bytes) -> bytes:
    return b"\x30\x80" + der[4:] + b"\x00\x00"


def _padded(der: bytes) -> bytes:
    return b"\x30\x83\x00" + der[2:]


@pytest.mark.parametrize("rewrite", [_indefinite, _padded])
def test_ber_is_refused_and_the_error_says_that_der_is_wanted(
    rewrite: Callable[[bytes], bytes], tsa: Authority
) -> None:
    with pytest.raises(EvidenceStoreError) as caught:
        verify_token(rewrite(forgery(tsa).der()), IMPRINT, "sha256", tsa.roots)
    assert caught.value.code == "timestamp_malformed"
    assert "not a time-stamp token in DER" in caught.value.detail


def test_trailing_bytes_every_cut_and_too_much(tsa: Authority) -> None:
    der = forgery(tsa).der()
    for tail in (b"\x00", b"\n", der):
        assert code_of(der + tail, tsa) == "timestamp_malformed"
    for length in range(0, len(der), 3):
        assert code_of(der[:length], tsa) == "timestamp_malformed"
    assert code_of(bytes(MAX_TOKEN + 1), tsa) == "timestamp_malformed"


def _without_key_identifier(tsa: Authority) -> x509.Certificate:
    name, key = tsa.root.certificate.subject, ec.generate_private_key(ec.SECP256R1())
    return x509.CertificateBuilder(name, name, key.public_key(), 5, START, END).sign(key, hashes.SHA256())


def test_signer_of_whom_there_is_no_certificate(tsa: Authority) -> None:
    other = der_of(authority("stranger").tsa.certificate)
    assert code_of(forgery(tsa, certificates=[other]).der(), tsa) == "timestamp_untrusted"
    by_key = forgery(tsa, certificates=[other], by_key_identifier=True).der()
    assert code_of(by_key, tsa) == "timestamp_untrusted"
    by_key = forgery(tsa, certificates=[der_of(_without_key_identifier(tsa))], by_key_identifier=True).der()
    assert code_of(by_key, tsa) == "timestamp_untrusted"


# The right time


def test_validity_is_judged_at_the_tokens_own_time_both_ends_included(tsa: Authority) -> None:
    begin, end = datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
    short = replace(tsa, tsa=Wanted("short TSA", valid=(begin, end)).issue(tsa.root))
    for moment in (begin, end):
        verify_token(Forgery(short.tsa, IMPRINT, at=moment).der(), IMPRINT, "sha256", tsa.roots)
    for moment in (begin - SECOND, end + SECOND):
        assert code_of(Forgery(short.tsa, IMPRINT, at=moment).der(), tsa) == "timestamp_certificate_expired"
