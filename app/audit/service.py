"""The audit as a use-case: ask for one, run every check, seal the report, record that it was done."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue
from sqlmodel import Session, col, select

from app.access.service import Access, Principal
from app.archive import Archive
from app.audit import checkpoint_checks, reports
from app.audit.checks import Checked, Options, check_archive
from app.audit.due import Due
from app.audit.meter import AuditStoppedError, Meter, Step
from app.audit.models import READY, RUNNING, AuditRow, AuditRunRow
from app.audit.replay import REPORT_ROLE, SEAL_ROLE
from app.audit.reports import Signed
from app.audit.runs import MAX_RESUMPTIONS, MOST, Run, Runs, asked_of, is_for_server, read_progress
from app.custody.outputs import output
from app.custody.service import SYSTEM
from app.errors import CatenaError, ConflictError, EnvironmentFailedError, InvalidInputError, NotFoundError
from app.timestamps.service import Timestamps
from evidence_store.errors import EvidenceStoreError
from evidence_store.log import note
from evidence_store.seal import add_tokens, seal_imprint

log = logging.getLogger("catena.audit")

Listener = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class Audited:
    """A finished audit.

    Attributes:
        document: the report with `id` and `signed`, for a reader.
        signed: the report as it is kept, for a file.
    """

    document: dict[str, Any]
    signed: Signed


class Audits:
    """Audits of one archive."""

    def __init__(self, archive: Archive, access: Access, timestamps: Timestamps | None = None) -> None:
        """Bind to an archive.

        Args:
            archive: the archive.
            access: who may audit it.
            timestamps: asked to stamp the reports; None for none.
        """
        self._archive = archive
        self._access = access
        self._timestamps = timestamps
        self.runs = Runs(archive.db, archive.settings.audits, archive.clock)
        self._due = Due(archive)

    # -- at once, by whoever waits for it ------------------------------------------------------

    def run(
        self,
        who: Principal,
        *,
        sample: int | None = None,
        checkpoint: bytes | None = None,
        options: Options | None = None,
        listener: Listener | None = None,
    ) -> dict[str, Any]:
        """Check the whole archive now; the report as a reader gets it (see `conduct`)."""
        asked = options or Options(sample=sample, checkpoint=checkpoint)
        return self.conduct(who, asked, listener=listener).document

    def conduct(
        self, who: Principal, options: Options, *, sign: bool = True, listener: Listener | None = None
    ) -> Audited:
        """Check the whole archive now.

        Args:
            who: the actor.
            options: what is asked.
            sign: whether to seal the report; without it, or without a key, the report says that it is not signed.
            listener: told how far it is.

        Raises:
            InvalidInputError: `bad_sample`, `bad_checkpoint`.
            ConflictError: `audit_running`.
            EnvironmentFailedError: there is no database that could be read at all.
        """
        self._permit(who, options)
        run = self.runs.new(who.actor, options, by_server=False)
        with self.runs.alone():
            return self._run(run, sign=sign, listener=listener)

    def resume(
        self, who: Principal, audit_id: str | None = None, *, sign: bool = True, listener: Listener | None = None
    ) -> Audited:
        """Go on with an interrupted audit: files that it has hashed are not hashed again.

        What was asked and hashed is read beside the reports and not in the database (app.audit.run_files).

        Args:
            who: the actor.
            audit_id: which one; None for the newest.
            sign: as in `conduct`.
            listener: told how far it is.

        Raises:
            NotFoundError: `unknown_audit` when there is none to go on with.
            ConflictError: `audit_running`, `audit_unreadable`.
        """
        self._access.require(who, "audit.run")
        with self.runs.alone():
            run = self._interrupted(audit_id)
            run.resumptions += 1
            return self._run(run, sign=sign, listener=listener)

    def _interrupted(self, audit_id: str | None) -> Run:
        """The newest one that can be gone on with."""
        trouble: CatenaError = NotFoundError("unknown_audit", "there is no such audit that was interrupted")
        for row in reversed([row for row in self.runs.unfinished() if audit_id in {None, row.id}]):
            try:
                return self.runs.read(row)
            except ConflictError as error:
                trouble = error
        raise trouble

    # -- in the background ---------------------------------------------------------------------

    def start(self, who: Principal, options: Options) -> AuditRunRow:
        """Ask for an audit that a server runs.

        Raises:
            InvalidInputError: `bad_sample`, `bad_checkpoint`.
            ConflictError: `audit_running`.
        """
        self._permit(who, options)
        run = self.runs.new(who.actor, options, by_server=True)
        self.runs.ask(run)
        row = self.runs.row(run.id)
        if row is None:
            raise EnvironmentFailedError("database_failed", "the database did not keep what was asked")
        return row

    def work(self, stop: threading.Event | None = None) -> bool:
        """Run what is asked for, was interrupted or is due; a server calls this again and again.

        Args:
            stop: set when the server ends: the audit is then interrupted, and gone on with by the next one.

        Returns:
            Whether there was anything to do.
        """
        if not (self.runs.wants_a_look() or self._due.is_due()):
            return False
        try:
            with self.runs.alone():
                self.runs.tidy()
                run = self._next()  # another server may have done it since
                if run is not None:
                    self._serve(run, stop)
        except ConflictError:
            return False  # one is running
        return run is not None

    def _serve(self, run: Run, stop: threading.Event | None) -> None:
        run.resumptions += run.stored
        try:
            self._run(run, stop=stop)
        except AuditStoppedError:
            log.info("audit %s is interrupted", run.id)
        except (CatenaError, EvidenceStoreError) as error:
            log.warning("audit %s: %s", run.id, error)
            self.runs.fail(run.id, str(error))
        except Exception as error:
            log.exception("audit %s failed", run.id)
            self.runs.fail(run.id, f"internal: {type(error).__name__}")

    def _next(self) -> Run | None:
        """What is to be run now; gives up what cannot be. Only for whoever holds the lock: others may be ending one."""
        for row in self.runs.unfinished():
            try:
                run = self.runs.read(row)
            except ConflictError as error:
                log.warning("audit %s is given up: %s", row.id, error)
                self.runs.fail(row.id, error.detail)
                continue
            if run.resumptions > MAX_RESUMPTIONS:
                self.runs.fail(run.id, f"it was interrupted {run.resumptions} times")
            elif is_for_server(row, run):
                return run
        return self.runs.new(SYSTEM, Options(), by_server=True) if self._due.is_due() else None

    # -- one audit -----------------------------------------------------------------------------

    def _permit(self, who: Principal, options: Options) -> None:
        self._access.require(who, "audit.run")
        for number, code in ((options.sample, "bad_sample"), (options.workers, "bad_workers")):
            if number is not None and not 1 <= number <= MOST:
                raise InvalidInputError(code, f"this is one or more, at most {MOST}")
        _given(options)

    def _run(
        self, run: Run, *, sign: bool = True, listener: Listener | None = None, stop: threading.Event | None = None
    ) -> Audited:
        given = _given(run.options)
        self.runs.begin(run)
        meter = Meter(listener, lambda step: self.runs.keep(run, step), stop)
        try:
            checked = check_archive(self._archive, run.options, run.kept, meter)
        except (CatenaError, EvidenceStoreError) as error:
            self.runs.fail(run.id, f"{error.code}: {error.detail}")
            raise
        except BaseException:
            self.runs.keep(run, meter.step())  # stopped: what was hashed need not be hashed again
            raise
        try:
            signed = reports.signed_report(self._archive, run, checked, given, sign=sign)
        except (CatenaError, EvidenceStoreError) as error:
            self.runs.fail(run.id, f"{error.code}: {error.detail}")  # it would fail again, and again
            raise
        try:
            self._record(run, checked, given, signed)
        except Exception as error:  # noqa: BLE001 - the report is wanted most when the archive is at its worst
            with suppress(OSError):
                reports.drop(self._archive.settings.audits, run.id)
            checked.report.finding("audit_not_recorded", f"audit {run.id}", _reason(error))
            signed = reports.signed_report(self._archive, run, checked, given, sign=sign)
        else:
            self.runs.close(run)
        return Audited(_document(run.id, signed.record.decode(), signed=signed.seal is not None), signed)

    def _record(self, run: Run, checked: Checked, given: note.Checkpoint | None, signed: Signed) -> None:
        """Files first, then the event that names them: what is named is there."""
        archive, report = self._archive, checked.report
        codes = sorted({finding.code for finding in report.findings})
        if "log_head_wrong" in codes:
            raise InvalidInputError("log_head_wrong", "the next event would be given a wrong place in the log")
        reports.keep(archive.settings.audits, run.id, signed)
        made = [output(REPORT_ROLE, signed.record)]
        if signed.seal is not None:
            made.append(output(SEAL_ROLE, signed.seal))
        details: dict[str, JsonValue] = {
            "audit": run.id,
            "ok": report.ok,
            "codes": list(codes),
            "checked": dict(report.checked),
            "resumed": checked.resumed,
            "outputs": made,
        }
        if given is not None:
            details["checkpoint"] = {"size": given.size, "root": given.root.hex()}
        record = signed.record.decode()
        row = AuditRow(
            id=run.id,
            requested_by=run.actor.id,
            started_at=run.started_at,
            finished_at=json.loads(record)["finished_at"],
            ok=report.ok,
            sample=run.options.sample,
            report=record,
        )
        with archive.db.write() as session:
            archive.custody.record(session, archive.about, "fixity check", run.actor, details=details, rows=[row])
            if run.stored:
                self.runs.finish(session, run)
            if signed.seal is not None:
                self._want_stamps(session, run.id, signed.seal)

    def _want_stamps(self, session: Session, audit_id: str, seal: bytes) -> None:
        if self._timestamps is None:
            return
        try:
            self._timestamps.request(session, audit_subject(audit_id), seal_imprint(seal).hex())
        except (CatenaError, EvidenceStoreError) as error:
            log.warning("no time stamp is asked for over audit %s: %s", audit_id, error)

    # -- reading -------------------------------------------------------------------------------

    def get(self, who: Principal, audit_id: str) -> dict[str, Any]:
        """A past audit's report, or how far one that is under way has come.

        Raises:
            NotFoundError: `unknown_audit`.
        """
        self._access.require(who, "audit.run")
        row = self._row(audit_id)
        if row is not None:
            return {"state": "done", **_document(row.id, row.report, signed=self._seal_of(row.id) is not None)}
        run = self.runs.row(audit_id)
        if run is None:
            raise NotFoundError("unknown_audit", "there is no such audit")
        return self._under_way(run, busy=self.runs.busy())

    def files(self, who: Principal, audit_id: str) -> Signed:
        """A past audit's report as it was sealed, and its seal with the time stamps that are there (CAdES B-T, or B-B).

        Raises:
            NotFoundError: `unknown_audit`.
        """
        self._access.require(who, "audit.run")
        row = self._row(audit_id)
        if row is None:
            raise NotFoundError("unknown_audit", "there is no such audit, or it is not done yet")
        seal = self._seal_of(row.id)
        return Signed(row.report.encode(), None if seal is None else self._stamped(row.id, seal))

    def _stamped(self, audit_id: str, seal: bytes) -> bytes:
        """The stored seal never changes: its digest is in the log."""
        tokens = {} if self._timestamps is None else self._timestamps.tokens(audit_subject(audit_id))
        try:
            return add_tokens(seal, tokens.values()) if tokens else seal
        except EvidenceStoreError as error:
            log.warning("the seal of audit %s is handed out without time stamps: %s", audit_id, error)
            return seal

    def list(self, who: Principal) -> list[dict[str, Any]]:
        """Audits, newest first: those under way or given up, and the last hundred that were made."""
        self._access.require(who, "audit.run")
        busy = self.runs.busy()
        rows = [self._under_way(row, busy=busy) for row in (*self.runs.unfinished(), *self.runs.failed())]
        with self._archive.db.read() as session:
            made = session.exec(select(AuditRow).order_by(col(AuditRow.started_at).desc()).limit(100)).all()
        rows += [{"state": "done", **_facts(row), "finished_at": row.finished_at, "ok": row.ok} for row in made]
        return sorted(rows, key=lambda row: str(row["started_at"]), reverse=True)

    def _row(self, audit_id: str) -> AuditRow | None:
        with self._archive.db.read() as session:
            return session.get(AuditRow, audit_id)

    def _seal_of(self, audit_id: str) -> bytes | None:
        try:
            return reports.paths_of(self._archive.settings.audits, audit_id)[1].read_bytes()
        except OSError:
            return None

    def _under_way(self, row: AuditRunRow, *, busy: bool) -> dict[str, Any]:
        state = {READY: "waiting", RUNNING: "running" if busy else "interrupted"}.get(row.state, row.state)
        try:
            sample = asked_of(row.options)[0].sample
        except ConflictError:
            sample = None
        facts = {"id": row.id, "requested_by": row.requested_by, "started_at": row.started_at, "sample": sample}
        return {"state": state, **facts, "progress": read_progress(row).get("step"), "failure": row.failure}


def audit_subject(audit_id: str) -> str:
    """What the time stamps of a report are filed under."""
    return f"audit:{audit_id}"


def _facts(row: AuditRow) -> dict[str, Any]:
    names = ("id", "requested_by", "started_at", "sample")
    return {name: getattr(row, name) for name in names}


def _given(options: Options) -> note.Checkpoint | None:
    return None if options.checkpoint is None else checkpoint_checks.parse_given(options.checkpoint)


def _reason(error: Exception) -> str:
    coded = isinstance(error, (CatenaError, EvidenceStoreError))
    return str(error) if coded else f"{type(error).__name__}: the database does not take it"


def _document(audit_id: str, record: str, *, signed: bool) -> dict[str, Any]:
    """The report for a reader."""
    return {"id": audit_id, **json.loads(record), "signed": signed}
