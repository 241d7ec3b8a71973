"""Database rows against the log: each must be what the last event that wrote it says."""

from __future__ import annotations

from typing import Any

from sqlmodel import Session

from app.audit.replay import Bound, Replay
from app.audit.stored import as_mapped, stored_rows
from app.custody.rows import format_of, formats, values_digest
from evidence_store.errors import EvidenceStoreError
from evidence_store.verify.report import Report

LEAF = "leaf_index"


def check_rows(session: Session, replay: Replay, report: Report) -> None:
    """Name every auditable row that was altered, deleted or added behind the log's back."""
    for table, form in formats():
        with report.checking(f"rows of {table}"):
            for row in stored_rows(session, form.model):
                key = str(row[form.key])
                report.count("rows")
                replay.meter.tick()
                _check_row(table, key, as_mapped(form.model, row), replay.see_row(table, key), report)
    for table, key in replay.rows_unseen():
        report.finding("row_missing", f"{table} {key}", "the log says that this row was written; it is gone")


def _check_row(table: str, key: str, values: dict[str, Any], bound: Bound | None, report: Report) -> None:
    subject = f"{table} {key}"
    if bound is None:
        report.finding("row_not_in_log", subject, "no event says that this row was written")
        return
    form = format_of(table, bound.number)
    if form is None:
        report.finding("check_not_run", subject, f"its row format {bound.number} is not known to this program")
        return
    try:
        actual = values_digest(values, form)
    except EvidenceStoreError as error:
        report.finding("row_altered", subject, f"it cannot be hashed: {error.detail}")
        return
    if actual != bound.digest:
        report.finding("row_altered", subject, "it is not what the log says was written")
    elif values.get(LEAF, bound.leaf) != bound.leaf:
        report.finding("row_altered", subject, f"it was written by leaf {bound.leaf}, but says {values[LEAF]}")
