"""What signs: one small protocol, so that a key may rest in a file, a token or a device."""

from __future__ import annotations

from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PublicKey = Ed25519PublicKey | EllipticCurvePublicKey

ED25519 = "ed25519"
ECDSA_P256_SHA256 = "ecdsa-p256-sha256"


class Signer(Protocol):
    """Something that can sign with a private key it does not show."""

    @property
    def algorithm(self) -> str:
        """`ed25519` or `ecdsa-p256-sha256`."""
        ...

    @property
    def public_key(self) -> PublicKey:
        """The public half, as a `cryptography` key."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Sign a whole message (not its digest).

        Returns:
            64 bytes for Ed25519 (RFC 8032); a DER `ECDSA-Sig-Value` (RFC 3279, section 2.2.3) over
            SHA-256 of the message for ECDSA P-256.
        """
        ...
