"""The one encoding of a seal: CMS SignedData (RFC 5652) with the attributes of CAdES B-B or B-T (ETSI EN 319 122-1).

Reading and writing only; `evidence_store.seal` decides what a seal means. A `Seal` holds all that differs
between two seals. Whatever is read must encode to the very bytes it was read from, which leaves no room for
unsigned additions other than time stamps, other orders or other lengths.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from cryptography import x509

from evidence_store import asn1
from evidence_store.errors import EvidenceStoreError

_MAX_SEAL: Final = 262_144
_MAX_TOKENS: Final = 16

_VERSION_1: Final = asn1.integer(1)
_DATA: Final = asn1.oid("1.2.840.113549.1.7.1")
_SIGNED_DATA: Final = asn1.oid("1.2.840.113549.1.7.2")
_CONTENT_TYPE: Final = asn1.oid("1.2.840.113549.1.9.3")
_MESSAGE_DIGEST: Final = asn1.oid("1.2.840.113549.1.9.4")
_SIGNING_TIME: Final = asn1.oid("1.2.840.113549.1.9.5")
_SIGNING_CERTIFICATE_V2: Final = asn1.oid("1.2.840.113549.1.9.16.2.47")
_TIME_STAMP_TOKEN: Final = asn1.oid("1.2.840.113549.1.9.16.2.14")
# Parameters absent: RFC 5754, sections 2 and 3.3.
_SHA256: Final = asn1.encode(asn1.SEQUENCE, asn1.oid("2.16.840.1.101.3.4.2.1"))
_ECDSA_SHA256: Final = asn1.encode(asn1.SEQUENCE, asn1.oid("1.2.840.10045.4.3.2"))
_DETACHED_DATA: Final = asn1.encode(asn1.SEQUENCE, _DATA)
_DIRECTORY_NAME: Final = asn1.context(4)


@dataclass(frozen=True, slots=True)
class SignedAttributes:
    """The values of the four signed attributes.

    Attributes:
        message_digest: SHA-256 of the sealed bytes, 32 bytes.
        signing_time: the claimed time, UTC, whole seconds.
        certificate_digest: SHA-256 of the signer's certificate, 32 bytes.
        issuer_serial: that certificate's issuer and serial number, as `issuer_and_serial` gives them.
    """

    message_digest: bytes
    signing_time: datetime
    certificate_digest: bytes
    issuer_serial: bytes

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
class Seal:
    """All that differs between two seals; the rest of the encoding is fixed.

    Attributes:
        certificates: DER of each embedded certificate, the signer's among them; none twice.
        issuer_serial: the signer identifier, as `issuer_and_serial` gives it.
        attributes: what is signed.
        signature: DER `ECDSA-Sig-Value` over `attributes.encode()`.
        tokens: DER of each time-stamp token over `signature`; none twice. With none, the seal is of level B-B.
    """

    certificates: tuple[bytes, ...]
    issuer_serial: bytes
    attributes: SignedAttributes
    signature: bytes
    tokens: tuple[bytes, ...] = ()

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
            self._unsigned_attributes(),
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

    def _unsigned_attributes(self) -> bytes:
        """One signature time stamp attribute for each token (EN 319 122-1, section 5.3), in the order of DER."""
        each = (asn1.encode(asn1.SEQUENCE, _TIME_STAMP_TOKEN, asn1.set_of(token)) for token in self.tokens)
        return asn1.encode(asn1.context(1), *sorted(each)) if self.tokens else b""


def issuer_and_serial(certificate: x509.Certificate) -> bytes:
    """Contents of an IssuerAndSerialNumber (RFC 5652, section 10.2.4): Name, then INTEGER."""
    return certificate.issuer.public_bytes() + asn1.integer(certificate.serial_number)


def _split_issuer_serial(contents: bytes) -> tuple[bytes, bytes]:
    reader = asn1.Reader(contents)
    pair = reader.take_element(asn1.SEQUENCE), reader.take_element(asn1.INTEGER)
    reader.end()
    return pair


@lru_cache(maxsize=4)  # an audit asks four things of each receipt in a row; a Seal is bytes and never changes
def parse(der: bytes) -> Seal:
    """Read a seal of the one accepted form; the proof of that form is that it encodes to the same bytes.

    Raises:
        EvidenceStoreError: `seal_malformed`, `seal_not_detached`, `seal_signer_count`,
            `seal_algorithm_unsupported`, `seal_attributes_wrong`.
    """
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


def _parse_content_info(outer: asn1.Reader) -> Seal:
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
    if len(set(certificates)) != len(certificates):
        raise EvidenceStoreError("seal_malformed", "the seal holds a certificate twice")
    return _parse_signer(asn1.Reader(signers[0]).enter(asn1.SEQUENCE), certificates)


def _parse_signer(signer: asn1.Reader, certificates: tuple[bytes, ...]) -> Seal:
    _expect(signer.take_element(asn1.INTEGER), _VERSION_1, "seal_malformed", "the signer is not version 1")
    issuer_serial = signer.take(asn1.SEQUENCE)
    digest = signer.take_element(asn1.SEQUENCE)
    attributes = signer.enter(asn1.context(0))
    algorithm = signer.take_element(asn1.SEQUENCE)
    signature = signer.take(asn1.OCTET_STRING)
    tokens = _parse_tokens(signer.enter(asn1.context(1))) if signer.tag() == asn1.context(1) else ()
    signer.end()
    _expect(digest, _SHA256, "seal_algorithm_unsupported", "the signer's digest algorithm is not SHA-256")
    _expect(algorithm, _ECDSA_SHA256, "seal_algorithm_unsupported", "the signature algorithm is not ECDSA with SHA-256")
    return Seal(certificates, issuer_serial, _parse_attributes(attributes), signature, tokens)


def _parse_tokens(unsigned: asn1.Reader) -> tuple[bytes, ...]:
    tokens = []
    for element in unsigned.elements():
        attribute = asn1.Reader(element).enter(asn1.SEQUENCE)
        name = attribute.take_element(asn1.OBJECT_IDENTIFIER)
        _expect(name, _TIME_STAMP_TOKEN, "seal_attributes_wrong", "an unsigned attribute is not a time stamp")
        tokens.append(attribute.enter(asn1.SET).take_element(asn1.SEQUENCE))
    if len(tokens) > _MAX_TOKENS:
        raise EvidenceStoreError("seal_malformed", f"a seal has at most {_MAX_TOKENS} time stamps")
    if len(set(tokens)) != len(tokens):
        raise EvidenceStoreError("seal_malformed", "the seal holds a time stamp twice")
    return tuple(tokens)


def _parse_attributes(attributes: asn1.Reader) -> SignedAttributes:
    values: dict[bytes, bytes] = {}
    elements = attributes.elements()
    for element in elements:
        attribute = asn1.Reader(element).enter(asn1.SEQUENCE)
        name = attribute.take_element(asn1.OBJECT_IDENTIFIER)
        values[name] = attribute.take(asn1.SET)
    expected = {_CONTENT_TYPE, _SIGNING_TIME, _MESSAGE_DIGEST, _SIGNING_CERTIFICATE_V2}
    if len(elements) != len(expected) or set(values) != expected:
        raise EvidenceStoreError("seal_attributes_wrong", "the signed attributes are not the four of CAdES B-B")
    _expect(values[_CONTENT_TYPE], _DATA, "seal_attributes_wrong", "the signed content type is not plain data")
    ess_id = asn1.Reader(values[_SIGNING_CERTIFICATE_V2]).enter(asn1.SEQUENCE).enter(asn1.SEQUENCE).enter(asn1.SEQUENCE)
    certificate_digest = ess_id.take(asn1.OCTET_STRING)
    issuer_serial = ess_id.enter(asn1.SEQUENCE)
    issuer = issuer_serial.enter(asn1.SEQUENCE).take(_DIRECTORY_NAME)
    return SignedAttributes(
        message_digest=asn1.Reader(values[_MESSAGE_DIGEST]).take(asn1.OCTET_STRING),
        signing_time=asn1.parse_time(values[_SIGNING_TIME]),
        certificate_digest=certificate_digest,
        issuer_serial=issuer + issuer_serial.take_element(asn1.INTEGER),
    )


def _expect(found: bytes, wanted: bytes, code: str, detail: str) -> None:
    if found != wanted:
        raise EvidenceStoreError(code, detail)
