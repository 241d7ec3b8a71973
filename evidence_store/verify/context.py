"""What the checks learn from each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509

from evidence_store.bundle.events import CustodyEvent, ObjectChain
from evidence_store.bundle.manifest import Manifest
from evidence_store.bundle.withheld import OpeningFile
from evidence_store.digests import Digests
from evidence_store.log.cosignature import Cosignature, CosignerKey
from evidence_store.log.note import Checkpoint, VerifierKey
from evidence_store.log.policy import Policy
from evidence_store.trust import KeyHistory
from evidence_store.verify.bundle_report import BundleReport
from evidence_store.verify.facts import Stamp
from evidence_store.verify.files import BundleFiles
from evidence_store.verify.seals import OpenedSeal
from evidence_store.verify.trust import Anchors, Trust


@dataclass
class Verification:
    """One run of the verifier.

    Attributes:
        report: takes findings, counts, facts and claims.
        files: the bundle's files.
        anchors: what the caller trusts.
        manifest: manifest.json, None when it could not be read.
        roots: CA certificates that the seal over the bundle is checked against.
        bundled_cas: the CA certificates that the bundle carries.
        own_time_roots: roots of time-stamping authorities that the bundle carries.
        time_intermediates: certificates that may stand below any root of such an authority.
        seal: the seal over the bundle, None when it did not verify.
        checkpoint: the log's signed state, None when it did not verify.
        checkpoint_note: its bytes.
        log_keys: Ed25519 keys that checkpoints are checked against.
        pq_keys: ML-DSA-44 keys of the log, likewise.
        log_signers: those of `log_keys` that signed the checkpoint.
        pq_signatures: verified ML-DSA-44 signatures of the log over the checkpoint.
        pq_missing: whether the checkpoint was looked at and has no such signature.
        witness_policy: what co-signatures were judged by; None without any.
        witnessed: whether its quorum was met.
        chains: what custody/events.jsonl holds of each object.
        newest_event: the latest time of an event (RFC 3339), "" without events.
        ingestions: the ingestion events of each object.
        outputs: (object, sha256) of each file of the manifest that an event names as its output, with the number of
            the first such event.
        bare_seals: digests of each receipt's seal without its time stamps, by path.
        key_changes: the events of the archive's keys.
        history: what they say; None when there are none, or they cannot be read.
        stamps: verified time stamps over the checkpoint, and over the seal of the bundle, by the file's path.
        renewed: verified renewals by object: how many of its events, from the oldest, each covers, and its time.
        carried: verified renewals of a checkpoint, by SHA-256 (hex) of each time stamp over it that they carry on.
        stamps_due: how many time stamps manifest.json says that the seal of a receipt holds, by item.
        unanchored: authorities whose time stamps verify under roots of the bundle only.
        outdated: use and name of keys of which the caller knows more than the bundle tells.
        refused: files with a signature whose key must not be believed.
        withheld_events: stubs of events that the bundle keeps back, by the digest that they state.
        withheld_ingestions: those of ingestion events, by object.
        openings: what was disclosed later of what it keeps back, or None.
        now: the clock of the machine that checks.
    """

    report: BundleReport
    files: BundleFiles
    anchors: Anchors
    manifest: Manifest | None = None
    roots: Sequence[x509.Certificate] = ()
    bundled_cas: Sequence[x509.Certificate] = ()
    own_time_roots: Sequence[x509.Certificate] = ()
    time_intermediates: Sequence[x509.Certificate] = ()
    seal: OpenedSeal | None = None
    checkpoint: Checkpoint | None = None
    checkpoint_note: bytes = b""
    log_keys: Sequence[VerifierKey] = ()
    pq_keys: Sequence[CosignerKey] = ()
    log_signers: Sequence[VerifierKey] = ()
    pq_signatures: Sequence[Cosignature] = ()
    pq_missing: bool = False
    witness_policy: Policy | None = None
    witnessed: bool = False
    chains: dict[str, ObjectChain] = field(default_factory=dict)
    newest_event: str = ""
    ingestions: dict[str, list[CustodyEvent]] = field(default_factory=dict)
    outputs: dict[tuple[str, str], int] = field(default_factory=dict)
    bare_seals: dict[str, Digests] = field(default_factory=dict)
    key_changes: list[CustodyEvent] = field(default_factory=list)
    history: KeyHistory | None = None
    stamps: dict[str, list[Stamp]] = field(default_factory=dict)
    renewed: dict[str, list[tuple[int, Stamp]]] = field(default_factory=dict)
    carried: dict[str, list[Stamp]] = field(default_factory=dict)
    stamps_due: Counter[str] = field(default_factory=Counter)
    unanchored: set[str] = field(default_factory=set)
    outdated: set[tuple[str, str]] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    withheld_events: dict[str, CustodyEvent] = field(default_factory=dict)
    withheld_ingestions: dict[str, CustodyEvent] = field(default_factory=dict)
    openings: OpeningFile | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def trust(self) -> Trust | None:
        """Keys of the archive that the caller trusts, None when there are none."""
        return self.anchors.trust

    def not_run(self, check: str, because: str) -> None:
        """Report that a check could not be done."""
        self.report.finding("check_not_run", check, because)

    def passed(self, *checks: str) -> bool:
        """Whether none of these checks has found an error so far."""
        return not self.report.failed_checks & set(checks)
