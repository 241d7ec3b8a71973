"""The archive's own certification authority: one root, and the seal certificates it issues.

The root vouches for nobody but this archive. Whoever checks a seal decides whether to trust that root,
by comparing its fingerprint with one they got some other way.

Profile (RFC 5280, RFC 9336). Root: critical BasicConstraints CA:TRUE with path length 0, critical KeyUsage
keyCertSign and cRLSign, 30 years. Seal certificate: critical BasicConstraints CA:FALSE, critical KeyUsage
digitalSignature and nonRepudiation, extended key usage emailProtection and documentSigning (openssl's
default purpose for CMS asks for the former), 5 years unless told otherwise.
"""

from __future__ import annotations

import unicodedata
import uuid
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from evidence_store.certificates import DOCUMENT_SIGNING, require_authority, require_valid_at
from evidence_store.errors import EvidenceStoreError
from evidence_store.keys.base import PublicKey

CA_YEARS: Final = 30
SEAL_YEARS: Final = 5
_MAX_NAME: Final = 64  # ub-organization-name and ub-common-name, RFC 5280, appendix A
_JOINERS: Final = "\u200c\u200d"  # format characters that Persian and Indic names are spelled with


def create_ca(key: ec.EllipticCurvePrivateKey, org: str, archive_id: str, now: datetime) -> x509.Certificate:
    """Make the archive's root certificate, signed by its own key.

    Args:
        key: the authority's private key, ECDSA P-256.
        org: name of the organisation that runs the archive.
        archive_id: the archive's UUID as text.
        now: start of validity, an aware time; seconds count, fractions are cut off.

    Raises:
        EvidenceStoreError: `bad_name`, `bad_archive_id`, `bad_time`, `key_unsupported`.
    """
    name = _name(org, "Catena CA", archive_id)
    start = _start(now)
    public_key = _p256(key.public_key())
    return (
        _certificate(name, name, public_key, start, _years_after(start, CA_YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .sign(key, hashes.SHA256())
    )


def issue_seal_certificate(
    ca_cert: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    seal_public_key: PublicKey,
    org: str,
    archive_id: str,
    now: datetime,
    *,
    years: int = SEAL_YEARS,
) -> x509.Certificate:
    """Issue the certificate that seals are made with.

    Args:
        ca_cert: the archive's root.
        ca_key: its private key.
        seal_public_key: the key to certify, ECDSA P-256.
        org: name of the organisation that runs the archive.
        archive_id: the archive's UUID as text.
        now: start of validity, an aware time.
        years: length of validity; the root's own end cuts it short.

    Raises:
        EvidenceStoreError: `bad_name`, `bad_archive_id`, `bad_time`, `key_unsupported`, `key_mismatch`
            (`ca_key` is not the root's), `seal_certificate_unsuitable`, `seal_certificate_expired` or
            `seal_certificate_not_yet_valid` (the root may not issue, or not now).
    """
    if ca_key.public_key() != ca_cert.public_key():
        raise EvidenceStoreError("key_mismatch", "this is not the private key of the authority's certificate")
    start = _start(now)
    require_authority(ca_cert)
    require_valid_at(ca_cert, start)
    public_key = _p256(seal_public_key)
    end = min(_years_after(start, years), ca_cert.not_valid_after_utc)
    authority_key = ca_cert.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        _certificate(_name(org, "Catena seal", archive_id), ca_cert.subject, public_key, start, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True, content_commitment=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority_key), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION, DOCUMENT_SIGNING]), critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def check_organisation(org: str) -> str:
    """Return `org` if it can stand in a certificate.

    Any script is welcome. Refused are names that are empty, longer than 64 characters, padded with white
    space, or hold characters that are invisible or reorder the text around them.

    Raises:
        EvidenceStoreError: `bad_name`.
    """
    if not org or org != org.strip() or len(org) > _MAX_NAME:
        raise EvidenceStoreError("bad_name", f"an organisation's name has 1 to {_MAX_NAME} characters, none padding")
    for character in org:
        category = unicodedata.category(character)
        if character not in _JOINERS and (category.startswith("C") or category in {"Zl", "Zp"}):
            raise EvidenceStoreError(
                "bad_name", f"an organisation's name cannot hold the character U+{ord(character):04X}"
            )
    return org


def _name(org: str, role: str, archive_id: str) -> x509.Name:
    try:
        short = uuid.UUID(archive_id).hex[:8]
    except ValueError:
        raise EvidenceStoreError("bad_archive_id", "an archive is named by a UUID") from None
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, check_organisation(org)),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{role} {short}"),
        ]
    )


def _certificate(
    subject: x509.Name, issuer: x509.Name, public_key: PublicKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .serial_number(x509.random_serial_number())
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .not_valid_before(start)
        .not_valid_after(end)
    )


def _key_usage(
    *,
    digital_signature: bool = False,
    content_commitment: bool = False,
    key_cert_sign: bool = False,
    crl_sign: bool = False,
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=content_commitment,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _p256(key: object) -> ec.EllipticCurvePublicKey:
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise EvidenceStoreError("key_unsupported", "certificates are for ECDSA P-256 keys")


def _start(now: datetime) -> datetime:
    if now.tzinfo is None:
        raise EvidenceStoreError("bad_time", "the time of issue needs a time zone")
    return now.astimezone(UTC).replace(microsecond=0)


def _years_after(start: datetime, years: int) -> datetime:
    """The same day some years on; 29 February becomes the 28th."""
    try:
        return start.replace(year=start.year + years)
    except ValueError:
        return (start - timedelta(days=1)).replace(year=start.year + years)
