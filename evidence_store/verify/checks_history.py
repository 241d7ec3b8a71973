"""The archive's key history, and whether the keys behind seal and checkpoint were to be believed."""

from __future__ import annotations

from datetime import UTC, datetime

from evidence_store.bundle import layout
from evidence_store.errors import EvidenceStoreError
from evidence_store.log.cosignature import format_cosigner_vkey
from evidence_store.log.note import format_vkey
from evidence_store.trust import LOG, PQ, KeyHistory
from evidence_store.verify.checks_custody import MAX_KEY_CHANGES
from evidence_store.verify.context import Verification
from evidence_store.verify.key_verdicts import judge_log_key, judge_seal
from evidence_store.verify.stamps import earliest, log_stamps, newest_claim, seal_stamps


def check_history(run: Verification) -> None:
    """Read the key history out of the events, and judge the keys of the seal and the checkpoint by it."""
    run.history = _history(run)
    if run.seal is not None:
        judge_seal(run, layout.SEAL, run.seal, earliest(seal_stamps(run)))
    claimed = newest_claim(run)
    proven = earliest(log_stamps(run))
    for key in run.log_signers:
        judge_log_key(run, layout.CHECKPOINT, LOG, format_vkey(key.name, key.public_key), claimed, proven)
    for signature in run.pq_signatures:
        key_text = format_cosigner_vkey(signature.key.name, signature.key.algorithm, signature.key.public_key)
        judge_log_key(run, layout.CHECKPOINT, PQ, key_text, _moment(signature.time) or claimed, proven)


def _history(run: Verification) -> KeyHistory | None:
    if run.manifest is None:
        run.not_run("key history", "manifest.json could not be read, and says whose keys to look for.")
        return None
    about = f"keys:{run.manifest.archive.id}"
    if not run.key_changes:
        run.report.finding("key_history_missing", about, "No event tells of the archive's keys.")
        return None
    if len(run.key_changes) > MAX_KEY_CHANGES:
        run.report.finding("key_history_malformed", about, f"It has more than {MAX_KEY_CHANGES} changes.")
        return None
    try:
        history = KeyHistory.from_events(run.key_changes)
    except EvidenceStoreError as error:
        run.report.finding("key_history_malformed", about, f"{error.detail}.")
        return None
    run.report.count("key changes", len(run.key_changes))
    return history


def _moment(seconds: int) -> datetime | None:
    """The time that a co-signature claims; None where it claims none, or one beyond all calendars."""
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds else None
    except (OverflowError, ValueError, OSError):
        return None
