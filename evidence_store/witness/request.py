"""The body of an add-checkpoint request (C2SP tlog-witness): what a log sends to a witness.

1. "old N": the size of the newest checkpoint that the log believes the witness to have signed, 0 for none.
2. At most 63 lines, each a base64 hash: the consistency proof from that size (RFC 6962, section 2.1.2).
3. An empty line, then the signed checkpoint. Every line ends in a newline.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from evidence_store.errors import EvidenceStoreError
from evidence_store.log.merkle import HASH_BYTES
from evidence_store.log.note import Checkpoint, decode_base64, parse_checkpoint, split_note

MAX_REQUEST_BYTES: Final = 262_144
MAX_PROOF_LINES: Final = 63

_OLD: Final = re.compile(r"old (0|[1-9][0-9]{0,18})", re.ASCII)
_MAX_SIZE: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request that is well formed; no signature and no proof was looked at.

    Attributes:
        old: size, from 0 to 2**63 - 1.
        proof: hashes of 32 bytes, at most 63.
        note: the signed checkpoint.
        text: its note text.
        checkpoint: what the text says.
    """

    old: int
    proof: tuple[bytes, ...]
    note: bytes
    text: str
    checkpoint: Checkpoint


def parse_request(body: bytes) -> AddCheckpoint:
    """Read a request.

    Raises:
        EvidenceStoreError: `witness_request_form`.
    """
    if len(body) > MAX_REQUEST_BYTES:
        _fails("it is too large")
    head, separator, note = body.partition(b"\n\n")
    try:
        first, *lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        _fails("the lines before the checkpoint are not ASCII")
    old = _OLD.fullmatch(first)
    if not separator or old is None or int(old[1]) > _MAX_SIZE:
        _fails("it does not begin with the old size and an empty line after the proof")
    if len(lines) > MAX_PROOF_LINES:
        _fails(f"the proof has more than {MAX_PROOF_LINES} lines")
    proof = tuple(_hash(line) for line in lines)
    try:
        text = split_note(note)[0]
        checkpoint = parse_checkpoint(text)
    except EvidenceStoreError as error:
        _fails(error.detail)
    return AddCheckpoint(int(old[1]), proof, note, text, checkpoint)


def format_request(old: int, proof: Sequence[bytes], note: bytes) -> bytes:
    """Write a request.

    Args:
        old: size.
        proof: hashes of 32 bytes.
        note: the signed checkpoint.

    Raises:
        EvidenceStoreError: `witness_request_form` when it could not be read back.
    """
    lines = [f"old {old}", *(base64.b64encode(one).decode() for one in proof), ""]
    body = "".join(f"{line}\n" for line in lines).encode() + note
    parse_request(body)
    return body


def _hash(line: str) -> bytes:
    decoded = decode_base64(line)
    if decoded is None or len(decoded) != HASH_BYTES:
        _fails("a line of the proof is not base64 of 32 bytes")
    return decoded


def _fails(why: str) -> NoReturn:
    raise EvidenceStoreError("witness_request_form", f"not an add-checkpoint request: {why}")
