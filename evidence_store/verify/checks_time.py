"""What time did independent authorities stamp on the checkpoint and the seal, and is it what manifest.json says?"""

from __future__ import annotations

from cryptography import x509

from evidence_store.bundle import layout
from evidence_store.bundle.manifest import DONE, FAILED, PENDING, Manifest, Stamp
from evidence_store.errors import EvidenceStoreError
from evidence_store.timestamps.roots import parse_roots
from evidence_store.verify.context import Verification
from evidence_store.verify.files import MAX_RECORD
from evidence_store.verify.stamps import checkpoint_imprint, judge_token, judge_tokens, newest_claim


def check_time(run: Verification) -> None:
    """Time stamps over the checkpoint and over the seal of the bundle; those of receipts are looked at with each."""
    _take_own_roots(run)
    tokens = [path for path in sorted(run.files.digests) if layout.token_authority(path) is not None]
    for path in tokens:
        _check_checkpoint_token(run, path)
    if run.seal is not None:
        claims = [time for time in (run.seal.claimed, newest_claim(run)) if time is not None]
        stamps = judge_tokens(run, layout.SEAL, run.seal.tokens, run.seal.imprint, max(claims))
        run.stamps[layout.SEAL] = stamps
    if run.manifest is None:
        run.not_run("time stamps against manifest.json", "manifest.json could not be read.")
        return
    _check_stated(run, run.manifest)
    stated = run.manifest.time
    if not tokens and not (run.seal and run.seal.tokens) and not (stated and (stated.authorities or stated.stamps)):
        run.report.finding("timestamp_none", layout.CHECKPOINT, "All times are the archive's own clock.")


def _take_own_roots(run: Verification) -> None:
    roots: list[x509.Certificate] = []
    between = list(run.anchors.time_intermediates)
    for path in sorted(run.files.digests):
        data = run.files.read(path, "time stamps") if layout.roots_authority(path) is not None else None
        if data is not None:
            try:
                found = parse_roots(data)
            except EvidenceStoreError as error:
                run.report.finding("key_malformed", path, f"{error.code}: {error.detail}.")
                continue
            roots += found.roots
            between += found.intermediates
    run.own_time_roots, run.time_intermediates = roots, between


def _check_checkpoint_token(run: Verification, path: str) -> None:
    der = run.files.read(path, "time stamps", MAX_RECORD)
    if der is None or run.checkpoint is None:
        run.not_run(f"time stamp {path}", "It, or the checkpoint that it is over, could not be read.")
        return
    stamp = judge_token(run, path, der, checkpoint_imprint(run), newest_claim(run))
    if stamp is not None:
        run.stamps.setdefault(layout.CHECKPOINT, []).append(stamp)


def _check_stated(run: Verification, manifest: Manifest) -> None:
    """What manifest.json says of time stamps that are there, are not there yet, or were refused."""
    if manifest.time is None:
        return
    receipts = [stamp.subject for stamp in manifest.time.stamps if stamp.state == DONE]
    run.stamps_due.update(subject.removeprefix("receipt:") for subject in receipts)
    for stamp in manifest.time.stamps:
        place, here = _place(run, manifest, stamp)
        if stamp.state == PENDING and not here:
            run.report.finding("timestamp_pending", place, f"{stamp.tsa} had not answered when the bundle was made.")
        elif stamp.state == FAILED and not here:
            run.report.finding("timestamp_failed", place, f"{stamp.tsa} refused it.")
        elif not here:
            run.report.finding("timestamp_invalid", place, f"The time stamp of {stamp.tsa} should be here and is not.")
    wanted, there = len(manifest.time.authorities), len(run.seal.tokens) if run.seal is not None else 0
    if there < wanted:
        run.report.finding("timestamp_pending", layout.SEAL, f"It has {there} of {wanted} time stamps.")


def _place(run: Verification, manifest: Manifest, stamp: Stamp) -> tuple[str, bool]:
    """The file that a stated time stamp is about, and whether the time stamp is here.

    Of receipts, the number of tokens is compared with what is stated when the receipt is looked at.
    """
    kind, _, name = stamp.subject.partition(":")
    if kind == "receipt":
        return f"{layout.receipt_path(name)}.p7s", stamp.state == DONE
    here = layout.token_path(stamp.tsa) in run.files.digests and name == str(manifest.checkpoint.size)
    return layout.CHECKPOINT, kind == "checkpoint" and here
