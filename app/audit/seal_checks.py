"""Receipts, work and exports: does every signature hold, and does each item have what it needs?"""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from sqlalchemy import RowMapping
from sqlmodel import Session, col, select

from app.analysis.models import AnalysisRun
from app.audit.log_checks import Replay
from app.audit.stored import stored_rows
from app.evidence.models import Blob, Item, Receipt
from app.export.models import ExportRow
from app.jobs.models import Job
from app.jobs.service import DEAD, READY, RUNNING
from evidence_store.bundle.shapes import is_uuid
from evidence_store.canonical import parse_canonical
from evidence_store.digests import digest_file
from evidence_store.errors import EvidenceStoreError
from evidence_store.seal import verify_seal
from evidence_store.verify.report import Report


def check_receipts(session: Session, replay: Replay, keys: Path, report: Report) -> None:
    """Each item has a receipt whose seal holds and whose statement repeats item, blob and event."""
    roots = [x509.load_pem_x509_certificate((keys / "ca.crt").read_bytes())]
    receipts = {receipt["item_id"]: receipt for receipt in stored_rows(session, Receipt)}
    unfinished = select(Job.dedupe_key).where(Job.kind == "seal", col(Job.state).in_((READY, RUNNING)))
    pending = set(session.exec(unfinished))
    blobs = {blob.sha256: blob for blob in session.exec(select(Blob))}
    for item in session.exec(select(Item)):
        subject = f"item {item.id}"
        receipt = receipts.pop(item.id, None)
        if receipt is None:
            if f"seal:{item.id}" in pending:
                report.finding("receipt_pending", subject, "it has no deposit receipt yet")
            else:
                report.finding("receipt_missing", subject, "it has no deposit receipt")
            continue
        report.count("receipts")
        if not isinstance(receipt["seal"], bytes) or not isinstance(receipt["statement"], bytes):
            report.finding("receipt_invalid", subject, "its statement or seal is stored as something else than bytes")
            continue
        try:
            verify_seal(receipt["seal"], receipt["statement"], roots)
            _compare(item, blobs.get(item.sha256), receipt, replay, report)
        except EvidenceStoreError as error:
            report.finding("receipt_invalid", subject, f"{error.code}: {error.detail}")
    for item_id in receipts:
        report.finding("receipt_without_item", f"item {item_id}", "a receipt is here, its item is not")


def _compare(item: Item, blob: Blob | None, receipt: RowMapping, replay: Replay, report: Report) -> None:
    subject = f"item {item.id}"
    ingested = replay.ingested.get(f"item:{item.id}")
    if ingested is None or blob is None:
        report.finding("item_without_ingestion", subject, "its ingestion event or its blob record is missing")
        return
    event, leaf_index = ingested
    expected = {
        "item": item.id,
        "case": item.case_id,
        "original_name": item.original_name,
        "sha256": blob.sha256,
        "sha512": blob.sha512,
        "crc32": blob.crc32,
        "size": blob.size,
        "received_at": item.received_at,
        "event_id": event.event_id,
        "event_sha256": event.digest,
        "leaf_index": leaf_index,
    }
    statement = parse_canonical(receipt["statement"])
    says = statement if isinstance(statement, dict) else {}
    wrong = [name for name, value in expected.items() if says.get(name) != value]
    if wrong or (event.sha256, event.sha512, event.size) != (blob.sha256, blob.sha512, blob.size):
        report.finding("receipt_contradicts_item", subject, f"differs in: {', '.join(wrong) or 'digests of the event'}")


def check_work(session: Session, report: Report) -> None:
    """No item fell between the jobs: each is analysed, or will be, or the reason stands there."""
    analysed = set(session.exec(select(AnalysisRun.item_id)))
    waiting = set(session.exec(select(Job.dedupe_key).where(col(Job.state).in_((READY, RUNNING)))))
    for item_id in session.exec(select(Item.id)):
        if item_id in analysed:
            continue
        if f"analyse:{item_id}" in waiting:
            report.finding("analysis_pending", f"item {item_id}", "it has not been analysed yet")
        else:
            report.finding("analysis_missing", f"item {item_id}", "it has not been analysed")
    for job in session.exec(select(Job).where(Job.state == DEAD)):
        report.finding("job_dead", f"job {job.dedupe_key}", job.last_error or "no reason was kept")


def check_exports(session: Session, folder: Path, report: Report) -> None:
    """Bundles that are still in the export folder are the ones that were made."""
    for row in session.exec(select(ExportRow)):
        if row.sha256 is None:
            continue
        if not is_uuid(row.id):
            continue  # no id of ours: check_rows names the row, and no path is built from it
        path = folder / f"{row.id}.zip"
        if not path.exists():
            report.finding("export_absent", f"export {row.id}", "its bundle is no longer in the export folder")
            continue
        report.count("exports")
        if digest_file(path).sha256 != row.sha256:
            report.finding("export_altered", f"export {row.id}", "its bundle is not the one that was signed")
