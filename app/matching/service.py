"""Matching as durable work: fingerprint, compare with what is here, write the relations found.

Nothing is ever merged: a relation is a statement with a reason, which people confirm or reject.

1. A fingerprint is computed in the sandbox from the original, by one named algorithm version.
2. The comparison job starts after its fingerprint is committed and reads all that is committed then:
   of two items that arrive together, the later one's comparison finds the earlier.
3. A failure to fingerprint is recorded and is never reported as "no match".
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue
from sqlalchemy import Connection, bindparam
from sqlmodel import Session, col, or_, select

from app.access.service import Access, Principal
from app.analysis.errors import SandboxFailure
from app.analysis.limits import SMALL, Limits, for_decoding
from app.analysis.models import AnalysisRun
from app.analysis.sandbox import run_sandboxed
from app.analysis.service import ANALYSE_JOB, FINGERPRINT_JOB, examine, require_no_overload
from app.archive import Archive
from app.custody.models import EventRow
from app.custody.outputs import output
from app.custody.service import SYSTEM
from app.db import table_of
from app.errors import NotFoundError
from app.evidence.models import Item
from app.evidence.service import item_or_none, named
from app.jobs.models import Job
from app.jobs.service import Claim, Jobs
from app.matching.decisions import as_json, standing, standing_among
from app.matching.errors import FingerprintError
from app.matching.models import FingerprintRow, MatchDecision, MatchRow
from app.matching.recipe import ALGORITHM_ID, Found
from evidence_store.digests import digest_file

if TYPE_CHECKING:
    from app.matching.known import Known

_ITEM = table_of(Item)
_PRINT = table_of(FingerprintRow)
_MATCH = table_of(MatchRow)
_MINE = _PRINT.c.item_id == bindparam("item"), _PRINT.c.algorithm == ALGORITHM_ID
_OWN = select(_PRINT.c.data).where(*_MINE)
_HAS_ONE = select(_PRINT.c.id).where(*_MINE)
_SAME = select(_ITEM.c.id).where(_ITEM.c.sha256 == bindparam("digest")).order_by(_ITEM.c.received_at)
_RELATED = select(_MATCH.c.query_item, _MATCH.c.item).where(
    or_(_MATCH.c.query_item == bindparam("item"), _MATCH.c.item == bindparam("item")),
    _MATCH.c.algorithm == ALGORITHM_ID,
)
MATCH_JOB = "match"
FINGERPRINT_TASK = "app.matching.tasks:fingerprint_task"
MAX_ROWS_IN_AN_EVENT = 200
MAX_RENEWED = 500
_PAGE = 200  # items in one query
MAX_SECONDS = 2**31 - 1


@dataclass(frozen=True, slots=True)
class MatchView:
    """A relation as seen from one item; times of `segments` are turned to that side, `decision` is what people said."""

    item: str
    verdict: str
    distance: int | None
    explanation: str
    segments: list[dict[str, str]]
    decision: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """In the shape of `catena match --json`; `decision` is there when a person has decided."""
        decided = {} if self.decision is None else {"decision": self.decision}
        return {
            "item": self.item,
            "verdict": self.verdict,
            "distance": self.distance,
            "explanation": self.explanation,
            "segments": [{key: float(value) for key, value in segment.items()} for segment in self.segments],
            **decided,
        }


def fingerprint_of(
    path: Path,
    kind: str,
    video_limits: Limits | None = None,
    *,
    progress: Callable[[int, int | None], None] | None = None,
    patience: int = 1,
) -> bytes:
    """Fingerprint a file in the sandbox.

    Args:
        path: the file.
        kind: `photo` or `video`.
        video_limits: what sampling a video may take; else as much as its size speaks for.
        patience: so many times the wall-clock time, for later attempts.
        progress: told how many seconds of a video are done, and of how many when its head says so.

    Raises:
        SandboxFailure: no fingerprint could be made.
    """

    def tell(part: dict[str, object], _body: bytes) -> None:
        done, total = part.get("done"), part.get("total")
        if progress is not None and _is_seconds(done):
            progress(int(str(done)), int(str(total)) if _is_seconds(total) else None)

    limits = (video_limits or for_decoding(path.stat().st_size) if kind == "video" else SMALL).patient(patience)
    made = run_sandboxed(FINGERPRINT_TASK, (path, kind), limits, on_part=tell)
    if not isinstance(made, bytes) or not _usable(made, kind):
        raise SandboxFailure("parser_error", "the answer is no fingerprint")
    return made


def _usable(made: bytes, kind: str) -> bool:
    from app.matching.format import require_usable

    try:
        require_usable(made, kind)
    except FingerprintError:
        return False
    return True


def _is_seconds(value: object) -> bool:
    """What a hostile file may have said is a number that the job table takes."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_SECONDS


class Matching:
    """Fingerprints and relations of one archive."""

    def __init__(self, archive: Archive, access: Access, jobs: Jobs) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._access = access
        self._jobs = jobs

    @cached_property
    def _known(self) -> Known:
        """Loaded and filled by the first comparison: a server that leaves the work to others has no use for it."""
        from app.matching.known import Known

        return Known(self._archive.db, ALGORITHM_ID)

    # -- durable work -------------------------------------------------------------------------

    @property
    def target(self) -> str:
        """What makes the fingerprint of a photo, in the process that has it open (`app.analysis.service.Further`)."""
        return FINGERPRINT_TASK

    def keep(self, session: Session, claim: Claim, item_id: str, made: bytes) -> Claim | None:
        """Write the fingerprint that was made with the analysis, as its own job would; comparing comes next."""
        if not _usable(made, "photo"):
            return None  # its own job makes it again, and tells why there is none
        row = self._row(item_id, "photo")
        row.state, row.data = "done", made
        self._jobs.settle(session, FINGERPRINT_JOB, item_id)
        return self._put(session, claim, row)

    def _row(self, item_id: str, kind: str) -> FingerprintRow:
        return FingerprintRow(
            id=str(uuid.uuid4()),
            item_id=item_id,
            algorithm=ALGORITHM_ID,
            kind=kind,
            state="none",
            created_at=self._archive.custody.now(),
        )

    def _put(self, session: Session, claim: Claim, row: FingerprintRow) -> Claim | None:
        """Write a fingerprint; its worker compares it next, unless it would wait while another reads all hashes."""
        self._write_fingerprint(session, row)
        key, payload = f"{row.item_id}:{ALGORITHM_ID}", {"item": row.item_id}
        if not self.not_now():
            return self._jobs.take_on(session, claim, MATCH_JOB, key, payload, priority=30)
        self._jobs.enqueue(session, MATCH_JOB, key, payload, subject=claim.subject, priority=30)
        return None

    def not_now(self) -> tuple[str, ...]:
        """Comparisons, while a worker of this process reads all hashes for the first time; else nothing."""
        known: Known | None = self.__dict__.get("_known")  # where nothing was compared yet it is not there
        return (MATCH_JOB,) if known is not None and known.is_being_read() else ()

    def handle_fingerprint(self, claim: Claim) -> Claim | None:
        """Job handler: fingerprint an item, then have it compared."""
        item_id = claim.payload["item"]
        with self._archive.db.read() as session:
            found = item_or_none(session, item_id)
            kind = _kind_of(session, item_id)
        if found is None:
            raise NotFoundError("unknown_item", "the item of this job is gone")
        row = self._row(item_id, kind)
        if kind in {"photo", "video"}:
            self._compute(row, found[0].sha256, claim)
        with self._archive.db.write() as session:
            follows = self._put(session, claim, row)
            self._jobs.finish(session, claim)
        return follows

    def _compute(self, row: FingerprintRow, sha256: str, claim: Claim) -> None:
        def tell(done: int, total: int | None) -> None:
            self._jobs.progress(claim, done, total)

        try:
            with self._archive.blobs.local_path(sha256) as path:
                row.data = fingerprint_of(path, row.kind, progress=tell, patience=claim.attempt)
            row.state = "done"
        except SandboxFailure as failure:
            require_no_overload(failure, claim)
            row.state = "failed"
            row.failure_code = (failure.reason or failure.code)[:60]
            row.failure_detail = failure.detail[:1000]

    def _write_fingerprint(self, session: Session, row: FingerprintRow) -> None:
        from app.matching.kept_hashes import put_hashes

        custody = self._archive.custody
        row.leaf_index = custody.lock(session)
        if session.connection().execute(_HAS_ONE, {"item": row.item_id}).first() is not None:
            return  # an earlier attempt had written it before its worker died
        details: dict[str, JsonValue] = {"algorithm": row.algorithm, "state": row.state}
        if row.data is not None:
            details["outputs"] = [output("fingerprint", row.data)]
        if row.failure_code is not None:
            details["failure"] = {"code": row.failure_code, "detail": (row.failure_detail or "")[:500]}
        about = f"item:{row.item_id}"
        custody.record(session, about, "fingerprint calculation", SYSTEM, details=details, added=[row])
        put_hashes(session.connection(), row)

    def renew(self, limit: int = MAX_RENEWED) -> int:
        """Have items that only older recipes have fingerprinted done anew; what the older ones made stays.

        Args:
            limit: so many items at most in one go.

        Returns:
            How many jobs were added; 0 when nothing is left to add.
        """
        item = col(FingerprintRow.item_id)
        done = select(FingerprintRow.item_id).where(FingerprintRow.algorithm == ALGORITHM_ID)
        queued = select(Job.id).where(col(Job.dedupe_key) == f"{FINGERPRINT_JOB}:" + item + f":{ALGORITHM_ID}")
        older = select(FingerprintRow.item_id).where(
            FingerprintRow.algorithm != ALGORITHM_ID, item.not_in(done), ~queued.exists()
        )
        with self._archive.db.read() as session:
            items = list(session.exec(older.distinct().order_by(item).limit(limit)))
        if items:
            with self._archive.db.write() as session:
                for one in items:
                    key, about = f"{one}:{ALGORITHM_ID}", f"item:{one}"
                    self._jobs.enqueue(session, FINGERPRINT_JOB, key, {"item": one}, subject=about, priority=40)
        return len(items)

    def handle_match(self, claim: Claim) -> None:
        """Job handler: compare an item with all that is here.

        Raises:
            NotYetError: another worker of this process reads all hashes for the first time.
        """
        item_id = claim.payload["item"]
        with self._archive.db.look() as connection:
            found = named(connection, item_id)
            if found is None:
                raise NotFoundError("unknown_item", "the item of this job is gone")
            fingerprint = connection.execute(_OWN, {"item": item_id}).scalar_one_or_none()
            same = [one for one in _same_bytes(connection, found[0]) if one != item_id]
        relations = self._relations(same, fingerprint, without=item_id, patient=False)
        with self._archive.db.write() as session:
            self._write_matches(session, item_id, relations)
            self._jobs.finish(session, claim)

    def _relations(
        self, identical: list[str], fingerprint: bytes | None, *, without: str | None, patient: bool = True
    ) -> list[Found]:
        found = [_identical(item_id) for item_id in identical]
        if fingerprint is not None:
            from app.matching.format import Fingerprint

            query = Fingerprint.from_bytes(fingerprint)
            found += self._known.search(query, without={*identical, without or ""}, patient=patient)
        return found

    def _write_matches(self, session: Session, item_id: str, relations: list[Found]) -> None:
        custody = self._archive.custody
        custody.lock(session)
        related = session.connection().execute(_RELATED, {"item": item_id})
        known = {left if right == item_id else right for left, right in related}
        rows = [_match_row(item_id, found, custody.now()) for found in relations if found.item not in known]
        pages = [rows[at : at + MAX_ROWS_IN_AN_EVENT] for at in range(0, len(rows), MAX_ROWS_IN_AN_EVENT)] or [[]]
        for page in pages:
            # Which items match stands in the rows, which are bound by salted digests: the readers of this
            # item's events may not know of the other item's case.
            details: dict[str, JsonValue] = {"algorithm": ALGORITHM_ID, "matches": len(page)}
            custody.record(session, f"item:{item_id}", "comparison", SYSTEM, details=details, added=page)

    # -- questions ----------------------------------------------------------------------------

    def matches_of(self, who: Principal, item_id: str, *, rejected: bool = False) -> list[MatchView]:
        """Relations of an item to items that the actor may read, best first.

        Args:
            who: the actor.
            item_id: of the item.
            rejected: also those that a person has rejected; else they do not come back, whatever finds them.

        Raises:
            NotFoundError: `unknown_item`.
        """
        with self._archive.db.read() as session:
            found = item_or_none(session, item_id)
            related = select(MatchRow).where(or_(MatchRow.query_item == item_id, MatchRow.item == item_id))
            # Of several versions of the recipe the newest one's word counts.
            newest = {
                _other(row, item_id): row for row in sorted(session.exec(related), key=lambda row: row.created_at)
            }
            decided = standing(session, item_id)
        rows = [row for other, row in newest.items() if rejected or _decision(decided, other) != "reject"]
        if found is None:
            raise NotFoundError("unknown_item", "there is no such item, or you are not a member of its case")
        self._access.require(who, "item.read", found[0].case_id)
        visible = self._visible(who, {_other(row, item_id) for row in rows})
        views = [_view(row, item_id, decided) for row in rows if _other(row, item_id) in visible]
        return sorted(views, key=_rank)

    def relations_among(self, items: Sequence[str], scope: AbstractSet[str]) -> dict[str, list[MatchView]]:
        """Relations of some items to those of a scope, as `matches_of`, rejected ones too; nobody's rights are asked.

        Args:
            items: UUIDs.
            scope: UUIDs of the items of which may be told.
        """
        related: dict[str, dict[str, MatchRow]] = {item: {} for item in items}
        decided: dict[str, dict[str, MatchDecision]] = {item: {} for item in items}
        with self._archive.db.read() as session:
            for ids in (items[start : start + _PAGE] for start in range(0, len(items), _PAGE)):
                here = set(ids)
                either = or_(col(MatchRow.query_item).in_(ids), col(MatchRow.item).in_(ids))
                for row in session.exec(select(MatchRow).where(either).order_by(col(MatchRow.created_at))):
                    for one, other in ((row.query_item, row.item), (row.item, row.query_item)):
                        if one in here and other in scope:
                            related[one][other] = row
                for one, other, decision in standing_among(session, ids):
                    if one in here:
                        decided[one][other] = decision
        views = {item: [_view(row, item, decided[item]) for row in rows.values()] for item, rows in related.items()}
        return {item: sorted(found, key=_rank) for item, found in views.items()}

    def state_of(self, item_id: str) -> dict[str, str | None]:
        """Whether an item's content was compared: a check that failed must not read as "no match".

        Returns:
            `state` (`pending`, `done`, `failed`, or `none` for kinds that have no fingerprint), `code` and
            `detail` of a failure.
        """
        with self._archive.db.read() as session:
            newest = select(FingerprintRow).where(
                FingerprintRow.item_id == item_id, FingerprintRow.algorithm == ALGORITHM_ID
            )
            row = session.exec(newest).one_or_none()
            compared = session.exec(
                select(EventRow.leaf_index).where(EventRow.object == f"item:{item_id}", EventRow.type == "comparison")
            ).first()
        if row is None or (row.state == "done" and compared is None):
            given_up = self._jobs.given_up(f"item:{item_id}", ANALYSE_JOB, FINGERPRINT_JOB, MATCH_JOB)
            if given_up is not None:
                return {"state": "failed", "code": "work_given_up", "detail": given_up}
            return {"state": "pending", "code": None, "detail": None}
        return {"state": row.state, "code": row.failure_code, "detail": row.failure_detail}

    def match_file(self, who: Principal, path: Path, name: str, video_limits: Limits | None = None) -> dict[str, Any]:
        """Compare a file that is not kept, with items that the actor may read.

        Args:
            who: the actor.
            path: the file.
            name: as given.
            video_limits: what sampling a video may take; a request that waits should not wait for hours.

        Raises:
            SandboxFailure: the file could not be fingerprinted; never reported as "no match".
        """
        self._access.require(who, "match")
        digests = digest_file(path)
        findings = examine(path, name)
        if findings.record is None:
            raise findings.failure or SandboxFailure("parser_error", "the file could not be analysed")
        kind = json.loads(findings.record)["file"]["kind"]
        comparable = kind in {"photo", "video"}
        fingerprint = fingerprint_of(path, kind, video_limits) if comparable else None
        with self._archive.db.look() as connection:
            same = _same_bytes(connection, digests.sha256)
        relations = self._relations(same, fingerprint, without=None)
        visible = self._visible(who, {found.item for found in relations})
        views = [MatchView(f.item, f.verdict, f.distance, f.explanation, f.segments) for f in relations]
        ranked = sorted((view for view in views if view.item in visible), key=_rank)
        state = "done" if fingerprint is not None else "none"
        query = {"name": name, "sha256": digests.sha256, "size": digests.size, "kind": kind, "state": state}
        return {"query": query, "matches": [view.as_json() for view in ranked]}

    def _visible(self, who: Principal, items: set[str]) -> set[str]:
        cases = self._access.visible_cases(who)
        if cases is None:
            return items
        with self._archive.db.read() as session:
            mine = select(Item.id).where(col(Item.id).in_(items), col(Item.case_id).in_(cases))
            return set(session.exec(mine))


VERDICTS = ("identical", "same_content", "derived", "possibly_related")


def _rank(view: MatchView) -> tuple[int, int, str]:
    return (VERDICTS.index(view.verdict), view.distance if view.distance is not None else 999, view.item)


def _same_bytes(connection: Connection, sha256: str) -> list[str]:
    """Ids of the items with these bytes, the oldest first."""
    return list(connection.execute(_SAME, {"digest": sha256}).scalars())


def _identical(item_id: str) -> Found:
    return Found(item_id, "identical", 0, "The files are the same, byte for byte (equal SHA-256).", [])


def _kind_of(session: Session, item_id: str) -> str:
    newest = select(AnalysisRun.kind).where(AnalysisRun.item_id == item_id).order_by(col(AnalysisRun.number).desc())
    return session.exec(newest.limit(1)).one_or_none() or "other"


def _match_row(item_id: str, found: Found, now: str) -> MatchRow:
    return MatchRow(
        id=str(uuid.uuid4()),
        query_item=item_id,
        item=found.item,
        algorithm=ALGORITHM_ID,
        verdict=found.verdict,
        distance=found.distance,
        explanation=found.explanation,
        segments=json.dumps(found.segments, sort_keys=True),
        created_at=now,
    )


def _other(row: MatchRow, item_id: str) -> str:
    return row.item if row.query_item == item_id else row.query_item


_TURNED = {
    "query_start_s": "item_start_s",
    "query_end_s": "item_end_s",
    "item_start_s": "query_start_s",
    "item_end_s": "query_end_s",
}


def _decision(decided: dict[str, MatchDecision], other: str) -> str | None:
    return decided[other].decision if other in decided else None


def _view(row: MatchRow, item_id: str, decided: dict[str, MatchDecision]) -> MatchView:
    segments: list[dict[str, str]] = json.loads(row.segments)
    if row.query_item != item_id:
        segments = [{_TURNED[key]: value for key, value in segment.items()} for segment in segments]
    other = _other(row, item_id)
    decision = as_json(decided[other]) if other in decided else None
    return MatchView(other, row.verdict, row.distance, row.explanation, segments, decision)
