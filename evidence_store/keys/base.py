"""What signs: one small protocol, so that a key may rest in a file, a token or a device."""

from __future__ import annotations

from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

PublicKey = Ed25519PublicKey | EllipticCurvePublicKey | MLDSA44PublicKey

ED25519 = "ed25519"
ECDSA_P256_SHA256 = "ecdsa-p256-sha256"
ML_DSA_44 = "ml-dsa-44"


class Signer(Protocol):
    """Something that can sign with a private key it does not show."""

    @property
    def algorithm(self) -> str:
        """`ed25519`, `ecdsa-p256-sha256` or `ml-dsa-44`."""
        ...

    @property
    def public_key(self) -> PublicKey:
        """The public half, as a `cryptography` key."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Sign a whole message (not its digest).

        Returns:
            64 bytes for Ed25519 (RFC 8032); a DER `ECDSA-Sig-Value` (RFC 3279, section 2.2.3) over
            SHA-256 of the message for ECDSA P-256; 2,420 bytes for ML-DSA-44 (FIPS 204, empty context).
        """
        ...
