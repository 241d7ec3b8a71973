"""The seal: a detached CAdES signature over exactly the bytes given (RFC 5652; ETSI EN 319 122-1, level B-B or B-T).

A valid seal proves that the holder of the archive's seal key signed these bytes, that the bytes have not
changed since, and that an authority the caller trusts had certified the key as the archive's.

It does not prove *when*: the signing time is the archive's own claim until a time stamp confirms it, so
certificate validity is judged at a claimed time. Nor does it prove that what is sealed is true.

A seal is made at level B-B. Time-stamp tokens over its signature value can be added, and taken off again: with them it
is of level B-T. They are not signed, so a reader must expect that some were taken off. Whether a token in a seal can be
trusted is for `evidence_store.timestamps.token.verify_token` to say; here it only has to be one, and over this seal.

Every seal has one form: SignedData version 1; SHA-256 and ECDSA P-256; the signer's certificate and, optionally,
its authority's; one SignerInfo with exactly the signed attributes contentType, signingTime, messageDigest and
signingCertificateV2 (RFC 5035); no unsigned attributes, or one signature time stamp for each token. A seal in any
other encoding is refused. ECDSA accepts two signatures for one, (r, s)
and (r, n - s), n being the order of P-256: a seal has the lower s, the other is refused. So nobody without the key can
turn one seal into another that also verifies; the holder of the key can make any number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from evidence_store import cades
from evidence_store.certificates import parse_certificate, require_sealing, require_trusted, require_valid_at
from evidence_store.errors import EvidenceStoreError
from evidence_store.timestamps.token import parse_token

# n of P-256 (NIST SP 800-186, section 3.2.1.3)
_ORDER: Final = 0xFFFFFFFF_00000000_FFFFFFFF_FFFFFFFF_BCE6FAAD_A7179E84_F3B9CAC2_FC632551


@dataclass(frozen=True, slots=True)
class SealInfo:
    """What a verified seal says.

    Attributes:
        signing_time: UTC, whole seconds; the archive's claim, not a proven time.
        certificate: the seal certificate.
        signer: its subject as an RFC 4514 string.
        authority: the certificate of the caller's that it was verified under.
        tokens: time-stamp tokens over the seal's signature, none of them verified yet; empty at level B-B.
    """

    signing_time: datetime
    certificate: x509.Certificate
    signer: str
    authority: x509.Certificate
    tokens: tuple[bytes, ...] = ()


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
        sign: ECDSA over SHA-256 of its argument, as a DER `ECDSA-Sig-Value`; its s is replaced by n - s when that is
            lower.
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
    attributes = cades.SignedAttributes(
        message_digest=hashlib.sha256(data).digest(),
        signing_time=moment,
        certificate_digest=hashlib.sha256(der).digest(),
        issuer_serial=cades.issuer_and_serial(certificate),
    )
    signature = _with_low_s(sign(attributes.encode()))
    _verify_signature(certificate, signature, attributes.encode())
    chain = {der} if authority is None else {der, authority.public_bytes(Encoding.DER)}
    return cades.Seal(tuple(chain), attributes.issuer_serial, attributes, signature).encode()


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
            certificate is absent or not the one the signature names), `seal_signature_invalid` (also for the
            higher of the two possible s),
            `certificate_malformed`, `seal_untrusted`, `seal_certificate_unsuitable`,
            `seal_certificate_expired`, `seal_certificate_not_yet_valid`; for a token in it that cannot be read or is
            over something else `timestamp_malformed`, `timestamp_algorithm_unsupported`, `timestamp_imprint_mismatch`.
    """
    seal = cades.parse(der)
    attributes = seal.attributes
    if attributes.message_digest != hashlib.sha256(data).digest():
        raise EvidenceStoreError("seal_digest_mismatch", "the sealed bytes were others")
    certificate = _signer_certificate(seal)
    _verify_signature(certificate, seal.signature, attributes.encode())
    trusted = list(dict.fromkeys(root.public_bytes(Encoding.DER) for root in roots))
    companions = set(seal.certificates) - {certificate.public_bytes(Encoding.DER)}
    # Nothing signs a companion certificate, so it may only repeat what the caller has already.
    if not companions <= set(trusted):
        raise EvidenceStoreError("seal_untrusted", "the seal carries a certificate that is not a trusted authority's")
    trusted.sort(key=lambda each: each not in companions)  # of several of one name and key, the one in the seal first
    authority = require_trusted(certificate, [parse_certificate(each) for each in trusted], attributes.signing_time)
    _require_tokens_over(seal.signature, seal.tokens)
    signer = certificate.subject.rfc4514_string()
    return SealInfo(attributes.signing_time, certificate, signer, authority, seal.tokens)


def seal_imprint(der: bytes) -> bytes:
    """SHA-256 of a seal's signature value: what its time stamps are over (EN 319 122-1, section 5.3).

    Raises:
        EvidenceStoreError: as `cades.parse`.
    """
    return hashlib.sha256(cades.parse(der).signature).digest()


def seal_tokens(der: bytes) -> tuple[bytes, ...]:
    """The time-stamp tokens in a seal, none of them verified; empty at level B-B.

    Raises:
        EvidenceStoreError: as `cades.parse`.
    """
    return cades.parse(der).tokens


def add_tokens(der: bytes, tokens: Iterable[bytes]) -> bytes:
    """The same seal with further time-stamp tokens: level B-T.

    Args:
        der: the seal, which may hold tokens already.
        tokens: DER of each; one that is there already is not added again.

    Raises:
        EvidenceStoreError: as `cades.parse`; `timestamp_malformed`, `timestamp_algorithm_unsupported` or
            `timestamp_imprint_mismatch` for a token that is none, or not over this seal.
    """
    seal = cades.parse(der)
    every = tuple(dict.fromkeys((*seal.tokens, *tokens)))
    _require_tokens_over(seal.signature, every)
    extended = replace(seal, tokens=every).encode()
    cades.parse(extended)  # too many or too large
    return extended


def without_tokens(der: bytes) -> bytes:
    """The same seal at level B-B, the bytes that were first made and whose digest the log holds.

    Raises:
        EvidenceStoreError: as `cades.parse`.
    """
    seal = cades.parse(der)
    return replace(seal, tokens=()).encode() if seal.tokens else der  # a seal has one encoding only


def _require_tokens_over(signature: bytes, tokens: Iterable[bytes]) -> None:
    wanted = "sha256", hashlib.sha256(signature).digest()
    for der in tokens:
        token = parse_token(der)
        if (token.imprint_algorithm, token.imprint) != wanted:
            raise EvidenceStoreError("timestamp_imprint_mismatch", "a time stamp in the seal is over something else")


def _signer_certificate(seal: cades.Seal) -> x509.Certificate:
    """The one embedded certificate that both the signed attribute and the signer identifier name."""
    for der in seal.certificates:
        if hashlib.sha256(der).digest() == seal.attributes.certificate_digest:
            certificate = parse_certificate(der)
            if cades.issuer_and_serial(certificate) == seal.issuer_serial == seal.attributes.issuer_serial:
                return certificate
    raise EvidenceStoreError("seal_certificate_mismatch", "the certificate that the signature names is not in the seal")


def _with_low_s(signature: bytes) -> bytes:
    """The same signature with the lower of s and n - s, in DER."""
    try:
        r, s = decode_dss_signature(signature)
        return encode_dss_signature(r, min(s, _ORDER - s))
    except (ValueError, OverflowError) as error:
        raise EvidenceStoreError("seal_signature_invalid", "the signature is not an ECDSA-Sig-Value in DER") from error


def _verify_signature(certificate: x509.Certificate, signature: bytes, signed: bytes) -> None:
    key = certificate.public_key()
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
            # keys on other curves are refused as unsuitable, whatever their s
            if not isinstance(key.curve, ec.SECP256R1) or _with_low_s(signature) == signature:
                return
    except InvalidSignature:
        pass
    raise EvidenceStoreError("seal_signature_invalid", "the signature does not fit the certificate's key")
