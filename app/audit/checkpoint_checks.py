"""The log against what was signed of it: stored checkpoints, the kept head, and one from outside.

5. Each checkpoint is signed by the log's key over the recomputed root; there is one, and none is missing between two.
6. The checkpoint kept outside the database is there, and the log continues it.
7. The log continues a checkpoint that somebody else kept, when one is given.

Invariants 5 and 6 hold again once an intruder has deleted what he could reach; 7 is out of his reach.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlmodel import Session

from app.audit.log_checks import Replay
from app.audit.stored import stored_rows
from app.custody.models import CheckpointRow
from app.custody.proofs import checkpoint_of
from app.errors import InvalidInputError
from evidence_store.errors import EvidenceStoreError
from evidence_store.log import merkle, note
from evidence_store.verify.report import Report


@dataclass(frozen=True, slots=True)
class KeptHead:
    """The head file as it was before the database was read.

    A checkpoint is stored before it is kept in the file. Read in this order, the database of a running
    archive always holds what the file holds; in the other order, an honest archive could look rolled back.

    Attributes:
        note: its bytes; None when it is missing or cannot be read.
        trouble: why it cannot be read; None when it is missing.
    """

    note: bytes | None
    trouble: str | None = None

    @classmethod
    def read(cls, head_file: Path) -> KeptHead:
        """Read the file, if it is there."""
        try:
            return cls(head_file.read_bytes())
        except FileNotFoundError:
            return cls(None)
        except OSError as error:
            return cls(None, error.strerror or type(error).__name__)


def parse_given(given: bytes) -> note.Checkpoint:
    """What a checkpoint from outside says; its signature is checked with the rest.

    Raises:
        InvalidInputError: `bad_checkpoint` when it is no signed checkpoint at all.
    """
    try:
        note.open_note(given, [])
    except EvidenceStoreError as error:
        if error.code != "note_unsigned":  # no key was offered: this is what a well-formed note gives
            raise InvalidInputError("bad_checkpoint", f"this is no checkpoint: {error.detail}") from error
    try:
        return checkpoint_of(given)
    except EvidenceStoreError as error:
        raise InvalidInputError("bad_checkpoint", f"this is no checkpoint: {error.detail}") from error


def check_checkpoints(session: Session, replay: Replay, vkey: str, report: Report) -> int | None:
    """Invariant 5.

    Returns:
        The size that the newest stored checkpoint is filed under; None when there is none.
    """
    key = note.parse_vkey(vkey)
    newest: int | None = None
    for place, row in enumerate(stored_rows(session, CheckpointRow, "size")):
        newest = row["size"]
        subject = f"checkpoint {newest}"
        report.count("checkpoints")
        if row["seq"] != place:
            report.finding("checkpoint_missing", subject, f"is numbered {row['seq']}, but {place} are before it")
        try:
            signed = _own(row["note"], key)
        except EvidenceStoreError as error:
            report.finding("checkpoint_damaged", subject, f"{error.code}: {error.detail}")
            continue
        if signed.size != newest:
            report.finding("checkpoint_damaged", subject, f"is of {signed.size} events")
        _check_root(replay, signed, subject, report)
    if newest is None:
        report.finding("checkpoint_missing", "checkpoint", "no checkpoint is here, but the archive was begun with one")
    return newest


def _own(signed: object, key: note.VerifierKey) -> note.Checkpoint:
    """A checkpoint as this archive itself writes it: bytes, with the log's signature alone."""
    if not isinstance(signed, bytes):
        raise EvidenceStoreError("note_form", f"the note is stored as {type(signed).__name__}")
    checkpoint = note.open_checkpoint(signed, key)
    if signed.rpartition(b"\n\n")[2].count(b"\n") != 1:
        raise EvidenceStoreError("note_form", "a signature line was added")
    return checkpoint


def _check_root(replay: Replay, signed: note.Checkpoint, subject: str, report: Report) -> None:
    if signed.size > replay.size:
        report.finding("log_rolled_back", subject, f"{signed.size} events were signed, {replay.size} are here")
        return
    try:
        root = merkle.root_at(signed.size, replay.read)
    except (EvidenceStoreError, KeyError):
        report.finding("check_not_run", subject, "events before it are missing, so its root cannot be recomputed")
        return
    if root != signed.root:
        report.finding("log_contradicts_checkpoint", subject, "the events do not hash to the signed root")


def check_kept_head(head: KeptHead, newest: int | None, replay: Replay, vkey: str, report: Report) -> None:
    """Invariant 6.

    Args:
        head: the head file.
        newest: size of the newest stored checkpoint.
        replay: the log.
        vkey: the log's public key.
        report: receives findings.
    """
    subject = "the checkpoint kept outside the database"
    if head.note is None and head.trouble is None:
        report.finding("head_file_missing", subject, "the archive was begun with one")
        return
    if head.note is None:
        report.finding("head_file_damaged", subject, f"it cannot be read: {head.trouble}")
        return
    try:
        kept = _own(head.note, note.parse_vkey(vkey))
    except EvidenceStoreError as error:
        report.finding("head_file_damaged", subject, f"{error.code}: {error.detail}")
        return
    if newest is None or kept.size > newest:
        detail = "is kept outside, but is not in the database"
        report.finding("checkpoint_missing", f"checkpoint {kept.size}", detail)
    _check_root(replay, kept, subject, report)


def check_given(given: bytes, replay: Replay, vkey: str, report: Report) -> None:
    """Invariant 7; witnesses may have signed it too."""
    subject = "the checkpoint that was given"
    report.count("checkpoints from outside")
    try:
        signed = note.open_checkpoint(given, note.parse_vkey(vkey))
    except EvidenceStoreError as error:
        report.finding("checkpoint_damaged", subject, f"this log did not sign it: {error.detail}")
        return
    _check_root(replay, signed, subject, report)
