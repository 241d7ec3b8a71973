"""A small archive identity for tests: authority, seal certificate and a seal made with them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from evidence_store.keys.authority import create_ca, issue_seal_certificate
from evidence_store.keys.file import FileSigner, generate_p256
from evidence_store.seal import build_seal

ARCHIVE = "0d8f1c3e-5a77-4b0e-9c62-6a1b2c3d4e5f"
ORG = "Example Documentation Centre"
ISSUED = datetime(2026, 1, 5, 8, 0, 0, tzinfo=UTC)
SIGNED = datetime(2026, 11, 22, 10, 31, 0, 123456, tzinfo=UTC)
DATA = b'{"item":"4f9c","sha256":"00"}'


ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256


def other_s(signature: bytes) -> bytes:
    """The second signature that ECDSA accepts for the same bytes."""
    r, s = decode_dss_signature(signature)
    return encode_dss_signature(r, ORDER - s)


def low_s(signature: bytes) -> bytes:
    """The one of the two that a seal may have."""
    _, s = decode_dss_signature(signature)
    return other_s(signature) if s > ORDER // 2 else signature


@dataclass(frozen=True)
class Identity:
    """An authority with its key, and the seal certificate with its key."""

    ca_key: ec.EllipticCurvePrivateKey
    ca: x509.Certificate
    seal_key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def sign(self, message: bytes) -> bytes:
        """Sign with the seal key, in the form that a seal has."""
        return low_s(FileSigner(self.seal_key).sign(message))

    def seal(self, data: bytes = DATA, at: datetime = SIGNED) -> bytes:
        """Seal some bytes, carrying the authority's certificate along."""
        return build_seal(data, self.certificate, self.sign, at, authority=self.ca)


def new_identity(org: str = ORG) -> Identity:
    """A fresh archive identity."""
    ca_key, seal_key = generate_p256(), generate_p256()
    ca = create_ca(ca_key, org, ARCHIVE, ISSUED)
    certificate = issue_seal_certificate(ca, ca_key, seal_key.public_key(), org, ARCHIVE, ISSUED)
    return Identity(ca_key, ca, seal_key, certificate)


@cache
def identity() -> Identity:
    """One identity for a whole test process."""
    return new_identity()
