"""A small archive identity for tests: authority, seal certificate and a seal made with them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from evidence_store.keys.authority import create_ca, issue_seal_certificate
from evidence_store.keys.file import FileSigner, generate_p256
from evidence_store.seal import build_seal

ARCHIVE = "0d8f1c3e-5a77-4b0e-9c62-6a1b2c3d4e5f"
ORG = "Example Documentation Centre"
ISSUED = datetime(2026, 1, 5, 8, 0, 0, tzinfo=UTC)
SIGNED = datetime(2026, 11, 22, 10, 31, 0, 123456, tzinfo=UTC)
DATA = b'{"item":"4f9c","sha256":"00"}'


@dataclass(frozen=True)
class Identity:
    """An authority with its key, and the seal certificate with its key."""

    ca_key: ec.EllipticCurvePrivateKey
    ca: x509.Certificate
    seal_key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def sign(self, message: bytes) -> bytes:
        """Sign with the seal key."""
        return FileSigner(self.seal_key).sign(message)

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
