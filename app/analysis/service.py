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
from typing import Any, Protocol

from pydantic import JsonValue
from sqlalchemy import bindparam
from sqlmodel import Session, col, func, select

from app.analysis.errors import SandboxFailure
from app.analysis.limits import Limits, for_reading
from app.analysis.models import AnalysisRun
from app.analysis.probes.c2pa import NOBODY, TrustTexts
from app.analysis.proxies import enqueue_proxy
from app.analysis.reading import picture_of, read_confined, second_opinion
from app.analysis.record_bytes import ANALYSER_VERSION
from app.analysis.sandbox import run_sandboxed
from app.analysis.track_parts import TRACK_ROLE, TRACK_TYPE
from app.analysis.trust import load_trust
from app.archive import Archive
from app.custody.outputs import output
from app.custody.service import SYSTEM
from app.db import table_of
from app.errors import NotFoundError
from app.evidence.models import Blob, Derivative
from app.evidence.service import blob_row, is_known, named
from app.jobs.service import Claim, Jobs
from evidence_store.digests import Digests

_RUN = table_of(AnalysisRun)
_DERIVATIVE = table_of(Derivative)
_RUNS = select(func.count()).select_from(_RUN).where(_RUN.c.item_id == bindparam("item"))
_MADE = select(_DERIVATIVE.c.id).where(
    _DERIVATIVE.c.item_id == bindparam("item"),
    _DERIVATIVE.c.role == bindparam("as_role"),
    _DERIVATIVE.c.sha256 == bindparam("digest"),
)
_NO_PICTURE = SandboxFailure("parser_error", "the answer has no picture")
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
        track: the whole track (`TrackRecord`), of which the record has the summary; None when there is none.
        further: what else was made of a photo; None when nothing was.
    """

    record: bytes | None
    failure: SandboxFailure | None
    preview: tuple[dict[str, object], bytes] | None
    preview_failure: SandboxFailure | None
    track: bytes | None = None
    further: bytes | None = None


class Further(Protocol):
    """What is made of a photo while its process has it open, beyond what analysis knows of."""

    @property
    def target(self) -> str:
        """The function that makes it, `module:function`: takes the path and `photo`, returns bytes."""

    def keep(self, session: Session, claim: Claim, item_id: str, made: bytes) -> Claim | None:
        """Write it in the unit of work of the analysis; returns the claim of what is to be done next."""


def examine(
    path: Path,
    original_name: str,
    limits: Limits | None = None,
    trust: TrustTexts = NOBODY,
    exiftool: str = "off",
    further: str | None = None,
) -> Findings:
    """Run the analysers over one file in a confined process; what comes before it breaks is kept.

    A photo is read, drawn and handed on by one process. Of a recording the pictures are drawn by a second one, all
    within the time of one.

    Args:
        path: the file.
        original_name: the name it came with.
        limits: by the file's size unless given.
        trust: whom content credentials are trusted under.
        exiftool: the setting of that name: whether there is a second opinion.
        further: what else is made of a photo, see `Further.target`.
    """
    limits = limits or for_reading(path.stat().st_size)
    end = time.monotonic() + limits.wall_s
    try:
        read = read_confined(path, original_name, limits, trust, further)
    except SandboxFailure as failure:
        return Findings(None, failure, None, None)
    record = second_opinion(read.record, path, exiftool, limits.within(end - time.monotonic()))
    kind = read.parsed.file.kind
    if kind == "photo":
        # What came after the picture and broke has its own job, which finds out why.
        undrawn = None if read.drawn is not None else read.broken or _NO_PICTURE
        return Findings(read.compared(record), None, read.drawn, undrawn, read.track, read.made)
    if kind != "video":
        return Findings(record, None, None, None, read.track)
    try:
        sheet = run_sandboxed("app.analysis.tasks:preview_task", (path, kind), limits.within(end - time.monotonic()))
    except SandboxFailure as failure:
        return Findings(record, None, None, failure, read.track)
    drawn = picture_of(sheet)
    return Findings(record, None, drawn, None if drawn else _NO_PICTURE, read.track)


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
        with self._archive.db.look() as connection:
            found = named(connection, item_id)
        if found is None:
            raise NotFoundError("unknown_item", "the item of this job is gone")
        sha256, original_name = found
        with self._archive.blobs.local_path(sha256) as path:
            limits = for_reading(path.stat().st_size).patient(claim.attempt)
            settings = self._archive.settings
            trust, further = load_trust(settings), self._further.target
            findings = examine(path, original_name, limits, trust, settings.exiftool, further)
        require_no_overload(findings.failure or findings.preview_failure, claim)
        picture = self._keep(findings.preview[1] if findings.preview else None)
        track = self._keep(findings.track)
        with self._archive.db.write() as session:
            run = self._write(session, item_id, findings, picture, track, claim.payload.get("asked_by"))
            about = f"item:{item_id}"
            self._jobs.enqueue(session, FINGERPRINT_JOB, item_id, {"item": item_id}, subject=about, priority=20)
            if run.kind == "video":
                enqueue_proxy(session, self._jobs, item_id)
            self._jobs.finish(session, claim)
            if findings.further:
                return self._further.keep(session, claim, item_id, findings.further)
        return None

    def _keep(self, data: bytes | None) -> Digests | None:
        """Store a small file that was made."""
        if data is None:
            return None
        with self._archive.blobs.stage() as staged:
            staged.write(data)
            return staged.commit().digests

    def _write(
        self,
        session: Session,
        item_id: str,
        findings: Findings,
        picture: Digests | None,
        track: Digests | None,
        asked_by: str | None,
    ) -> AnalysisRun:
        custody = self._archive.custody
        custody.lock(session)
        now = custody.now()
        count = session.connection().execute(_RUNS, {"item": item_id}).scalar_one()
        run = _run_row(item_id, int(count) + 1, findings, now)
        rows: list[AnalysisRun | Blob | Derivative] = [run]
        outputs: list[JsonValue] = []
        if findings.record is not None:
            outputs.append(output("metadata", findings.record))
        if picture is not None and findings.preview is not None:
            facts = findings.preview[0]
            size = int(str(facts["width"])), int(str(facts["height"]))
            made = _Made("preview", str(facts["media_type"]), *size)
            rows += _derivative_rows(session, item_id, made, picture, now)
            outputs.append(output("preview", picture))
        if track is not None:
            made = _Made(TRACK_ROLE, TRACK_TYPE)
            rows += _derivative_rows(session, item_id, made, track, now)
            outputs.append(output(TRACK_ROLE, track))
        custody.record(
            session,
            f"item:{item_id}",
            "metadata extraction",
            SYSTEM,
            details=_details(run, findings, outputs, asked_by),
            added=rows,
        )
        return run


def _details(
    run: AnalysisRun, findings: Findings, outputs: list[JsonValue], asked_by: str | None
) -> dict[str, JsonValue]:
    details: dict[str, JsonValue] = {"run": run.number, "state": run.state, "outputs": outputs}
    details["analyser"] = ANALYSER_VERSION
    if asked_by is not None:
        details["asked_by"] = asked_by
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


@dataclass(frozen=True, slots=True)
class _Made:
    """What is said of a file that was made: width and height in pixels, 0 for what is no picture."""

    role: str
    media_type: str
    width: int = 0
    height: int = 0


def _derivative_rows(
    session: Session, item_id: str, made: _Made, digests: Digests, now: str
) -> list[AnalysisRun | Blob | Derivative]:
    """The rows of a file that was made; none when it is there already, as when it was made again the same."""
    sha256 = digests.sha256
    same = session.connection().execute(_MADE, {"item": item_id, "as_role": made.role, "digest": sha256})
    if same.first() is not None:
        return []
    row = Derivative(
        id=str(uuid.uuid4()),
        item_id=item_id,
        role=made.role,
        sha256=sha256,
        media_type=made.media_type,
        width=made.width,
        height=made.height,
        created_at=now,
    )
    return [row] if is_known(session, sha256) else [blob_row(digests, now), row]
