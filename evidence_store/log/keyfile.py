"""Files of verifier keys: one per line, of logs and of co-signers (C2SP signed-note, tlog-cosignature).

The offline verifier imports this module: standard library and `cryptography` only.
"""

from __future__ import annotations

from dataclasses import dataclass

from evidence_store.errors import EvidenceStoreError
from evidence_store.log.cosignature import KEY_BYTES, CosignerKey, parse_cosigner_vkey
from evidence_store.log.note import VerifierKey, decode_base64, parse_vkey

MAX_KEYS = 100
"""Keys in one file: more would only serve to keep the reader busy."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """The keys of one file, each kind in the order of its lines.

    Attributes:
        log_keys: Ed25519 keys that sign checkpoints (type 0x01).
        cosigner_keys: keys of timed co-signatures (types 0x04 and 0x06).
    """

    log_keys: tuple[VerifierKey, ...]
    cosigner_keys: tuple[CosignerKey, ...]


def parse_key_file(data: bytes) -> KeyFile:
    """Read verifier keys; empty lines and lines that begin with "#" are skipped.

    Raises:
        EvidenceStoreError: `vkey_form` for any other line that is no key, for more than `MAX_KEYS` keys, and for bytes
            that are not UTF-8.
    """
    try:
        lines = [line.strip() for line in data.decode("utf-8").splitlines()]
    except UnicodeDecodeError as error:
        raise EvidenceStoreError("vkey_form", "not UTF-8 text") from error
    texts = [line for line in lines if line and not line.startswith("#")]
    if len(texts) > MAX_KEYS:
        raise EvidenceStoreError("vkey_form", f"{len(texts)} keys, the limit is {MAX_KEYS}")
    log_keys: list[VerifierKey] = []
    cosigner_keys: list[CosignerKey] = []
    for text in texts:
        key_bytes = decode_base64(text.split("+", 2)[-1])
        if key_bytes and key_bytes[0] in KEY_BYTES:
            cosigner_keys.append(parse_cosigner_vkey(text))
        else:
            log_keys.append(parse_vkey(text))
    return KeyFile(tuple(log_keys), tuple(cosigner_keys))
