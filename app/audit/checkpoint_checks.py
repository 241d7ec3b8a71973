"""The log against what was signed of it: stored checkpoints, the kept head, and one from outside.

5. Each checkpoint is signed by the log's key over the recomputed root; there is one, and none is missing between two.
6. The checkpoint kept outside the database is there, in both places when there are two, and the log continues it.
7. The log continues a checkpoint that somebody else kept, when one is given.

Invariants 5 and 6 hold again once an intruder has deleted what he could reach; 7 is out of his reach.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlmodel import Session

from app.audit.key_book import KeyBook
from app.audit.log_checks import Replay
from app.audit.own_notes import OwnNote, SecondSignatures, open_own
from app.audit.stored import stored_rows
from app.config import Settings
from app.custody import heads
from app.custody.models import CheckpointRow
from app.custody.proofs import checkpoint_of
from app.errors import InvalidInputError
from evidence_store.errors import EvidenceStoreError
from evidence_store.log import merkle, note
from evidence_store.log.cosignature import format_cosigner_vkey
from evidence_store.trust import LOG, PQ
from evidence_store.verify.report import Report


@dataclass(frozen=True, slots=True)
class KeptHead:
    """A kept head as it was before the database was read.

    A checkpoint is stored before it is kept in the file. Read in this order, the database of a running
    archive always holds what the file holds; in the other order, an honest archive could look rolled back.

    Attributes:
        place: which of the two places, as a report names it.
        note: its bytes; None when it is missing or cannot be read.
        trouble: why it cannot be read; None when it is missing.
    """

    place: str
    note: bytes | None
    trouble: str | None = None

    @classmethod
    def read_all(cls, settings: Settings) -> tuple[KeptHead, ...]:
        """Read both places; the second is there when it is set."""
        first = cls.read(heads.FIRST, settings.head_file)
        return (first,) if settings.head_copy is None else (first, cls.read(heads.SECOND, settings.head_copy))

    @classmethod
    def read(cls, place: str, path: Path) -> KeptHead:
        """Read a file, if it is there."""
        try:
            return cls(place, path.read_bytes())
        except FileNotFoundError:
            return cls(place, None)
        except OSError as error:
            return cls(place, None, error.strerror or type(error).__name__)

    @property
    def second(self) -> bool:
        """Whether it is the second place, which may be away: the first one then guards the log alone."""
        return self.place == heads.SECOND


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


def check_checkpoints(session: Session, replay: Replay, keys: KeyBook, report: Report) -> int | None:
    """Invariant 5.

    Args:
        session: a read session.
        replay: the log.
        keys: of the log, former ones included; judges whether each was to be believed.
        report: receives findings.

    Returns:
        The size that the newest stored checkpoint is filed under; None when there is none.
    """
    log_keys, mldsa = keys.log_keys, keys.cosigner_keys
    begun_with = replay.founding is not None and "log_mldsa_vkey" in replay.founding.details
    second = SecondSignatures(from_the_first=begun_with, has_key=bool(mldsa))
    newest: int | None = None
    for place, row in enumerate(stored_rows(session, CheckpointRow, "size")):
        newest = row["size"]
        subject = f"checkpoint {newest}"
        report.count("checkpoints")
        if row["seq"] != place:
            report.finding("checkpoint_missing", subject, f"is numbered {row['seq']}, but {place} are before it")
        try:
            own = open_own(row["note"], log_keys, mldsa)
        except EvidenceStoreError as error:
            report.finding("checkpoint_damaged", subject, f"{error.code}: {error.detail}")
            continue
        second.take(subject, own, report)
        signed = own.checkpoint
        if signed.size != newest:
            report.finding("checkpoint_damaged", subject, f"is of {signed.size} events")
        _check_root(replay, signed, subject, report)
        _judge(keys, own, subject, report)
    second.end(report)
    if newest is None:
        report.finding("checkpoint_missing", "checkpoint", "no checkpoint is here, but the archive was begun with one")
    return newest


def _judge(keys: KeyBook, own: OwnNote, subject: str, report: Report) -> None:
    size = own.checkpoint.size
    keys.judge_checkpoint(subject, size, LOG, note.format_vkey(own.key.name, own.key.public_key), report)
    for key in own.cosigners:
        text = format_cosigner_vkey(key.name, key.algorithm, key.public_key)
        keys.judge_checkpoint(subject, size, PQ, text, report)


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


def check_kept_head(head: KeptHead, newest: int | None, replay: Replay, keys: KeyBook, report: Report) -> None:
    """Invariant 6.

    Args:
        head: what is kept in one of the places.
        newest: size of the newest stored checkpoint.
        replay: the log.
        keys: of the log, former ones included.
        report: receives findings.
    """
    subject = head.place
    if head.note is None and head.second:
        report.finding("head_copy_missing", subject, head.trouble or "it is not where it is looked for")
        return
    if head.note is None and head.trouble is None:
        report.finding("head_file_missing", subject, "the archive was begun with one")
        return
    if head.note is None:
        report.finding("head_file_damaged", subject, f"it cannot be read: {head.trouble}")
        return
    try:
        own = open_own(head.note, keys.log_keys, keys.cosigner_keys)
    except EvidenceStoreError as error:
        code = "head_copy_damaged" if head.second else "head_file_damaged"
        report.finding(code, subject, f"{error.code}: {error.detail}")
        return
    if own.trouble is not None:
        report.finding("pq_signature_invalid", subject, own.trouble)
    kept = own.checkpoint
    if newest is None or kept.size > newest:
        detail = "is kept outside, but is not in the database"
        report.finding("checkpoint_missing", f"checkpoint {kept.size}", detail)
    _check_root(replay, kept, subject, report)


def check_given(given: bytes, replay: Replay, keys: KeyBook, report: Report) -> None:
    """Invariant 7; witnesses may have signed it too. Call it after `check_checkpoints`."""
    subject = "the checkpoint that was given"
    report.count("checkpoints from outside")
    try:
        signed, signers = note.open_own_checkpoint(given, keys.log_keys)
    except EvidenceStoreError as error:
        report.finding("checkpoint_damaged", subject, f"this log did not sign it: {error.detail}")
        return
    _check_root(replay, signed, subject, report)
    for key in signers:
        keys.judge_checkpoint(subject, signed.size, LOG, note.format_vkey(key.name, key.public_key), report)
