"""Earlier audits: the reports that lie in their folder are the ones that were recorded and sealed."""

from __future__ import annotations

from pathlib import Path

from app.archive import Archive
from app.audit.replay import Replay
from app.audit.row_checks import check_output
from evidence_store.bundle.shapes import is_uuid
from evidence_store.digests import digest_file
from evidence_store.errors import EvidenceStoreError
from evidence_store.verify.report import Report


def check_reports(archive: Archive, replay: Replay, report: Report) -> None:
    """Compare each report and each seal with the digest in the event of its audit."""
    for audit_id, report_sha256, seal_sha256 in replay.audits():
        if not is_uuid(audit_id):
            continue  # no id of ours; no path is built from it
        for ending, sha256 in (("json", report_sha256), ("p7s", seal_sha256)):
            if sha256 is not None:
                replay.meter.tick()
                _compare(archive.settings.audits / f"{audit_id}.{ending}", sha256, replay, report)


def _compare(path: Path, sha256: str, replay: Replay, report: Report) -> None:
    if not path.is_file():
        report.finding("audit_report_absent", f"audits/{path.name}", "it is no longer in its folder")
        return
    report.count("audit reports")
    try:
        found = digest_file(path)
    except EvidenceStoreError as error:
        report.finding("check_not_run", f"audits/{path.name}", f"it cannot be read: {error.detail}")
        return
    if found.sha256 != sha256:
        report.finding("audit_report_altered", f"audits/{path.name}", "it is not the one that the log names")
    check_output(f"audits/{path.name}", found.sha256, found.sha512, replay, report)
