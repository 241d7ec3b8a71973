"""The offline verifier: runs every check over a bundle and never stops at the first finding."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from evidence_store.bundle import layout
from evidence_store.bundle.withheld import OpeningFile
from evidence_store.verify.bundle_report import BundleReport
from evidence_store.verify.checks_custody import check_events, check_proofs
from evidence_store.verify.checks_files import check_files
from evidence_store.verify.checks_history import check_history
from evidence_store.verify.checks_items import check_items, check_outputs
from evidence_store.verify.checks_keys import check_checkpoint, check_seal
from evidence_store.verify.checks_lapsed import check_lapsed
from evidence_store.verify.checks_manifest import check_manifest
from evidence_store.verify.checks_renewals import check_renewals
from evidence_store.verify.checks_time import check_time
from evidence_store.verify.checks_withheld import check_withheld
from evidence_store.verify.checks_witnesses import check_pq_missing, check_pq_signature, check_witnesses
from evidence_store.verify.claims import add_claims
from evidence_store.verify.container import open_container
from evidence_store.verify.context import Verification
from evidence_store.verify.files import BundleFiles
from evidence_store.verify.report import MAX_PER_CODE
from evidence_store.verify.trust import Anchors, Trust

# in this order: a later check uses what an earlier one read
_CHECKS = (
    ("files", lambda run: run.files.measure()),
    ("files", check_files),
    ("manifest", check_manifest),
    ("seal", check_seal),
    ("checkpoint", check_checkpoint),
    ("custody", check_events),
    ("proofs", check_proofs),
    ("pq", check_pq_signature),
    ("witnesses", check_witnesses),
    ("time", check_time),
    ("pq", check_pq_missing),
    ("history", check_history),
    ("renewals", check_renewals),
    ("items", check_items),
    ("outputs", check_outputs),
    ("withheld", check_withheld),
    ("lapsed", check_lapsed),
)


def verify_bundle(
    path: Path,
    trust: Trust | Anchors | None = None,
    now: datetime | None = None,
    openings: OpeningFile | None = None,
) -> BundleReport:
    """Verify a bundle offline.

    Args:
        path: a bundle's ZIP file, or the folder it was unzipped to.
        trust: what the caller trusts, from outside the bundle. Without the archive's keys the bundle is checked
            against its own, and the report says so: it then shows that the bundle is whole, not who made it.
        now: the time to judge by whether certificates of authorities have expired; None for this machine's clock.
        openings: what was disclosed later of what the bundle keeps back.

    Returns:
        All findings; `ok` when none is an error.

    Raises:
        EvidenceStoreError: `unreadable` or `not_a_bundle`: there is nothing to check.
    """
    anchors = trust if isinstance(trust, Anchors) else Anchors(trust)
    report = BundleReport(max_per_code=MAX_PER_CODE)
    with open_container(path, report) as container:
        run = Verification(
            report=report,
            files=BundleFiles(container, report),
            anchors=anchors,
            openings=openings,
            now=now or datetime.now(UTC),
        )
        for name, check in _CHECKS:
            with report.checking(name):
                check(run)
        report.close()
        _tell_bundle(run)
        add_claims(run)
    return report


def _tell_bundle(run: Verification) -> None:
    """Which bundle this report is about."""
    about = run.report.facts.bundle
    if (sealed := run.files.digests.get(layout.ASIC_MANIFEST)) is not None:
        about["sealed_list_sha256"] = sealed.sha256  # the digest of all digests
    if (manifest := run.manifest) is not None:
        about |= {
            "bundle_id": manifest.bundle_id,
            "created_at": manifest.created_at,
            "created_by": manifest.created_by.name,
            "purpose": manifest.purpose,
            "archive": manifest.archive.id,
            "organisation": manifest.archive.org,
            "log": manifest.archive.log,
            "entries": manifest.checkpoint.size,
            "items": len(manifest.items),
        }
        if (place := manifest.part_of) is not None:
            about |= {"set": place.id, "part": place.part, "parts": place.parts}
