"""Time-stamp tokens (RFC 3161): read one, and judge it offline.

A verified token proves that the digest in it existed at its time, as far as the authority's key and clock are trusted.
It proves nothing about who made the digest or what it is of.

A token is CMS SignedData over a TSTInfo (RFC 5652). Accepted is DER only; BER, which the standard allows, is refused
with a code. Signed attributes beyond the needed ones, unsigned attributes, and certificates that are not needed are
skipped. The signature is verified over the bytes as they stand; nothing is encoded again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from evidence_store import asn1
from evidence_store.certificates import parse_certificate
from evidence_store.errors import EvidenceStoreError
from evidence_store.timestamps.algorithms import digest_of, read_digest, read_identifier, verify_signature
from evidence_store.timestamps.path import require_path
from evidence_store.timestamps.tst_info import Statement, read_statement

MAX_TOKEN: Final = 65_536

_SIGNED_DATA: Final = asn1.oid("1.2.840.113549.1.7.2")
_TST_INFO: Final = asn1.oid("1.2.840.113549.1.9.16.1.4")
_CONTENT_TYPE: Final = asn1.oid("1.2.840.113549.1.9.3")
_MESSAGE_DIGEST: Final = asn1.oid("1.2.840.113549.1.9.4")
_SIGNING_CERTIFICATE: Final = asn1.oid("1.2.840.113549.1.9.16.2.12")
_SIGNING_CERTIFICATE_V2: Final = asn1.oid("1.2.840.113549.1.9.16.2.47")
_DIRECTORY_NAME: Final = asn1.context(4)
_MAX_CERTIFICATES: Final = 20


@dataclass(frozen=True, slots=True)
class TimestampToken:
    """What a token says; trustworthy only when it came from `verify_token`.

    Attributes:
        der: the token, a whole ContentInfo.
        gen_time: the time it states, UTC; fractions beyond a microsecond are cut off.
        imprint_algorithm: `sha256`, `sha384` or `sha512`.
        imprint: the digest that was stamped.
        policy: the authority's policy, dotted.
        serial: the token's number at this authority.
        nonce: the request's nonce; None when it had none.
        accuracy: how far the true time may be from `gen_time`; None when it is not stated.
        digest: of the signed attributes: `sha256`, `sha384` or `sha512`.
        signature_algorithm: dotted, as the signer states it.
        signer_by_key: whether the signer is named by key identifier, not by issuer and serial number.
        certificate: the authority's; None when it is not in the token (`verify_token` always sets it).
        path: from that certificate up to a trusted root; empty when not verified.
    """

    der: bytes = field(repr=False)
    gen_time: datetime
    imprint_algorithm: str
    imprint: bytes
    policy: str
    serial: int
    nonce: int | None
    accuracy: timedelta | None
    digest: str
    signature_algorithm: str
    signer_by_key: bool
    certificate: x509.Certificate | None
    path: tuple[x509.Certificate, ...] = ()


@dataclass(frozen=True, slots=True)
class _Signer:
    """One SignerInfo, read but not believed.

    Attributes:
        issuer_serial: contents of IssuerAndSerialNumber; None when it is named by key identifier.
        key_identifier: the subject key identifier, then.
        attributes: values of the signed attributes (contents of each SET) by type.
        signed: what is signed: the attributes as a SET OF (RFC 5652, section 5.4).
    """

    issuer_serial: bytes | None
    key_identifier: bytes | None
    digest: str
    attributes: dict[bytes, bytes]
    signed: bytes
    algorithm: bytes
    signature_algorithm: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class _Parts:
    content: bytes
    statement: Statement
    certificates: tuple[bytes, ...]
    signer: _Signer


def parse_token(der: bytes) -> TimestampToken:
    """Read a token without believing it: no signature, certificate or trust is checked.

    Raises:
        EvidenceStoreError: `timestamp_malformed`, `timestamp_algorithm_unsupported`.
    """
    parts = _parse(der)
    return _token(der, parts, _signer_certificate(parts, ()), ())


def verify_token(
    der: bytes,
    imprint: bytes,
    algorithm: str,
    roots: Sequence[x509.Certificate],
    extra: Sequence[x509.Certificate] = (),
) -> TimestampToken:
    """Verify that an authority under one of the roots stamped this digest.

    Args:
        der: the token.
        imprint: the digest that should be stamped.
        algorithm: of the digest: `sha256`, `sha384` or `sha512`.
        roots: certificates of authorities that the caller trusts for time.
        extra: certificates that may be missing in the token; nothing is assumed of them.

    Returns:
        What the token says, now believed.

    Raises:
        EvidenceStoreError: `timestamp_malformed` (not a token in DER), `timestamp_algorithm_unsupported`,
            `timestamp_imprint_mismatch` (it is over something else), `timestamp_signature_invalid` (also when the
            signing certificate attribute or the message digest does not fit), `timestamp_untrusted` (no path to a
            root, or no certificate), `timestamp_certificate_unsuitable`, `timestamp_certificate_expired` (judged at
            the token's own time).
    """
    parts = _parse(der)
    if (parts.statement.imprint_algorithm, parts.statement.imprint) != (algorithm, imprint):
        raise EvidenceStoreError("timestamp_imprint_mismatch", "the token is over other bytes")
    certificate = _signer_certificate(parts, extra)
    if certificate is None:
        raise EvidenceStoreError("timestamp_untrusted", "the certificate of the token's signer is not here")
    _verify_signer(parts, certificate)
    between = [*(_certificate(each) for each in parts.certificates), *extra]
    path = require_path(certificate, roots, between, parts.statement.gen_time)
    return _token(der, parts, certificate, tuple(path))


def _token(
    der: bytes, parts: _Parts, certificate: x509.Certificate | None, path: tuple[x509.Certificate, ...]
) -> TimestampToken:
    said = parts.statement
    return TimestampToken(
        der=der,
        gen_time=said.gen_time,
        imprint_algorithm=said.imprint_algorithm,
        imprint=said.imprint,
        policy=said.policy,
        serial=said.serial,
        nonce=said.nonce,
        accuracy=said.accuracy,
        digest=parts.signer.digest,
        signature_algorithm=parts.signer.signature_algorithm,
        signer_by_key=parts.signer.key_identifier is not None,
        certificate=certificate,
        path=path,
    )


# -- reading ----------------------------------------------------------------------------------


def _parse(der: bytes) -> _Parts:
    if len(der) > MAX_TOKEN:
        raise _malformed(f"a token has at most {MAX_TOKEN} bytes")
    try:
        return _parse_content_info(der)
    except asn1.Asn1Error as error:
        raise _malformed(f"this is not a time-stamp token in DER: {error.detail}") from None


def _parse_content_info(der: bytes) -> _Parts:
    outer = asn1.Reader(der)
    content_info = outer.enter(asn1.SEQUENCE)
    outer.end()
    _expect(content_info.take_element(asn1.OBJECT_IDENTIFIER), _SIGNED_DATA, "it is not signed data")
    explicit = content_info.enter(asn1.context(0))
    content_info.end()
    signed_data = explicit.enter(asn1.SEQUENCE)
    explicit.end()
    _expect(signed_data.take_element(asn1.INTEGER), asn1.integer(3), "it is not version 3")
    digests = [read_digest(each) for each in signed_data.enter(asn1.SET).elements()]
    content = _parse_content(signed_data.enter(asn1.SEQUENCE))
    certificates = _parse_certificates(signed_data)
    if signed_data.tag() == asn1.context(1):
        signed_data.take(asn1.context(1))  # revocation lists: not read
    signers = signed_data.enter(asn1.SET).elements()
    signed_data.end()
    if len(signers) != 1:
        raise _malformed(f"a token has one signer, not {len(signers)}")
    signer = _parse_signer(asn1.Reader(signers[0]).enter(asn1.SEQUENCE))
    if signer.digest not in digests:
        raise _malformed("the signer's digest algorithm is not among the token's")
    return _Parts(content, read_statement(content), certificates, signer)


def _parse_content(encapsulated: asn1.Reader) -> bytes:
    _expect(encapsulated.take_element(asn1.OBJECT_IDENTIFIER), _TST_INFO, "its content is not a time stamp")
    explicit = encapsulated.enter(asn1.context(0))
    encapsulated.end()
    content = explicit.take(asn1.OCTET_STRING)
    explicit.end()
    return content


def _parse_certificates(signed_data: asn1.Reader) -> tuple[bytes, ...]:
    if signed_data.tag() != asn1.context(0):
        return ()
    choices = signed_data.enter(asn1.context(0)).elements()
    if len(choices) > _MAX_CERTIFICATES:
        raise _malformed(f"it holds more than {_MAX_CERTIFICATES} certificates")
    # The other choices are attribute certificates and the like (RFC 5652, section 10.2.2): of no use here.
    return tuple(each for each in choices if each[0] == asn1.SEQUENCE)


def _parse_signer(info: asn1.Reader) -> _Signer:
    version = info.take_integer()
    issuer_serial = key_identifier = None
    if info.tag() == asn1.primitive(0):
        key_identifier = info.take(asn1.primitive(0))
    else:
        issuer_serial = info.take(asn1.SEQUENCE)
    if version != (1 if key_identifier is None else 3):
        raise _malformed("the signer's version does not fit its name")
    digest = read_digest(info.take_element(asn1.SEQUENCE))
    attributes = info.take(asn1.context(0))
    algorithm = info.take_element(asn1.SEQUENCE)
    named, _ = read_identifier(algorithm)
    signature = info.take(asn1.OCTET_STRING)
    if info.tag() == asn1.context(1):
        info.take(asn1.context(1))  # unsigned attributes: anybody could have added them
    info.end()
    signed = asn1.encode(asn1.SET, attributes)
    return _Signer(issuer_serial, key_identifier, digest, _attributes(attributes), signed, algorithm, named, signature)


def _attributes(contents: bytes) -> dict[bytes, bytes]:
    values: dict[bytes, bytes] = {}
    for element in asn1.Reader(contents).elements():
        outer = asn1.Reader(element)
        attribute = outer.enter(asn1.SEQUENCE)
        name = attribute.take_element(asn1.OBJECT_IDENTIFIER)
        if name in values:
            raise _malformed("a signed attribute is there twice")
        values[name] = attribute.take(asn1.SET)
        attribute.end()
    return values


@lru_cache(maxsize=64)  # an authority's certificate is in each of its tokens
def _certificate(der: bytes) -> x509.Certificate:
    try:
        return parse_certificate(der)
    except EvidenceStoreError:
        raise _malformed("a certificate in it cannot be read as X.509 v3") from None


# -- judging ----------------------------------------------------------------------------------


def _signer_certificate(parts: _Parts, extra: Sequence[x509.Certificate]) -> x509.Certificate | None:
    """The certificate that the signer identifier names."""
    wanted = parts.signer
    for certificate in [*(_certificate(each) for each in parts.certificates), *extra]:
        if wanted.issuer_serial is not None:
            if wanted.issuer_serial == _issuer_serial(certificate):
                return certificate
        elif wanted.key_identifier == _key_identifier(certificate):
            return certificate
    return None


def _issuer_serial(certificate: x509.Certificate) -> bytes:
    """Contents of an IssuerAndSerialNumber (RFC 5652, section 10.2.4)."""
    return certificate.issuer.public_bytes() + asn1.integer(certificate.serial_number)


def _key_identifier(certificate: x509.Certificate) -> bytes | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return None


def _verify_signer(parts: _Parts, certificate: x509.Certificate) -> None:
    """The signature holds over the statement, and names this very certificate."""
    signer = parts.signer
    try:
        if signer.attributes.get(_CONTENT_TYPE) != _TST_INFO:
            raise _invalid("the signed content type is not that of a time stamp")
        digest = asn1.encode(asn1.OCTET_STRING, digest_of(parts.content, signer.digest))
        if signer.attributes.get(_MESSAGE_DIGEST) != digest:
            raise _invalid("the signed digest is not that of the token's content")
        _verify_names(signer.attributes, certificate)
        key = certificate.public_key()
        verify_signature(key, signer.algorithm, signer.digest, signer.signature, signer.signed)
    except asn1.Asn1Error as error:
        raise _malformed(f"a signed attribute or the signature is not DER: {error.detail}") from None


def _verify_names(attributes: dict[bytes, bytes], certificate: x509.Certificate) -> None:
    """The signing certificate attributes name this certificate (RFC 2634 section 5.4, RFC 5035 section 3)."""
    named = False
    for attribute, default in ((_SIGNING_CERTIFICATE, "sha1"), (_SIGNING_CERTIFICATE_V2, "sha256")):
        value = attributes.get(attribute)
        if value is None:
            continue
        values = asn1.Reader(value)
        ess_id = values.enter(asn1.SEQUENCE).enter(asn1.SEQUENCE).enter(asn1.SEQUENCE)
        values.end()  # exactly one value (RFC 2634, section 5.4; RFC 5035, section 3)
        algorithm = default
        if attribute == _SIGNING_CERTIFICATE_V2 and ess_id.tag() == asn1.SEQUENCE:
            algorithm = read_digest(ess_id.take_element(asn1.SEQUENCE))
        digest = hashlib.new(algorithm, certificate.public_bytes(Encoding.DER), usedforsecurity=False).digest()
        if ess_id.take(asn1.OCTET_STRING) != digest or not _same_issuer(ess_id, certificate):
            raise _invalid("the signature names another certificate")
        named = True
    if not named:
        raise _invalid("the signature does not say which certificate it was made with")


def _same_issuer(ess_id: asn1.Reader, certificate: x509.Certificate) -> bool:
    """The optional IssuerSerial of an ESSCertID, when it is there, is the certificate's."""
    if not ess_id.tag():
        return True
    issuer_serial = ess_id.enter(asn1.SEQUENCE)
    ess_id.end()
    issuer = issuer_serial.enter(asn1.SEQUENCE).take(_DIRECTORY_NAME)
    return issuer + issuer_serial.take_element(asn1.INTEGER) == _issuer_serial(certificate)


def _expect(found: bytes, wanted: bytes, detail: str) -> None:
    if found != wanted:
        raise _malformed(detail)


def _malformed(detail: str) -> EvidenceStoreError:
    return EvidenceStoreError("timestamp_malformed", detail)


def _invalid(detail: str) -> EvidenceStoreError:
    return EvidenceStoreError("timestamp_signature_invalid", detail)
