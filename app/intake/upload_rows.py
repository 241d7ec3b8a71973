"""The states of a resumable upload, and what each of them lets be done.

    open -> finishing -> done        the usual way
      |         `-----> failed       the file's own fault, told in `failure_code`; the bytes stay a day, and count
      |-> terminated                 by its owner
      `-> expired                    nobody went on with it in time

`finishing` is written together with the last committed byte, and from then on nobody writes to the file: it may be a
blob already. Whatever dies in between, the same function goes on from there (app.intake.finishing).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from app.clock import Clock, later, rfc3339
from app.db import Database
from app.errors import CatenaError, NotFoundError
from app.intake.models import Upload

OPEN, FINISHING, DONE, FAILED = "open", "finishing", "done", "failed"
TERMINATED, EXPIRED = "terminated", "expired"
WANTING = (OPEN, FINISHING)
KEEPING = (OPEN, FINISHING, FAILED)
"""States in which an upload's bytes may lie on the disk: so long it counts in its owner's quota and places."""
DAMAGED = ("upload_damaged", "file_changed")
"""Failures that may be the archive's own: such bytes are never removed but by their owner."""
NEVER = "9999-12-31T23:59:59.999999Z"
GONE = 410


@dataclass(frozen=True, slots=True)
class Lives:
    """How long uploads are kept, in seconds.

    Attributes:
        idle: since the last byte, before an unfinished upload expires.
        failed: how long the bytes of one whose finishing failed are kept.
        remembered: how long the row of one that has ended still answers.
    """

    idle: float
    failed: float = 86_400.0
    remembered: float = 30 * 86_400.0


def locked_upload() -> CatenaError:
    """Another request is writing (423)."""
    return CatenaError("upload_locked", "another request is writing to this upload; ask again in a moment", status=423)


def unknown_upload() -> NotFoundError:
    """There is none, or it is somebody else's."""
    return NotFoundError("unknown_upload", "there is no such upload of yours")


def require_going_on(upload: Upload) -> None:
    """Refuse what has ended without an item.

    Raises:
        CatenaError: `upload_terminated`, `upload_expired`, `upload_failed` (410).
    """
    if upload.state == FAILED:
        detail = f"this upload could not become an item ({upload.failure_code}); its bytes count until it ends"
        raise CatenaError("upload_failed", detail, status=GONE)
    if upload.state in {TERMINATED, EXPIRED}:
        raise CatenaError(f"upload_{upload.state}", f"this upload was {upload.state}; begin a new one", status=GONE)


class UploadRows:
    """Reads and changes of single uploads, each a unit of work of its own."""

    def __init__(self, db: Database, clock: Clock, lives: Lives) -> None:
        """Bind to a database."""
        self._db = db
        self._clock = clock
        self.lives = lives

    def get(self, upload_id: str) -> Upload:
        """An upload as it stands.

        Raises:
            NotFoundError: `unknown_upload`.
        """
        with self._db.read() as session:
            found = session.get(Upload, upload_id)
            if found is None:
                raise unknown_upload()
            return found

    def has_come(self, upload_id: str, committed: int) -> Upload:
        """So many bytes are on the disk, synced; with the last one the upload is `finishing`."""
        with self._db.write() as session:
            upload = _current(session, upload_id)
            upload.committed = committed
            if committed == upload.size:
                upload.state = FINISHING
            upload.updated_at = rfc3339(self._clock())
            upload.expires_at = later(self._clock(), self.lives.idle)
            return upload

    def goes_on(self, upload_id: str) -> Upload:
        """Its client has come back: its room is kept for it again. When it expires is told by its bytes alone."""
        with self._db.write() as session:
            upload = _current(session, upload_id)
            upload.updated_at = rfc3339(self._clock())
            return upload

    def is_item(self, upload_id: str, item_id: str) -> Upload:
        """It has become an item."""
        with self._db.write() as session:
            upload = _current(session, upload_id)
            upload.state, upload.item_id, upload.failure_code = DONE, item_id, None
            upload.updated_at = rfc3339(self._clock())
            upload.expires_at = later(self._clock(), self.lives.idle)
            return upload

    def stumbled(self, upload_id: str, code: str, *, for_good: bool) -> Upload:
        """Finishing did not work out: for good, or for now."""
        with self._db.write() as session:
            upload = _current(session, upload_id)
            upload.failure_code = code[:60]
            upload.updated_at = rfc3339(self._clock())
            if for_good:
                upload.state = FAILED
                damaged = code in DAMAGED
                upload.expires_at = NEVER if damaged else later(self._clock(), self.lives.failed)
            return upload

    def ended(self, upload_id: str, state: str) -> Upload:
        """It was terminated, or has expired."""
        with self._db.write() as session:
            upload = _current(session, upload_id)
            upload.state, upload.updated_at = state, rfc3339(self._clock())
            return upload


def _current(session: Session, upload_id: str) -> Upload:
    found = session.get(Upload, upload_id)
    if found is None:
        raise unknown_upload()
    return found
