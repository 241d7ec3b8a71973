"""Frozen releases: does each seal hold under a key that was to be believed, and do members give their numbers again?"""

from __future__ import annotations

from pydantic import ValidationError
from sqlalchemy import RowMapping, select
from sqlmodel import Session

from app.audit.key_book import KeyBook
from app.audit.replay import Replay
from app.audit.stored import as_stored, streamed
from app.patterns.models import FrozenRelease
from app.patterns.recount import recount, statement_bytes
from app.timestamps.service import release_subject
from evidence_store.errors import EvidenceStoreError
from evidence_store.verify.report import Report
from evidence_store.verify.seals import open_seal
from schemas.records.v1.pattern import FrozenReleaseRecord

TABLE = "frozen_release"


def check_releases(session: Session, replay: Replay, keys: KeyBook, report: Report) -> None:
    """Name each release whose seal, statement or count does not hold.

    One that was deleted is a row that is missing, one that was swapped for another an altered row and a
    contradiction: the checks of rows and this one name both.
    """
    for row in streamed(session, select(*as_stored(FrozenRelease))):
        replay.meter.tick()
        report.count("releases")
        subject = f"{TABLE} {row['id']}"
        if not isinstance(row["seal"], bytes) or not isinstance(row["statement"], bytes):
            detail = "its statement or seal is stored as something else than bytes"
            report.finding("release_seal_invalid", subject, detail)
            continue
        _check_seal(row, subject, replay, keys, report)
        release = _said(row, subject, report)
        if release is not None:
            trouble = recount(session, release, row["statement"])
            if trouble is not None:
                report.finding(trouble.code, subject, trouble.detail)


def _check_seal(row: RowMapping, subject: str, replay: Replay, keys: KeyBook, report: Report) -> None:
    try:
        seal = open_seal(row["seal"], row["statement"], keys.roots)
    except EvidenceStoreError as error:
        report.finding("release_seal_invalid", subject, f"{error.code}: {error.detail}")
        return
    written = replay.bound(TABLE, str(row["id"]))
    keys.judge_seal(subject, seal, release_subject(row["id"]), None if written is None else written.leaf, report)


def _said(row: RowMapping, subject: str, report: Report) -> FrozenReleaseRecord | None:
    """The sealed statement; None when it is not the statement of this row."""
    try:
        said = FrozenReleaseRecord.model_validate_json(row["statement"])
        canonical = statement_bytes(said) == row["statement"]
    except (ValidationError, EvidenceStoreError):
        report.finding("release_contradicts_row", subject, "its statement is not that of a frozen release")
        return None
    told = {
        "id": said.release,
        "case_id": said.case,
        "ref": said.ref,
        "created_at": said.created_at,
        "created_by": said.author.id,
    }
    wrong = [name for name, value in told.items() if row[name] != value]
    if wrong or not canonical:
        what = f"differs in: {', '.join(wrong)}" if wrong else "its statement is not in canonical form"
        report.finding("release_contradicts_row", subject, what)
        return None
    return said
