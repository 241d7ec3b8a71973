"""The audit as a use-case: run every check, write the report, record that it was done."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from pydantic import JsonValue
from sqlmodel import Session, col, select

from app.access.service import Access, Principal
from app.archive import Archive
from app.audit import (
    blob_checks,
    checkpoint_checks,
    key_checks,
    log_checks,
    row_checks,
    schema_checks,
    seal_checks,
)
from app.audit.models import AuditRow
from app.audit.stored import any_text, shown
from app.errors import CatenaError, InvalidInputError, NotFoundError
from evidence_store.errors import EvidenceStoreError
from evidence_store.log import note
from evidence_store.verify.report import Report

Progress = Callable[[int, int], None]
CLAIMS = (
    "Every stored file that was hashed is the file that was deposited, as its signed receipt says.",
    "The custody log continues every checkpoint that is kept on this machine; the database rows are what it says.",
)
CLAIM_GIVEN = "The custody log continues the checkpoint that was given: its first {size} events are those signed then."
NOT_SHOWN = (
    "Not shown here: that nothing was rewritten since the newest checkpoint that somebody else holds.",
    "Who rules this machine can rewrite all that is kept on it: compare with a checkpoint from outside (--checkpoint).",
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

    def run(
        self,
        who: Principal,
        *,
        sample: int | None = None,
        checkpoint: bytes | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """Check the whole archive.

        Args:
            who: the actor.
            sample: hash only so many files, chosen at random; None for all.
            checkpoint: a signed checkpoint of this log that somebody else kept.
            progress: told (files done, of how many).

        Returns:
            `{"id", "ok", "checked", "findings", "claims"}`.

        Raises:
            InvalidInputError: `bad_sample`, `bad_checkpoint`.
            EnvironmentFailedError: there is no database that could be read at all.
        """
        self._access.require(who, "audit.run")
        if sample is not None and sample < 1:
            raise InvalidInputError("bad_sample", "a sample is one file or more")
        given = None if checkpoint is None else checkpoint_checks.parse_given(checkpoint)
        started = self._archive.custody.now()
        report = self._check(sample, checkpoint, progress)
        if report.ok:
            own = (CLAIM_GIVEN.format(size=given.size),) if given is not None else ()
            report.claims.extend({"text": text} for text in (*CLAIMS, *own, *NOT_SHOWN))
        audit_id = str(uuid.uuid4())
        try:
            self._record(who, audit_id, started, sample, given, report)
        except Exception as error:  # noqa: BLE001 - the report is wanted most when the archive is at its worst
            report.finding("audit_not_recorded", f"audit {audit_id}", _reason(error))
        return {"id": audit_id, **_document(report)}

    def _check(self, sample: int | None, checkpoint: bytes | None, progress: Progress | None) -> Report:
        report = Report()
        settings = self._archive.settings
        head = checkpoint_checks.KeptHead.read(settings.head_file)  # before the database: see KeptHead
        with self._archive.db.read() as session, any_text(session):
            with report.checking("schema"):
                schema_checks.check_schema(self._archive.db, session, report)
            replay = self._check_log(session, head, checkpoint, report)
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

    def _check_log(
        self, session: Session, head: checkpoint_checks.KeptHead, checkpoint: bytes | None, report: Report
    ) -> log_checks.Replay:
        settings, identity = self._archive.settings, self._archive.identity
        replay = log_checks.Replay()
        with report.checking("events"):
            log_checks.replay_log(session, identity.log, report, replay)
        with report.checking("keys"):
            key_checks.check_identity(replay, identity, settings.keys, report)
            key_checks.check_private_keys(settings.keys, report)
        with report.checking("log nodes"):
            log_checks.check_nodes(session, replay, report)
        with report.checking("checkpoints"):
            vkey = (settings.keys / "log.vkey").read_text(encoding="utf-8").strip()
            newest = checkpoint_checks.check_checkpoints(session, replay, vkey, report)
            checkpoint_checks.check_kept_head(head, newest, replay, vkey, report)
            if checkpoint is not None:
                checkpoint_checks.check_given(checkpoint, replay, vkey, report)
        return replay

    def _record(
        self,
        who: Principal,
        audit_id: str,
        started: str,
        sample: int | None,
        given: note.Checkpoint | None,
        report: Report,
    ) -> None:
        custody = self._archive.custody
        codes = sorted({finding.code for finding in report.findings})
        if "log_head_wrong" in codes:
            raise InvalidInputError("log_head_wrong", "the next event would be given a wrong place in the log")
        details: dict[str, JsonValue] = {
            "audit": audit_id,
            "ok": report.ok,
            "codes": list(codes),
            "checked": dict(report.checked),
        }
        if given is not None:
            details["checkpoint"] = {"size": given.size, "root": given.root.hex()}
        with self._archive.db.write() as session:
            row = AuditRow(
                id=audit_id,
                requested_by=who.user_id,
                started_at=started,
                finished_at=custody.now(),
                ok=report.ok,
                sample=sample,
                report=json.dumps(_document(report), sort_keys=True, ensure_ascii=False),
            )
            about = f"archive:{self._archive.identity.id}"
            custody.record(session, about, "fixity check", who.actor, details=details, rows=[row])

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


def _reason(error: Exception) -> str:
    coded = isinstance(error, (CatenaError, EvidenceStoreError))
    return str(error) if coded else f"{type(error).__name__}: the database does not take it"


def _document(report: Report) -> dict[str, Any]:
    """The report as JSON; what an intruder left in it that is no text is written as escapes."""
    document: dict[str, Any] = report.as_json()
    for finding in document["findings"]:
        finding.update({name: shown(value) for name, value in finding.items()})
    return document
