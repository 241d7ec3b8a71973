"""What the log is told of an export, each time with the rows that say the same.

Every method is one unit of work under the log's lock. A row that is not what the log says was written is never bound
again: it stays as it is, for the audit to name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue
from sqlmodel import Session, select

from app.access.service import Principal
from app.archive import Archive
from app.custody.rows import SaltedRow
from app.custody.service import SYSTEM, events_of
from app.disclosure.rules import Wishes
from app.disclosure.service import Disclosures, Selection, Settled
from app.disclosure.withholding import Redacted
from app.errors import ConflictError, EnvironmentFailedError
from app.export.bound import is_as_bound
from app.export.choose import Choice
from app.export.making import Made
from app.export.models import ExportPartRow, ExportRequestRow, ExportRow
from app.export.rules import BUILDING
from app.jobs.service import Claim, Jobs
from evidence_store.bundle.events import parse_event
from evidence_store.canonical import JsonInput, canonical_bytes
from schemas.records.v1.event import Actor

QUEUED, DONE, FAILED = "queued", "done", "failed"
EXPORT_JOB = "export"
TIME = "time_stamps"  # of the event that ends an export
_PARTS_PER_EVENT = 50  # an event has at most 65,535 bytes
_MAX_CODE, _MAX_DETAIL = 60, 1000


@dataclass(frozen=True, slots=True)
class Order:
    """An export as it was asked for.

    Attributes:
        who: the exporter.
        choice: what leaves.
        purpose: why.
        key: the request may be repeated under it, or None.
        wishes: for whom, and what is kept back.
        one_file: whether it is refused when one bundle does not hold it.
    """

    who: Principal
    choice: Choice
    purpose: str
    key: str | None = None
    wishes: Wishes = field(default_factory=Wishes)
    one_file: bool = False

    @property
    def sha256(self) -> str:
        """What a repeated request must ask for again, hex."""
        asked: dict[str, JsonInput] = {"scope": self.choice.scope, "purpose": self.purpose}
        if self.wishes != Wishes():
            asked["disclosure"] = self.wishes.as_json()
        return hashlib.sha256(canonical_bytes(asked)).hexdigest()


@dataclass(frozen=True, slots=True)
class Begun:
    """An export that is announced: the last leaf index of its events, and what was settled."""

    covers: int
    settled: Settled


class Ledger:
    """Writes rows and events of exports."""

    def __init__(self, archive: Archive, jobs: Jobs, disclosures: Disclosures) -> None:
        """Bind to an archive."""
        self._disclosures = disclosures
        self._archive = archive
        self._jobs = jobs

    # -- beginning ----------------------------------------------------------------------------

    def repeated(self, session: Session, order: Order) -> ExportRow | None:
        """The export that this very request made before.

        Raises:
            ConflictError: `key_reused` when the key was used for another request.
        """
        if order.key is None:
            return None
        mine = (ExportRequestRow.user_id == order.who.user_id, ExportRequestRow.request_key == order.key)
        found = session.exec(select(ExportRequestRow).where(*mine)).one_or_none()
        if found is None:
            return None
        if found.request_sha256 != order.sha256:
            raise ConflictError("key_reused", "this idempotency key was used for another export")
        return session.get_one(ExportRow, found.id)

    def begin(self, order: Order, export_id: str) -> tuple[ExportRow, Begun | None]:
        """Write a disclosure into the log of the export and of every item.

        Returns:
            The export's row and how it begins; None instead of that when the request is a repeated one.
        """
        with self._archive.db.write() as session:
            self._archive.custody.lock(session)
            if (before := self.repeated(session, order)) is not None:
                return before, None
            row = self._row(session, order, export_id, BUILDING)
            return row, self._announce(session, order, row, self._request(order, export_id))

    def queue(self, order: Order, export_id: str) -> ExportRow:
        """Write down that an export is asked for, and enqueue it; the disclosure itself is announced when it begins."""
        with self._archive.db.write() as session:
            self._archive.custody.lock(session)
            if (before := self.repeated(session, order)) is not None:
                return before
            row = self._row(session, order, export_id, QUEUED)
            self._settle(session, order, export_id)  # what is refused is refused at once
            details: dict[str, JsonValue] = {"outcome": "asked for", **_about(order), "request_sha256": order.sha256}
            rows = [row, *self._request(order, export_id)]
            about = f"export:{export_id}"
            self._archive.custody.record(session, about, "dissemination", order.who.actor, details=details, rows=rows)
            payload = {
                "export": export_id,
                "auth": order.who.auth,
                "wishes": canonical_bytes(order.wishes.as_json()).decode(),
            }
            self._jobs.enqueue(session, EXPORT_JOB, export_id, payload, subject=about, priority=20)
            return row

    def begin_queued(self, order: Order, export_id: str) -> Begun:
        """The same as `begin` for an export that waited, or whose worker died.

        Raises:
            EnvironmentFailedError: `row_altered`, also of a job that asks for something else than the log says.
        """
        with self._archive.db.write() as session:
            self._archive.custody.lock(session)
            row = self._intact(session, export_id)
            if _asked_for(session, export_id) not in {None, order.sha256}:
                raise EnvironmentFailedError("row_altered", "the job asks for another export than the log", status=500)
            row.state = BUILDING
            return self._announce(session, order, row, [])

    def _announce(self, session: Session, order: Order, row: ExportRow, request: Sequence[SaltedRow]) -> Begun:
        settled = self._settle(session, order, row.id)
        custody, actor = self._archive.custody, order.who.actor
        begun: dict[str, JsonValue] = {"outcome": "begun", **_about(order), **settled.details}
        about = f"export:{row.id}"
        last = custody.record(
            session, about, "dissemination", actor, details=begun, rows=[row, *request, *settled.rows]
        )
        told: dict[str, JsonValue] = {"export": row.id, "purpose": order.purpose}
        for disclosed in order.choice.disclosed:
            item = disclosed.removeprefix("item:")
            details = {**told, **settled.item_details(item)}
            rows = settled.rows_of(item)
            last = custody.record(session, disclosed, "dissemination", actor, details=details, rows=rows)
        return Begun(last.leaf_index, settled)

    def _settle(self, session: Session, order: Order, export_id: str) -> Settled:
        return self._disclosures.settle(
            session, order.who, export_id, order.purpose, selection_of(order.choice), order.wishes
        )

    def _row(self, session: Session, order: Order, export_id: str, state: str) -> ExportRow:
        row = ExportRow(
            id=export_id,
            state=state,
            scope=order.choice.scope_text,
            cases=json.dumps(order.choice.cases),
            items=json.dumps([chosen.item.id for chosen in order.choice.items]),
            purpose=order.purpose,
            requested_by=order.who.user_id,
            created_at=self._archive.custody.now(),
        )
        session.add(row)
        session.flush()  # before the rows that point to it
        return row

    def _request(self, order: Order, export_id: str) -> list[SaltedRow]:
        if order.key is None:
            return []
        user = order.who.user_id
        return [ExportRequestRow(id=export_id, user_id=user, request_key=order.key, request_sha256=order.sha256)]

    # -- ending -------------------------------------------------------------------------------

    def finish(
        self,
        who: Principal,
        export_id: str,
        made: Made,
        told: dict[str, JsonValue],
        claim: Claim | None,
        redacted: Redacted | None = None,
    ) -> ExportRow:
        """Write down what was made; `claim` is the job's, when it was one, `redacted` what the bundle keeps back.

        Raises:
            EnvironmentFailedError: `row_altered`.
            LeaseLostError: another worker has taken the job over.
        """
        custody, about = self._archive.custody, f"export:{export_id}"
        with self._archive.db.write() as session:
            custody.lock(session)
            row = self._intact(session, export_id)
            row.state, row.finished_at, row.tree_size = DONE, custody.now(), made.tree_size
            row.size = sum(part.size for part in made.parts)
            row.files = sum(part.files for part in made.parts)
            row.sha256 = made.parts[0].sha256 if made.whole is None else None
            published: dict[str, JsonValue] = {"outcome": "published", "files": row.files, "tree_size": made.tree_size}
            if made.whole is None:
                published |= {"outputs": [_output(part) for part in made.parts], TIME: told}
                rows: list[SaltedRow] = [row, *made.parts]
            else:
                for first in range(0, len(made.parts), _PARTS_PER_EVENT):
                    some = made.parts[first : first + _PARTS_PER_EVENT]
                    of_set: dict[str, JsonValue] = {
                        "outcome": "part made",
                        "parts": len(made.parts),
                        "outputs": [_output(part) for part in some],
                    }
                    custody.record(session, about, "dissemination", who.actor, details=of_set, rows=list(some))
                files = (("bundle set", made.whole.statement), ("bundle set signature", made.whole.seal))
                outputs: list[JsonValue] = [
                    {"role": role, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
                    for role, data in files
                ]
                published |= {"parts": len(made.parts), "outputs": outputs, TIME: told}
                rows = [row, made.whole]
            if redacted is not None:
                rows.append(self._disclosures.openings_row(export_id, redacted))
            custody.record(session, about, "dissemination", who.actor, details=published, rows=rows)
            if claim is not None:
                self._jobs.finish(session, claim)
            return row

    def fail(
        self,
        export_id: str,
        actor: Actor,
        code: str,
        detail: str,
        *,
        item: str | None = None,
        claim: Claim | None = None,
    ) -> None:
        """Record a failure; `item` is the one whose original could not be read."""
        with self._archive.db.write() as session:
            self._archive.custody.lock(session)
            self.mark_failed(session, session.get_one(ExportRow, export_id), actor, code, detail)
            if claim is not None:
                self._jobs.finish(session, claim)
        if item is not None:
            with self._archive.db.write() as session:
                details: dict[str, JsonValue] = {
                    "outcome": "failed",
                    "code": code,
                    "detail": detail[:_MAX_DETAIL],
                    "export": export_id,
                }
                self._archive.custody.record(session, f"item:{item}", "fixity check", SYSTEM, details=details)

    def mark_failed(self, session: Session, row: ExportRow, actor: Actor, code: str, detail: str) -> None:
        """Record a failure in the caller's unit of work; the caller holds the log's lock."""
        intact = is_as_bound(session, row)
        if intact:
            row.state, row.finished_at = FAILED, self._archive.custody.now()
            row.failure_code, row.failure_detail = code[:_MAX_CODE], detail[:_MAX_DETAIL]
        self._archive.custody.record(
            session,
            f"export:{row.id}",
            "dissemination",
            actor,
            details={"outcome": "failed", "code": code[:_MAX_CODE], "detail": detail[:_MAX_DETAIL]},
            rows=[row] if intact else [],
        )

    def made_again(self, actor: Actor, part: ExportPartRow, code: str | None) -> None:
        """Record that a bundle's file was made again, or that it could not be."""
        details: dict[str, JsonValue] = {"part": "bundle", "bundle": part.id, "sha256": part.sha256}
        details |= {"outcome": "made again"} if code is None else {"outcome": "failed", "code": code}
        with self._archive.db.write() as session:
            about = f"export:{part.export_id}"
            self._archive.custody.record(session, about, "fixity check", actor, details=details)

    def _intact(self, session: Session, export_id: str) -> ExportRow:
        row = session.get_one(ExportRow, export_id)
        if not is_as_bound(session, row):
            raise EnvironmentFailedError("row_altered", "the export's row was changed meanwhile", status=500)
        return row


def selection_of(choice: Choice) -> Selection:
    """What is weighed of a choice."""
    items = [chosen.item for chosen in choice.items]
    return Selection(choice.cases, items, frozenset(entry.id for entry in choice.entries))


def _asked_for(session: Session, export_id: str) -> str | None:
    """What the log says was asked for, as a digest; None of a request that does not say."""
    for stored in events_of(session, f"export:{export_id}"):
        details = parse_event(stored.canonical).details
        if details.get("outcome") == "asked for":
            return str(details["request_sha256"]) if "request_sha256" in details else None
    return None


def _about(order: Order) -> dict[str, JsonValue]:
    return {
        "purpose": order.purpose,
        "items": len(order.choice.items),
        "scope_sha256": order.choice.scope_sha256,
    }


def _output(part: ExportPartRow) -> dict[str, JsonValue]:
    return {"role": "bundle", "sha256": part.sha256, "size": part.size}
