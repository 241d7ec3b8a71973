"""A seal taken apart: what was signed first, and the time stamps that were added later."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from evidence_store.seal import SealInfo, seal_imprint, seal_tokens, verify_seal, without_tokens


@dataclass(frozen=True)
class OpenedSeal:
    """A seal that verified; its time stamps have not been looked at.

    Attributes:
        info: who sealed, and the time they claim.
        authority: the CA certificate that the seal was verified under.
        tokens: DER of each time-stamp token.
        imprint: what they should be over.
    """

    info: SealInfo
    authority: x509.Certificate
    tokens: Sequence[bytes]
    imprint: bytes

    @property
    def claimed(self) -> datetime:
        """When it says that it was made."""
        return self.info.signing_time


def open_seal(der: bytes, data: bytes, roots: Sequence[x509.Certificate]) -> OpenedSeal:
    """Verify a seal over some bytes, apart from its time stamps: a bad one spoils itself, not the seal.

    Raises:
        EvidenceStoreError: as `verify_seal`.
    """
    bare = without_tokens(der)
    info = verify_seal(bare, data, roots)
    authority = next(root for root in roots if _issued(root, info.certificate))
    return OpenedSeal(info, authority, seal_tokens(der), seal_imprint(bare))


def bare_digest(der: bytes) -> str:
    """SHA-256 (hex) of a seal as it was first made, which is what an event names.

    Raises:
        EvidenceStoreError: when it cannot be read as a seal.
    """
    return hashlib.sha256(without_tokens(der)).hexdigest()


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
