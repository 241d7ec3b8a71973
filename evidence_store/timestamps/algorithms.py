"""The algorithms a time-stamp token may use, by their object identifiers (RFC 5754, 4055, 5758, 8419).

Digests SHA-256, SHA-384 and SHA-512; signatures RSA PKCS #1 v1.5, RSA-PSS, ECDSA and Ed25519. SHA-1 is refused
everywhere but in the older signing certificate attribute, where it names a certificate and protects nothing by itself.
"""

from __future__ import annotations

import hashlib
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from evidence_store import asn1
from evidence_store.errors import EvidenceStoreError

DIGESTS: Final = {
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
SIZES: Final = {"sha256": 32, "sha384": 48, "sha512": 64}

_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_RSA: Final = "1.2.840.113549.1.1.1"  # rsaEncryption: the digest is the signer's
_RSA_WITH: Final = {
    "1.2.840.113549.1.1.11": "sha256",
    "1.2.840.113549.1.1.12": "sha384",
    "1.2.840.113549.1.1.13": "sha512",
}
_RSA_PSS: Final = "1.2.840.113549.1.1.10"
_MGF1: Final = "1.2.840.113549.1.1.8"
_ECDSA_WITH: Final = {
    "1.2.840.10045.4.3.2": "sha256",
    "1.2.840.10045.4.3.3": "sha384",
    "1.2.840.10045.4.3.4": "sha512",
}
_ED25519: Final = "1.3.101.112"
_NULL: Final = asn1.encode(asn1.NULL)


def digest_identifier(algorithm: str) -> bytes:
    """AlgorithmIdentifier of a digest, parameters absent (RFC 5754, section 2).

    Raises:
        EvidenceStoreError: `timestamp_algorithm_unsupported`.
    """
    for dotted, name in DIGESTS.items():
        if name == algorithm:
            return asn1.encode(asn1.SEQUENCE, asn1.oid(dotted))
    raise _unsupported(f"the digest algorithm {algorithm[:20]!r}")


def read_digest(element: bytes) -> str:
    """Name of the digest that an AlgorithmIdentifier names; parameters are NULL or absent.

    Raises:
        EvidenceStoreError: `timestamp_algorithm_unsupported`, or an `Asn1Error`.
    """
    dotted, parameters = read_identifier(element)
    if dotted not in DIGESTS or parameters not in {b"", _NULL}:
        raise _unsupported(f"the digest algorithm {dotted}")
    return DIGESTS[dotted]


def read_identifier(element: bytes) -> tuple[str, bytes]:
    """Object identifier and parameters (a whole element, or nothing) of an AlgorithmIdentifier.

    Raises:
        Asn1Error: it is not one.
    """
    outer = asn1.Reader(element)
    reader = outer.enter(asn1.SEQUENCE)
    outer.end()
    dotted = asn1.dotted(reader.take_element(asn1.OBJECT_IDENTIFIER))
    parameters = reader.take_element(reader.tag()) if reader.tag() else b""
    reader.end()
    return dotted, parameters


def digest_of(data: bytes, algorithm: str) -> bytes:
    """The digest of some bytes; `algorithm` is one of `SIZES`."""
    return hashlib.new(algorithm, data).digest()


def verify_signature(
    key: CertificatePublicKeyTypes, identifier: bytes, digest: str, signature: bytes, signed: bytes
) -> None:
    """Verify the signature of a CMS SignerInfo.

    Args:
        key: the signer's public key.
        identifier: its signatureAlgorithm, a whole AlgorithmIdentifier.
        digest: name of its digestAlgorithm; one that the signature algorithm names must be the same.
        signature: the signature value.
        signed: the signed bytes.

    Raises:
        EvidenceStoreError: `timestamp_algorithm_unsupported`, `timestamp_signature_invalid`, or an `Asn1Error`.
    """
    dotted, parameters = read_identifier(identifier)
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, _rsa_padding(dotted, parameters, digest), _HASHES[digest])
        elif isinstance(key, ec.EllipticCurvePublicKey) and _ECDSA_WITH.get(dotted) == digest and not parameters:
            key.verify(signature, signed, ec.ECDSA(_HASHES[digest]))
        elif isinstance(key, ed25519.Ed25519PublicKey) and dotted == _ED25519 and not parameters:
            key.verify(signature, signed)
        else:
            raise _unsupported(f"a signature by {dotted} with {digest} and this kind of key")
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        raise EvidenceStoreError(
            "timestamp_signature_invalid", "the token's signature does not fit its certificate's key"
        ) from None


def _rsa_padding(dotted: str, parameters: bytes, digest: str) -> padding.PKCS1v15 | padding.PSS:
    if parameters in {b"", _NULL} and (dotted == _RSA or _RSA_WITH.get(dotted) == digest):
        return padding.PKCS1v15()
    if dotted == _RSA_PSS:
        return padding.PSS(padding.MGF1(_HASHES[digest]), _salt_length(parameters, digest))
    raise _unsupported(f"a signature by {dotted} with {digest} and an RSA key")


def _salt_length(parameters: bytes, digest: str) -> int:
    """Salt length of RSASSA-PSS-params (RFC 4055, section 3.1) whose two digests are the signer's."""
    reader = asn1.Reader(parameters).enter(asn1.SEQUENCE)
    hashed = reader.enter(asn1.context(0))
    mask = reader.enter(asn1.context(1))
    salt = reader.enter(asn1.context(2)).take_integer()
    reader.end()
    mask_dotted, mask_digest = read_identifier(mask.take_element(asn1.SEQUENCE))
    same = read_digest(hashed.take_element(asn1.SEQUENCE)) == digest == read_digest(mask_digest)
    if not same or mask_dotted != _MGF1 or not 0 <= salt <= SIZES["sha512"]:
        raise _unsupported("RSA-PSS with these parameters")
    return salt


def _unsupported(what: str) -> EvidenceStoreError:
    return EvidenceStoreError("timestamp_algorithm_unsupported", f"{what} is not supported")
