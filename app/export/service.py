"""Exports of one archive as use-cases: authorise, choose, record, checkpoint, build, publish, record.

1. The disclosure is in the log, and in a signed checkpoint, before the first byte of the bundle is written.
2. A bundle has its final name when it is whole; a failure at any step publishes nothing and is recorded.
3. Recovery needs no journal: a living export holds a lock on its `.part` file, a dead one does not.
4. An export that is asked for as a job waits in the queue; its exporter's rights are asked for again when it begins.
"""

from __future__ import annotations

import contextlib
import json
import logging
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

from sqlalchemy.orm import defer
from sqlmodel import col, select

from app.access.models import User
from app.access.rules import role_allows
from app.access.service import Access, Principal, principal_of
from app.custody.service import SYSTEM, events_of
from app.disclosure.rules import Wishes, read_wishes
from app.errors import CatenaError, ConflictError, DeniedError, EnvironmentFailedError, NotFoundError
from app.export import publish
from app.export.bound import is_as_bound, is_bound_by
from app.export.build import Building
from app.export.choose import Asked, asked_again, choose
from app.export.collected import Sources
from app.export.ledger import DONE, EXPORT_JOB, QUEUED, TIME, Begun, Ledger, Order, selection_of
from app.export.making import Maker, discard_all
from app.export.models import ExportPartRow, ExportRow, ExportSetRow
from app.export.recipe import digest_of, rebuilt
from app.export.rules import BUILDING, parse_purpose, require_request_key
from app.export.vouched import Attestation, Vouchers
from app.jobs.service import Claim, Jobs, LeaseLostError
from evidence_store.bundle.events import parse_event
from evidence_store.bundle.shapes import is_uuid
from evidence_store.errors import EvidenceStoreError

__all__ = ["BUILDING", "DONE", "EXPORT_JOB", "QUEUED", "Exports"]

log = logging.getLogger(__name__)

_UNKNOWN = "there is no such export, or you are not a member of its cases"
_UNREAD = frozenset({"fixity_mismatch", "blob_missing", "blob_irregular"})

Progress = Callable[[int, int], None]


class Exports:
    """The exports of one archive."""

    def __init__(self, access: Access, sources: Sources, vouchers: Vouchers, jobs: Jobs) -> None:
        """Bind to an archive.

        Args:
            access: who may do what.
            sources: where the parts of bundles come from.
            vouchers: who vouches for bundles besides the seal key: the log, authorities, witnesses.
            jobs: takes exports that are made later.
        """
        self._archive = sources.archive
        self._access = access
        self._sources = sources
        self._jobs = jobs
        self._ledger = Ledger(self._archive, jobs, sources.disclosures)
        self.vouchers = vouchers

    # -- making -------------------------------------------------------------------------------

    def order(
        self,
        who: Principal,
        *,
        case_ref: str | None = None,
        item_ids: Sequence[str] | None = None,
        asked: Asked | None = None,
        purpose: str = "",
        key: str | None = None,
        wishes: Wishes | None = None,
    ) -> Order:
        """What is asked for, found and allowed; nothing is written yet.

        Args:
            who: the exporter.
            case_ref: reference or UUID of a case; or
            item_ids: UUIDs of items; or
            asked: all that can be asked for, instead of these two.
            purpose: why it is disclosed, at most 2,000 characters; it stands in the log and in the bundle.
            key: the same person and key make one export, however often repeated.
            wishes: for whom, what to keep back, what to release; None: nobody is named and nothing is kept back.

        Raises:
            InvalidInputError: `bad_scope`, `bad_export_option`, `nothing_to_export`, `too_many_items`,
                `too_many_entries`, `text_too_long`, `bad_text`, `bad_request_key`.
            NotFoundError: `unknown_case`, `unknown_item`, `unknown_incident`.
            DeniedError: `not_allowed`.
            ConflictError: `receipt_pending`, `ambiguous_incident`.
        """
        if key is not None:
            require_request_key(key)
        choice = choose(self._sources, self._access, who, asked or Asked(case_ref, item_ids))
        return Order(who, choice, parse_purpose(purpose), key, wishes or Wishes())

    def create(  # noqa: PLR0913 - all that an export can be asked for
        self,
        who: Principal,
        *,
        case_ref: str | None = None,
        item_ids: Sequence[str] | None = None,
        asked: Asked | None = None,
        purpose: str = "",
        key: str | None = None,
        wishes: Wishes | None = None,
        out: Path | None = None,
        progress: Progress | None = None,
        one_file: bool = False,
    ) -> ExportRow:
        """Make a signed evidence bundle of a case or of items, or a set of them.

        Args:
            who: the exporter.
            case_ref: as in `order`, and so are item_ids, asked, purpose and key.
            item_ids: see there.
            asked: see there.
            purpose: see there.
            key: see there.
            wishes: see there.
            out: where a copy of the bundle goes; never overwritten. Of a set, its parts and list go beside that name.
            progress: told (bytes of originals written, of how many).
            one_file: whether it is refused, with nothing made, when one bundle does not hold it.

        Raises:
            InvalidInputError, NotFoundError, DeniedError: those of `order`.
            ConflictError: `receipt_pending`, `file_exists`, `key_reused`, `incident_changed`, `restricted_items`,
                `exculpatory_left_out`, `withheld_value_leaks`, `original_not_looked_into`, `withholding_in_a_set`,
                `set_not_encrypted`.
            EnvironmentFailedError: `fixity_mismatch`, `blob_missing`, `record_missing`, `log_damaged`, `storage_full`
                and others; nothing was published and the failure is recorded.
        """
        order = self.order(
            who,
            case_ref=case_ref,
            item_ids=item_ids,
            asked=asked,
            purpose=purpose,
            key=key,
            wishes=wishes,
        )
        if out is not None and out.exists():
            raise ConflictError("file_exists", f"{out} exists and is never overwritten")
        row = self.fulfil(replace(order, one_file=one_file), progress)
        if out is not None and row.state == DONE:
            with _coded():
                self._copy_out(row, out)
        return row

    def weigh(self, who: Principal, asked: Asked, wishes: Wishes) -> dict[str, Any]:
        """What an export would come to: nothing is made, and nothing recorded.

        Raises:
            InvalidInputError, NotFoundError, DeniedError: as `order`.
        """
        choice = choose(self._sources, self._access, who, asked)
        with self._archive.db.read() as session:
            return self._sources.disclosures.weigh(session, selection_of(choice), wishes).as_json()

    def fulfil(self, order: Order, progress: Progress | None = None) -> ExportRow:
        """Make what was ordered, now; raises as `create`. A repeated request gives the export that it made before."""
        export_id = str(uuid.uuid4())
        with _coded(), publish.staged(self._path(export_id)) as staged:
            row, begun = self._ledger.begin(order, export_id)
            if begun is None:
                return row
            return self._build(order, export_id, begun, staged, progress, None)

    def request(self, order: Order) -> ExportRow:
        """Have what was ordered made by a worker.

        Raises:
            ConflictError: `key_reused`.
        """
        return self._ledger.queue(order, str(uuid.uuid4()))

    def handle_export(self, claim: Claim) -> None:
        """Make what `request` enqueued. Its failure is the export's, and recorded: it is not tried again."""
        export_id = claim.payload["export"]
        with self._archive.db.read() as session:
            row = session.get(ExportRow, export_id)
            user = None if row is None else session.get(User, row.requested_by)
        if row is None or user is None or row.state not in {QUEUED, BUILDING}:
            with self._archive.db.write() as session:
                self._jobs.finish(session, claim)
            return
        auth = cast("Literal['token', 'local operator']", claim.payload.get("auth", "token"))
        with _coded(), publish.staged(self._path(export_id)) as staged:
            try:
                who = principal_of(user, auth)
                asked = asked_again(json.loads(row.scope), json.loads(row.items))
                wishes = read_wishes(claim.payload.get("wishes"))
                choice = choose(self._sources, self._access, who, asked)
                order = Order(who, choice, parse_purpose(row.purpose), wishes=wishes)
                discard_all(export_id, self._path)
                begun = self._ledger.begin_queued(order, export_id)
            except (CatenaError, EvidenceStoreError) as error:
                self._ledger.fail(export_id, SYSTEM, error.code, error.detail, claim=claim)
                log.warning("export %s was not begun: %s", export_id, error)
                return
            with contextlib.suppress(CatenaError, EvidenceStoreError):  # recorded
                self._build(order, export_id, begun, staged, None, claim)

    def _build(
        self,
        order: Order,
        export_id: str,
        begun: Begun,
        staged: publish.Staged,
        progress: Progress | None,
        claim: Claim | None,
    ) -> ExportRow:
        if claim is not None:
            progress = lambda done, total: self._jobs.progress(claim, done, total)  # noqa: E731 - a parameter's value
        about = (order.who, order.choice, order.purpose)
        building = Building(export_id, *about, begun.covers, progress, begun.settled, order.one_file)
        attestation = Attestation(self._archive, self.vouchers, export_id)
        maker = Maker(self._sources, building, attestation, self._path)
        try:
            made = maker.make(self.vouchers.checkpoint(), staged)
            return self._ledger.finish(order.who, export_id, made, attestation.told(), claim, building.redacted)
        except BaseException as error:
            maker.discard()
            if not isinstance(error, LeaseLostError):  # then another worker makes it
                self._record_failure(building, error, claim)
            raise

    def _record_failure(self, building: Building, error: BaseException, claim: Claim | None) -> None:
        code, detail = _named(error)
        item = building.reading if code in _UNREAD else None
        try:
            self._ledger.fail(building.export_id, building.who.actor, code, detail, item=item, claim=claim)
        except CatenaError:  # the first error is the one to report
            log.exception("the failure of export %s could not be recorded", building.export_id)

    def _copy_out(self, row: ExportRow, out: Path) -> None:
        if (whole := self.list_of(row)) is None:
            publish.copy_to(self._path(row.id), out)
            return
        parts = self.parts(row)
        publish.copy_set(out, [self._path(part.id) for part in parts], whole.statement, whole.seal)

    # -- recovery -----------------------------------------------------------------------------

    def recover(self) -> list[str]:
        """Mark exports that a crash interrupted as failed and remove their files; for the start of a server or worker.

        Returns:
            Their ids. Left alone are an export that another process is making, one that a worker will begin anew, and a
            row that is not what the log says was written: the audit names it.
        """
        recovered = [export_id for export_id in self._open_ids() if self._recover(export_id)]
        publish.remove_dead(self._archive.settings.exports)
        return recovered

    def _open_ids(self) -> Sequence[str]:
        with self._archive.db.read() as session:
            return session.exec(select(ExportRow.id).where(col(ExportRow.state).in_([QUEUED, BUILDING]))).all()

    def _recover(self, export_id: str) -> bool:
        if not is_uuid(export_id):  # it would name a file of somebody else
            return False
        with self._archive.db.write() as session:
            self._archive.custody.lock(session)  # from here on no export can end
            row = session.get(ExportRow, export_id)
            if row is None or row.state not in {QUEUED, BUILDING} or not is_as_bound(session, row):
                return False
            if self._jobs.is_under_way(session, f"export:{export_id}", EXPORT_JOB):
                return False
            if publish.is_being_made(self._path(export_id)):
                return False
            discard_all(export_id, self._path)
            detail = "the program ended before the bundle was whole"
            self._ledger.mark_failed(session, row, SYSTEM, "interrupted", detail)
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

    def parts(self, row: ExportRow) -> Sequence[ExportPartRow]:
        """The bundles of an export, in order, without their recipes; none before it is done, or of an old one."""
        with self._archive.db.read() as session:
            mine = select(ExportPartRow).where(ExportPartRow.export_id == row.id)
            bare = mine.options(defer(ExportPartRow.recipe))  # type: ignore[arg-type]
            return session.exec(bare.order_by(col(ExportPartRow.part))).all()

    def list_of(self, row: ExportRow) -> ExportSetRow | None:
        """The signed list of an export that is a set; None for one bundle."""
        with self._archive.db.read() as session:
            return session.get(ExportSetRow, row.id)

    def progress_of(self, row: ExportRow) -> tuple[int, int | None] | None:
        """Bytes of originals written, and of how many, of an export that a worker is making."""
        return None if row.state != BUILDING else self._jobs.progress_of(f"export:{row.id}", EXPORT_JOB)

    def open_bundle(self, who: Principal, export_id: str, part: int | None = None) -> tuple[ExportRow, Path]:
        """A finished bundle's file; the access is recorded before the path is given. A file that is gone is made again.

        Args:
            who: the reader.
            export_id: UUID.
            part: which one of a set, from 1; None for the only bundle.

        Raises:
            NotFoundError: `unknown_export`, `unknown_part`.
            DeniedError: `not_allowed`.
            ConflictError: `export_not_ready`, `export_failed`, `export_is_a_set`.
            EnvironmentFailedError: `bundle_missing`, `bundle_damaged`, `rebuild_differs`, `row_altered`.
        """
        row = self.get(who, export_id)
        if row.state in {QUEUED, BUILDING}:
            raise ConflictError("export_not_ready", "the bundle is still being made")
        if row.state != DONE:
            raise ConflictError("export_failed", f"no bundle was made: {row.failure_code}")
        parts = self.parts(row)
        if part is None and len(parts) > 1:
            raise ConflictError("export_is_a_set", f"this export has {len(parts)} parts: ask for one of them")
        wanted = next((each for each in parts if each.part == (part or 1)), None)
        if wanted is None and (part or 1) != 1:
            raise NotFoundError("unknown_part", f"this export has no part {part}")
        bundle, size, sha256 = (row.id, row.size, row.sha256)
        if wanted is not None:
            bundle, size, sha256 = wanted.id, wanted.size, wanted.sha256
        path = self._path(bundle)
        if not path.exists():
            self._make_again(who, wanted, path)
        with _coded():
            actual = path.stat().st_size
        if actual != size:
            raise EnvironmentFailedError("bundle_damaged", "the bundle's file was changed: export again", status=500)
        details = {"part": "bundle", "sha256": sha256}
        if wanted is not None and wanted.parts > 1:
            details["bundle"] = wanted.id
        with self._archive.db.write() as session:
            self._archive.custody.record(session, f"export:{export_id}", "access", who.actor, details={**details})
        return row, path

    def _make_again(self, who: Principal, known: ExportPartRow | None, path: Path) -> None:
        """Make a bundle's file again out of the archive; a file that would differ is not kept."""
        with self._archive.db.read() as session:
            part = None if known is None else session.get(ExportPartRow, known.id)
            if part is None or part.recipe is None:
                raise EnvironmentFailedError("bundle_missing", "the bundle's file is gone: export again")
            if not is_bound_by(session, part, part.id, part.export_id):
                raise EnvironmentFailedError("row_altered", "the bundle's row was changed", status=500)
        try:
            with _coded(), publish.staged(path) as staged:
                found = digest_of(rebuilt(part.recipe, self._archive.blobs.open), staged.write)
                if found != (part.sha256, part.size):
                    raise EnvironmentFailedError(
                        "rebuild_differs",
                        "the archive no longer holds what the bundle was made of: run 'catena audit'",
                        status=500,
                    )
                staged.publish(0o400)
        except CatenaError as error:
            if error.code == "file_exists":  # another request is making it
                raise ConflictError("export_not_ready", "the bundle is being made again: try again soon") from error
            self._ledger.made_again(who.actor, part, error.code)
            raise
        self._ledger.made_again(who.actor, part, None)

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
