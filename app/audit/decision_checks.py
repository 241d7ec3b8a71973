"""Decisions of second persons on what was said of incidents: is each signed that must be, and is none by the author?"""

from __future__ import annotations

from typing import Any

from sqlalchemy import RowMapping, Select, select
from sqlmodel import Session

from app.assessment.models import AssessmentEntry, AssessmentReview
from app.audit.key_book import KeyBook
from app.audit.replay import Replay
from app.audit.stored import as_stored, streamed
from app.db import table_of
from evidence_store.canonical import parse_canonical
from evidence_store.errors import EvidenceStoreError
from evidence_store.verify.report import Report
from evidence_store.verify.seals import open_seal

_ENTRY, _REVIEW = table_of(AssessmentEntry), table_of(AssessmentReview)
_SEALED = "assessment"


def check_decisions(session: Session, replay: Replay, keys: KeyBook, report: Report) -> None:
    """Each decision on an assessment is sealed by a key that was to be believed; nobody decided on his own entry."""
    for row in streamed(session, _decisions()):
        replay.meter.tick()
        report.count("decisions")
        subject = f"assessment_review {row['id']}"
        if row["reviewer_id"] == row["of_author_id"]:
            report.finding("decision_by_author", subject, "its reviewer is the author of what it decides on")
        if row["of_kind"] == _SEALED:
            _check_seal(row, subject, replay, keys, report)


def _decisions() -> Select[Any]:
    joined = _REVIEW.outerjoin(_ENTRY, _ENTRY.c.id == _REVIEW.c.entry_id)
    return select(*as_stored(AssessmentReview), *as_stored(AssessmentEntry, "of_")).select_from(joined)


def _check_seal(row: RowMapping, subject: str, replay: Replay, keys: KeyBook, report: Report) -> None:
    if row["seal"] is None:
        report.finding("decision_unsigned", subject, "the archive has not sealed it")
        return
    if not isinstance(row["seal"], bytes) or not isinstance(row["record"], bytes):
        report.finding("decision_invalid", subject, "its record or seal is stored as something else than bytes")
        return
    try:
        seal = open_seal(row["seal"], row["record"], keys.roots)
        said = parse_canonical(row["record"])
    except EvidenceStoreError as error:
        report.finding("decision_invalid", subject, f"{error.code}: {error.detail}")
        return
    stored = (row["id"], row["entry_id"], row["number"], row["decision"], row["comment"])
    names = ("review", "entry", "number", "decision", "comment")
    if not isinstance(said, dict) or tuple(said.get(name) for name in names) != stored:
        report.finding("decision_invalid", subject, "the sealed record says something else than the row")
        return
    written = replay.bound("assessment_review", str(row["id"]))
    keys.judge_seal(subject, seal, f"decision:{row['id']}", None if written is None else written.leaf, report)
