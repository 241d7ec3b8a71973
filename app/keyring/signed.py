"""A signed checkpoint of this log, under whichever of the log's keys was to be believed for it.

Between the signing of the head and the use of the signed note somebody may rotate a key of the log. The note stays as
good as it was: a retired key's checkpoints count up to the first one that covers its retirement, which is the last one
that it signed (app.keyring.rotation, step 3). The database is asked which one that is, as the audit does.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session, col, func, select

from app.archive import Archive
from app.custody.models import CheckpointRow
from app.custody.service import events_of
from app.errors import EnvironmentFailedError
from app.keyring.history import keys_object, read_history
from evidence_store.bundle.events import parse_event
from evidence_store.log.cosignature import format_cosigner_vkey, parse_cosigner_vkey, verify_cosignatures
from evidence_store.log.note import Checkpoint, format_vkey, open_own_checkpoint, parse_vkey
from evidence_store.trust import LOG, PQ, RETIREMENT, KeyHistory, Verdict


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint whose signatures hold.

    Attributes:
        checkpoint: what it says.
        log_vkey: the Ed25519 verifier key that signed it.
        pq_vkey: the ML-DSA-44 one that did as well; None when none did.
    """

    checkpoint: Checkpoint
    log_vkey: str
    pq_vkey: str | None


def read_signed(archive: Archive, signed: bytes) -> SignedCheckpoint:
    """Verify a base note of this archive's log, and that its keys were to be believed for it.

    An archive that has recorded no history of its keys yet has had one key of each use.

    Args:
        archive: whose log.
        signed: the note, with the log's own signature lines.

    Raises:
        EnvironmentFailedError: `key_compromised`; `key_retired` when the key had signed its last checkpoint before;
            `key_history_malformed`.
        EvidenceStoreError: `note_form`, `note_unsigned`, `note_signature`, `checkpoint_form`, `checkpoint_origin`, and
            `cosignature_invalid`.
    """
    with archive.db.read() as session:
        history = read_history(session, archive.identity.id)
        if history.records:
            opened = _opened(signed, [each.key for each in history.of(LOG)], [each.key for each in history.of(PQ)])
            for use, key in ((LOG, opened.log_vkey), (PQ, opened.pq_vkey)):
                if key is not None:
                    _require_believed(session, archive.identity.id, history, use, key, opened.checkpoint.size)
            return opened
    return _of_first_keys(archive, signed)


def _of_first_keys(archive: Archive, signed: bytes) -> SignedCheckpoint:
    key = archive.log_key()
    return _opened(signed, [format_vkey(key.name, key.public_key)], [])


def _opened(signed: bytes, log: list[str], pq: list[str]) -> SignedCheckpoint:
    checkpoint, (key, *_) = open_own_checkpoint(signed, [parse_vkey(text) for text in log])
    own = format_vkey(key.name, key.public_key)
    cosigned = [one.key for one in verify_cosignatures(signed, [parse_cosigner_vkey(text) for text in pq])]
    vkeys = [format_cosigner_vkey(key.name, key.algorithm, key.public_key) for key in cosigned]
    return SignedCheckpoint(checkpoint, own, vkeys[0] if vkeys else None)


def _require_believed(session: Session, archive_id: str, history: KeyHistory, use: str, key: str, size: int) -> None:
    verdict = history.judge(use, key, None, None)
    if verdict is Verdict.VALID:
        return
    if verdict is Verdict.RETIRED_UNPROVEN and _until_retired(session, archive_id, use, key, size):
        return
    code = Verdict.RETIRED if verdict is Verdict.RETIRED_UNPROVEN else verdict
    detail = f"the checkpoint of {size} events is signed with a key of the log that does not count for it: do it again"
    raise EnvironmentFailedError(code.value, detail, status=500)


def _until_retired(session: Session, archive_id: str, use: str, key: str, size: int) -> bool:
    """Whether no smaller checkpoint covers the key's retirement."""
    told = {"change": RETIREMENT, "use": use, "key": key}
    rows = events_of(session, keys_object(archive_id))
    leaf = next(row.leaf_index for row in rows if told.items() <= parse_event(row.canonical).details.items())
    first = select(func.min(CheckpointRow.size)).where(col(CheckpointRow.size) > leaf)
    return size <= (session.exec(first).one() or size)
