"""Metadata records have versions: every run of the analysis is kept, numbered, beside the ones before it.

A newer analyser is let over an item by asking for it. What comes of that is a run of its own with an event of its own,
which names the analyser and whoever asked; nothing that an earlier run said is touched.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue
from sqlmodel import col, func, select

from app.access.service import Access, Principal
from app.analysis.models import AnalysisRun
from app.analysis.record_bytes import ANALYSER_VERSION
from app.analysis.record_changes import Change, changes
from app.analysis.service import ANALYSE_JOB
from app.archive import Archive
from app.errors import ConflictError, InvalidInputError, NotFoundError
from app.evidence.models import Item
from app.evidence.service import Evidence
from app.jobs.models import Job
from app.jobs.service import Jobs

PRIORITY = 30
"""After what was just deposited."""


@dataclass(frozen=True, slots=True)
class Version:
    """One run over an item.

    Attributes:
        number: from 1.
        state: `done` or `failed`.
        analyser: version of the analyser, None where the run gave no record.
        tools: name and version of each parser.
        sha256: of the record's bytes, as the event names it; None without a record.
    """

    number: int
    state: str
    created_at: str
    analyser: str | None
    tools: dict[str, str]
    sha256: str | None
    size: int | None
    failure_code: str | None
    failure_detail: str | None


class Versions:
    """The versions of the metadata records of one archive."""

    def __init__(self, archive: Archive, access: Access, evidence: Evidence, jobs: Jobs) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._access = access
        self._evidence = evidence
        self._jobs = jobs

    # -- asking for another one ---------------------------------------------------------------

    def reanalyse(self, who: Principal, item_id: str) -> int:
        """Have an item analysed again by the analyser of this program.

        Returns:
            The number that the run will have.

        Raises:
            NotFoundError: `unknown_item`.
            DeniedError: `not_allowed`.
            ConflictError: `analysis_pending`: a run has still to come.
        """
        item, _ = self._evidence.find_item(who, item_id)
        self._access.require(who, "item.ingest", item.case_id)
        about = f"item:{item.id}"
        with self._archive.db.write() as session:
            asked = list(session.exec(select(Job).where(Job.kind == ANALYSE_JOB, Job.subject == about)))
            if any(job.finished_at is None for job in asked):
                raise ConflictError("analysis_pending", "a worker has still to analyse it")
            payload = {"item": item.id, "asked_by": who.user_id}
            key = f"{item.id}:{len(asked)}"
            self._jobs.enqueue(session, ANALYSE_JOB, key, payload, subject=about, priority=PRIORITY)
            mine = select(func.count()).select_from(AnalysisRun).where(AnalysisRun.item_id == item.id)
            return int(session.exec(mine).one()) + 1

    def outdated(self, who: Principal, case_id: str | None = None) -> list[Item]:
        """Items whose newest record is not of this program's analyser, or that have none; of all readable cases or one.

        Raises:
            DeniedError: `not_allowed`.
        """
        return [item for item in self.items(who, case_id) if self._is_outdated(item.id)]

    def items(self, who: Principal, case_id: str | None = None) -> list[Item]:
        """All items that the actor may read, oldest first; of one case where that is given."""
        found: list[Item] = []
        cursor: str | None = None
        while True:
            page = self._evidence.list_items(who, case_id, cursor=cursor, limit=500)
            found += [item for item, _ in page.items]
            cursor = page.cursor
            if cursor is None:
                return found

    def _is_outdated(self, item_id: str) -> bool:
        with self._archive.db.read() as session:
            newest = (
                select(AnalysisRun.record)
                .where(AnalysisRun.item_id == item_id, col(AnalysisRun.record).is_not(None))
                .order_by(col(AnalysisRun.number).desc())
                .limit(1)
            )
            record = session.exec(newest).one_or_none()
        return record is None or _tools(record).get("catena") != ANALYSER_VERSION

    # -- reading ------------------------------------------------------------------------------

    def list_versions(self, who: Principal, item_id: str) -> list[Version]:
        """All runs over an item, oldest first.

        Raises:
            NotFoundError: `unknown_item`.
        """
        item, _ = self._evidence.find_item(who, item_id)
        return [_version(run) for run in self._runs(item.id)]

    def record(self, item_id: str, number: int | None = None) -> bytes:
        """Bytes of a record; whoever calls has asked for the right, and records the read.

        Args:
            item_id: the item.
            number: of the run; the newest that gave a record unless given.

        Raises:
            NotFoundError: `analysis_pending`, `analysis_failed`, `unknown_version`.
        """
        runs = self._runs(item_id)
        if number is not None:
            runs = [run for run in runs if run.number == number]
            if not runs:
                raise NotFoundError("unknown_version", "there is no run of this number")
        if not runs:
            raise NotFoundError("analysis_pending", "the item is not analysed yet; try again in a moment")
        records = [run.record for run in runs if run.record is not None]
        if not records:
            raise NotFoundError("analysis_failed", f"the analysis gave no record: {runs[-1].failure_code}")
        return records[-1]

    def changes(self, item_id: str, before: int, after: int) -> list[Change]:
        """What differs between two runs' records; whoever calls has asked for the right, and records the read.

        Raises:
            NotFoundError: as `record`.
            InvalidInputError: `same_version`.
        """
        if before == after:
            raise InvalidInputError("same_version", "name two different versions")
        old, new = (_parsed(self.record(item_id, number)) for number in (before, after))
        return changes(old, new)

    def _runs(self, item_id: str) -> list[AnalysisRun]:
        with self._archive.db.read() as session:
            runs = select(AnalysisRun).where(AnalysisRun.item_id == item_id).order_by(col(AnalysisRun.number))
            return list(session.exec(runs))


def _parsed(record: bytes) -> dict[str, JsonValue]:
    parsed: dict[str, JsonValue] = json.loads(record)
    return parsed


def _tools(record: bytes) -> dict[str, str]:
    found: Any = json.loads(record).get("tools", {})
    return {str(name): str(version) for name, version in found.items()}


def _version(run: AnalysisRun) -> Version:
    tools = {} if run.record is None else _tools(run.record)
    return Version(
        number=run.number,
        state=run.state,
        created_at=run.created_at,
        analyser=tools.get("catena"),
        tools=tools,
        sha256=None if run.record is None else hashlib.sha256(run.record).hexdigest(),
        size=None if run.record is None else len(run.record),
        failure_code=run.failure_code,
        failure_detail=run.failure_detail,
    )
