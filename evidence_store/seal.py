"""The seal: a detached CAdES signature over exactly the bytes given (RFC 5652; ETSI EN 319 122-1, level B-B).

A valid seal proves that the holder of the archive's seal key signed these bytes, that the bytes have not
changed since, and that an authority the caller trusts had certified the key as the archive's.

It does not prove *when*: the signing time is the archive's own claim until a time stamp confirms it, so
certificate validity is judged at a claimed time. Nor does it prove that what is sealed is true.

Every seal has one form: SignedData version 1; SHA-256 and ECDSA P-256; the signer's certificate and, optionally,
its authority's; one SignerInfo with exactly the signed attributes contentType, signingTime, messageDigest and
signingCertificateV2 (RFC 5035). A seal in any other encoding is refused, so no byte can be changed unnoticed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from evidence_store import asn1
from evidence_store.certificates import parse_certificate, require_sealing, require_trusted, require_valid_at
from evidence_store.errors import EvidenceStoreError

_MAX_SEAL: Final = 65_536

_VERSION_1: Final = asn1.integer(1)
_DATA: Final = asn1.oid("1.2.840.113549.1.7.1")
_SIGNED_DATA: Final = asn1.oid("1.2.840.113549.1.7.2")
_CONTENT_TYPE: Final = asn1.oid("1.2.840.113549.1.9.3")
_MESSAGE_DIGEST: Final = asn1.oid("1.2.840.113549.1.9.4")
_SIGNING_TIME: Final = asn1.oid("1.2.840.113549.1.9.5")
_SIGNING_CERTIFICATE_V2: Final = asn1.oid("1.2.840.113549.1.9.16.2.47")
# Parameters absent: RFC 5754, sections 2 and 3.3.
_SHA256: Final = asn1.encode(asn1.SEQUENCE, asn1.oid("2.16.840.1.101.3.4.2.1"))
_ECDSA_SHA256: Final = asn1.encode(asn1.SEQUENCE, asn1.oid("1.2.840.10045.4.3.2"))
_DETACHED_DATA: Final = asn1.encode(asn1.SEQUENCE, _DATA)
_DIRECTORY_NAME: Final = asn1.context(4)


@dataclass(frozen=True, slots=True)
class SealInfo:
    """What a verified seal says.

    Attributes:
        signing_time: UTC, whole seconds; the archive's claim, not a proven time.
        certificate: the seal certificate.
        signer: its subject as an RFC 4514 string.
    """

    signing_time: datetime
    certificate: x509.Certificate
    signer: str


@dataclass(frozen=True, slots=True)
class _Attributes:
    """The values of the four signed attributes."""

    message_digest: bytes
    signing_time: datetime
    certificate_digest: bytes
    issuer_serial: bytes  # contents of a CMS IssuerAndSerialNumber: Name, INTEGER

    def encode(self) -> bytes:
        """DER of the attributes as a SET OF: the bytes that get signed (RFC 5652, section 5.4)."""
        name, serial = _split_issuer_serial(self.issuer_serial)
        general_names = asn1.encode(asn1.SEQUENCE, asn1.encode(_DIRECTORY_NAME, name))
        # The hash algorithm's default is SHA-256, and DER leaves defaults out (RFC 5035, section 4).
        ess_id = asn1.encode(
            asn1.SEQUENCE,
            asn1.encode(asn1.OCTET_STRING, self.certificate_digest),
            asn1.encode(asn1.SEQUENCE, general_names, serial),
        )
        signing_certificate = asn1.encode(asn1.SEQUENCE, asn1.encode(asn1.SEQUENCE, ess_id))
        values = {
            _CONTENT_TYPE: _DATA,
            _SIGNING_TIME: asn1.time(self.signing_time),
            _MESSAGE_DIGEST: asn1.encode(asn1.OCTET_STRING, self.message_digest),
            _SIGNING_CERTIFICATE_V2: signing_certificate,
        }
        return asn1.set_of(*(asn1.encode(asn1.SEQUENCE, name, asn1.set_of(value)) for name, value in values.items()))


@dataclass(frozen=True, slots=True)
class _Seal:
    """All that differs between two seals; the rest of the encoding is fixed."""

    certificates: tuple[bytes, ...]
    issuer_serial: bytes
    attributes: _Attributes
    signature: bytes

    def encode(self) -> bytes:
        """DER of the ContentInfo."""
        signer = asn1.encode(
            asn1.SEQUENCE,
            _VERSION_1,
            asn1.encode(asn1.SEQUENCE, self.issuer_serial),
            _SHA256,
            asn1.encode(asn1.context(0), asn1.Reader(self.attributes.encode()).take(asn1.SET)),
            _ECDSA_SHA256,
            asn1.encode(asn1.OCTET_STRING, self.signature),
        )
        signed_data = asn1.encode(
            asn1.SEQUENCE,
            _VERSION_1,
            asn1.set_of(_SHA256),
            _DETACHED_DATA,
            asn1.encode(asn1.context(0), *sorted(self.certificates)),
            asn1.set_of(signer),
        )
        return asn1.encode(asn1.SEQUENCE, _SIGNED_DATA, asn1.encode(asn1.context(0), signed_data))


def build_seal(
    data: bytes,
    certificate: x509.Certificate,
    sign: Callable[[bytes], bytes],
    signing_time: datetime,
    *,
    authority: x509.Certificate | None = None,
) -> bytes:
    """Seal some bytes.

    Args:
        data: what is sealed; it does not become part of the seal.
        certificate: the seal certificate (ECDSA P-256).
        sign: ECDSA over SHA-256 of its argument, as a DER `ECDSA-Sig-Value`.
        signing_time: the time to claim, with a zone; fractions of a second are cut off.
        authority: the certificate's issuer, to carry along for whoever verifies.

    Returns:
        DER of a CMS ContentInfo (a `.p7s` file).

    Raises:
        EvidenceStoreError: `bad_time`, `seal_certificate_unsuitable`, `seal_certificate_expired`,
            `seal_certificate_not_yet_valid`; `seal_signature_invalid` when `sign` does not use the
            certificate's key. A seal that would not verify is never returned.
    """
    if signing_time.tzinfo is None:
        raise EvidenceStoreError("bad_time", "the signing time needs a time zone")
    moment = signing_time.replace(microsecond=0)
    require_sealing(certificate)
    require_valid_at(certificate, moment)
    der = certificate.public_bytes(Encoding.DER)
    attributes = _Attributes(
        message_digest=hashlib.sha256(data).digest(),
        signing_time=moment,
        certificate_digest=hashlib.sha256(der).digest(),
        issuer_serial=_issuer_serial(certificate),
    )
    signature = sign(attributes.encode())
    _verify_signature(certificate, signature, attributes.encode())
    chain = {der} if authority is None else {der, authority.public_bytes(Encoding.DER)}
    return _Seal(tuple(chain), attributes.issuer_serial, attributes, signature).encode()


def verify_seal(der: bytes, data: bytes, roots: Sequence[x509.Certificate]) -> SealInfo:
    """Verify a seal over some bytes.

    Args:
        der: the seal.
        data: the bytes it should be over.
        roots: certificates of the authorities the caller trusts.

    Returns:
        Who sealed, and the time they claim.

    Raises:
        EvidenceStoreError: `seal_malformed` (not DER, not the one form above, trailing bytes),
            `seal_not_detached`, `seal_signer_count`, `seal_algorithm_unsupported`, `seal_attributes_wrong`,
            `seal_digest_mismatch` (`data` is not what was sealed), `seal_certificate_mismatch` (the signer's
            certificate is absent or not the one the signature names), `seal_signature_invalid`,
            `certificate_malformed`, `seal_untrusted`, `seal_certificate_unsuitable`,
            `seal_certificate_expired`, `seal_certificate_not_yet_valid`.
    """
    seal = _parse(der)
    attributes = seal.attributes
    if attributes.message_digest != hashlib.sha256(data).digest():
        raise EvidenceStoreError("seal_digest_mismatch", "the sealed bytes were others")
    certificate = _signer_certificate(seal)
    _verify_signature(certificate, seal.signature, attributes.encode())
    trusted = {root.public_bytes(Encoding.DER) for root in roots}
    companions = set(seal.certificates) - {certificate.public_bytes(Encoding.DER)}
    # Nothing signs a companion certificate, so it may only repeat what the caller has already.
    if not companions <= trusted:
        raise EvidenceStoreError("seal_untrusted", "the seal carries a certificate that is not a trusted authority's")
    require_trusted(certificate, [parse_certificate(each) for each in sorted(trusted)], attributes.signing_time)
    return SealInfo(attributes.signing_time, certificate, certificate.subject.rfc4514_string())


def _signer_certificate(seal: _Seal) -> x509.Certificate:
    """The one embedded certificate that both the signed attribute and the signer identifier name."""
    for der in seal.certificates:
        if hashlib.sha256(der).digest() == seal.attributes.certificate_digest:
            certificate = parse_certificate(der)
            if _issuer_serial(certificate) == seal.issuer_serial == seal.attributes.issuer_serial:
                return certificate
    raise EvidenceStoreError("seal_certificate_mismatch", "the certificate that the signature names is not in the seal")


def _verify_signature(certificate: x509.Certificate, signature: bytes, signed: bytes) -> None:
    key = certificate.public_key()
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
            return
    except InvalidSignature:
        pass
    raise EvidenceStoreError("seal_signature_invalid", "the signature does not fit the certificate's key")


def _issuer_serial(certificate: x509.Certificate) -> bytes:
    return certificate.issuer.public_bytes() + asn1.integer(certificate.serial_number)


def _split_issuer_serial(contents: bytes) -> tuple[bytes, bytes]:
    reader = asn1.Reader(contents)
    pair = reader.take_element(asn1.SEQUENCE), reader.take_element(asn1.INTEGER)
    reader.end()
    return pair


def _parse(der: bytes) -> _Seal:
    """Read a seal of the one accepted form; the proof of that form is that it encodes to the same bytes."""
    if len(der) > _MAX_SEAL:
        raise EvidenceStoreError("seal_malformed", f"a seal has at most {_MAX_SEAL} bytes")
    try:
        seal = _parse_content_info(asn1.Reader(der))
        same = seal.encode() == der
    except asn1.Asn1Error as error:
        raise EvidenceStoreError("seal_malformed", error.detail) from None
    if not same:
        raise EvidenceStoreError("seal_malformed", "the seal is not in the one form that seals have")
    return seal


def _parse_content_info(outer: asn1.Reader) -> _Seal:
    content_info = outer.enter(asn1.SEQUENCE)
    _expect(content_info.take_element(asn1.OBJECT_IDENTIFIER), _SIGNED_DATA, "seal_malformed", "not signed data")
    signed_data = content_info.enter(asn1.context(0)).enter(asn1.SEQUENCE)
    _expect(signed_data.take_element(asn1.INTEGER), _VERSION_1, "seal_malformed", "not version 1")
    digests = signed_data.take_element(asn1.SET)
    content = signed_data.take_element(asn1.SEQUENCE)
    certificates = tuple(signed_data.enter(asn1.context(0)).elements())
    signers = signed_data.enter(asn1.SET).elements()
    _expect(content, _DETACHED_DATA, "seal_not_detached", "a seal names plain data and does not contain it")
    _expect(digests, asn1.set_of(_SHA256), "seal_algorithm_unsupported", "the digest algorithm is not SHA-256")
    if len(signers) != 1:
        raise EvidenceStoreError("seal_signer_count", f"a seal has one signer, not {len(signers)}")
    return _parse_signer(asn1.Reader(signers[0]).enter(asn1.SEQUENCE), certificates)


def _parse_signer(signer: asn1.Reader, certificates: tuple[bytes, ...]) -> _Seal:
    _expect(signer.take_element(asn1.INTEGER), _VERSION_1, "seal_malformed", "the signer is not version 1")
    issuer_serial = signer.take(asn1.SEQUENCE)
    digest = signer.take_element(asn1.SEQUENCE)
    attributes = signer.enter(asn1.context(0))
    algorithm = signer.take_element(asn1.SEQUENCE)
    signature = signer.take(asn1.OCTET_STRING)
    signer.end()
    _expect(digest, _SHA256, "seal_algorithm_unsupported", "the signer's digest algorithm is not SHA-256")
    _expect(algorithm, _ECDSA_SHA256, "seal_algorithm_unsupported", "the signature algorithm is not ECDSA with SHA-256")
    return _Seal(certificates, issuer_serial, _parse_attributes(attributes), signature)


def _parse_attributes(attributes: asn1.Reader) -> _Attributes:
    values: dict[bytes, bytes] = {}
    elements = attributes.elements()
    for element in elements:
        attribute = asn1.Reader(element).enter(asn1.SEQUENCE)
        values[attribute.take_element(asn1.OBJECT_IDENTIFIER)] = attribute.take(asn1.SET)
    expected = {_CONTENT_TYPE, _SIGNING_TIME, _MESSAGE_DIGEST, _SIGNING_CERTIFICATE_V2}
    if len(elements) != len(expected) or set(values) != expected:
        raise EvidenceStoreError("seal_attributes_wrong", "the signed attributes are not the four of CAdES B-B")
    _expect(values[_CONTENT_TYPE], _DATA, "seal_attributes_wrong", "the signed content type is not plain data")
    ess_id = asn1.Reader(values[_SIGNING_CERTIFICATE_V2]).enter(asn1.SEQUENCE).enter(asn1.SEQUENCE).enter(asn1.SEQUENCE)
    certificate_digest = ess_id.take(asn1.OCTET_STRING)
    issuer_serial = ess_id.enter(asn1.SEQUENCE)
    name = issuer_serial.enter(asn1.SEQUENCE).take(_DIRECTORY_NAME)
    return _Attributes(
        message_digest=asn1.Reader(values[_MESSAGE_DIGEST]).take(asn1.OCTET_STRING),
        signing_time=asn1.parse_time(values[_SIGNING_TIME]),
        certificate_digest=certificate_digest,
        issuer_serial=name + issuer_serial.take_element(asn1.INTEGER),
    )


def _expect(found: bytes, wanted: bytes, code: str, detail: str) -> None:
    if found != wanted:
        raise EvidenceStoreError(code, detail)
