"""Receipts and work: does every signature hold, and does each item have what it needs?"""

from __future__ import annotations

from typing import Any

from sqlalchemy import RowMapping, Select, and_, exists, select
from sqlmodel import Session

from app.analysis.models import AnalysisRun
from app.audit.key_book import KeyBook
from app.audit.replay import Replay
from app.audit.stored import as_stored, streamed
from app.db import table_of
from app.evidence.models import Blob, Item, Receipt
from app.jobs.models import Job
from app.jobs.states import DEAD, READY, RUNNING
from evidence_store.canonical import parse_canonical
from evidence_store.errors import EvidenceStoreError
from evidence_store.verify.report import Report
from evidence_store.verify.seals import open_seal

_ITEM, _RECEIPT, _BLOB, _JOB = (table_of(model) for model in (Item, Receipt, Blob, Job))
_RUN = table_of(AnalysisRun)


def check_receipts(session: Session, replay: Replay, keys: KeyBook, report: Report) -> None:
    """Each item has a receipt whose seal holds under a key that was to be believed, and says what is recorded."""
    roots = keys.roots
    for row in streamed(session, _items_with_receipts()):
        replay.meter.tick()
        subject = f"item {row['item_id']}"
        if row["receipt_item_id"] is None:
            if row["job_id"] is not None:
                report.finding("receipt_pending", subject, "it has no deposit receipt yet")
            else:
                report.finding("receipt_missing", subject, "it has no deposit receipt")
            continue
        report.count("receipts")
        if not isinstance(row["receipt_seal"], bytes) or not isinstance(row["receipt_statement"], bytes):
            report.finding("receipt_invalid", subject, "its statement or seal is stored as something else than bytes")
            continue
        try:
            seal = open_seal(row["receipt_seal"], row["receipt_statement"], roots)
            _compare(row, replay, report)
        except EvidenceStoreError as error:
            report.finding("receipt_invalid", subject, f"{error.code}: {error.detail}")
            continue
        written = replay.bound("receipt", row["item_id"])
        keys.judge_seal(subject, seal, f"receipt:{row['item_id']}", None if written is None else written.leaf, report)
    orphans = select(*as_stored(Receipt)).where(~exists().where(_ITEM.c.id == _RECEIPT.c.item_id))
    for receipt in streamed(session, orphans):
        report.finding("receipt_without_item", f"item {receipt['item_id']}", "a receipt is here, its item is not")


def _items_with_receipts() -> Select[Any]:
    """Each item with its receipt, its blob and the job that would make the receipt, as far as they are there."""
    joined = (
        _ITEM.outerjoin(_RECEIPT, _RECEIPT.c.item_id == _ITEM.c.id)
        .outerjoin(_BLOB, _BLOB.c.sha256 == _ITEM.c.sha256)
        .outerjoin(_JOB, _waiting("seal"))
    )
    columns = [*as_stored(Item, "item_"), *as_stored(Receipt, "receipt_"), *as_stored(Blob, "blob_")]
    return select(*columns, _JOB.c.id.label("job_id")).select_from(joined)


def _waiting(kind: str) -> Any:  # noqa: ANN401 - a condition of SQLAlchemy's
    """The job of this kind for the item is not done yet."""
    return and_(_JOB.c.dedupe_key == f"{kind}:" + _ITEM.c.id, _JOB.c.state.in_((READY, RUNNING)))


def _compare(row: RowMapping, replay: Replay, report: Report) -> None:
    subject = f"item {row['item_id']}"
    event = replay.ingestion(f"item:{row['item_id']}")
    if event is None or row["blob_sha256"] is None:
        report.finding("item_without_ingestion", subject, "its ingestion event or its blob record is missing")
        return
    expected = {
        "item": row["item_id"],
        "case": row["item_case_id"],
        "original_name": row["item_original_name"],
        "sha256": row["blob_sha256"],
        "sha512": row["blob_sha512"],
        "crc32": row["blob_crc32"],
        "size": row["blob_size"],
        "received_at": row["item_received_at"],
        "event_id": event.event_id,
        "event_sha256": event.digest,
        "leaf_index": event.leaf,
    }
    statement = parse_canonical(row["receipt_statement"])
    says = statement if isinstance(statement, dict) else {}
    wrong = [name for name, value in expected.items() if says.get(name) != value]
    stored = (row["blob_sha256"], row["blob_sha512"], row["blob_size"])
    if wrong or (event.sha256, event.sha512, event.size) != stored:
        report.finding("receipt_contradicts_item", subject, f"differs in: {', '.join(wrong) or 'digests of the event'}")


def check_work(session: Session, report: Report) -> None:
    """No item fell between the jobs: each is analysed, or will be, or the reason stands there."""
    unseen = (
        select(*as_stored(Item), _JOB.c.id.label("job_id"))
        .select_from(_ITEM.outerjoin(_JOB, _waiting("analyse")))
        .where(~exists().where(_RUN.c.item_id == _ITEM.c.id))
    )
    for row in streamed(session, unseen):
        if row["job_id"] is not None:
            report.finding("analysis_pending", f"item {row['id']}", "it has not been analysed yet")
        else:
            report.finding("analysis_missing", f"item {row['id']}", "it has not been analysed")
    for row in streamed(session, select(*as_stored(Job)).where(_JOB.c.state == DEAD)):
        report.finding("job_dead", f"job {row['dedupe_key']}", str(row["last_error"] or "no reason was kept"))
