"""Exports of one archive as use-cases: authorise, choose, record, checkpoint, build, publish, record.

1. The disclosure is in the log, and in a signed checkpoint, before the first byte of the bundle is written.
2. The bundle has its final name when it is whole; a failure at any step publishes nothing and is recorded.
3. Recovery needs no journal: a living export holds a lock on its `.part` file, a dead one does not.
"""

from __future__ import annotations

import contextlib
import json
import logging
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, select

from app.access.rules import role_allows
from app.access.service import Access, Principal
from app.custody.service import SYSTEM, events_of
from app.errors import CatenaError, ConflictError, DeniedError, EnvironmentFailedError, NotFoundError
from app.export import publish
from app.export.bound import is_as_bound
from app.export.build import Building, bundle_plan
from app.export.choose import Asked, Choice, choose
from app.export.collected import Sources
from app.export.models import ExportRow
from app.export.rules import Options, parse_purpose
from app.export.vouched import Attestation, Vouchers
from evidence_store.bundle.events import parse_event
from evidence_store.bundle.plan import BundleResult
from evidence_store.bundle.shapes import is_uuid
from evidence_store.bundle.writer import write_bundle
from evidence_store.errors import EvidenceStoreError
from schemas.records.v1.event import Actor

log = logging.getLogger(__name__)

BUILDING, DONE, FAILED = "building", "done", "failed"
TIME = "time_stamps"  # of the event that ends an export
_UNKNOWN = "there is no such export, or you are not a member of its cases"

Progress = Callable[[int, int], None]


class Exports:
    """The exports of one archive."""

    def __init__(self, access: Access, sources: Sources, vouchers: Vouchers) -> None:
        """Bind to an archive.

        Args:
            access: who may do what.
            sources: where the parts of bundles come from.
            vouchers: who vouches for bundles besides the seal key: the log, authorities, witnesses.
        """
        self._archive = sources.archive
        self._access = access
        self._sources = sources
        self.vouchers = vouchers

    # -- making -------------------------------------------------------------------------------

    def create(
        self,
        who: Principal,
        *,
        case_ref: str | None = None,
        item_ids: Sequence[str] | None = None,
        incident: str | None = None,
        options: Options | None = None,
        purpose: str = "",
        out: Path | None = None,
        progress: Progress | None = None,
    ) -> ExportRow:
        """Make a signed evidence bundle of a case or of items.

        Args:
            who: the exporter.
            case_ref: reference or UUID of a case; or
            item_ids: UUIDs of items; or
            incident: id for people or UUID of an incident: its dossier, and every item that it or its claims refer to.
            options: what is asked for beside originals, records and custody.
            purpose: why it is disclosed, at most 2,000 characters; it stands in the log and in the bundle.
            out: where a copy of the bundle goes; never overwritten.
            progress: told (bytes of originals written, of how many).

        Raises:
            InvalidInputError: `bad_scope`, `bad_export_option`, `nothing_to_export`, `too_many_items`,
                `too_many_entries`, `text_too_long`, `bad_text`.
            NotFoundError: `unknown_case`, `unknown_item`, `unknown_incident`.
            DeniedError: `not_allowed`.
            ConflictError: `receipt_pending`, `file_exists`, `ambiguous_incident`, `incident_changed`.
            EnvironmentFailedError: `fixity_mismatch`, `blob_missing`, `record_missing`, `log_damaged`, `storage_full`
                and others; nothing was published and the failure is recorded.
        """
        asked = Asked(case_ref, item_ids, incident, options or Options())
        choice = choose(self._sources, self._access, who, asked)
        reason = parse_purpose(purpose)
        if out is not None and out.exists():
            raise ConflictError("file_exists", f"{out} exists and is never overwritten")
        export_id = str(uuid.uuid4())
        with _coded(), publish.staged(self._path(export_id)) as staged:
            covers = self._announce(who, export_id, choice, reason)
            building = Building(export_id, who, choice, reason, covers, progress)
            attestation = Attestation(self._archive, self.vouchers, export_id)
            try:
                result, tree_size = self._write(staged, building, attestation)
                staged.publish(0o400)
                row = self._finish(who, export_id, result, tree_size, attestation)
            except BaseException as error:
                publish.discard(staged.final)
                self._record_failure(building, error)
                raise
        if out is not None:
            with _coded():
                publish.copy_to(self._path(export_id), out)
        return row

    def _announce(self, who: Principal, export_id: str, choice: Choice, purpose: str) -> int:
        """Write the disclosure into the log of the export and of every item; returns the last leaf index."""
        custody = self._archive.custody
        with self._archive.db.write() as session:
            custody.lock(session)
            row = ExportRow(
                id=export_id,
                state=BUILDING,
                scope=choice.scope_text,
                cases=json.dumps(choice.cases),
                items=json.dumps([chosen.item.id for chosen in choice.items]),
                purpose=purpose,
                requested_by=who.user_id,
                created_at=custody.now(),
            )
            last = custody.record(
                session,
                f"export:{export_id}",
                "dissemination",
                who.actor,
                details={
                    "outcome": "begun",
                    "purpose": purpose,
                    "items": len(choice.items),
                    "scope_sha256": choice.scope_sha256,
                },
                rows=[row],
            )
            for about in choice.disclosed:
                last = custody.record(
                    session,
                    about,
                    "dissemination",
                    who.actor,
                    details={"export": export_id, "purpose": purpose},
                )
            return last.leaf_index

    def _write(self, staged: publish.Staged, building: Building, attestation: Attestation) -> tuple[BundleResult, int]:
        plan, tree_size = bundle_plan(self._sources, building, self.vouchers.checkpoint(), attestation)
        return write_bundle(staged.stream, plan, attestation.seal), tree_size

    def _finish(
        self, who: Principal, export_id: str, result: BundleResult, tree_size: int, attestation: Attestation
    ) -> ExportRow:
        custody = self._archive.custody
        with self._archive.db.write() as session:
            custody.lock(session)
            row = session.get_one(ExportRow, export_id)
            if not is_as_bound(session, row):
                raise EnvironmentFailedError("row_altered", "the export's row was changed meanwhile", status=500)
            row.state, row.finished_at, row.tree_size = DONE, custody.now(), tree_size
            row.sha256, row.size, row.files = result.sha256, result.size, result.files
            custody.record(
                session,
                f"export:{export_id}",
                "dissemination",
                who.actor,
                details={
                    "outcome": "published",
                    "outputs": [
                        {"role": "bundle", "sha256": result.sha256, "sha512": result.sha512, "size": result.size}
                    ],
                    "files": result.files,
                    "tree_size": tree_size,
                    TIME: attestation.told(),
                },
                rows=[row],
            )
            return row

    def _record_failure(self, building: Building, error: BaseException) -> None:
        code, detail = _named(error)
        try:
            self._fail(building.export_id, building.who.actor, code, detail)
            if building.reading is not None and code in {"fixity_mismatch", "blob_missing", "blob_irregular"}:
                with self._archive.db.write() as session:
                    self._archive.custody.record(
                        session,
                        f"item:{building.reading}",
                        "fixity check",
                        SYSTEM,
                        details={
                            "outcome": "failed",
                            "code": code,
                            "detail": detail[:1000],
                            "export": building.export_id,
                        },
                    )
        except CatenaError:  # the first error is the one to report
            log.exception("the failure of export %s could not be recorded", building.export_id)

    def _fail(self, export_id: str, actor: Actor, code: str, detail: str) -> None:
        with self._archive.db.write() as session:
            self._archive.custody.lock(session)
            self._mark_failed(session, session.get_one(ExportRow, export_id), actor, code, detail)

    def _mark_failed(self, session: Session, row: ExportRow, actor: Actor, code: str, detail: str) -> None:
        """Record a failure; a row that is not what the log says stays as it is, for the audit to name."""
        custody = self._archive.custody
        intact = is_as_bound(session, row)
        if intact:
            row.state, row.finished_at = FAILED, custody.now()
            row.failure_code, row.failure_detail = code[:60], detail[:1000]
        custody.record(
            session,
            f"export:{row.id}",
            "dissemination",
            actor,
            details={"outcome": "failed", "code": code[:60], "detail": detail[:1000]},
            rows=[row] if intact else [],
        )

    def recover(self) -> list[str]:
        """Mark exports that a crash interrupted as failed and remove their files; for the start of a server or worker.

        Returns:
            Their ids. Left alone are an export that another process is making, and a row that is not what the log says
            was written: the audit names it.
        """
        recovered = [export_id for export_id in self._open_ids() if self._recover(export_id)]
        publish.remove_dead(self._archive.settings.exports)
        return recovered

    def _open_ids(self) -> Sequence[str]:
        with self._archive.db.read() as session:
            return session.exec(select(ExportRow.id).where(ExportRow.state == BUILDING)).all()

    def _recover(self, export_id: str) -> bool:
        if not is_uuid(export_id):  # it would name a file of somebody else
            return False
        with self._archive.db.write() as session:
            self._archive.custody.lock(session)  # from here on no export can end
            row = session.get(ExportRow, export_id)
            if row is None or row.state != BUILDING or not is_as_bound(session, row):
                return False
            final = self._path(export_id)
            if publish.is_being_made(final):
                return False
            publish.discard(final)
            self._mark_failed(session, row, SYSTEM, "interrupted", "the program ended before the bundle was whole")
        return True

    # -- reading ------------------------------------------------------------------------------

    def get(self, who: Principal, export_id: str) -> ExportRow:
        """An export, when the actor may read the exports of all its cases.

        Raises:
            NotFoundError: `unknown_export`.
            DeniedError: `not_allowed`.
        """
        with self._archive.db.read() as session:
            row = session.get(ExportRow, export_id)
        if row is None:
            raise NotFoundError("unknown_export", _UNKNOWN)
        try:
            for case_id in json.loads(row.cases):
                self._access.require(who, "export.read", case_id)
        except NotFoundError:
            raise NotFoundError("unknown_export", _UNKNOWN) from None
        return row

    def list(self, who: Principal) -> Sequence[ExportRow]:
        """The exports all of whose cases the actor may read, newest first.

        Raises:
            DeniedError: `not_allowed`.
        """
        if not role_allows(who.role, "export.read"):
            self._access.record_denial(who.actor, f"archive:{self._archive.identity.id}", "export.read")
            raise DeniedError("not_allowed", f"your role ({who.role}) may not do this: export.read")
        visible = self._access.visible_cases(who)
        with self._archive.db.read() as session:
            rows = session.exec(select(ExportRow).order_by(col(ExportRow.created_at).desc(), col(ExportRow.id))).all()
        return [row for row in rows if visible is None or set(json.loads(row.cases)) <= set(visible)]

    def stamps_in_bundle(self, row: ExportRow) -> dict[str, Any] | None:
        """Which time stamps the bundle's file holds, as the log says: those that came later are not in it.

        Returns:
            As `Attestation.told` gave it; None for an export that is not done, or was made before there were any.
        """
        if row.state != DONE:
            return None
        with self._archive.db.read() as session:
            events = events_of(session, f"export:{row.id}")
        for stored in reversed(events):
            try:
                details = parse_event(stored.canonical).details
            except (EvidenceStoreError, TypeError):  # TypeError: text where bytes belong; the audit names it
                return None
            if isinstance(told := details.get(TIME), dict):
                return told
        return None

    def open_bundle(self, who: Principal, export_id: str) -> tuple[ExportRow, Path]:
        """A finished bundle's file; the access is recorded before the path is given.

        Raises:
            NotFoundError: `unknown_export`.
            DeniedError: `not_allowed`.
            ConflictError: `export_not_ready`, `export_failed`.
            EnvironmentFailedError: `bundle_missing`, `bundle_damaged`.
        """
        row = self.get(who, export_id)
        if row.state == BUILDING:
            raise ConflictError("export_not_ready", "the bundle is still being made")
        if row.state != DONE:
            raise ConflictError("export_failed", f"no bundle was made: {row.failure_code}")
        path = self._path(export_id)
        try:
            size = path.stat().st_size
        except OSError:
            raise EnvironmentFailedError("bundle_missing", "the bundle's file is gone: export again") from None
        if size != row.size:
            raise EnvironmentFailedError("bundle_damaged", "the bundle's file was changed: export again", status=500)
        with self._archive.db.write() as session:
            self._archive.custody.record(
                session, f"export:{export_id}", "access", who.actor, details={"part": "bundle", "sha256": row.sha256}
            )
        return row, path

    def _path(self, export_id: str) -> Path:
        if not is_uuid(export_id):
            raise NotFoundError("unknown_export", _UNKNOWN)
        return self._archive.settings.exports / f"{export_id}.zip"


def _named(error: BaseException) -> tuple[str, str]:
    """Code and detail of whatever ended an export."""
    if isinstance(error, (CatenaError, EvidenceStoreError)):
        return error.code, error.detail
    return ("internal" if isinstance(error, Exception) else "interrupted"), type(error).__name__


@contextlib.contextmanager
def _coded() -> Iterator[None]:
    """Errors of the integrity core leave as the service's own."""
    try:
        yield
    except EvidenceStoreError as error:
        if error.code == "file_exists":
            raise ConflictError(error.code, error.detail) from error
        status = 507 if error.code == "storage_full" else 500
        raise EnvironmentFailedError(error.code, error.detail, status=status) from error
