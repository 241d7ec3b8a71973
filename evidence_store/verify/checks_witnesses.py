"""Who else signed the checkpoint: the log itself with a second algorithm, and witnesses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from evidence_store.bundle import layout
from evidence_store.errors import EvidenceStoreError
from evidence_store.log.cosignature import MLDSA44_COSIGNER, Cosignature, CosignerKey, verify_cosignatures
from evidence_store.log.policy import Policy
from evidence_store.verify.context import Verification
from evidence_store.verify.facts import WitnessSeen, rfc3339
from evidence_store.verify.files import MAX_SMALL_FILE
from evidence_store.verify.trust import parse_policy_file

NO_TIME = "no time"
"""Shown of a co-signature of time zero, which does not say that its witness had seen nothing newer (C2SP
tlog-cosignature)."""


def check_pq_signature(run: Verification) -> None:
    """The log's own ML-DSA-44 signature beside its Ed25519 one (C2SP tlog-cosignature, type 0x06)."""
    if run.checkpoint is None:
        run.not_run("post-quantum signature", "The checkpoint could not be read.")
        return
    origin = run.checkpoint.origin
    given = [key for key in run.trust.pq_keys if key.name == origin] if run.trust is not None else []
    keys = given or [key for key in run.pq_keys if key.algorithm == MLDSA44_COSIGNER and key.name == origin]
    # whoever gave the key wants both signatures: with one of them alone, the checkpoint is not signed as it should be
    with run.report.checking("checkpoint" if given else "pq"):
        _check_pq(run, keys, given=bool(given))


def _check_pq(run: Verification, keys: Sequence[CosignerKey], *, given: bool) -> None:
    try:
        run.pq_signatures = verify_cosignatures(run.checkpoint_note, keys)
    except EvidenceStoreError as error:
        run.report.finding("pq_signature_invalid", layout.CHECKPOINT, f"{error.code}: {error.detail}.")
        return
    if run.pq_signatures:
        run.report.count("post-quantum signatures", len(run.pq_signatures))
    elif given:
        detail = "Your trust file holds such a key of this log, and it did not sign."
        run.report.finding("pq_signature_required", layout.CHECKPOINT, detail)
    else:
        detail = "The log has such a key." if keys else "There is no such key of the log, either."
        run.report.finding("pq_signature_missing", layout.CHECKPOINT, detail)


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
