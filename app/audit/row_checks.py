"""Database rows against the log: each must be what the last event that wrote it says."""

from __future__ import annotations

from typing import Any

from sqlmodel import Session

from app.audit.replay import Bound, Replay
from app.audit.stored import as_mapped, stored_rows
from app.custody.rows import format_of, formats, values_digest
from evidence_store.digests import digest_stream
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
                values = as_mapped(form.model, row)
                _check_row(table, key, values, replay.see_row(table, key), report)
                _check_outputs(f"{table} {key}", values, replay, report)
    for table, key in replay.rows_unseen():
        report.finding("row_missing", f"{table} {key}", "the log says that this row was written; it is gone")


def _check_outputs(subject: str, values: dict[str, Any], replay: Replay, report: Report) -> None:
    """Files that lie in the row's columns, or that the row lists with both digests, are those that events name."""
    files = [digest_stream([value]) for value in values.values() if isinstance(value, bytes)]
    for found in files:
        check_output(subject, found.sha256, found.sha512, replay, report)
    listed = values.get("sha256"), values.get("sha512")
    if all(isinstance(value, str) for value in listed):
        check_output(subject, str(listed[0]), str(listed[1]), replay, report)


def check_output(subject: str, sha256: str, sha512: str, replay: Replay, report: Report) -> None:
    """Name an event that means another file by the same SHA-256; events made before version 0.2 do not say."""
    leaf = replay.otherwise(sha256, sha512)
    if leaf is not None:
        report.finding("output_differs", subject, f"leaf {leaf} names another SHA-512 of the file of SHA-256 {sha256}")


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
