"""What the checks learn from each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography import x509

from evidence_store.bundle.events import CustodyEvent, ObjectChain
from evidence_store.bundle.manifest import Manifest
from evidence_store.log.note import Checkpoint
from evidence_store.seal import SealInfo
from evidence_store.verify.files import BundleFiles
from evidence_store.verify.report import Report
from evidence_store.verify.trust import Trust


@dataclass
class Verification:
    """One run of the verifier.

    Attributes:
        report: takes findings and counts.
        files: the bundle's files.
        trust: keys that the caller trusts, None when there are none.
        manifest: manifest.json, None when it could not be read.
        roots: CA certificates that seals are checked against.
        seal: the seal over the bundle, None when it did not verify.
        checkpoint: the log's signed state, None when it did not verify.
        checkpoint_note: its bytes.
        chains: what custody/events.jsonl holds of each object.
        ingestions: the ingestion events of each object.
        outputs: (object, sha256) of each file of the manifest that an event names as its output.
    """

    report: Report
    files: BundleFiles
    trust: Trust | None
    manifest: Manifest | None = None
    roots: Sequence[x509.Certificate] = ()
    seal: SealInfo | None = None
    checkpoint: Checkpoint | None = None
    checkpoint_note: bytes = b""
    chains: dict[str, ObjectChain] = field(default_factory=dict)
    ingestions: dict[str, list[CustodyEvent]] = field(default_factory=dict)
    outputs: set[tuple[str, str]] = field(default_factory=set)

    def not_run(self, check: str, because: str) -> None:
        """Report that a check could not be done."""
        self.report.finding("check_not_run", check, because)
