"""One PATCH of an upload: bytes reach the disk before the offset that promises them reaches the database."""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from app.errors import CatenaError, LimitError
from app.intake.models import Upload
from app.intake.running import RunningDigests
from app.intake.spool import SpoolFile
from app.intake.upload_rows import UploadRows
from evidence_store.digests import Piece
from evidence_store.errors import EvidenceStoreError

COMMIT_BYTES = 32 << 20
"""A client whose link or server dies sends again what is not committed: these, and what was on its way to the disk."""
COMMIT_SECONDS = 600.0
"""On a slow link what has come is committed so often: the room of an upload without commits lapses after an hour."""
CHECKSUM_MISMATCH = 460
ALGORITHMS = ("sha256", "sha1")
CHECKED_BYTES = 64 << 20
"""Largest body with a checksum: as nothing of it is kept before its end, so much may have to come again."""


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a request's body must hash to (tus, checksum extension).

    Attributes:
        algorithm: one of `ALGORITHMS`.
        digest: raw.
    """

    algorithm: str
    digest: bytes


def require_checkable(size: int) -> None:
    """Refuse a body with a checksum that is too large to be sent again.

    Raises:
        LimitError: `chunk_too_large` (413).
    """
    if size > CHECKED_BYTES:
        detail = f"a body with Upload-Checksum has at most {CHECKED_BYTES} bytes; send smaller ones"
        raise LimitError("chunk_too_large", detail, status=413, limit=CHECKED_BYTES)


class Writing:
    """Takes the bytes of one request, in a thread; end it with `end` or `leave`, whatever happens.

    Without a checksum, what has arrived is kept however the request ends. With one, nothing is kept before it is
    checked. The byte that completes the upload is committed when the body has ended, and only if that was its last one:
    a body with more bytes than the upload's length makes no item. Whoever ends a writing while a thread still writes
    waits for that thread, and nothing is written afterwards.
    """

    def __init__(
        self,
        upload: Upload,
        spool: SpoolFile,
        running: RunningDigests,
        rows: UploadRows,
        checksum: Checksum | None,
        left: Callable[[], None],
        require_reserve: Callable[[], None],
        *,
        announced: bool,
    ) -> None:
        """Begin where the upload stands.

        Args:
            upload: the row, as read after the file was held.
            spool: the held file.
            running: its digests so far.
            rows: where the offset is kept.
            checksum: of the body as a whole; None when there is none.
            left: called once, when the file is given back.
            require_reserve: asked before each commit; raises when the disk may take no more.
            announced: whether the body's length was told, and fits: such a body cannot have too many bytes.

        Raises:
            EvidenceStoreError: `upload_damaged`, `storage_failed`; the file is then given back.
        """
        self.upload = upload
        self.heard = time.monotonic()
        self._spool = spool
        self._running = running
        self._rows = rows
        self._checksum = checksum
        self._left = left
        self._require_reserve = require_reserve
        self._hash = None if checksum is None else hashlib.new(checksum.algorithm, usedforsecurity=False)
        self._at = upload.committed
        self._committed_at = time.monotonic()
        self._announced = announced
        self._exceeded = False
        self._lock = threading.RLock()
        self._ended = False
        try:
            spool.truncate(self._at)
        except BaseException:
            self.leave()
            raise
        running.catch_up_beside()

    def write(self, batch: Piece) -> None:
        """Take the next bytes.

        Raises:
            LimitError: `too_large` (413), more than the upload's length; `chunk_too_large` (413).
            EnvironmentFailedError, EvidenceStoreError: `storage_full`, `storage_failed`; `stage_closed` after the end.
        """
        with self._lock:
            self._require_going_on()
            self._write(batch)

    def _write(self, batch: Piece) -> None:
        if self._at + len(batch) > self.upload.size:
            self._exceeded = True
            raise LimitError(
                "too_large",
                "more bytes than the upload's length; those are not kept",
                status=413,
                limit=self.upload.size,
            )
        if self._checksum is not None:
            require_checkable(self._at + len(batch) - self.upload.committed)
        self._spool.write_at(batch, self._at)
        self._running.update(batch, self._at)
        self._at += len(batch)
        if self._hash is not None:
            self._hash.update(batch)
        elif self._at < self.upload.size and self._is_due():
            self._commit()

    def _is_due(self) -> bool:
        many = self._at - self.upload.committed >= COMMIT_BYTES
        return many or time.monotonic() - self._committed_at >= COMMIT_SECONDS

    def end(self, *, whole: bool) -> SpoolFile | None:
        """Commit what is to be kept, and give the file back unless the upload is complete.

        Args:
            whole: whether the body came to its end.

        Returns:
            The file, still held, when the last byte has come; whoever finishes the upload gives it back.

        Raises:
            CatenaError: `checksum_mismatch` (460).
            EnvironmentFailedError, EvidenceStoreError: `storage_full`, `storage_failed`; `stage_closed` if repeated.
        """
        with self._lock:
            self._require_going_on()
            self._ended = True
            return self._end(whole=whole)

    def _end(self, *, whole: bool) -> SpoolFile | None:
        try:
            self._check(whole=whole)
            if self._at == self.upload.size and (self._exceeded or not (whole or self._announced)):
                self._back()  # there are, or may be, more bytes than the file was said to have: this is not all of it
            if not whole:
                self._spool.truncate(self._at)  # a write that failed may have left some bytes
            if self._at != self.upload.committed:
                self._commit()
            if self.upload.committed == self.upload.size:
                self._left()
                return self._spool
        except BaseException:
            self.leave()
            raise
        self.leave()
        return None

    def leave(self) -> None:
        """Give the file back."""
        with self._lock:
            self._ended = True
            self._left()  # first: the next one may be there as soon as the file is free
            self._spool.release()

    def _require_going_on(self) -> None:
        if self._ended:
            raise EvidenceStoreError("stage_closed", "the upload was given back")

    def _check(self, *, whole: bool) -> None:
        """Nothing of a body is kept whose checksum is another, or cannot be known."""
        if self._checksum is None or self._hash is None:
            return
        if not whole:
            self._back()
        elif not hmac.compare_digest(self._hash.digest(), self._checksum.digest):
            self._back()
            detail = f"the body's {self._checksum.algorithm} is not the announced one; nothing of it was kept"
            raise CatenaError("checksum_mismatch", detail, status=CHECKSUM_MISMATCH)

    def _commit(self) -> None:
        try:
            self._require_reserve()
            self._spool.sync()
        except (CatenaError, EvidenceStoreError):
            # The system may have dropped these pages and say nothing the next time: they must come again.
            self._back()
            raise
        self.upload = self._rows.has_come(self.upload.id, self._at)
        self._committed_at = time.monotonic()
        self._running.commit(self._at)

    def _back(self) -> None:
        self._at = self.upload.committed
        self._running.roll_back()
        self._spool.truncate(self._at)
