"""The hashes that are kept for searching: each row must be what its fingerprint says, or copies would go unnoticed.

One that is missing is no finding: searches then read the fingerprint itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import RowMapping
from sqlmodel import Session

from app.audit.replay import Replay
from app.audit.stored import stored_rows
from app.matching.kept_hashes import hashes_said
from app.matching.models import FingerprintHashes
from evidence_store.verify.report import Report

AT_ONCE = 100  # rows of an hour's recording have a megabyte


def check_hashes(session: Session, replay: Replay, report: Report) -> None:
    """Name every row that says something else than the fingerprint, and every one that there is no fingerprint for."""
    some: list[RowMapping] = []
    for row in stored_rows(session, FingerprintHashes, "leaf_index"):
        some.append(row)
        if len(some) == AT_ONCE:
            _check(session, some, replay, report)
            some = []
    _check(session, some, replay, report)


def _check(session: Session, rows: Sequence[RowMapping], replay: Replay, report: Report) -> None:
    said = hashes_said(session, [row["leaf_index"] for row in rows])
    for row in rows:
        replay.meter.tick()
        report.count("hashes")
        stored = row["item_id"], row["algorithm"], row["kind"], row["data"]
        if stored != said.get(row["leaf_index"]):
            subject = f"fingerprint_hashes {row['leaf_index']}"
            report.finding("row_altered", subject, "it is not what a fingerprint of this event says")
