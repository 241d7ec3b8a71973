"""A seal taken apart: what was signed first, and the time stamps that were added later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from evidence_store.digests import Digests, digest_stream
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
    return OpenedSeal(info, info.authority, seal_tokens(der), seal_imprint(bare))


def bare_digests(der: bytes) -> Digests:
    """The digests of a seal as it was first made, which are what an event names.

    Raises:
        EvidenceStoreError: when it cannot be read as a seal.
    """
    return digest_stream([without_tokens(der)])
