"""Proxies as durable work: made in the sandbox, kept as derivatives, the relation to the original in the log.

1. The original is only read. A proxy is a derivative of it, found through the item, under a digest of its own.
2. What came of it is recorded as it is: whole, partial with the reasons, or failed with a code. None of it holds up the
   metadata or the comparison, which go first.
3. Trouble of the machine (no room, no process) is no fact about a file: the job is tried again.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pydantic import JsonValue
from sqlmodel import Session, col, func, select

from app.analysis.errors import SandboxFailure
from app.analysis.limits import Limits
from app.analysis.models import AnalysisRun, ProxyRun
from app.analysis.newest import claimed_seconds, newest_analysis
from app.analysis.proxy_answer import Answer, believed, progress_in, room_for
from app.analysis.proxy_facts import PROXY_TYPE, Budget
from app.analysis.proxy_spool import ROOM_EVERY, Spool
from app.analysis.sandbox import run_sandboxed
from app.archive import Archive
from app.custody.outputs import output
from app.custody.service import SYSTEM
from app.errors import ConflictError, NotFoundError
from app.evidence.models import Blob, Derivative, Item
from app.evidence.service import digests_of, item_or_none
from app.jobs.models import Job
from app.jobs.service import Claim, Jobs
from app.jobs.states import DEAD
from evidence_store.digests import Digests

PROXY_JOB = "proxy"
PROXY_ROLE = "proxy"
PRIORITY = 40  # after metadata (10), fingerprints (20) and comparisons (30)


@dataclass(frozen=True, slots=True)
class Made:
    """A proxy that is stored, and what is to be said of it; or why there is none."""

    answer: Answer | None = None
    digests: Digests | None = None
    failure: SandboxFailure | None = None


@dataclass(frozen=True, slots=True)
class ProxyView:
    """How far the proxy of an item has come.

    Attributes:
        state: `absent` (nobody asked for one), `pending`, `done`, `partial` or `failed`.
        code: of a failure.
        detail: likewise.
        run: what came of the newest attempt that ended.
        made: the newest proxy that is there, which may be older than a failed attempt.
        source: the attempt that made it.
    """

    state: str
    code: str | None = None
    detail: str | None = None
    run: ProxyRun | None = None
    made: Derivative | None = None
    source: ProxyRun | None = None


def enqueue_proxy(session: Session, jobs: Jobs, item_id: str, again: int = 0) -> None:
    """Have a proxy made, with low priority; `again` numbers further wishes."""
    key = f"{item_id}:{again}" if again else item_id
    jobs.enqueue(session, PROXY_JOB, key, {"item": item_id}, subject=f"item:{item_id}", priority=PRIORITY)


class Proxies:
    """The proxies of one archive."""

    def __init__(self, archive: Archive, jobs: Jobs) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._jobs = jobs

    # -- questions ----------------------------------------------------------------------------

    def view(self, item_id: str) -> ProxyView | None:
        """How far an item's proxy has come; None for what is no recording, as far as is known."""
        with self._archive.db.read() as session:
            if _newest_of_recording(session, item_id) is None:
                return None
            mine = select(ProxyRun).where(ProxyRun.item_id == item_id).order_by(col(ProxyRun.number))
            runs = list(session.exec(mine))
            job = session.exec(
                select(Job).where(Job.kind == PROXY_JOB, Job.subject == f"item:{item_id}").order_by(col(Job.id).desc())
            ).first()
            source = next((run for run in reversed(runs) if run.derivative_id), None)
            made = session.get(Derivative, source.derivative_id) if source else None
        run = runs[-1] if runs else None
        if job is not None and job.finished_at is None:
            return ProxyView("pending", None, None, run, made, source)
        if job is not None and job.state == DEAD and (run is None or run.created_at < (job.finished_at or "")):
            return ProxyView("failed", "work_given_up", job.last_error, run, made, source)
        if run is None:
            return ProxyView("absent")
        return ProxyView(run.state, run.failure_code, run.failure_detail, run, made, source)

    def ask(self, item_id: str) -> None:
        """Have a proxy made of a recording that has none, or once more; whoever calls has asked for the right.

        Raises:
            ConflictError: `no_recording`, `proxy_pending`.
        """
        view = self.view(item_id)
        if view is None:
            raise ConflictError("no_recording", "proxies are made of recordings, once they are analysed")
        if view.state == "pending":
            raise ConflictError("proxy_pending", "a worker has still to make it")
        with self._archive.db.write() as session:
            about = f"item:{item_id}"
            asked = select(func.count()).select_from(Job).where(Job.kind == PROXY_JOB, Job.subject == about)
            enqueue_proxy(session, self._jobs, item_id, int(session.exec(asked).one()))

    # -- durable work -------------------------------------------------------------------------

    def handle_proxy(self, claim: Claim) -> None:
        """Job handler: make the proxy of an item and write what came of it."""
        item_id = claim.payload["item"]
        with self._archive.db.read() as session:
            found = item_or_none(session, item_id)
            run = _newest_of_recording(session, item_id)
        if found is None:
            raise NotFoundError("unknown_item", "the item of this job is gone")
        item, blob = found
        made = self._make(claim, item, claimed_seconds(run))
        with self._archive.db.write() as session:
            self._write(session, item, blob, made)
            self._jobs.finish(session, claim)

    def _make(self, claim: Claim, item: Item, claimed_s: float | None) -> Made:
        with self._archive.blobs.local_path(item.sha256) as path:
            budget, limits = room_for(path.stat().st_size, claimed_s)
            with Spool(self._archive.settings, budget.media_bytes + ROOM_EVERY) as spool:
                return self._encode(claim, path, budget, limits, spool)

    def _encode(self, claim: Claim, path: Path, budget: Budget, limits: Limits, spool: Spool) -> Made:
        def take(header: dict[str, object], body: bytes) -> None:
            if header.get("part") == "media":
                spool.take(body)
            elif (told := progress_in(header)) is not None:
                self._jobs.progress(claim, *told)

        try:
            answer, front = believed(
                run_sandboxed("app.analysis.tasks:proxy_task", (path, budget), limits, on_part=take)
            )
        except SandboxFailure as failure:
            return Made(failure=failure)
        with self._archive.blobs.stage() as staged:
            spool.put_behind(front, staged)
            return Made(answer, staged.commit().digests)

    def _write(self, session: Session, item: Item, blob: Blob, made: Made) -> None:
        custody = self._archive.custody
        custody.lock(session)
        now = custody.now()
        count = select(func.count()).select_from(ProxyRun).where(ProxyRun.item_id == item.id)
        run = ProxyRun(
            id=str(uuid.uuid4()),
            item_id=item.id,
            number=int(session.exec(count).one()) + 1,
            state="failed",
            created_at=now,
        )
        rows: list[Blob | Derivative | ProxyRun] = []
        details: dict[str, JsonValue] = {"relationship": "derivation", "run": run.number}
        if made.answer is not None and made.digests is not None:
            rows += _derivative_rows(session, item, made.answer, made.digests, now)
            _tell(run, made.answer, cast("Derivative", rows[-1]))
            details |= {"outputs": [output(PROXY_ROLE, made.digests)], **made.answer.model_dump()}
        elif made.failure is not None:
            run.failure_code = (made.failure.reason or made.failure.code)[:60]
            run.failure_detail = made.failure.detail[:1000]
            details["failure"] = {"code": run.failure_code, "detail": run.failure_detail[:500]}
        details["state"] = run.state
        for row in (*rows, run):
            session.add(row)
            session.flush()
        about = f"item:{item.id}"
        custody.record(session, about, "migration", SYSTEM, file=digests_of(blob), details=details, rows=[*rows, run])


def _derivative_rows(
    session: Session, item: Item, answer: Answer, digests: Digests, now: str
) -> list[Blob | Derivative | ProxyRun]:
    rows: list[Blob | Derivative | ProxyRun] = []
    if session.get(Blob, digests.sha256) is None:
        sha256, sha512 = digests.sha256, digests.sha512
        rows.append(Blob(sha256=sha256, sha512=sha512, crc32=digests.crc32, size=digests.size, stored_at=now))
    rows.append(
        Derivative(
            id=str(uuid.uuid4()),
            item_id=item.id,
            role=PROXY_ROLE,
            sha256=digests.sha256,
            media_type=PROXY_TYPE,
            width=answer.width,
            height=answer.height,
            created_at=now,
        )
    )
    return rows


def _tell(run: ProxyRun, answer: Answer, derivative: Derivative) -> None:
    run.state = "partial" if answer.missing else "done"
    run.derivative_id = derivative.id
    run.covered_ms, run.claimed_ms, run.origin_ms = answer.covered_ms, answer.claimed_ms, answer.origin_ms
    run.missing, run.tool = json.dumps(answer.missing), answer.tool


def _newest_of_recording(session: Session, item_id: str) -> AnalysisRun | None:
    run = newest_analysis(session, item_id)
    return run if run is not None and run.kind == "video" else None
