"""Audits that are asked for, under way or interrupted: one at a time, and none is lost.

1. Whoever runs an audit holds the lock of the audits' folder. The system gives it back when the process ends, however
   it ends: a run that says `running` while the lock is free was interrupted.
2. Progress is written every few seconds. It is bookkeeping, not evidence (app.audit.kept).
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
from app.audit.models import AuditRunRow
from app.clock import Clock, rfc3339
from app.db import Database
from app.errors import CatenaError, ConflictError
from evidence_store.durable import make_directories
from evidence_store.errors import EvidenceStoreError
from schemas.records.v1.event import Actor

READY, RUNNING, DONE, FAILED = "ready", "running", "done", "failed"
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
        """
        busy = self.busy()
        with self._db.write() as session:
            waiting = session.exec(select(AuditRunRow.id).where(AuditRunRow.state == READY)).first()
            if busy or waiting is not None:
                raise ConflictError("audit_running", "an audit of this archive is asked for; there is one at a time")
            session.add(_row(run, READY))
        run.stored = True

    def begin(self, run: Run) -> None:
        """It runs from now on. A database that takes no row keeps no progress, and is audited all the same."""
        try:
            with self._db.write() as session:
                session.merge(_row(run, RUNNING, updated_at=rfc3339(self._clock())))
            run.stored = True
        except (CatenaError, SQLAlchemyError):
            run.stored = False

    def keep(self, run: Run, step: Step) -> None:
        """Write the progress down; what cannot be written now is written later, or lost with the run."""
        if not run.stored:
            return
        with suppress(CatenaError, SQLAlchemyError), self._db.write() as session:
            row = session.get(AuditRunRow, run.id)
            if row is not None:
                row.progress, row.updated_at = _progress(run, step), rfc3339(self._clock())

    def finish(self, session: Session, run: Run) -> None:
        """It is done: the caller writes its report in the same unit of work.

        A finished audit of all files also settles those that were interrupted before it.
        """
        now = rfc3339(self._clock())
        for row in session.exec(select(AuditRunRow).where(col(AuditRunRow.state).in_((READY, RUNNING)))):
            if row.id == run.id:
                row.state, row.updated_at, row.progress = DONE, now, "{}"
            elif row.state == RUNNING and run.options.sample is None:
                row.state, row.updated_at, row.failure = FAILED, now, f"audit {run.id} was made instead"

    def fail(self, run_id: str, why: str) -> None:
        """It cannot be done."""
        with suppress(CatenaError, SQLAlchemyError), self._db.write() as session:
            row = session.get(AuditRunRow, run_id)
            if row is not None:
                row.state, row.updated_at, row.failure = FAILED, rfc3339(self._clock()), why[:500]

    def row(self, run_id: str) -> AuditRunRow | None:
        """One run."""
        with self._db.read() as session:
            return session.get(AuditRunRow, run_id)

    def unfinished(self) -> list[AuditRunRow]:
        """Runs that are asked for, under way or interrupted, oldest first."""
        open_ones = select(AuditRunRow).where(col(AuditRunRow.state).in_((READY, RUNNING)))
        with self._db.read() as session:
            return list(session.exec(open_ones.order_by(col(AuditRunRow.started_at))))

    def failed(self) -> list[AuditRunRow]:
        """Runs that were given up, newest first."""
        given_up = select(AuditRunRow).where(AuditRunRow.state == FAILED)
        with self._db.read() as session:
            return list(session.exec(given_up.order_by(col(AuditRunRow.started_at).desc()).limit(100)))


def read_run(row: AuditRunRow) -> Run:
    """A stored run, to be gone on with.

    Raises:
        ConflictError: `audit_unreadable` when its options are not those of a run.
    """
    try:
        options = json.loads(row.options)
        given = options["checkpoint"]
        asked = Options(
            sample=_whole(options["sample"]),
            checkpoint=None if given is None else base64.b64decode(given, validate=True),
            workers=_whole(options["workers"]),
            all_digests=options["all_digests"] is True,
        )
        actor = Actor.model_validate(options["actor"])
        by_server = options["by_server"] is True
    except (ValueError, TypeError, KeyError, RecursionError, binascii.Error, ValidationError):
        raise ConflictError(
            "audit_unreadable", "what was asked of this audit cannot be read: start a new one"
        ) from None
    progress = read_progress(row)
    kept = parse_kept(progress.get("kept")) if asked.sample is None else Kept()
    resumptions = progress.get("resumptions")
    number = resumptions if type(resumptions) is int and resumptions >= 0 else 0
    return Run(row.id, actor, asked, row.started_at, by_server, kept, number, stored=True)


def read_progress(row: AuditRunRow) -> dict[str, Any]:
    """What is written of a run's progress; empty when it cannot be read."""
    try:
        progress = json.loads(row.progress)
    except (TypeError, ValueError, RecursionError):
        return {}
    return progress if isinstance(progress, dict) else {}


def _whole(number: object) -> int | None:
    if number is not None and (type(number) is not int or number < 1):
        raise ValueError
    return number


def _row(run: Run, state: str, updated_at: str | None = None) -> AuditRunRow:
    options = run.options
    given = None if options.checkpoint is None else base64.b64encode(options.checkpoint).decode()
    asked = {
        "sample": options.sample,
        "checkpoint": given,
        "workers": options.workers,
        "all_digests": options.all_digests,
        "actor": run.actor.model_dump(),
        "by_server": run.by_server,
    }
    return AuditRunRow(
        id=run.id,
        requested_by=run.actor.id,
        options=json.dumps(asked, sort_keys=True),
        state=state,
        progress=_progress(run, None),
        started_at=run.started_at,
        updated_at=updated_at or run.started_at,
    )


def _progress(run: Run, step: Step | None) -> str:
    kept = run.kept.as_json() if run.options.sample is None else None
    document = {"step": None if step is None else step.as_json(), "kept": kept, "resumptions": run.resumptions}
    return json.dumps(document, sort_keys=True)


def _locked(descriptor: int, tries: int) -> bool:
    """Take the lock; who only looks whether it is free holds it for a moment, hence the tries."""
    for attempt in range(tries):
        if attempt:
            time.sleep(_LOCK_PAUSE_SECONDS)
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    return False
