"""Co-signatures over checkpoints: timed statements of a witness, or of the log itself with a second algorithm.

Rules (C2SP tlog-cosignature, C2SP signed-note):

1. A co-signature is a note signature line whose signature is u64 time || signature, the time in seconds
   since 1970 (UTC), big-endian, below 2**63.
2. 0x04, Ed25519: signed are the lines "cosignature/v1" and "time T", then the whole note text. The message
   does not hold the co-signer's name, so that one key must never serve under two names.
3. 0x06, ML-DSA-44 (FIPS 204, pure, empty context): signed is { "subtree/v1", newline, NUL; co-signer's name;
   u64 time; log's origin; u64 start; u64 end; 32-byte root }, integers big-endian, both names with one
   byte of length before them; for a checkpoint start is 0 and end its size. Extension lines of the
   checkpoint are not in the message: nothing is stated about them.
4. The key ID is SHA-256(name || 0x0A || algorithm || public key)[:4]; lines of unknown keys are ignored, and
   one bad line of a known key spoils the note.

Time zero with 0x06 says that the tree is consistent with all that was seen, but not that it is the newest.

The offline verifier imports this module: standard library and `cryptography` only.
"""

from __future__ import annotations

import base64
import hashlib
import re
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from evidence_store.errors import EvidenceStoreError
from evidence_store.log.note import (
    SIGNATURE_PREFIX,
    check_name,
    decode_base64,
    parse_checkpoint,
    parse_signature_line,
    split_note,
)

ED25519_COSIGNER: Final = 0x04
MLDSA44_COSIGNER: Final = 0x06
MAX_TIME: Final = 2**63 - 1

KEY_BYTES: Final = {ED25519_COSIGNER: 32, MLDSA44_COSIGNER: 1312}
"""Length of a raw public key, by algorithm."""

_SIGNATURE_BYTES: Final = {ED25519_COSIGNER: 64, MLDSA44_COSIGNER: 2420}
_LABEL: Final = b"subtree/v1\n\x00"
_MAX_OPAQUE: Final = 255
_KEY_ID_BYTES: Final = 4
_TIME_BYTES: Final = 8
_VKEY_PARTS: Final = 3


@dataclass(frozen=True, slots=True)
class CosignerKey:
    """A co-signer's public key under its name; construction refuses a key ID that does not belong to it.

    Attributes:
        name: of the co-signer; the log's origin when the log signs itself.
        key_id: unsigned 32-bit number (rule 4).
        algorithm: `ED25519_COSIGNER` or `MLDSA44_COSIGNER`.
        public_key: 32 bytes (RFC 8032) or 1,312 bytes (FIPS 204).
    """

    name: str
    key_id: int
    algorithm: int
    public_key: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.algorithm not in KEY_BYTES:
            _key_fails("the algorithm is neither Ed25519 (0x04) nor ML-DSA-44 (0x06)")
        if len(self.public_key) != KEY_BYTES[self.algorithm]:
            _key_fails("the public key has not the length of its algorithm")
        if self.algorithm == MLDSA44_COSIGNER and len(self.name.encode()) > _MAX_OPAQUE:
            _key_fails("the name of an ML-DSA-44 co-signer has at most 255 bytes")
        if self.key_id != cosigner_key_id(self.name, self.algorithm, self.public_key):
            _key_fails("the key ID does not belong to the name and the public key")


@dataclass(frozen=True, slots=True)
class Cosignature:
    """One verified co-signature.

    Attributes:
        key: the key that made it.
        time: claimed by the co-signer, seconds since 1970 (UTC), 0 to 2**63 - 1.
        line: the note line, with its newline.
    """

    key: CosignerKey
    time: int
    line: str


def cosigner_key_id(name: str, algorithm: int, public_key: bytes) -> int:
    """The key ID of a co-signer's key (rule 4)."""
    preimage = name.encode() + b"\n" + bytes([algorithm]) + public_key
    return int.from_bytes(hashlib.sha256(preimage).digest()[:_KEY_ID_BYTES], "big")


def cosigner_key(name: str, algorithm: int, public_key: bytes) -> CosignerKey:
    """A key under a name, its ID worked out.

    Raises:
        EvidenceStoreError: `vkey_form`.
    """
    check_name(name)
    if algorithm not in KEY_BYTES:
        _key_fails("the algorithm is neither Ed25519 (0x04) nor ML-DSA-44 (0x06)")
    return CosignerKey(name, cosigner_key_id(name, algorithm, public_key), algorithm, public_key)


def format_cosigner_vkey(name: str, algorithm: int, public_key: bytes) -> str:
    """Write a verifier key: "name+hexkeyid+base64(algorithm || public key)".

    Raises:
        EvidenceStoreError: `vkey_form` for a bad name, algorithm or key length.
    """
    key = cosigner_key(name, algorithm, public_key)
    return f"{name}+{key.key_id:08x}+{base64.b64encode(bytes([algorithm]) + public_key).decode()}"


def parse_cosigner_vkey(text: str) -> CosignerKey:
    """Read a co-signer's verifier key.

    Raises:
        EvidenceStoreError: `vkey_form` for malformed text, another algorithm or a wrong key ID.
    """
    parts = text.split("+", 2)  # a name holds no plus sign, base64 may
    if len(parts) != _VKEY_PARTS or not re.fullmatch(r"[0-9a-f]{8}", parts[1], re.ASCII):
        _key_fails("a verifier key is name+hexkeyid+base64")
    encoded = decode_base64(parts[2])
    if not encoded:
        _key_fails("the key is not base64")
    return CosignerKey(parts[0], int(parts[1], 16), encoded[0], encoded[1:])


def cosignature_line(
    text: str, name: str, algorithm: int, public_key: bytes, sign: Callable[[bytes], bytes], at: int
) -> str:
    """Co-sign the text of a checkpoint.

    Args:
        text: note text of the checkpoint, final newline included.
        name: of the co-signer.
        algorithm: `ED25519_COSIGNER` or `MLDSA44_COSIGNER`.
        public_key: raw, the key that `sign` uses.
        sign: makes the signature over a whole message; ML-DSA-44 with an empty context.
        at: seconds since 1970 (UTC).

    Returns:
        The note line, newline included.

    Raises:
        EvidenceStoreError: `checkpoint_form`, `vkey_form`, `cosignature_form` for a time out of range or an
            origin too long for 0x06, `signer_faulty` when the signature does not verify under `public_key`.
    """
    key = cosigner_key(name, algorithm, public_key)
    message = _message(key, text, at)
    signature = sign(message)
    if not _verifies(key, signature, message):
        raise EvidenceStoreError("signer_faulty", "the signer made a signature that its public key refuses")
    body = key.key_id.to_bytes(_KEY_ID_BYTES, "big") + at.to_bytes(_TIME_BYTES, "big") + signature
    return f"{SIGNATURE_PREFIX}{name} {base64.b64encode(body).decode()}\n"


def verify_cosignatures(note: bytes, keys: Iterable[CosignerKey]) -> list[Cosignature]:
    """The co-signatures of known keys on a checkpoint, in the order of their lines.

    It says nothing of the log's own Ed25519 line: that is `open_checkpoint`'s business.

    Args:
        note: the whole note.
        keys: trusted co-signers; the lines of all others are ignored (rule 4).

    Raises:
        EvidenceStoreError: `note_form`, `checkpoint_form`, `vkey_ambiguous` when two different keys share name
            and ID, `cosignature_invalid` when a line of a known key does not verify.
    """
    known = _by_name(keys)
    text, signatures = split_note(note)
    parse_checkpoint(text)
    found = []
    for name, key_id, body in signatures:
        key = known.get((name, key_id))
        if key is not None:
            line = base64.b64encode(key_id.to_bytes(_KEY_ID_BYTES, "big") + body).decode()
            found.append(Cosignature(key, _verified_time(key, text, body), f"{SIGNATURE_PREFIX}{name} {line}\n"))
    return found


def add_lines(note: bytes, lines: Iterable[str]) -> bytes:
    """A note with more signature lines; a line that it already has is not repeated.

    Raises:
        EvidenceStoreError: `note_form` when the note or a line is malformed, or the result too large.
    """
    split_note(note)
    whole = note
    present = set(note.decode().split("\n"))
    for line in lines:
        if not line.endswith("\n"):
            raise EvidenceStoreError("note_form", "a signature line ends in a newline")
        parse_signature_line(line[:-1])
        if line[:-1] not in present:
            present.add(line[:-1])
            whole += _encoded(line)
    split_note(whole)
    return whole


def _encoded(line: str) -> bytes:
    try:
        return line.encode()
    except UnicodeEncodeError:
        raise EvidenceStoreError("note_form", "a signature line is not valid Unicode") from None


def _message(key: CosignerKey, text: str, at: int) -> bytes:
    """What is signed (rules 2 and 3)."""
    checkpoint = parse_checkpoint(text)
    if not 0 <= at <= MAX_TIME:
        raise EvidenceStoreError("cosignature_form", "the time of a co-signature is from 0 to 2**63 - 1")
    if key.algorithm == ED25519_COSIGNER:
        return f"cosignature/v1\ntime {at}\n{text}".encode()
    name, origin = key.name.encode(), checkpoint.origin.encode()
    if len(origin) > _MAX_OPAQUE:
        raise EvidenceStoreError("cosignature_form", "the origin of a log that ML-DSA-44 signs has at most 255 bytes")
    return b"".join(
        (
            _LABEL,
            bytes([len(name)]),
            name,
            struct.pack(">Q", at),
            bytes([len(origin)]),
            origin,
            struct.pack(">QQ", 0, checkpoint.size),
            checkpoint.root,
        )
    )


def _verified_time(key: CosignerKey, text: str, body: bytes) -> int:
    at = int.from_bytes(body[:_TIME_BYTES], "big")
    try:
        message = _message(key, text, at)
    except EvidenceStoreError as error:
        raise EvidenceStoreError("cosignature_invalid", f"co-signature of {key.name}: {error.detail}") from None
    if len(body) <= _TIME_BYTES or not _verifies(key, body[_TIME_BYTES:], message):
        raise EvidenceStoreError("cosignature_invalid", f"the co-signature of {key.name} does not verify")
    return at


def _verifies(key: CosignerKey, signature: bytes, message: bytes) -> bool:
    if len(signature) != _SIGNATURE_BYTES[key.algorithm]:
        return False
    try:
        if key.algorithm == ED25519_COSIGNER:
            Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, message)
        else:
            MLDSA44PublicKey.from_public_bytes(key.public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _by_name(keys: Iterable[CosignerKey]) -> dict[tuple[str, int], CosignerKey]:
    known: dict[tuple[str, int], CosignerKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.key_id), key) != key:
            raise EvidenceStoreError("vkey_ambiguous", f"two trusted keys of {key.name} share one key ID")
    return known


def _key_fails(why: str) -> NoReturn:
    raise EvidenceStoreError("vkey_form", why)
