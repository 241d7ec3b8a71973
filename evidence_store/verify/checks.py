"""The offline verifier: runs every check over a bundle and never stops at the first finding."""

from __future__ import annotations

from pathlib import Path

from evidence_store.verify.checks_custody import check_events, check_proofs
from evidence_store.verify.checks_files import check_files
from evidence_store.verify.checks_items import check_items, check_outputs
from evidence_store.verify.checks_keys import check_checkpoint, check_seal
from evidence_store.verify.checks_manifest import check_manifest
from evidence_store.verify.claims import add_claims
from evidence_store.verify.container import open_container
from evidence_store.verify.context import Verification
from evidence_store.verify.files import BundleFiles
from evidence_store.verify.report import MAX_PER_CODE, Report
from evidence_store.verify.trust import Trust

# in this order: a later check uses what an earlier one read
_CHECKS = (
    ("files", lambda run: run.files.measure()),
    ("files", check_files),
    ("manifest", check_manifest),
    ("seal", check_seal),
    ("checkpoint", check_checkpoint),
    ("custody", check_events),
    ("proofs", check_proofs),
    ("items", check_items),
    ("outputs", check_outputs),
)


def verify_bundle(path: Path, trust: Trust | None = None) -> Report:
    """Verify a bundle offline.

    Args:
        path: a bundle's ZIP file, or the folder it was unzipped to.
        trust: keys from outside the bundle. Without them the bundle is checked against its own keys, and the report
            says so: it then shows that the bundle is whole, not who made it.

    Returns:
        All findings; `ok` when none is an error.

    Raises:
        EvidenceStoreError: `unreadable` or `not_a_bundle`: there is nothing to check.
    """
    report = Report(max_per_code=MAX_PER_CODE)
    with open_container(path, report) as container:
        run = Verification(report=report, files=BundleFiles(container, report), trust=trust)
        for name, check in _CHECKS:
            with report.checking(name):
                check(run)
        report.close()
        add_claims(run)
    return report
