"""Checkpoints as this archive itself writes them: the log's Ed25519 line, then its ML-DSA-44 line, nothing else.

Lines of witnesses are kept apart (app.witnessing). A line more in a stored checkpoint was put there by somebody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.custody.heads import open_kept
from evidence_store.errors import EvidenceStoreError
from evidence_store.log import note
from evidence_store.log.cosignature import CosignerKey, verify_cosignatures
from evidence_store.verify.report import Report

_MOST_LINES = 2


@dataclass(frozen=True, slots=True)
class OwnNote:
    """A checkpoint whose Ed25519 signature holds.

    Attributes:
        checkpoint: what it says.
        key: the key of the log that signed it.
        cosigners: the log's keys of the other algorithm that did as well, with a line that holds.
        cosigned: whether there is an ML-DSA-44 line.
        trouble: why that line does not verify; None when it does or there is none.
    """

    checkpoint: note.Checkpoint
    key: note.VerifierKey
    cosigned: bool
    cosigners: tuple[CosignerKey, ...] = ()
    trouble: str | None = None


def open_own(signed: object, keys: Sequence[note.VerifierKey], mldsa: Sequence[CosignerKey]) -> OwnNote:
    """Read a stored checkpoint.

    Args:
        signed: as stored.
        keys: the log's Ed25519 keys, former ones included; each under the log's name.
        mldsa: the log's keys of the other algorithm, likewise; none in an archive that was made without.

    Raises:
        EvidenceStoreError: it is no note of exactly these lines, or the Ed25519 signature does not hold.
    """
    if not isinstance(signed, bytes):
        raise EvidenceStoreError("note_form", f"the note is stored as {type(signed).__name__}")
    checkpoint = open_kept(signed, keys)
    (name, key_id, _), *further = note.split_note(signed)[1]
    known = {(one.name, one.key_id) for one in mldsa}
    key = next((key for key in keys if (key.name, key.key_id) == (name, key_id)), None)
    if key is None or len(further) >= _MOST_LINES:
        raise EvidenceStoreError("note_form", "a signature line was added")
    if any((name, key_id) not in known for name, key_id, _ in further):
        raise EvidenceStoreError("note_form", "a signature line was added")
    try:
        cosigners = tuple(one.key for one in verify_cosignatures(signed, mldsa))
    except EvidenceStoreError as error:
        return OwnNote(checkpoint, key, cosigned=True, trouble=error.detail)
    return OwnNote(checkpoint, key, cosigned=bool(further), cosigners=cosigners)


class SecondSignatures:
    """Whether each checkpoint that must have an ML-DSA-44 line has one that holds.

    The log that was begun with the key must have the line everywhere, a log that got the key later from the first
    line on. When a key is there and no checkpoint has a line, the newest one is named.
    """

    def __init__(self, *, from_the_first: bool, has_key: bool) -> None:
        """Say what is expected.

        Args:
            from_the_first: the log was begun with the key.
            has_key: the archive has the key now.
        """
        self._expected = from_the_first
        self._has_key = has_key
        self._bare: str | None = None

    def take(self, subject: str, own: OwnNote, report: Report) -> None:
        """The next checkpoint, in the order of sizes."""
        if own.trouble is not None:
            report.finding("pq_signature_invalid", subject, own.trouble)
        self._bare = None if own.cosigned else subject
        if self._bare and self._expected:
            report.finding("pq_signature_missing", subject, "it is signed with Ed25519 alone")
        self._expected = self._expected or own.cosigned

    def end(self, report: Report) -> None:
        """After the last one."""
        if self._bare and self._has_key and not self._expected:
            report.finding("pq_signature_missing", self._bare, "it is signed with Ed25519 alone, as are all before it")
