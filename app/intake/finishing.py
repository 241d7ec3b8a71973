"""From the last byte to the item: one function, however often it is interrupted, and whoever calls it.

    committed = size, state `finishing`   (one transaction)
    digests of all bytes                  (in memory; else read from the disk)
    announced digest compared
    BlobStore.adopt                       (linked into place; a repeat finds the same bytes)
    item, event, jobs                     (one transaction, under the upload's own deposit key; a repeat finds the item)
    state `done`, item id
    the spool file's name is removed

What dies between two of these is found by the next request for the upload, or by the attendant, and goes on from the
first line. Only what is wrong with the file or with what was said of it makes an upload `failed`, with the reason and,
for a while, with its bytes. Whatever else goes wrong (disk, database, a damaged blob of the same name, a key device) is
not the depositor's fault: the upload stays `finishing`, is never expired, and is tried again at growing intervals.
"""

from __future__ import annotations

import json
import logging
import threading
import time

from sqlmodel import col, delete, select

from app.access.models import User
from app.access.service import Principal
from app.archive import Archive
from app.clock import later, rfc3339
from app.errors import CatenaError, EnvironmentFailedError, InvalidInputError
from app.evidence.models import Case
from app.intake.models import Upload
from app.intake.running import RunningBook
from app.intake.service import Intake, parse_source
from app.intake.spool import Spool, SpoolBusyError, SpoolFile
from app.intake.upload_rows import DONE, EXPIRED, FAILED, FINISHING, OPEN, UploadRows
from evidence_store.digests import Digests
from evidence_store.errors import EvidenceStoreError

log = logging.getLogger("catena.intake")

KEEPING_SECONDS = 20.0
STRAY_SECONDS = 86_400.0
AT_ONCE = threading.BoundedSemaphore(8)
"""Items that are made at once. Digests are computed before: reading 50 GB again (in turns) holds up nobody's item."""
SERVER_ERROR = 500
KEEPING_AT_ONCE = 8
LOOK_SECONDS = 0.05
KEEPING_PATIENCE_SECONDS = 10.0
"""Longest wait of one round of house-keeping for the items that it began; they go on without it."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 20.0, 3600.0
# What is about this file, and no trying again will mend: these, and input that no record may hold.
_FINAL = {"digest_mismatch", "key_reused", "upload_damaged", "file_changed", "empty_file"}


class Finishing:
    """An upload that is being finished; in a thread of its own, as reading it may take minutes."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.error: CatenaError | EvidenceStoreError | None = None


class Finisher:
    """Makes items of complete uploads."""

    def __init__(self, archive: Archive, intake: Intake, spool: Spool, book: RunningBook, rows: UploadRows) -> None:
        """Bind to an archive and to the uploads' files, digests and rows."""
        self._archive = archive
        self._intake = intake
        self._spool = spool
        self._book = book
        self._rows = rows
        self._begun: list[Finishing] = []
        self._pauses: dict[str, tuple[float, float]] = {}  # until when (monotonic), and how long that pause is

    def begin(self, upload_id: str, held: SpoolFile | None = None) -> Finishing | None:
        """Finish an upload in a thread.

        Args:
            upload_id: an upload in the state `finishing`.
            held: its file, when the caller holds it; it is given back here, whatever happens.

        Returns:
            How far it is; None when somebody else is at it.
        """
        held = held or self._hold(upload_id)
        if held is None:
            return None
        under_way = Finishing()
        try:
            thread = threading.Thread(
                target=self._run, args=(upload_id, held, under_way), name="catena-finish", daemon=True
            )
            thread.start()
        except BaseException as error:
            held.release()  # the attendant, or the next request, goes on with it
            if isinstance(error, RuntimeError):  # the system gives no thread
                detail = "every byte is kept; the item cannot be made now, ask again later"
                raise EnvironmentFailedError("busy", detail) from error
            raise
        return under_way

    def _hold(self, upload_id: str) -> SpoolFile | None:
        try:
            return self._spool.hold(upload_id, to_write=False)
        except SpoolBusyError:
            return None
        except EvidenceStoreError as error:
            if error.code == "upload_damaged" and self._rows.get(upload_id).state == FINISHING:
                self._rows.stumbled(upload_id, error.code, for_good=True)
            raise

    def _run(self, upload_id: str, held: SpoolFile, under_way: Finishing) -> None:
        try:
            self._finish(upload_id, held)
            self._pauses.pop(upload_id, None)
        except (CatenaError, EvidenceStoreError) as error:
            under_way.error = error
        except Exception:
            log.exception("upload %s could not be finished", upload_id)
            under_way.error = CatenaError("internal", "the upload could not be finished now", status=SERVER_ERROR)
        finally:
            if under_way.error is not None:
                self._pause(upload_id)
            held.release()
            under_way.ended.set()

    def _pause(self, upload_id: str) -> None:
        """The attendant tries again at once the first time, then at growing intervals; a request always may."""
        last = self._pauses.get(upload_id)
        pause = 0.0 if last is None else min(max(last[1] * 2, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
        self._pauses[upload_id] = (time.monotonic() + pause, pause)

    def _finish(self, upload_id: str, held: SpoolFile) -> None:
        upload = self._rows.get(upload_id)
        if upload.state == FINISHING:
            try:
                digests = self._digests(upload, held)
                with AT_ONCE:
                    item_id = self._item_of(upload, digests)
            except (CatenaError, EvidenceStoreError) as error:
                self._stumbled(upload, error)
                raise
            self._rows.is_item(upload_id, item_id)
        elif upload.state != DONE:
            return
        self._book.forget(upload_id)
        held.remove()

    def _digests(self, upload: Upload, held: SpoolFile) -> Digests:
        held.truncate(upload.size)  # nothing is cut from a complete file; a shorter one is refused
        digests = self._book.of(upload.id, held.path, upload.committed).catch_up()
        for algorithm, announced in json.loads(upload.digests).items():
            if getattr(digests, algorithm) != announced:
                raise CatenaError("digest_mismatch", f"the file's {algorithm} is not the announced one; it is no item")
        return digests

    def _item_of(self, upload: Upload, digests: Digests) -> str:
        with self._archive.db.read() as session:
            user, case = session.get_one(User, upload.user_id), session.get_one(Case, upload.case_id)
        # Whether they may was asked when the bytes came; what came in time is not lost because a right ended since.
        who = Principal(user.id, user.name, user.role, "token")  # type: ignore[arg-type]
        deposit = self._intake.deposit_file(
            who,
            case,
            self._spool.path(upload.id),
            digests,
            upload.original_name,
            parse_source(json.loads(upload.source)),
            upload.deposit_key or f"upload:{upload.id}",
        )
        return deposit.item.id

    def _stumbled(self, upload: Upload, error: CatenaError | EvidenceStoreError) -> None:
        for_good = error.code in _FINAL or isinstance(error, InvalidInputError)
        log.warning("upload %s is %s: %s", upload.id, "no item" if for_good else "not finished yet", error)
        try:
            self._rows.stumbled(upload.id, error.code, for_good=for_good)
        except CatenaError as failure:
            log.warning("upload %s: why could not be written down: %s", upload.id, failure)

    # -- beside the requests ------------------------------------------------------------------

    def keep_house(self) -> None:
        """Finish what was interrupted, end what has expired, remove what nobody owns."""
        now = rfc3339(self._archive.clock())
        with self._archive.db.read() as session:
            unfinished = list(session.exec(select(Upload.id).where(Upload.state == FINISHING)))
            late = select(Upload.id).where(col(Upload.state).in_((OPEN, FAILED)), Upload.expires_at < now)
            expired = list(session.exec(late))
        self._go_on_with(unfinished)
        for upload_id in expired:
            self._expire(upload_id, now)
        self._forget_old()
        self._sweep()

    def _go_on_with(self, unfinished: list[str]) -> None:
        """Begin what is due, several at once, and wait for them a while: one that takes hours holds up nothing else."""
        self._pauses = {upload_id: pause for upload_id, pause in self._pauses.items() if upload_id in set(unfinished)}
        self._begun = [one for one in self._begun if not one.ended.is_set()]
        until = time.monotonic() + KEEPING_PATIENCE_SECONDS
        due = [one for one in unfinished if self._pauses.get(one, (0.0, 0.0))[0] <= time.monotonic()]
        while due and time.monotonic() < until:
            while due and len(self._begun) < KEEPING_AT_ONCE:
                self._begin_beside(due.pop(0))
            self._wait_for_one(until)
        while self._begun and time.monotonic() < until:
            self._wait_for_one(until)

    def _begin_beside(self, upload_id: str) -> None:
        try:
            under_way = self.begin(upload_id)
        except (CatenaError, EvidenceStoreError) as error:
            log.warning("upload %s is not finished: %s", upload_id, error)
            self._pause(upload_id)
            return
        if under_way is not None:
            self._begun.append(under_way)

    def _wait_for_one(self, until: float) -> None:
        """Wait until one of those that were begun has ended, or until the time is over."""
        while self._begun and time.monotonic() < until:
            left = [one for one in self._begun if not one.ended.is_set()]
            if len(left) < len(self._begun):
                self._begun = left
                return
            left[0].ended.wait(min(LOOK_SECONDS, max(0.0, until - time.monotonic())))

    def _expire(self, upload_id: str, now: str) -> None:
        try:
            held = self._spool.hold(upload_id, to_write=False)
        except SpoolBusyError:
            return
        except EvidenceStoreError:
            held = None  # its file is gone
        try:
            upload = self._rows.get(upload_id)
            if upload.state in {OPEN, FAILED} and upload.expires_at < now:
                self._rows.ended(upload_id, EXPIRED)
                log.warning("upload %s has expired with %s of %s bytes", upload_id, upload.committed, upload.size)
                self._book.forget(upload_id)
                if held is not None:
                    held.remove()
        finally:
            if held is not None:
                held.release()

    def _forget_old(self) -> None:
        """Rows of what has ended answer for some weeks, then there is no such upload."""
        before = later(self._archive.clock(), -self._rows.lives.remembered)
        with self._archive.db.read() as session:
            ended = col(Upload.state).not_in((OPEN, FINISHING, FAILED)) & (col(Upload.updated_at) < before)
            if session.exec(select(Upload.id).where(ended).limit(1)).first() is None:
                return
        with self._archive.db.write() as session:
            session.exec(delete(Upload).where(ended))

    def _sweep(self) -> None:
        """Remove files of uploads that have ended, or were never begun."""
        for upload_id in self._spool.ids():
            with self._archive.db.read() as session:
                upload = session.get(Upload, upload_id)
            if upload is None:
                if self._spool.quiet_for(upload_id) < STRAY_SECONDS:
                    continue
            elif upload.state in {OPEN, FINISHING, FAILED}:
                continue
            try:
                held = self._spool.hold(upload_id, to_write=False)
            except (SpoolBusyError, EvidenceStoreError):
                continue
            try:
                held.remove()
            finally:
                held.release()
