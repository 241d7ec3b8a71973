"""Identity and keys: the archive is the one that its log was begun for, and can sign as it."""

from __future__ import annotations

import stat
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from app.audit.log_checks import Replay
from app.config import ArchiveIdentity
from evidence_store.digests import digest_stream
from evidence_store.verify.report import Report

PRIVATE_KEYS = ("ca.key", "seal.key", "log.key")
OFFLINE_KEYS = frozenset({"ca.key"})  # best kept elsewhere: the archive works without it
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def check_identity(replay: Replay, identity: ArchiveIdentity, keys: Path, report: Report) -> None:
    """The identity file and the public keys on disk are those that the archive's first event names."""
    founding = replay.founding
    if founding is None:
        report.finding("archive_event_missing", f"archive {identity.id}", "the log has no archive creation event")
        return
    begun = founding.details.get("created_at", identity.created_at)
    said = (founding.object, founding.details.get("org"), founding.log, begun)
    if said != (f"archive:{identity.id}", identity.org, identity.log, identity.created_at):
        report.finding("identity_altered", "archive.json", "it is not the archive that the log was begun for")
    on_disk = {
        "ca_sha256": _certificate_digest(keys / "ca.crt"),
        "seal_sha256": _certificate_digest(keys / "seal.crt"),
        "log_vkey": _text(keys / "log.vkey"),
    }
    for name, value in on_disk.items():
        report.count("keys")
        if founding.details.get(name) != value:
            report.finding("key_altered", name, "the key on disk is not the one that the log was begun with")


def check_private_keys(keys: Path, report: Report) -> None:
    """Each private key is a file that its owner alone can read; whether it opens needs the passphrase."""
    for name in PRIVATE_KEYS:
        report.count("keys")
        try:
            mode = (keys / name).stat().st_mode
        except OSError as error:
            if name in OFFLINE_KEYS and isinstance(error, FileNotFoundError):
                continue
            report.finding("key_unusable", name, f"it cannot be found: {error.strerror}")
            continue
        if not stat.S_ISREG(mode):
            report.finding("key_unusable", name, "it is not a file")
        elif mode & _OTHERS:
            report.finding("key_unusable", name, f"others than its owner may use it: mode {stat.S_IMODE(mode):04o}")


def _certificate_digest(path: Path) -> str | None:
    try:
        return digest_stream([x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)]).sha256
    except (OSError, ValueError):
        return None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None
