"""Who else signed the checkpoint: the log itself with a second algorithm, and witnesses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from evidence_store.bundle import layout
from evidence_store.errors import EvidenceStoreError
from evidence_store.log.cosignature import (
    MLDSA44_COSIGNER,
    Cosignature,
    CosignerKey,
    format_cosigner_vkey,
    verify_cosignatures,
)
from evidence_store.log.policy import Policy
from evidence_store.trust import PQ
from evidence_store.verify.context import Verification
from evidence_store.verify.facts import WitnessSeen, rfc3339
from evidence_store.verify.files import MAX_SMALL_FILE
from evidence_store.verify.stamps import earliest, log_stamps
from evidence_store.verify.trust import parse_policy_file

NO_TIME = "no time"
"""Shown of a co-signature of time zero, which does not say that its witness had seen nothing newer (C2SP
tlog-cosignature)."""


def check_pq_signature(run: Verification) -> None:
    """The log's own ML-DSA-44 signature beside its Ed25519 one (C2SP tlog-cosignature, type 0x06)."""
    if run.checkpoint is None:
        run.not_run("post-quantum signature", "The checkpoint could not be read.")
        return
    given = _given_pq_keys(run)
    # whoever gave the key wants both signatures: with one of them alone, the checkpoint is not signed as it should be
    with run.report.checking("checkpoint" if given else "pq"):
        try:
            run.pq_signatures = verify_cosignatures(run.checkpoint_note, given or _own_pq_keys(run))
        except EvidenceStoreError as error:
            run.report.finding("pq_signature_invalid", layout.CHECKPOINT, f"{error.code}: {error.detail}.")
            return
        run.pq_missing = not run.pq_signatures
        if run.pq_signatures:
            run.report.count("post-quantum signatures", len(run.pq_signatures))


def check_pq_missing(run: Verification) -> None:
    """A checkpoint without that signature, judged when it is known by when the checkpoint existed.

    Who gave such a key of this log asks its signature of each checkpoint, unless a trusted time stamp shows that the
    checkpoint is older than the key, by the caller's own trust file. What the bundle says of its keys counts for
    nothing here: who can forge the first signature can forge that, too.
    """
    if not run.pq_missing:
        return
    given = _given_pq_keys(run)
    if not given:
        detail = "The log has such a key." if _own_pq_keys(run) else "There is no such key of the log, either."
        run.report.finding("pq_signature_missing", layout.CHECKPOINT, detail)
        return
    told = run.trust.pq_since if run.trust is not None else {}
    since = [told.get(format_cosigner_vkey(key.name, key.algorithm, key.public_key)) for key in given]
    known = [time for time in since if time is not None]
    first = min(known) if len(known) == len(since) else None
    proven = earliest(log_stamps(run))
    if first is not None and proven is not None and proven < first:
        detail = f"A trusted time stamp shows that it is of before {rfc3339(proven)}, and such a key of the log of "
        run.report.finding("pq_signature_missing", layout.CHECKPOINT, f"{detail}{rfc3339(first)}.")
        return
    with run.report.checking("checkpoint"):
        detail = "Your trust file holds such a key of this log, and it did not sign."
        run.report.finding("pq_signature_required", layout.CHECKPOINT, f"{detail} {_why_required(run, first, proven)}")


def _why_required(run: Verification, first: datetime | None, proven: datetime | None) -> str:
    """Why the signature of a key that the caller gave cannot be done without, and what would change that."""
    if first is None:
        older = "" if _knows_pq(run) else "The key events in this bundle tell of no such key: it may be older. "
        return (
            f"{older}Your trust file does not tell since when the log has it. Take one that does: 'catena keys export' "
            "writes 'introduced pq KEY at TIME'."
        )
    shown = "no trusted time stamp shows by when the checkpoint existed (see --tsa)"
    if proven is not None:
        shown = f"that the checkpoint existed is shown for {rfc3339(proven)} and not for before"
    return f"The log has it since {rfc3339(first)}, and {shown}."


def _knows_pq(run: Verification) -> bool:
    """Whether the bundle's key events name an ML-DSA-44 key."""
    return any(event.details.get("use") == PQ for event in run.key_changes)


def _given_pq_keys(run: Verification) -> list[CosignerKey]:
    """The ML-DSA-44 keys of this very log that the caller gave."""
    origin = run.checkpoint.origin if run.checkpoint is not None else None
    return [key for key in run.trust.pq_keys if key.name == origin] if run.trust is not None else []


def _own_pq_keys(run: Verification) -> list[CosignerKey]:
    """Those that the bundle brings."""
    origin = run.checkpoint.origin if run.checkpoint is not None else None
    return [key for key in run.pq_keys if key.algorithm == MLDSA44_COSIGNER and key.name == origin]


def check_witnesses(run: Verification) -> None:
    """Co-signatures of witnesses, under the caller's policy or, without one, the archive's own."""
    if run.checkpoint is None:
        run.not_run("witnesses", "The checkpoint could not be read.")
        return
    own = _own_policy(run)
    run.witness_policy = policy = run.anchors.policy or own
    if policy is None:
        return  # what no witness said is among what was not shown
    trusted = run.anchors.policy is not None
    signatures = _cosignatures(run, policy)
    for signature in signatures:
        run.report.count("co-signatures")
        key_id, when = f"{signature.key.key_id:08x}", _moment(signature.time) if signature.time else NO_TIME
        run.report.facts.witnesses.append(WitnessSeen(signature.key.name, key_id, when, trusted))
    newest = [signature for signature in signatures if signature.time]  # of the others none says that it is the newest
    unmet = _unmet(run, policy, newest)
    run.witnessed = not unmet
    if unmet and trusted:
        run.report.finding("witness_quorum_unmet", layout.CHECKPOINT, f"By your policy, {unmet}.")
    elif unmet:
        run.report.finding("witness_quorum_unmet_own", layout.CHECKPOINT, f"By the archive's own policy, {unmet}.")


def _unmet(run: Verification, policy: Policy, signatures: Sequence[Cosignature]) -> str:
    """Why a policy is not met by co-signatures; empty when it is."""
    own = {*run.log_signers, *(signature.key for signature in run.pq_signatures)}
    if policy.logs and not own & {log.key for log in policy.logs}:
        return "this is another log than those that it names"
    if not policy.satisfied(signature.key for signature in signatures):
        return f"{len(signatures)} of {len(policy.witnesses)} witnesses co-signed, the quorum is '{policy.quorum}'"
    return ""


def _own_policy(run: Verification) -> Policy | None:
    if layout.WITNESS_POLICY not in run.files.digests:
        return None
    data = run.files.read(layout.WITNESS_POLICY, "witnesses")
    try:
        return None if data is None else parse_policy_file(data)
    except EvidenceStoreError as error:
        run.report.finding("key_malformed", layout.WITNESS_POLICY, f"{error.code}: {error.detail}.")
        return None


def _cosignatures(run: Verification, policy: Policy) -> list[Cosignature]:
    """The verified co-signatures of the policy's witnesses over this very checkpoint."""
    if layout.COSIGNED not in run.files.digests:
        return []
    note = run.files.read(layout.COSIGNED, "witnesses", MAX_SMALL_FILE)
    if note is None:
        run.not_run("witnesses", f"{layout.COSIGNED} could not be read.")
        return []
    if not note.startswith(run.checkpoint_note):
        detail = f"It is not {layout.CHECKPOINT} with more lines."
        run.report.finding("cosignature_invalid", layout.COSIGNED, detail)
        return []
    try:
        found = verify_cosignatures(note, policy.keys)
    except EvidenceStoreError as error:
        run.report.finding("cosignature_invalid", layout.COSIGNED, f"{error.code}: {error.detail}.")
        return []
    return list({each.key: each for each in sorted(found, key=lambda each: each.time)}.values())  # the newest of each


def _moment(seconds: int) -> str:
    try:
        return rfc3339(datetime.fromtimestamp(seconds, UTC))
    except (OverflowError, ValueError, OSError):
        return f"{seconds} seconds after 1970"
