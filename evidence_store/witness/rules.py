"""May this checkpoint be co-signed? The decision of C2SP tlog-witness, without clock, disk or network.

In this order: the log is known (404); one of its keys signed (403); the old size is not above the new one (400); the
old size is that of the newest checkpoint signed before (409); the same size has the same root (409); the new tree
contains the old one, shown by an RFC 6962 consistency proof (422).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeAlias

from evidence_store.errors import EvidenceStoreError
from evidence_store.log import merkle, note
from evidence_store.log.cosignature import CosignerKey, verify_cosignatures
from evidence_store.witness.request import AddCheckpoint

LogKey: TypeAlias = note.VerifierKey | CosignerKey
"""A key that checkpoints of a log are trusted under: Ed25519 (0x01) or ML-DSA-44 (0x06); its name is the origin."""

SIZE_TYPE: Final = "text/x.tlog.size"
"""Content type of an answer that says which size was signed last."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest checkpoint of a log that was co-signed.

    Attributes:
        size: 0 when none was.
        root: 32 bytes; of the empty tree when none was signed.
        time: of the co-signature, seconds since 1970 (UTC); 0 when none was made.
        note: the log's own signed note; empty when none was co-signed.
    """

    size: int
    root: bytes
    time: int
    note: bytes


NOTHING: Final = Seen(0, merkle.EMPTY_ROOT, 0, b"")


class RefusalError(EvidenceStoreError):
    """The checkpoint is not co-signed.

    Attributes:
        status: of the answer (HTTP).
        known_size: size that was signed last, when the answer has to say it.
    """

    def __init__(self, status: HTTPStatus, code: str, detail: str, known_size: int | None = None) -> None:
        super().__init__(code, detail)
        self.status = status
        self.known_size = known_size


class EquivocationError(RefusalError):
    """The log signed two roots for one size. Both signed notes together prove it."""


def require_signed(request: AddCheckpoint, keys: Sequence[LogKey]) -> bytes:
    """The log is known, and signed.

    Args:
        request: what came.
        keys: every key of every log that is witnessed.

    Returns:
        The note with the lines of these keys only: anybody may add others, and nobody shall fill a disk with them.

    Raises:
        RefusalError: `unknown_log` (404), `checkpoint_unsigned` (403).
    """
    own = [key for key in keys if key.name == request.checkpoint.origin]
    if not own:
        raise RefusalError(HTTPStatus.NOT_FOUND, "unknown_log", "this witness does not know the log")
    try:
        signed = _ed25519_signed(request.note, [key for key in own if isinstance(key, note.VerifierKey)])
        signed |= bool(verify_cosignatures(request.note, [key for key in own if isinstance(key, CosignerKey)]))
    except EvidenceStoreError as error:
        raise RefusalError(HTTPStatus.FORBIDDEN, "checkpoint_unsigned", error.detail) from None
    if not signed:
        raise RefusalError(
            HTTPStatus.FORBIDDEN, "checkpoint_unsigned", "no key of the log that is known here signed it"
        )
    known = {(key.name, key.key_id) for key in own}
    lines = request.note.decode().removeprefix(request.text + "\n").removesuffix("\n").split("\n")
    kept = dict.fromkeys(line for line in lines if note.parse_signature_line(line)[:2] in known)
    return (request.text + "\n" + "".join(f"{line}\n" for line in kept)).encode()


def _ed25519_signed(signed: bytes, keys: list[note.VerifierKey]) -> bool:
    try:
        note.open_note(signed, keys)
    except EvidenceStoreError as error:
        if error.code != "note_unsigned":
            raise
        return False
    return True


def require_continued(request: AddCheckpoint, seen: Seen) -> None:
    """The checkpoint continues what was co-signed before.

    Args:
        request: signed by the log.
        seen: the newest checkpoint of that log that was co-signed.

    Raises:
        RefusalError: `old_size_above` (400), `old_size_differs` (409), `inconsistent` (422).
        EquivocationError: `root_differs` (409).
    """
    size, root = request.checkpoint.size, request.checkpoint.root
    if request.old > size:
        raise RefusalError(HTTPStatus.BAD_REQUEST, "old_size_above", "the old size is above the checkpoint's")
    if request.old != seen.size:
        raise RefusalError(
            HTTPStatus.CONFLICT, "old_size_differs", "another size was co-signed last", known_size=seen.size
        )
    if size == seen.size and root != seen.root and seen.size > 0:
        raise EquivocationError(
            HTTPStatus.CONFLICT, "root_differs", "another root of this size was co-signed", known_size=seen.size
        )
    if not _is_continued(request, seen):
        raise RefusalError(
            HTTPStatus.UNPROCESSABLE_ENTITY, "inconsistent", "the proof does not show that the old tree is continued"
        )


def _is_continued(request: AddCheckpoint, seen: Seen) -> bool:
    if seen.size == 0:  # every tree continues the empty one, which has one root only
        empty = request.checkpoint.size == 0
        return not request.proof and (not empty or request.checkpoint.root == merkle.EMPTY_ROOT)
    try:
        merkle.verify_consistency(seen.size, request.checkpoint.size, seen.root, request.checkpoint.root, request.proof)
    except EvidenceStoreError:
        return False
    return True
