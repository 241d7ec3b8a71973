"""The audit as a use-case: run every check, write the report, record that it was done."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from sqlmodel import col, select

from app.access.service import Access, Principal
from app.archive import Archive
from app.audit import blob_checks, log_checks, row_checks, seal_checks
from app.audit.models import AuditRow
from app.errors import CatenaError, InvalidInputError, NotFoundError
from evidence_store.errors import EvidenceStoreError
from evidence_store.verify.report import Report

Progress = Callable[[int, int], None]
CLAIMS = (
    "Every stored file that was hashed is the file that was deposited, as its signed receipt says.",
    "The custody log is whole as of its newest checkpoint, and the database rows are what it says was written.",
    "Not shown here: that the log was not rewritten by someone who holds its key and every copy of its checkpoints.",
    "Not shown here: that what a file depicts is true.",
    "Not shown here: that the times of events are right; they are this archive's own clock.",
)


class Audits:
    """Audits of one archive."""

    def __init__(self, archive: Archive, access: Access) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._access = access

    def run(self, who: Principal, *, sample: int | None = None, progress: Progress | None = None) -> dict[str, Any]:
        """Check the whole archive.

        Args:
            who: the actor.
            sample: hash only so many files, chosen at random; None for all.
            progress: told (files done, of how many).

        Returns:
            `{"id", "ok", "checked", "findings", "claims"}`.

        Raises:
            InvalidInputError: `bad_sample`.
        """
        self._access.require(who, "audit.run")
        if sample is not None and sample < 1:
            raise InvalidInputError("bad_sample", "a sample is one file or more")
        started = self._archive.custody.now()
        report = self._check(sample, progress)
        if report.ok:
            report.claims.extend({"text": text} for text in CLAIMS)
        audit_id = str(uuid.uuid4())
        try:
            self._record(who, audit_id, started, sample, report)
        except (CatenaError, EvidenceStoreError) as error:
            report.finding("audit_not_recorded", f"audit {audit_id}", str(error))
        return {"id": audit_id, **report.as_json()}

    def _check(self, sample: int | None, progress: Progress | None) -> Report:
        report = Report()
        settings, identity = self._archive.settings, self._archive.identity
        with self._archive.db.read() as session:
            replay = log_checks.Replay()
            with report.checking("events"):
                replay = log_checks.replay_log(session, identity.log, report)
            with report.checking("keys"):
                seal_checks.check_identity(replay, identity, settings.keys, report)
            with report.checking("log nodes"):
                log_checks.check_nodes(session, replay, report)
            with report.checking("checkpoints"):
                vkey = (settings.keys / "log.vkey").read_text(encoding="utf-8").strip()
                log_checks.check_checkpoints(session, replay, identity.log, vkey, report)
                log_checks.check_kept_head(session, replay, settings.head_file, vkey, report)
            with report.checking("rows"):
                row_checks.check_rows(session, replay, report)
            with report.checking("receipts"):
                seal_checks.check_receipts(session, replay, settings.keys, report)
            with report.checking("work"):
                seal_checks.check_work(session, report)
            with report.checking("blobs"):
                blob_checks.check_blobs(session, self._archive.blobs, report, sample=sample, progress=progress)
            with report.checking("exports"):
                seal_checks.check_exports(session, settings.exports, report)
        return report

    def _record(self, who: Principal, audit_id: str, started: str, sample: int | None, report: Report) -> None:
        custody = self._archive.custody
        codes = sorted({finding.code for finding in report.findings})
        with self._archive.db.write() as session:
            row = AuditRow(
                id=audit_id,
                requested_by=who.user_id,
                started_at=started,
                finished_at=custody.now(),
                ok=report.ok,
                sample=sample,
                report=json.dumps(report.as_json(), sort_keys=True, ensure_ascii=False),
            )
            custody.record(
                session,
                f"archive:{self._archive.identity.id}",
                "fixity check",
                who.actor,
                details={"audit": audit_id, "ok": report.ok, "codes": list(codes), "checked": dict(report.checked)},
                rows=[row],
            )

    def get(self, who: Principal, audit_id: str) -> dict[str, Any]:
        """A past audit.

        Raises:
            NotFoundError: `unknown_audit`.
        """
        self._access.require(who, "audit.run")
        with self._archive.db.read() as session:
            row = session.get(AuditRow, audit_id)
        if row is None:
            raise NotFoundError("unknown_audit", "there is no such audit")
        facts = {"started_at": row.started_at, "finished_at": row.finished_at, "sample": row.sample}
        return {"id": row.id, **facts, **json.loads(row.report)}

    def list(self, who: Principal) -> list[AuditRow]:
        """Past audits, newest first."""
        self._access.require(who, "audit.run")
        with self._archive.db.read() as session:
            return list(session.exec(select(AuditRow).order_by(col(AuditRow.started_at).desc()).limit(100)))
