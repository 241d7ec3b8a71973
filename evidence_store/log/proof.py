"""Proofs as files: that an entry is in the log (C2SP tlog-proof), and that a log only grew.

Form of a tlog-proof: a header line, an optional line of opaque extra data, "index N", the inclusion proof (RFC 6962,
section 2.1.1) as base64 lines from the leaf's sibling upwards, an empty line, and the log's signed
checkpoint verbatim. This module reads and writes the form; the caller verifies the checkpoint
(`note.open_checkpoint`) and the path (`merkle.verify_inclusion`).

A consistency proof is the part of an add-checkpoint request (C2SP tlog-witness) before its empty line: "old N", then
the proof (RFC 6962, section 2.1.2) as base64 lines. `merkle.verify_consistency` takes both from signed checkpoints.

The offline verifier imports this module: standard library and `cryptography` (through `note`) only.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from evidence_store.errors import EvidenceStoreError
from evidence_store.log.merkle import HASH_BYTES
from evidence_store.log.note import MAX_NOTE_BYTES, decode_base64

HEADER = "c2sp.org/tlog-proof@v1"
MAX_HASHES = 63
"""A path is never longer than the bits of a size."""

_MAX_PROOF_BYTES = MAX_NOTE_BYTES + 100_000
_MAX_CONSISTENCY_BYTES = 10_000
_OLD_LINE = re.compile(r"old (0|[1-9][0-9]{0,18})", re.ASCII)
_INDEX_LINE = re.compile(r"index (0|[1-9][0-9]{0,18})", re.ASCII)
_MAX_INDEX = 2**63 - 1
_EXTRA = "extra "


@dataclass(frozen=True, slots=True)
class TlogProof:
    """The parts of a proof file.

    Attributes:
        index: zero-based position of the entry in the log.
        hashes: inclusion proof, 32 bytes each, from the leaf's sibling upwards.
        checkpoint: the signed note, verbatim.
        extra: opaque data of the writer, never authenticated; this archive writes none.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None


def format_proof(proof: TlogProof) -> bytes:
    """Write a proof file.

    Raises:
        EvidenceStoreError: `proof_form` when a part cannot be written.
    """
    lines = [HEADER]
    if proof.extra is not None:
        lines.append(_EXTRA + base64.b64encode(proof.extra).decode())
    lines.append(f"index {proof.index}")
    lines.extend(base64.b64encode(node).decode() for node in proof.hashes)
    data = "".join(f"{line}\n" for line in lines).encode() + b"\n" + proof.checkpoint
    parse_proof(data)  # what could not be read back is never handed out
    return data


def parse_proof(data: bytes) -> TlogProof:
    """Read a proof file.

    Raises:
        EvidenceStoreError: `proof_form` for anything malformed. A good parse proves nothing yet.
    """
    if len(data) > _MAX_PROOF_BYTES:
        _fails("the file is too large")
    head, separator, checkpoint = data.partition(b"\n\n")
    if not separator or not checkpoint:
        _fails("no empty line before the checkpoint")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        _fails("the lines before the checkpoint are not ASCII")
    if lines.pop(0) != HEADER:
        _fails("the first line does not name the format")
    extra = _decode(lines.pop(0).removeprefix(_EXTRA)) if lines and lines[0].startswith(_EXTRA) else None
    index = _INDEX_LINE.fullmatch(lines.pop(0)) if lines else None
    if index is None or int(index[1]) > _MAX_INDEX:
        _fails("no index line")
    hashes = tuple(_decode(line) for line in lines)
    if len(hashes) > MAX_HASHES or any(len(node) != HASH_BYTES for node in hashes):
        _fails("the path is not at most 63 hashes of 32 bytes")
    return TlogProof(int(index[1]), hashes, checkpoint, extra)


def format_consistency(old: int, hashes: Sequence[bytes]) -> bytes:
    """Write a consistency proof.

    Args:
        old: number of entries of the older tree.
        hashes: the proof, 32 bytes each.

    Raises:
        EvidenceStoreError: `proof_form` when a part cannot be written.
    """
    lines = [f"old {old}", *(base64.b64encode(node).decode() for node in hashes)]
    data = "".join(f"{line}\n" for line in lines).encode()
    parse_consistency(data)
    return data


def parse_consistency(data: bytes) -> tuple[int, tuple[bytes, ...]]:
    """Read a consistency proof: the size of the older tree, and the hashes.

    Raises:
        EvidenceStoreError: `proof_form` for anything malformed. A good parse proves nothing yet.
    """
    if len(data) > _MAX_CONSISTENCY_BYTES:
        _fails("the file is too large")
    try:
        first, *lines = data.decode("ascii").split("\n")
    except UnicodeDecodeError:
        _fails("it is not ASCII")
    old = _OLD_LINE.fullmatch(first)
    if old is None or not lines or lines.pop():
        _fails("it does not begin with the old size, or its last line does not end")
    hashes = tuple(_decode(line) for line in lines)
    if len(hashes) > MAX_HASHES or any(len(node) != HASH_BYTES for node in hashes):
        _fails("the proof is not at most 63 hashes of 32 bytes")
    return int(old[1]), hashes


def _decode(text: str) -> bytes:
    decoded = decode_base64(text)
    if decoded is None:
        _fails("a line is not base64")
    return decoded


def _fails(why: str) -> NoReturn:
    raise EvidenceStoreError("proof_form", f"not a proof: {why}")
