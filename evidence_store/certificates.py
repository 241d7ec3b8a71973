"""Which certificates may make and anchor a seal: the profile, and how a chain is checked.

The chain is always two long: an archive authority that the caller trusts, and the seal certificate it
issued (RFC 5280, section 6, for path length zero and no name constraints). Revocation is not read here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID, ObjectIdentifier

from evidence_store import asn1
from evidence_store.errors import EvidenceStoreError

DOCUMENT_SIGNING: Final = ObjectIdentifier("1.3.6.1.5.5.7.3.36")  # RFC 9336

_UNDERSTOOD: Final = {ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.EXTENDED_KEY_USAGE}
_HASHES: Final = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


@lru_cache(maxsize=16)  # thousands of seals name the same two, and a certificate never changes
def parse_certificate(der: bytes) -> x509.Certificate:
    """Load one certificate and touch every part that is decoded late, so that nothing fails afterwards.

    Raises:
        EvidenceStoreError: `certificate_malformed`.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        _decoded_late = (
            certificate.extensions,
            certificate.signature_hash_algorithm,
            certificate.public_key(),
            certificate.issuer.public_bytes(),
            certificate.issuer.rfc4514_string(),
        )
        whole = (
            certificate.version is x509.Version.v3
            and certificate.serial_number > 0
            and len(certificate.subject.rfc4514_string()) > 0
            and certificate.public_bytes(Encoding.DER) == der
            and _signature_is_octets(der)
        )
    except Exception:  # noqa: BLE001 - x509 errors share no base class, and the bytes come from an opponent
        whole = False
    if not whole:
        raise EvidenceStoreError("certificate_malformed", "a certificate cannot be read as X.509 v3")
    return certificate


def _signature_is_octets(der: bytes) -> bool:
    """Whether no bits of the signature are declared unused: they would give one certificate several encodings."""
    parts = asn1.Reader(der).enter(asn1.SEQUENCE).elements()
    return asn1.Reader(parts[2]).take(asn1.BIT_STRING)[:1] == b"\x00"


def require_trusted(certificate: x509.Certificate, roots: Sequence[x509.Certificate], at: datetime) -> x509.Certificate:
    """Check that a seal certificate was good at a time, under one of the given authorities.

    An authority may have been certified anew under the same name and key: each of its certificates is tried.

    Args:
        certificate: the signer's, as `parse_certificate` returned it.
        roots: authorities the caller trusts; of several that pass the first one counts.
        at: the time the seal claims.

    Returns:
        The authority.

    Raises:
        EvidenceStoreError: `seal_untrusted` (no given authority issued it), `seal_certificate_unsuitable`
            (a certificate's extensions or algorithms do not allow this use), `seal_certificate_expired`,
            `seal_certificate_not_yet_valid`.
    """
    failed: list[EvidenceStoreError] = []
    for issuer in (root for root in roots if _issued(root, certificate)):
        try:
            require_authority(issuer)
            require_sealing(certificate)
            require_valid_at(certificate, at)
            require_valid_at(issuer, at)
        except EvidenceStoreError as error:
            failed.append(error)
        else:
            return issuer
    if failed:
        raise failed[0]
    raise EvidenceStoreError("seal_untrusted", "no trusted authority issued the seal certificate")


def require_authority(certificate: x509.Certificate) -> None:
    """Check that a certificate may issue seal certificates.

    Raises:
        EvidenceStoreError: `seal_certificate_unsuitable`.
    """
    constraints, usage, _purposes = _extensions(certificate)
    if not constraints.ca or not usage.key_cert_sign:
        raise _unsuitable("the authority's certificate does not allow it to issue certificates")


def require_sealing(certificate: x509.Certificate) -> None:
    """Check that a certificate may make seals: an end-entity ECDSA P-256 key for signing documents.

    Raises:
        EvidenceStoreError: `seal_certificate_unsuitable`.
    """
    constraints, usage, purposes = _extensions(certificate)
    if constraints.ca:
        raise _unsuitable("an authority's certificate cannot make seals")
    if not usage.digital_signature or not usage.content_commitment:
        raise _unsuitable("the seal certificate's key usage is not digital signature and non-repudiation")
    if DOCUMENT_SIGNING not in purposes:
        raise _unsuitable("the seal certificate is not for signing documents")
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _unsuitable("the seal certificate's key is not ECDSA P-256")


def require_valid_at(certificate: x509.Certificate, at: datetime) -> None:
    """Check the validity period, both ends included (RFC 5280, section 4.1.2.5).

    Raises:
        EvidenceStoreError: `seal_certificate_expired`, `seal_certificate_not_yet_valid`.
    """
    name = certificate.subject.rfc4514_string()
    if at < certificate.not_valid_before_utc:
        raise EvidenceStoreError("seal_certificate_not_yet_valid", f"{name} was not yet valid at {at.isoformat()}")
    if at > certificate.not_valid_after_utc:
        raise EvidenceStoreError("seal_certificate_expired", f"{name} had expired at {at.isoformat()}")


@lru_cache(maxsize=16)
def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether `issuer`'s name and key are those that signed `certificate`, with a hash still trusted."""
    if not isinstance(certificate.signature_hash_algorithm, _HASHES):
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _extensions(
    certificate: x509.Certificate,
) -> tuple[x509.BasicConstraints, x509.KeyUsage, list[ObjectIdentifier]]:
    """The three extensions that decide; a critical one beyond them must stop us (RFC 5280, section 4.2)."""
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD:
            raise _unsuitable(f"a critical extension is not understood: {extension.oid.dotted_string}")
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    except x509.ExtensionNotFound:
        raise _unsuitable("basic constraints or key usage are absent") from None
    if not constraints.critical or not usage.critical:
        raise _unsuitable("basic constraints and key usage must be critical")
    try:
        purposes = list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        purposes = []
    return constraints.value, usage.value, purposes


def _unsuitable(detail: str) -> EvidenceStoreError:
    return EvidenceStoreError("seal_certificate_unsuitable", detail)
