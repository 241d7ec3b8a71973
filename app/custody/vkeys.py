"""The log's verifier keys as they lie in the key folder: public, read without a passphrase."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from evidence_store.errors import EvidenceStoreError
from evidence_store.log import note
from evidence_store.log.cosignature import CosignerKey, parse_cosigner_vkey

MAIN = "log.vkey"
RETIRED = "retired"
"""Folder, in the key folder, of the public halves of former keys."""

DISOWNED = "compromised-"
"""What the name of a compromised key's file begins with there."""

MLDSA_STEM = "log-mldsa"
"""Name, without its suffix, of the files of the log's ML-DSA-44 key."""


def current_lines(keys: Path) -> list[str]:
    """The verifier keys in use, by the names that they have then.

    Args:
        keys: the key folder; what cannot be read there is left out.
    """
    return _lines_of((keys / MAIN, keys / f"{MLDSA_STEM}.vkey"))


def verifier_lines(keys: Path) -> list[str]:
    """Every verifier key of the log as the folder has it: the Ed25519 one, those of other algorithms, former ones.

    Whoever writes there decides what this gives. What others are told to rely on is app.keyring.published's business.

    Args:
        keys: the key folder; what cannot be read there is left out.
    """
    current = sorted(keys.glob("log*.vkey"), key=lambda path: (path.name != MAIN, path.name))
    return _lines_of((*current, *sorted(keys.glob(f"{RETIRED}/log*.vkey"))))


def _lines_of(paths: Iterable[Path]) -> list[str]:
    lines: list[str] = []
    for path in paths:
        with suppress(OSError, UnicodeDecodeError):
            lines += [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return lines


def log_keys(keys: Path) -> list[note.VerifierKey]:
    """The Ed25519 keys of the log, which every checkpoint is signed with; former and compromised ones too."""
    found: list[note.VerifierKey] = []
    for line in (*verifier_lines(keys), *_lines_of(keys.glob(f"{RETIRED}/{DISOWNED}log*.vkey"))):
        with suppress(EvidenceStoreError):
            found.append(note.parse_vkey(line))
    return found


def cosigner_keys(keys: Path) -> list[CosignerKey]:
    """The keys of other algorithms among them; none in an archive that was made without."""
    found: list[CosignerKey] = []
    for line in verifier_lines(keys):
        with suppress(EvidenceStoreError):
            found.append(parse_cosigner_vkey(line))
    return found
