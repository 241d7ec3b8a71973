"""Audits that are asked for, under way or interrupted: one at a time, and none is lost.

1. Whoever runs an audit holds the lock of the audits' folder. The system gives it back when the process ends, however
   it ends: a run that says `running` while the lock is free was interrupted.
2. Progress is written every few seconds. It is bookkeeping, not evidence (app.audit.kept).
3. Rows say which audits there are and how far each is, for those who ask. What is gone on with is what the program
   wrote beside the reports (app.audit.run_files): a row without that, or with other orders, is given up.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from app.audit.checks import Options
from app.audit.kept import Kept, parse_kept
from app.audit.meter import Step
from app.audit.models import DONE, FAILED, READY, RUNNING, AuditRow, AuditRunRow
from app.audit.run_files import RunFiles, Written
from app.clock import Clock, rfc3339
from app.db import Database
from app.errors import CatenaError, ConflictError
from evidence_store.durable import make_directories
from evidence_store.errors import EvidenceStoreError
from schemas.records.v1.event import Actor

MOST = 2**53 - 1
"""The largest number that a canonical report can hold (RFC 8785, section 3.2.2.3)."""

OPEN = (READY, RUNNING)
"""States of an audit that is not over."""

_LOCK_TRIES, _LOOKS = 20, 3
_LOCK_PAUSE_SECONDS = 0.05
MAX_RESUMPTIONS = 20
"""An audit that ends its server each time must not be begun for ever."""


@dataclass
class Run:
    """One audit that is asked for or under way.

    Attributes:
        id: UUID, also of the report.
        actor: who asked for it.
        options: what was asked.
        started_at: RFC 3339 UTC.
        by_server: whether a server runs it, and goes on with it after an interruption.
        kept: what earlier runs of it have hashed.
        resumptions: how often it was gone on with.
        stored: whether its row is in the database, so that it can be gone on with.
    """

    id: str
    actor: Actor
    options: Options
    started_at: str
    by_server: bool
    kept: Kept
    resumptions: int = 0
    stored: bool = False


class Runs:
    """The rows of runs, and the lock."""

    def __init__(self, db: Database, folder: Path, clock: Clock) -> None:
        """Bind to an archive.

        Args:
            db: its database.
            folder: of the reports; the lock lies there.
            clock: source of time.
        """
        self._db = db
        self._folder = folder
        self._clock = clock
        self._files = RunFiles(folder)

    # -- the lock ------------------------------------------------------------------------------

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock. Where no lock can be made, the audit runs without one: a broken archive needs it most.

        Raises:
            ConflictError: `audit_running`.
        """
        descriptor = self._lock_file()
        try:
            if descriptor is not None and not _locked(descriptor, _LOCK_TRIES):
                raise ConflictError("audit_running", "an audit of this archive is running; there is one at a time")
            yield
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def busy(self) -> bool:
        """Whether somebody holds the lock."""
        descriptor = self._lock_file()
        if descriptor is None:
            return False
        try:
            return not _locked(descriptor, _LOOKS)
        finally:
            os.close(descriptor)

    def _lock_file(self) -> int | None:
        with suppress(OSError, EvidenceStoreError):
            make_directories(self._folder, 0o700)
            return os.open(self._folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        return None

    # -- rows ----------------------------------------------------------------------------------

    def new(self, actor: Actor, options: Options, *, by_server: bool) -> Run:
        """A run that nobody knows of yet."""
        now = rfc3339(self._clock())
        return Run(str(uuid.uuid4()), actor, options, now, by_server, Kept())

    def ask(self, run: Run) -> None:
        """Write down that a server shall run it.

        Raises:
            ConflictError: `audit_running` when one is asked for already, or runs.
            EvidenceStoreError: `storage_full` or `storage_failed`.
        """
        with self.alone(), self._db.write() as session:  # alone: an order without its row is taken away by `tidy`
            waiting = session.exec(select(AuditRunRow.id).where(AuditRunRow.state == READY)).first()
            if waiting is not None:
                raise ConflictError("audit_running", "an audit of this archive is asked for; there is one at a time")
            session.add(_row(run, READY))
            self._files.write(run.id, _written(run))  # no row without it
        run.stored = True

    def begin(self, run: Run) -> None:
        """It runs from now on. A database that takes no row keeps no progress, and is audited all the same."""
        try:
            self._files.write(run.id, _written(run))
            with self._db.write() as session:
                session.merge(_row(run, RUNNING, updated_at=rfc3339(self._clock())))
            run.stored = True
        except (CatenaError, EvidenceStoreError, SQLAlchemyError):
            run.stored = False

    def keep(self, run: Run, step: Step) -> None:
        """Write the progress down; what cannot be written now is written later, or lost with the run."""
        if not run.stored:
            return
        with suppress(EvidenceStoreError):
            self._files.write(run.id, _written(run))
        with suppress(CatenaError, SQLAlchemyError), self._db.write() as session:
            row = session.get(AuditRunRow, run.id)
            if row is not None:
                row.progress, row.updated_at = _progress(step), rfc3339(self._clock())

    def finish(self, session: Session, run: Run) -> None:
        """It is done: the caller writes its report in the same unit of work.

        A finished audit of all files also settles those that were interrupted before it.
        """
        now = rfc3339(self._clock())
        for row in session.exec(select(AuditRunRow).where(col(AuditRunRow.state).in_(OPEN))):
            if row.id == run.id:
                row.state, row.updated_at, row.progress = DONE, now, "{}"
            elif row.state == RUNNING and run.options.sample is None:
                row.state, row.updated_at, row.failure = FAILED, now, f"audit {run.id} was made instead"

    def close(self, run: Run) -> None:
        """It is done and recorded: nobody goes on with it, nor with those that were settled, now or before a kill."""
        self._files.drop(run.id, recorded=True)
        self.tidy()

    def tidy(self) -> None:
        """Take away the orders of audits that are over, or that no row tells of; only for whoever holds the lock.

        An order whose row is gone could be called back by whoever puts the row in again, months later. Beside such a
        one no report is removed: it is not shown that there was no recorded audit.
        """
        for run_id in self._files.there():
            with suppress(CatenaError, SQLAlchemyError):
                row = self.row(run_id)
                if row is None or row.state not in OPEN:
                    self._files.drop(run_id, recorded=row is None or self._recorded(run_id))

    def fail(self, run_id: str, why: str) -> None:
        """It cannot be done: it is given up, unless it is over already. The first reason stays."""
        with suppress(CatenaError, SQLAlchemyError), self._db.write() as session:
            row = session.get(AuditRunRow, run_id)
            if row is not None and row.state in OPEN:
                row.updated_at = rfc3339(self._clock())
                if session.get(AuditRow, run_id) is None:
                    row.state, row.failure = FAILED, why[:500]
                else:
                    row.state, row.progress = DONE, "{}"
        with suppress(CatenaError, SQLAlchemyError):  # after the row: one without its orders says nothing of the reason
            self._files.drop(run_id, recorded=self._recorded(run_id))

    def wants_a_look(self) -> bool:
        """Whether there is something that a server shall run, give up or take away. Changes nothing, needs no lock."""
        return any(map(self._wants_a_look, self.unfinished())) or any(map(self._is_over, self._files.there()))

    def _wants_a_look(self, row: AuditRunRow) -> bool:
        try:
            run = self.read(row)
        except ConflictError:
            return True
        return run.resumptions > MAX_RESUMPTIONS or is_for_server(row, run)

    def _is_over(self, run_id: str) -> bool:
        row = self.row(run_id)
        return row is None or row.state not in OPEN

    def read(self, row: AuditRunRow) -> Run:
        """A stored run, to be gone on with.

        Raises:
            ConflictError: `audit_unreadable` when the row is not what this archive's program wrote.
        """
        written = None if self._recorded(row.id) else self._files.read(row.id)
        if written is None or written.options != row.options:
            raise ConflictError(
                "audit_unreadable",
                "its row in the database is not of an audit that is kept beside the reports: start a new one",
            )
        asked, actor, started_at, by_server = asked_of(written.options)
        kept = parse_kept(written.kept) if asked.sample is None else Kept()
        return Run(row.id, actor, asked, started_at, by_server, kept, written.resumptions, stored=True)

    def _recorded(self, run_id: str) -> bool:
        """Whether its report is made already, whatever its row says."""
        with self._db.read() as session:
            return session.exec(select(AuditRow.id).where(AuditRow.id == run_id)).first() is not None

    def row(self, run_id: str) -> AuditRunRow | None:
        """One run."""
        with self._db.read() as session:
            return session.get(AuditRunRow, run_id)

    def unfinished(self) -> list[AuditRunRow]:
        """Runs that are asked for, under way or interrupted, oldest first."""
        open_ones = select(AuditRunRow).where(col(AuditRunRow.state).in_(OPEN))
        with self._db.read() as session:
            return list(session.exec(open_ones.order_by(col(AuditRunRow.started_at))))

    def failed(self) -> list[AuditRunRow]:
        """Runs that were given up, newest first."""
        given_up = select(AuditRunRow).where(AuditRunRow.state == FAILED)
        with self._db.read() as session:
            return list(session.exec(given_up.order_by(col(AuditRunRow.started_at).desc()).limit(100)))


def asked_of(text: str) -> tuple[Options, Actor, str, bool]:
    """What was asked: options, who asked, when, and whether a server shall run it.

    Raises:
        ConflictError: `audit_unreadable`.
    """
    try:
        options = json.loads(text)
        given = options["checkpoint"]
        asked = Options(
            sample=_whole(options["sample"]),
            checkpoint=None if given is None else base64.b64decode(given, validate=True),
            workers=_whole(options["workers"]),
            all_digests=options["all_digests"] is True,
        )
        actor = Actor.model_validate(options["actor"])
        return asked, actor, str(options["started_at"]), options["by_server"] is True
    except (ValueError, TypeError, KeyError, RecursionError, binascii.Error, ValidationError):
        raise ConflictError(
            "audit_unreadable", "what was asked of this audit cannot be read: start a new one"
        ) from None


def is_for_server(row: AuditRunRow, run: Run) -> bool:
    """Whether a server runs it; one that somebody began by hand and that was interrupted is left to him."""
    return row.state == READY or run.by_server


def read_progress(row: AuditRunRow) -> dict[str, Any]:
    """What is written of a run's progress; empty when it cannot be read."""
    try:
        progress = json.loads(row.progress)
    except (TypeError, ValueError, RecursionError):
        return {}
    return progress if isinstance(progress, dict) else {}


def _whole(number: object) -> int | None:
    if number is not None and (type(number) is not int or not 1 <= number <= MOST):
        raise ValueError
    return number


def _options(run: Run) -> str:
    options = run.options
    given = None if options.checkpoint is None else base64.b64encode(options.checkpoint).decode()
    asked = {
        "sample": options.sample,
        "checkpoint": given,
        "workers": options.workers,
        "all_digests": options.all_digests,
        "actor": run.actor.model_dump(),
        "by_server": run.by_server,
        "started_at": run.started_at,
    }
    return json.dumps(asked, sort_keys=True)


def _row(run: Run, state: str, updated_at: str | None = None) -> AuditRunRow:
    return AuditRunRow(
        id=run.id,
        requested_by=run.actor.id,
        options=_options(run),
        state=state,
        progress=_progress(None),
        started_at=run.started_at,
        updated_at=updated_at or run.started_at,
    )


def _written(run: Run) -> Written:
    return Written(_options(run), run.kept.as_json() if run.options.sample is None else None, run.resumptions)


def _progress(step: Step | None) -> str:
    return json.dumps({"step": None if step is None else step.as_json()}, sort_keys=True)


def _locked(descriptor: int, tries: int) -> bool:
    """Take the lock; who only looks whether it is free holds it for a moment, hence the tries."""
    for attempt in range(tries):
        if attempt:
            time.sleep(_LOCK_PAUSE_SECONDS)
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    return False
