"""Co-signers at rest: a private key in an encrypted file, and beside it the verifier key with the co-signer's name.

`STEM.key` is a key file (evidence_store.keys.file), `STEM.vkey` one line (C2SP signed-note, verifier keys). The key
is written first: a vkey without its key would invite others to wait for signatures that never come.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from evidence_store.durable import write_new
from evidence_store.errors import EvidenceStoreError
from evidence_store.keys.base import PublicKey
from evidence_store.keys.file import (
    generate_ed25519,
    generate_mldsa44,
    load_signer,
    save_private_key,
)
from evidence_store.log.cosignature import (
    ED25519_COSIGNER,
    CosignerKey,
    cosignature_line,
    cosigner_key,
    format_cosigner_vkey,
    parse_cosigner_vkey,
)


@dataclass(frozen=True, slots=True)
class Cosigner:
    """Something that can co-sign.

    Attributes:
        key: its public half, under its name.
        sign: signs a whole message with the private half.
    """

    key: CosignerKey
    sign: Callable[[bytes], bytes]

    def line(self, text: str, at: int) -> str:
        """The co-signature of a checkpoint's text.

        Args:
            text: final newline included.
            at: seconds since 1970 (UTC).

        Raises:
            EvidenceStoreError: as `cosignature_line`.
        """
        return cosignature_line(text, self.key.name, self.key.algorithm, self.key.public_key, self.sign, at)


def make_cosigner(folder: Path, stem: str, name: str, algorithm: int, passphrase: bytes) -> CosignerKey:
    """Make a new key under `stem` and save both halves.

    Args:
        folder: of both files; it is there.
        stem: of their names.
        name: of the co-signer; for a log its origin.
        algorithm: `ED25519_COSIGNER` or `MLDSA44_COSIGNER`.
        passphrase: that the private half is encrypted with.

    Raises:
        EvidenceStoreError: `vkey_form` for a bad name (nothing is written then), and as `save_private_key`.
    """
    private = generate_ed25519() if algorithm == ED25519_COSIGNER else generate_mldsa44()
    key = cosigner_key(name, algorithm, _raw(private.public_key()))
    save_private_key(folder / f"{stem}.key", private, passphrase)
    vkey = format_cosigner_vkey(key.name, key.algorithm, key.public_key)
    write_new(folder / f"{stem}.vkey", vkey.encode() + b"\n", 0o644)
    return key


def read_cosigner_key(folder: Path, stem: str) -> CosignerKey:
    """The public half.

    Raises:
        EvidenceStoreError: `key_missing`, `key_unreadable`, `vkey_form`.
    """
    path = folder / f"{stem}.vkey"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise EvidenceStoreError("key_missing", f"there is no {path}") from None
    except (OSError, UnicodeDecodeError):
        raise EvidenceStoreError("key_unreadable", f"{path} cannot be read as text") from None
    return parse_cosigner_vkey(text.removesuffix("\n"))


def load_cosigner(folder: Path, stem: str, passphrase: bytes) -> Cosigner:
    """Both halves.

    Raises:
        EvidenceStoreError: as `read_cosigner_key` and `load_private_key`, `key_unsupported`, and `key_mismatch` when
            the two files do not belong together.
    """
    key = read_cosigner_key(folder, stem)
    signer = load_signer(folder / f"{stem}.key", passphrase)
    if _raw(signer.public_key) != key.public_key:
        raise EvidenceStoreError("key_mismatch", f"{stem}.key and {stem}.vkey are not of one key")
    return Cosigner(key, signer.sign)


def _raw(key: PublicKey) -> bytes:
    try:
        return key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    except ValueError:  # elliptic curve keys have no raw form
        raise EvidenceStoreError("key_unsupported", "co-signers have Ed25519 or ML-DSA-44 keys") from None
