"""Resumable uploads (tus 1.0) as use-cases: begin, go on, ask, end. HTTP is the edge's business (app.api.uploads).

An upload belongs to one user and one case, and everything that could refuse its item is asked when it is created: a
sender of 50 GB learns it before the first byte.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, literal
from sqlalchemy.orm import Mapped
from sqlmodel import Session, col, select

from app.access.service import Access, Principal
from app.archive import Archive
from app.clock import later, rfc3339
from app.errors import CatenaError, ConflictError, InvalidInputError, LimitError
from app.evidence.models import Case
from app.intake.finishing import Finisher, Finishing
from app.intake.models import Upload
from app.intake.names import recorded_name
from app.intake.quotas import Quotas
from app.intake.running import RunningBook
from app.intake.service import Intake, require_deposit_key
from app.intake.spool import Spool, SpoolBusyError, SpoolFile
from app.intake.statements import source_text
from app.intake.upload_keys import require_free_key
from app.intake.upload_rows import (
    DONE,
    EXPIRED,
    FAILED,
    FINISHING,
    KEEPING,
    OPEN,
    TERMINATED,
    Lives,
    UploadRows,
    locked_upload,
    require_going_on,
    unknown_upload,
)
from app.intake.writing import Checksum, Writing, require_checkable
from evidence_store.errors import EvidenceStoreError
from schemas.records.v1.source import SourceContext

QUIET_SECONDS = 1.0
"""A client that has sent nothing for so long is taken for gone, when another request wants the upload."""
PATIENCE_SECONDS = 3.0
POLL_SECONDS = 0.1
HOUR_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class UploadOrder:
    """What the creation of an upload says.

    Attributes:
        size: of the whole file, in bytes.
        name: file name as given.
        source: what the depositor says of the source.
        metadata_header: Upload-Metadata as it came, to be told again.
        digests: announced ones in lowercase hex, by `sha256`.
        key: idempotency key of the item; None for one of the upload's own.
    """

    size: int
    name: str | None
    source: SourceContext
    metadata_header: str
    digests: dict[str, str]
    key: str | None


class Uploads:
    """The resumable uploads of one archive."""

    def __init__(self, archive: Archive, access: Access, intake: Intake, quotas: Quotas) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._access = access
        self._quotas = quotas
        self._room = intake.room
        self._spool = Spool(archive.settings.uploads)
        self._book = RunningBook()
        self._rows = UploadRows(archive.db, archive.clock, Lives(archive.settings.upload_hours * HOUR_SECONDS))
        self._finisher = Finisher(archive, intake, self._spool, self._book, self._rows)
        self._lock = threading.Lock()
        self._writing: dict[str, Writing] = {}
        self._waited_for: set[str] = set()

    # -- create -------------------------------------------------------------------------------

    def create(self, who: Principal, case: Case, order: UploadOrder) -> Upload:
        """Begin an upload; the caller has checked that the actor may deposit in the case.

        Raises:
            InvalidInputError: `empty_file`, `bad_deposit_key`.
            ConflictError: `key_reused`: its idempotency key is that of another item or upload.
            LimitError: `too_large`, `quota_exceeded` (413), `too_many_uploads` (429).
            EnvironmentFailedError, EvidenceStoreError: `storage_full` (507).
        """
        limit = self._archive.settings.max_upload_bytes
        if order.size == 0:
            raise InvalidInputError("empty_file", "the file has no bytes; there is nothing to keep")
        if order.size > limit:
            detail = f"a file may have at most {limit} bytes here; nothing was kept"
            raise LimitError("too_large", detail, status=413, limit=limit)
        if order.key is not None:
            require_deposit_key(order.key)
        upload_id = str(uuid.uuid4())
        held = self._room.hold(order.size)  # until its row says so
        try:
            self._spool.create(upload_id)
            try:
                return self._insert(upload_id, who, case, order)
            except BaseException:
                self._spool.path(upload_id).unlink(missing_ok=True)
                raise
        finally:
            held.release()

    def _insert(self, upload_id: str, who: Principal, case: Case, order: UploadOrder) -> Upload:
        clock = self._archive.clock
        with self._archive.db.write() as session:
            self._archive.custody.lock(session)  # two creations at once may not promise the same room twice
            now = rfc3339(clock())
            upload = Upload(
                id=upload_id,
                user_id=who.user_id,
                case_id=case.id,
                size=order.size,
                committed=0,
                original_name=recorded_name(order.name),
                source=source_text(order.source),
                metadata_header=order.metadata_header,
                digests=json.dumps(order.digests, sort_keys=True),
                deposit_key=order.key,
                state=OPEN,
                created_at=now,
                updated_at=now,
                expires_at=later(clock(), self._rows.lives.idle),
            )
            require_free_key(session, upload)
            self._require_places(session, who)
            self._quotas.check_in(session, who.user_id, order.size)
            session.add(upload)
        return upload

    def _require_places(self, session: Session, who: Principal) -> None:
        limit = self._archive.settings.open_uploads_per_user
        used = self._sum(session, literal(1), who.user_id)
        if used >= limit:
            detail = "you have left too many uploads unfinished; finish or terminate some, failed ones too"
            raise LimitError("too_many_uploads", detail, status=429, limit=limit, used=used)

    @staticmethod
    def _sum(session: Session, what: ColumnElement[int] | Mapped[int], user_id: str | None = None) -> int:
        """The sum of something over the uploads whose bytes may be here: those of one user, or all."""
        kept = select(func.sum(what)).where(col(Upload.state).in_(KEEPING))
        if user_id is not None:
            kept = kept.where(Upload.user_id == user_id)
        return int(session.exec(kept).one() or 0)

    # -- ask ----------------------------------------------------------------------------------

    def find(self, who: Principal, upload_id: str) -> Upload:
        """One of the actor's uploads; it goes on being theirs only while they may deposit in its case.

        Raises:
            NotFoundError: `unknown_upload`, `unknown_case`.
            DeniedError: `not_allowed`.
        """
        upload = self._rows.get(upload_id)
        if upload.user_id != who.user_id:
            self._access.record_denial(who.actor, f"case:{upload.case_id}", "upload.read")
            raise unknown_upload()
        self._access.require(who, "item.ingest", upload.case_id)
        return self._as_of_now(upload)

    def offset(self, who: Principal, upload_id: str) -> Upload:
        """The upload as a client that wants to go on should see it: whoever was writing and fell silent has left.

        Raises:
            CatenaError: as `find`; `upload_terminated`, `upload_expired`, `upload_failed` (410).
        """
        upload = self.find(who, upload_id)
        require_going_on(upload)
        if upload.state == OPEN:
            try:
                if (held := self._hold(upload_id, to_write=False)) is not None:
                    held.release()
            except CatenaError as busy:
                if busy.code != "upload_locked":
                    raise
            upload = self._as_of_now(self._rows.get(upload_id))
            require_going_on(upload)
        return upload

    def _as_of_now(self, upload: Upload) -> Upload:
        """One whose time is over is expired, also before anybody has tidied it away."""
        if upload.state in {OPEN, FAILED} and upload.expires_at < rfc3339(self._archive.clock()):
            upload.state = EXPIRED
        return upload

    # -- go on --------------------------------------------------------------------------------

    def begin(
        self, who: Principal, upload_id: str, offset: int, coming: int | None, checksum: Checksum | None
    ) -> Writing:
        """Hold an upload to write to it.

        Args:
            who: its owner.
            upload_id: which one.
            offset: where the bytes that come belong.
            coming: how many there will be, when that was announced.
            checksum: of these bytes.

        Raises:
            CatenaError: as `find`; `upload_locked` (423); `upload_failed`, `upload_terminated`, `upload_expired` (410).
            ConflictError: `wrong_offset`, also when the upload is complete.
            LimitError: `too_large`, `chunk_too_large` (413).
            EnvironmentFailedError: `storage_full` (507) when it has not moved for an hour and its room is gone.
            EvidenceStoreError: `upload_damaged`, `storage_failed`.
        """
        self._require_fitting(self.find(who, upload_id), offset, coming)
        if checksum is not None and coming is not None:
            require_checkable(coming)
        held = self._hold(upload_id, to_write=True)
        if held is None:
            self._require_fitting(self._rows.get(upload_id), offset, coming)
            raise locked_upload()  # not reached: what has ended is never open again
        try:
            upload = self._as_of_now(self._rows.get(upload_id))
            self._require_fitting(upload, offset, coming)
            upload = self._with_room(upload)
            running = self._book.of(upload_id, held.path, upload.committed)
        except BaseException:
            held.release()
            raise

        def left() -> None:
            self._writing.pop(upload_id, None)

        reserve, announced = self._room.require_reserve, coming is not None
        writing = Writing(upload, held, running, self._rows, checksum, left, reserve, announced=announced)
        with self._lock:
            self._writing[upload_id] = writing
        return writing

    def _with_room(self, upload: Upload) -> Upload:
        """One that has not moved for so long that its room was given up finds it again, or is refused for now."""
        if not self._room.has_lapsed(upload):
            return upload
        held = self._room.hold_again(upload)  # until its row says so
        try:
            return self._rows.goes_on(upload.id)
        finally:
            held.release()

    @staticmethod
    def _require_fitting(upload: Upload, offset: int, coming: int | None) -> None:
        require_going_on(upload)
        if upload.state in {FINISHING, DONE} or offset != upload.committed:
            detail = f"this upload has {upload.committed} bytes; go on from there"
            raise ConflictError("wrong_offset", detail)
        if coming is not None and offset + coming > upload.size:
            detail = "more bytes are announced than the upload's length leaves; nothing was kept"
            raise LimitError("too_large", detail, status=413, limit=upload.size)

    def is_wanted(self, writing: Writing) -> bool:
        """Whether another request waits for the upload and its writer's client has fallen silent."""
        silent = time.monotonic() - writing.heard > QUIET_SECONDS
        return silent and self._spool.is_wished(writing.upload.id)

    def _hold(self, upload_id: str, *, to_write: bool) -> SpoolFile | None:
        """Hold the file: at once, or as soon as a silent writer has left; one request waits for that, no more.

        Returns:
            None when the upload has ended or become an item meanwhile, and its file with it: its row says which.

        Raises:
            CatenaError: `upload_locked` (423), at once when the writer is at work or somebody waits already.
            EvidenceStoreError: `upload_damaged` when the upload is open and has no file that may be had.
        """
        try:
            try:
                return self._spool.hold(upload_id, to_write=to_write)
            except SpoolBusyError:
                return self._hold_in_time(upload_id, to_write=to_write)
        except EvidenceStoreError as error:
            if error.code == "upload_damaged" and self._rows.get(upload_id).state != OPEN:
                return None
            raise

    def _hold_in_time(self, upload_id: str, *, to_write: bool) -> SpoolFile:
        """Wait for the file. The thread is one of a few that all requests share: it waits no longer than it must."""
        if self._is_at_work(upload_id):
            raise locked_upload()
        with self._lock:
            if upload_id in self._waited_for:
                raise locked_upload()
            self._waited_for.add(upload_id)
        try:
            until = time.monotonic() + PATIENCE_SECONDS
            while time.monotonic() < until and not self._sends(upload_id):
                self._spool.wish(upload_id)
                time.sleep(POLL_SECONDS)
                with suppress(SpoolBusyError):
                    return self._spool.hold(upload_id, to_write=to_write)
            raise locked_upload()
        finally:
            self._spool.take_back(upload_id)
            with self._lock:
                self._waited_for.discard(upload_id)

    def _is_at_work(self, upload_id: str) -> bool:
        """Whether its writer's client has sent something just now; of another process, the file must tell."""
        with self._lock:
            here = upload_id in self._writing
        return self._sends(upload_id) if here else self._spool.quiet_for(upload_id) < QUIET_SECONDS

    def _sends(self, upload_id: str) -> bool:
        """The same of a writer in this process. One of another may have written what it had because it was asked to."""
        with self._lock:
            here = self._writing.get(upload_id)
        return here is not None and time.monotonic() - here.heard < QUIET_SECONDS

    # -- end ----------------------------------------------------------------------------------

    def finish(self, upload_id: str, held: SpoolFile | None = None) -> Finishing | None:
        """Make the item of a complete upload, in a thread; None when somebody else is at it."""
        return self._finisher.begin(upload_id, held)

    def terminate(self, who: Principal, upload_id: str) -> None:
        """Forget an upload and its bytes.

        Raises:
            CatenaError: as `find`; `upload_locked` (423); `upload_terminated`, `upload_expired` (410).
            ConflictError: `upload_complete`: its item is made or being made.
        """
        self._require_ending(self.find(who, upload_id))
        held = self._hold(upload_id, to_write=False)
        try:
            self._require_ending(self._rows.get(upload_id))
            self._rows.ended(upload_id, TERMINATED)
            self._book.forget(upload_id)
            if held is not None:
                held.remove()
        finally:
            if held is not None:
                held.release()

    @staticmethod
    def _require_ending(upload: Upload) -> None:
        if upload.state in {FINISHING, DONE}:
            raise ConflictError("upload_complete", "every byte has come: this upload is an item or becomes one")
        if upload.state != FAILED:
            require_going_on(upload)

    def work(self) -> None:
        """Finish what was interrupted, end what has expired; called again and again by an attendant."""
        self._finisher.keep_house()
