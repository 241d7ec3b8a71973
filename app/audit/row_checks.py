"""Database rows against the log: each must be what the last event that wrote it says."""

from __future__ import annotations

from sqlmodel import Session, select

from app.audit.log_checks import Replay
from app.custody.rows import SaltedRow, format_of, formats, row_digest
from evidence_store.errors import EvidenceStoreError
from evidence_store.verify.report import Report

BATCH = 500


def check_rows(session: Session, replay: Replay, report: Report) -> None:
    """Name every auditable row that was altered, deleted or added behind the log's back."""
    wanted = dict(replay.rows)
    for table, form in formats():
        for row in session.exec(select(form.model).execution_options(yield_per=BATCH)):
            key = str(getattr(row, form.key))
            bound = wanted.pop((table, key), None)
            report.count("rows")
            _check_row(table, key, row, bound, report)
            session.expunge(row)
    for table, key in sorted(wanted):
        report.finding("row_missing", f"{table} {key}", "the log says that this row was written; it is gone")


def _check_row(table: str, key: str, row: SaltedRow, bound: tuple[int, str] | None, report: Report) -> None:
    subject = f"{table} {key}"
    if bound is None:
        report.finding("row_not_in_log", subject, "no event says that this row was written")
        return
    number, digest = bound
    form = format_of(table, number)
    if form is None:
        report.finding("check_not_run", subject, f"its row format {number} is not known to this program")
        return
    try:
        actual = row_digest(row, form)
    except EvidenceStoreError as error:
        report.finding("row_altered", subject, f"it cannot be hashed: {error.detail}")
        return
    if actual != digest:
        report.finding("row_altered", subject, "it is not what the log says was written")
