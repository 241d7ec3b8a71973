"""C2SP signed notes and transparency-log checkpoints, with Ed25519 signatures.

Rules (C2SP signed-note, C2SP tlog-checkpoint):

1. A note is text ending in a newline, an empty line, then signature lines
   "<em dash> <key name> <base64(key ID || signature)>". The last empty line separates the two.
2. It is valid UTF-8, without control characters below U+0020 other than newline.
3. The key ID is SHA-256(name || 0x0A || 0x01 || public key)[:4]; name and ID together name a key.
4. Signatures of unknown keys are ignored. When one signature of a known key fails, the whole note
   is refused; without any signature of a known key it is refused too.
5. A checkpoint is origin, tree size, base64 root, each on a line, then optional extension lines.

The offline verifier imports this module: standard library and `cryptography` only.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from evidence_store.errors import EvidenceStoreError
from evidence_store.log.merkle import HASH_BYTES

MAX_NOTE_BYTES = 1_000_000
MAX_SIGNATURES = 100
"""The specification asks for at least 16."""

SIGNATURE_PREFIX = "\N{EM DASH} "

_ED25519 = b"\x01"
_KEY_BYTES = 32
_KEY_ID_BYTES = 4
_SIGNATURE_BYTES = 64
_VKEY_PARTS = 3
_CHECKPOINT_LINES = 3
_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f]")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_MAX_SIZE = 2**63 - 1


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key under its name; construction refuses a key ID that does not belong to it.

    Attributes:
        name: key name, for a log its origin.
        key_id: unsigned 32-bit number (rule 3).
        public_key: 32 bytes, Ed25519 (RFC 8032).
    """

    name: str
    key_id: int
    public_key: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.public_key) != _KEY_BYTES:
            _key_fails("an Ed25519 public key is 32 bytes")
        if self.key_id != key_id_of(self.name, self.public_key):
            _key_fails("the key ID does not belong to the name and the public key")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's statement of its size and root.

    Attributes:
        origin: unique name of the log.
        size: number of entries.
        root: RFC 6962 root, 32 bytes.
        extensions: opaque extra lines of a foreign log; this archive writes none.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()


def key_id_of(name: str, public_key: bytes) -> int:
    """The key ID of an Ed25519 key (rule 3)."""
    return int.from_bytes(hashlib.sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:4], "big")


def format_vkey(name: str, public_key: bytes) -> str:
    """Write a verifier key: "name+hexkeyid+base64(0x01 || public key)".

    Raises:
        EvidenceStoreError: `vkey_form` for a bad name or key length.
    """
    check_name(name)
    key = VerifierKey(name, key_id_of(name, public_key), public_key)
    return f"{name}+{key.key_id:08x}+{base64.b64encode(_ED25519 + public_key).decode()}"


def parse_vkey(text: str) -> VerifierKey:
    """Read a verifier key.

    Raises:
        EvidenceStoreError: `vkey_form` for malformed text, another algorithm or a wrong key ID.
    """
    parts = text.split("+", 2)  # a name holds no plus sign, base64 may
    if len(parts) != _VKEY_PARTS or not re.fullmatch(r"[0-9a-f]{8}", parts[1], re.ASCII):
        _key_fails("a verifier key is name+hexkeyid+base64")
    encoded = decode_base64(parts[2])
    if encoded is None or encoded[:1] != _ED25519:
        _key_fails("the key is not base64 of an Ed25519 key")
    return VerifierKey(parts[0], int(parts[1], 16), encoded[1:])


def sign_note(text: str, name: str, public_key: bytes, sign: Callable[[bytes], bytes]) -> bytes:
    """Sign a note text with one Ed25519 key.

    Args:
        text: ends in a newline (rule 1).
        name: key name.
        public_key: 32 bytes, the key that `sign` uses.
        sign: makes the 64-byte Ed25519 signature over the text's UTF-8 bytes.

    Returns:
        The whole note.

    Raises:
        EvidenceStoreError: `note_form` for a bad text, `vkey_form` for a bad key, `signer_faulty`
            when the signature does not verify under `public_key`.
    """
    check_name(name)
    key = VerifierKey(name, key_id_of(name, public_key), public_key)
    message = _check_text(text)
    signature = sign(message)
    if len(signature) != _SIGNATURE_BYTES or not _verifies(key, signature, message):
        raise EvidenceStoreError("signer_faulty", "the signer made a signature that its public key refuses")
    line = base64.b64encode(key.key_id.to_bytes(_KEY_ID_BYTES, "big") + signature).decode()
    note = message + f"\n{SIGNATURE_PREFIX}{name} {line}\n".encode()
    if len(note) > MAX_NOTE_BYTES:
        _note_fails("the note is too large")
    return note


def open_note(note: bytes, keys: Sequence[VerifierKey]) -> str:
    """Verify a note and return its text.

    Args:
        note: the whole note.
        keys: trusted keys, by name and ID.

    Returns:
        The text, final newline included.

    Raises:
        EvidenceStoreError: `note_form` when malformed, `note_signature` when a known key's
            signature fails, `note_unsigned` when no known key signed, `vkey_ambiguous` when two
            different trusted keys share name and ID.
    """
    known = _by_name(keys)
    text, signatures = split_note(note)
    message = text.encode()
    verified = False
    for name, key_id, signature in signatures:
        key = known.get((name, key_id))
        if key is None:
            continue
        if not _verifies(key, signature, message):
            raise EvidenceStoreError("note_signature", f"the signature of {name} does not verify")
        verified = True
    if not verified:
        raise EvidenceStoreError("note_unsigned", "no trusted key signed the note")
    return text


def checkpoint_text(checkpoint: Checkpoint) -> str:
    """Write a checkpoint as note text (rule 5).

    Raises:
        EvidenceStoreError: `checkpoint_form` when a part cannot be written.
    """
    root = base64.b64encode(checkpoint.root).decode()
    lines = (checkpoint.origin, str(checkpoint.size), root, *checkpoint.extensions)
    text = "".join(f"{line}\n" for line in lines)
    if parse_checkpoint(text) != checkpoint:
        _checkpoint_fails("a line holds a line break")
    return text


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the note text of a checkpoint (rule 5); the signature is `open_note`'s business.

    Raises:
        EvidenceStoreError: `checkpoint_form`.
    """
    *lines, rest = text.split("\n")
    if rest or len(lines) < _CHECKPOINT_LINES or not all(lines) or _CONTROLS.search(text):
        _checkpoint_fails("it is not three or more non-empty lines")
    origin, size, root, *extensions = lines
    if not _DECIMAL.fullmatch(size) or int(size) > _MAX_SIZE:
        _checkpoint_fails("the size is not a decimal number below 2**63")
    root_hash = decode_base64(root)
    if root_hash is None or len(root_hash) != HASH_BYTES:
        _checkpoint_fails("the root is not the base64 of 32 bytes")
    return Checkpoint(origin, int(size), root_hash, tuple(extensions))


def open_own_checkpoint(note: bytes, keys: Sequence[VerifierKey]) -> tuple[Checkpoint, list[VerifierKey]]:
    """Verify a checkpoint under some keys, of one log or of several: only a log's own key speaks for it.

    The name of a log's key is the log's origin (C2SP tlog-checkpoint, section Note text). Whoever trusts the keys of
    two logs does not trust one of them to sign for the other.

    Returns:
        What it says, and those of the keys that signed it and are of the log that it is of; at least one.

    Raises:
        EvidenceStoreError: as `open_note` and `parse_checkpoint`, and `checkpoint_origin` when none of the keys that
            signed is of that log.
    """
    checkpoint = parse_checkpoint(open_note(note, keys))
    signed = {(name, key_id) for name, key_id, _ in split_note(note)[1]}
    own = [key for key in dict.fromkeys(keys) if (key.name, key.key_id) in signed and key.name == checkpoint.origin]
    if not own:
        raise EvidenceStoreError("checkpoint_origin", "the checkpoint is of another log than the key")
    return checkpoint, own


def open_checkpoint(note: bytes, log_key: VerifierKey) -> Checkpoint:
    """Verify a checkpoint under the key of its log; a log's key name is its origin.

    Raises:
        EvidenceStoreError: as `open_note` and `parse_checkpoint`, and `checkpoint_origin` when the
            key belongs to a log of another name.
    """
    return open_own_checkpoint(note, [log_key])[0]


def decode_base64(text: str) -> bytes | None:
    """Decode standard base64 (RFC 4648, section 4); None unless it is the one canonical encoding."""
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    # Unused trailing bits would give one signature several spellings.
    return decoded if base64.b64encode(decoded) == text.encode() else None


def split_note(note: bytes) -> tuple[str, list[tuple[str, int, bytes]]]:
    """The text and (name, key ID, signature) of each signature line (rules 1 and 2); verifies nothing.

    Raises:
        EvidenceStoreError: `note_form`.
    """
    if len(note) > MAX_NOTE_BYTES:
        _note_fails("the note is too large")
    try:
        whole = note.decode("utf-8")
    except UnicodeDecodeError:
        _note_fails("the note is not UTF-8")
    if _CONTROLS.search(whole):
        _note_fails("the note holds a control character")
    text, separator, block = whole.rpartition("\n\n")
    if not separator or not block.endswith("\n"):
        _note_fails("text and signature lines are not separated by an empty line")
    lines = block[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        _note_fails("the note holds too many signatures")
    return text + "\n", [parse_signature_line(line) for line in lines]


def parse_signature_line(line: str) -> tuple[str, int, bytes]:
    """Name, key ID and signature of a signature line without its newline.

    Raises:
        EvidenceStoreError: `note_form`.
    """
    name, separator, encoded = line.removeprefix(SIGNATURE_PREFIX).partition(" ")
    if not line.startswith(SIGNATURE_PREFIX) or not separator or not _is_name(name):
        _note_fails("a signature line is malformed")
    signature = decode_base64(encoded)
    if signature is None or len(signature) <= _KEY_ID_BYTES:
        _note_fails("a signature is not base64 of a key ID and a signature")
    return name, int.from_bytes(signature[:_KEY_ID_BYTES], "big"), signature[_KEY_ID_BYTES:]


def _by_name(keys: Sequence[VerifierKey]) -> dict[tuple[str, int], VerifierKey]:
    known: dict[tuple[str, int], VerifierKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.key_id), key) != key:
            raise EvidenceStoreError("vkey_ambiguous", f"two trusted keys of {key.name} share one key ID")
    return known


def _verifies(key: VerifierKey, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(c.isspace() for c in name) and not _CONTROLS.search(name)


def check_name(name: str) -> None:
    """Refuse a text that cannot be a key name (C2SP signed-note, Format).

    Raises:
        EvidenceStoreError: `vkey_form`.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        _key_fails("a key name is not valid Unicode")
    if not _is_name(name):
        _key_fails("a key name is empty or holds a space, a control character or a plus sign")


def _check_text(text: str) -> bytes:
    try:
        message = text.encode()
    except UnicodeEncodeError:
        _note_fails("the text is not valid Unicode")
    if not text.endswith("\n") or _CONTROLS.search(text):
        _note_fails("the text must end in a newline and hold no control character")
    return message


def _key_fails(why: str) -> NoReturn:
    raise EvidenceStoreError("vkey_form", why)


def _note_fails(why: str) -> NoReturn:
    raise EvidenceStoreError("note_form", why)


def _checkpoint_fails(why: str) -> NoReturn:
    raise EvidenceStoreError("checkpoint_form", f"not a checkpoint: {why}")
