"""The opened archive: what every use-case is handed by the composition root."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from app.clock import Clock
from app.config import ArchiveIdentity, Settings
from app.custody.service import Custody
from app.db import Database
from evidence_store.blobs.base import BlobStore


@dataclass(frozen=True, slots=True)
class SealKey:
    """What signs receipts and bundles.

    Attributes:
        certificate: the seal certificate.
        authority: the archive's own CA certificate.
        seal: makes a detached CAdES signature (DER) over bytes at a time.
    """

    certificate: x509.Certificate
    authority: x509.Certificate
    seal: Callable[[bytes, datetime], bytes]


@dataclass(frozen=True, slots=True)
class LogKey:
    """What signs checkpoints.

    Attributes:
        name: key name, equal to the log's origin.
        public_key: 32 raw bytes (Ed25519).
        sign: signs the note's text.
        cosign: makes the log's ML-DSA-44 line (C2SP tlog-cosignature) for a checkpoint's text, as of now; None in an
            archive that has no such key.
    """

    name: str
    public_key: bytes
    sign: Callable[[bytes], bytes]
    cosign: Callable[[str], str] | None = None


@dataclass(frozen=True, slots=True)
class Archive:
    """One opened archive.

    Attributes:
        seal_key: loads the seal key on first use (asks for the passphrase then).
        log_key: likewise the log key.
    """

    settings: Settings
    identity: ArchiveIdentity
    db: Database
    blobs: BlobStore
    custody: Custody
    clock: Clock
    seal_key: Callable[[], SealKey]
    log_key: Callable[[], LogKey]

    @property
    def about(self) -> str:
        """The archive as an object of custody events."""
        return f"archive:{self.identity.id}"
