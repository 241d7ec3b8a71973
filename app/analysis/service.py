"""Analysis as durable work: metadata and preview in the sandbox, the result bound to the log.

A file that breaks a parser is a recorded fact (`failed`, with code and reason), never a lost item.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from pydantic import JsonValue
from sqlmodel import Session, col, func, select

from app.analysis.errors import SandboxFailure
from app.analysis.limits import Limits, for_reading
from app.analysis.models import AnalysisRun
from app.analysis.proxies import enqueue_proxy
from app.analysis.sandbox import run_sandboxed
from app.archive import Archive
from app.custody.outputs import output
from app.custody.service import SYSTEM
from app.errors import NotFoundError
from app.evidence.models import Blob, Derivative
from app.evidence.service import item_or_none
from app.jobs.service import Claim, Jobs
from evidence_store.digests import Digests

ANALYSE_JOB, FINGERPRINT_JOB = "analyse", "fingerprint"
UNKNOWN_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Findings:
    """What the sandbox gave back.

    Attributes:
        record: bytes of the metadata record; None when no record could be made.
        failure: why there is none.
        preview: picture bytes and its facts; None when none could be drawn.
        preview_failure: why there is none.
        further: what else was made of a photo; None when nothing was.
    """

    record: bytes | None
    failure: SandboxFailure | None
    preview: tuple[dict[str, object], bytes] | None
    preview_failure: SandboxFailure | None
    further: bytes | None = None


class Further(Protocol):
    """What is made of a photo while its process has it open, beyond what analysis knows of."""

    @property
    def target(self) -> str:
        """The function that makes it, `module:function`: takes the path and `photo`, returns bytes."""

    def keep(self, session: Session, claim: Claim, item_id: str, made: bytes) -> Claim | None:
        """Write it in the unit of work of the analysis; returns the claim of what is to be done next."""


class _Ahead:
    """Takes what a process sends ahead of its end; all of it together is bounded as one answer is."""

    def __init__(self, most: int) -> None:
        self.whole: dict[str, tuple[dict[str, object], bytes]] = {}
        self._begun = bytearray()
        self._left = most

    def take(self, header: dict[str, object], body: bytes) -> None:
        """A part; the first whole one of each name counts."""
        self._left -= len(body)
        if self._left < 0:
            raise SandboxFailure("output_too_large", "the answer came in too many parts")
        self._begun += body
        if header.get("last") is True:
            facts = {name: value for name, value in header.items() if name not in {"part", "last"}}
            self.whole.setdefault(str(header.get("part")), (facts, bytes(self._begun)))
            self._begun.clear()


def examine(path: Path, original_name: str, limits: Limits | None = None, further: str | None = None) -> Findings:
    """Run the analysers over one file in a confined process; what comes before it breaks is kept.

    A photo is read, drawn and handed to `further` by one process. Of a recording the pictures are drawn by a second
    one, all within the time of one.
    """
    limits = limits or for_reading(path.stat().st_size)
    end = time.monotonic() + limits.wall_s
    ahead = _Ahead(limits.output_bytes)
    made, broken = None, None
    try:
        made = run_sandboxed(
            "app.analysis.tasks:photo_task", (path, original_name, further), limits, on_part=ahead.take
        )
    except SandboxFailure as failure:
        broken = failure
    if "record" not in ahead.whole:
        return Findings(None, broken or SandboxFailure("parser_error", "the answer has no record"), None, None)
    record = ahead.whole["record"][1]
    kind = str(json.loads(record)["file"]["kind"])
    if kind == "photo":
        drawn = ahead.whole.get("preview")
        if drawn is None:
            return Findings(record, None, None, broken or SandboxFailure("parser_error", "the answer has no picture"))
        # What came after the picture and broke has its own job, which finds out why.
        return Findings(record, None, drawn, None, made if broken is None and isinstance(made, bytes) else None)
    if kind != "video":
        return Findings(record, None, None, None)
    try:
        sheet = run_sandboxed("app.analysis.tasks:preview_task", (path, kind), limits.within(end - time.monotonic()))
    except SandboxFailure as failure:
        return Findings(record, None, None, failure)
    return Findings(record, None, cast("tuple[dict[str, object], bytes]", sheet), None)


def require_no_overload(failure: SandboxFailure | None, claim: Claim) -> None:
    """Have a parser that was too slow on a busy machine tried again: that is no fact about the file.

    Raises:
        SandboxFailure: `parser_timeout`, unless this was the last attempt, or there was nothing to wait for.
    """
    if failure is None or failure.code != "parser_timeout" or claim.attempt >= claim.max_attempts:
        return
    if os.getloadavg()[0] > (os.cpu_count() or 1):
        raise failure


class Analysis:
    """The analyses of one archive."""

    def __init__(self, archive: Archive, jobs: Jobs, further: Further) -> None:
        """Bind to an archive, and to what is made of photos beyond this."""
        self._archive = archive
        self._jobs = jobs
        self._further = further

    def latest(self, item_id: str) -> AnalysisRun | None:
        """The newest run over an item."""
        runs = self.history(item_id)
        return runs[-1] if runs else None

    def given_up(self, item_id: str) -> str | None:
        """Why an item's analysis was given up without a result; None when it was not."""
        return self._jobs.given_up(f"item:{item_id}", ANALYSE_JOB)

    def history(self, item_id: str) -> list[AnalysisRun]:
        """All runs over an item, oldest first."""
        with self._archive.db.read() as session:
            runs = select(AnalysisRun).where(AnalysisRun.item_id == item_id).order_by(col(AnalysisRun.number))
            return list(session.exec(runs))

    def handle_analyse(self, claim: Claim) -> Claim | None:
        """Job handler: analyse an item and write what was found."""
        item_id = claim.payload["item"]
        with self._archive.db.read() as session:
            found = item_or_none(session, item_id)
        if found is None:
            raise NotFoundError("unknown_item", "the item of this job is gone")
        item, _ = found
        with self._archive.blobs.local_path(item.sha256) as path:
            limits = for_reading(path.stat().st_size).patient(claim.attempt)
            findings = examine(path, item.original_name, limits, self._further.target)
        require_no_overload(findings.failure or findings.preview_failure, claim)
        picture = self._keep_picture(findings)
        with self._archive.db.write() as session:
            run = self._write(session, item_id, findings, picture)
            about = f"item:{item_id}"
            self._jobs.enqueue(session, FINGERPRINT_JOB, item_id, {"item": item_id}, subject=about, priority=20)
            if run.kind == "video":
                enqueue_proxy(session, self._jobs, item_id)
            self._jobs.finish(session, claim)
            if findings.further:
                return self._further.keep(session, claim, item_id, findings.further)
        return None

    def _keep_picture(self, findings: Findings) -> Digests | None:
        if findings.preview is None:
            return None
        with self._archive.blobs.stage() as staged:
            staged.write(findings.preview[1])
            return staged.commit().digests

    def _write(self, session: Session, item_id: str, findings: Findings, picture: Digests | None) -> AnalysisRun:
        custody = self._archive.custody
        custody.lock(session)
        now = custody.now()
        count = select(func.count()).select_from(AnalysisRun).where(AnalysisRun.item_id == item_id)
        run = _run_row(item_id, int(session.exec(count).one()) + 1, findings, now)
        rows: list[AnalysisRun | Blob | Derivative] = [run]
        outputs: list[JsonValue] = []
        if findings.record is not None:
            outputs.append(output("metadata", findings.record))
        if picture is not None and findings.preview is not None:
            facts = findings.preview[0]
            rows += _preview_rows(session, item_id, facts, picture, now)
            outputs.append(output("preview", picture))
        for row in rows:
            session.add(row)
            session.flush()
        custody.record(
            session,
            f"item:{item_id}",
            "metadata extraction",
            SYSTEM,
            details=_details(run, findings, outputs),
            rows=rows,
        )
        return run


def _details(run: AnalysisRun, findings: Findings, outputs: list[JsonValue]) -> dict[str, JsonValue]:
    details: dict[str, JsonValue] = {"run": run.number, "state": run.state, "outputs": outputs}
    if findings.failure is not None:
        details["failure"] = {"code": findings.failure.code, "detail": findings.failure.detail[:500]}
    if findings.preview_failure is not None:
        failure = findings.preview_failure
        details["preview_failure"] = {"code": failure.reason or failure.code, "detail": failure.detail[:500]}
    return details


def _run_row(item_id: str, number: int, findings: Findings, now: str) -> AnalysisRun:
    run = AnalysisRun(
        id=str(uuid.uuid4()),
        item_id=item_id,
        number=number,
        state="done" if findings.failure is None else "failed",
        media_type=UNKNOWN_TYPE,
        kind="other",
        created_at=now,
    )
    if findings.failure is not None:
        run.failure_code = (findings.failure.reason or findings.failure.code)[:60]
        run.failure_detail = findings.failure.detail[:1000]
    if findings.record is not None:
        record = json.loads(findings.record)
        run.record = findings.record
        run.media_type, run.kind = record["file"]["media_type"], record["file"]["kind"]
        if "position_zero" not in {finding["code"] for finding in record["findings"]}:
            run.lat, run.lon = (_decimal(_stated(record["position"][axis])) for axis in ("lat", "lon"))
        when = record["time"]
        run.captured_at = _stated(when["capture_utc"]) or _stated(when["capture_local"])
    return run


def _stated(fact: dict[str, Any]) -> Any:  # noqa: ANN401 - text or number, as the record has it
    """A value for lists, where no certainty stands beside it: only what the file states, no inference."""
    return fact["value"] if fact["certainty"] in {"recorded", "derived"} else None


def _decimal(value: float | None) -> str | None:
    return None if value is None else format(value, ".7f")


def _preview_rows(
    session: Session, item_id: str, facts: dict[str, object], picture: Digests, now: str
) -> list[AnalysisRun | Blob | Derivative]:
    rows: list[AnalysisRun | Blob | Derivative] = []
    if session.get(Blob, picture.sha256) is None:
        rows.append(
            Blob(
                sha256=picture.sha256,
                sha512=picture.sha512,
                crc32=picture.crc32,
                size=picture.size,
                stored_at=now,
            )
        )
    rows.append(
        Derivative(
            id=str(uuid.uuid4()),
            item_id=item_id,
            role="preview",
            sha256=picture.sha256,
            media_type=str(facts["media_type"]),
            width=int(str(facts["width"])),
            height=int(str(facts["height"])),
            created_at=now,
        )
    )
    return rows
