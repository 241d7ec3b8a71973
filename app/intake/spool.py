"""The file of an upload that is not finished: written by one request at a time, in one process at a time.

1. Whoever writes holds an exclusive flock on the file; the system gives it back when a process ends, however it ends.
   Who finds it held may leave a wish beside the file (`ID.wanted`); the holder looks for it when its client is silent.
2. A file that has more than one name, or may not be written, is (or may be) a blob of the store already: it is never
   opened for writing. The state in the database says so too; this is the second lock on the same door.
3. Bytes beyond what the database calls committed are cut off before anything is written.

The folder lies inside the blob store's root, so that a finished file can be linked into place without copying.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from evidence_store.digests import Piece
from evidence_store.durable import SYNC_AHEAD_BYTES, begin_sync, coded_errors, fsync_directory, make_directories
from evidence_store.errors import EvidenceStoreError

_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600
_NAME = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.part", re.ASCII)
_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class SpoolBusyError(Exception):
    """Somebody else holds the file."""


class SpoolFile:
    """A held file; give it back with `release`."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Let the next one in; does nothing the second time."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):
                os.close(descriptor)

    def write_at(self, data: Piece, offset: int) -> None:
        """Write every byte at an offset.

        Raises:
            EvidenceStoreError: `storage_full`, `storage_failed`.
        """
        view = memoryview(data)
        with coded_errors("write an upload"):
            while view:
                written = os.pwrite(self._held(), view, offset)
                view, offset = view[written:], offset + written
        if offset // SYNC_AHEAD_BYTES > (offset - len(data)) // SYNC_AHEAD_BYTES:
            begin_sync(self._held(), offset - offset % SYNC_AHEAD_BYTES - SYNC_AHEAD_BYTES, SYNC_AHEAD_BYTES)

    def truncate(self, size: int) -> None:
        """Cut off what lies beyond a size, and refuse a file that has less.

        Raises:
            EvidenceStoreError: `upload_damaged` when bytes that were committed are gone; `storage_failed`.
        """
        with coded_errors("look at an upload"):
            there = os.fstat(self._held()).st_size
        if there < size:
            raise EvidenceStoreError("upload_damaged", f"{size} bytes were committed and {there} are there")
        if there > size:
            with coded_errors("cut an upload"):
                os.ftruncate(self._held(), size)

    def sync(self) -> None:
        """Force the bytes, and the size with them, to the disk.

        Raises:
            EvidenceStoreError: `storage_full`, `storage_failed`.
        """
        with coded_errors("sync an upload"):
            os.fdatasync(self._held())

    def remove(self) -> None:
        """Take the file's name away. What the store has linked stays.

        Raises:
            EvidenceStoreError: `storage_failed`.
        """
        with coded_errors("remove an upload"):
            self.path.unlink(missing_ok=True)

    def _held(self) -> int:
        if self._descriptor is None:
            raise EvidenceStoreError("stage_closed", "the upload was given back")
        return self._descriptor


class Spool:
    """The folder of all unfinished uploads."""

    def __init__(self, folder: Path) -> None:
        """Bind to a folder, which is made with the first upload."""
        self.folder = folder

    def path(self, upload_id: str) -> Path:
        """Where an upload's bytes are."""
        return self.folder / f"{upload_id}.part"

    def create(self, upload_id: str) -> None:
        """Make an empty file, durably.

        Raises:
            EvidenceStoreError: `storage_full`, `storage_failed`.
        """
        make_directories(self.folder, _PRIVATE_FOLDER)
        with coded_errors("open an upload"):
            os.close(os.open(self.path(upload_id), os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, _PRIVATE_FILE))
        fsync_directory(self.folder)

    def hold(self, upload_id: str, *, to_write: bool) -> SpoolFile:
        """Hold an upload's file alone.

        Args:
            upload_id: which one.
            to_write: whether bytes will be written; a file that may be a blob already is then refused.

        Raises:
            SpoolBusyError: somebody else holds it.
            EvidenceStoreError: `upload_damaged` when there is no such plain file of ours; `storage_failed`.
        """
        path = self.path(upload_id)
        try:
            with coded_errors("open an upload"):
                descriptor = os.open(path, (os.O_RDWR if to_write else os.O_RDONLY) | _FLAGS)
        except EvidenceStoreError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise EvidenceStoreError("upload_damaged", "the bytes of this upload are gone") from None
            raise
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _require_ours(descriptor, to_write=to_write)
        except BlockingIOError:
            os.close(descriptor)
            raise SpoolBusyError from None
        except BaseException:
            os.close(descriptor)
            raise
        self.take_back(upload_id)
        return SpoolFile(path, descriptor)

    def quiet_for(self, upload_id: str) -> float:
        """Seconds since anything was written to the file."""
        try:
            return time.time() - self.path(upload_id).stat().st_mtime
        except OSError:
            return 0.0

    def wish(self, upload_id: str) -> None:
        """Tell whoever holds the file, in whichever process, that somebody waits for it."""
        with coded_errors("wait for an upload"):
            self._wish(upload_id).touch(_PRIVATE_FILE)

    def take_back(self, upload_id: str) -> None:
        """Nobody waits any more."""
        with suppress(OSError):
            self._wish(upload_id).unlink(missing_ok=True)

    def is_wished(self, upload_id: str) -> bool:
        """Whether somebody waits."""
        return self._wish(upload_id).exists()

    def ids(self) -> Iterator[str]:
        """Ids of the uploads that have a file."""
        with coded_errors("list the uploads"):
            names = sorted(path.name for path in self.folder.iterdir()) if self.folder.is_dir() else []
        return (match[1] for name in names if (match := _NAME.fullmatch(name)))

    def _wish(self, upload_id: str) -> Path:
        return self.folder / f"{upload_id}.wanted"


def _require_ours(descriptor: int, *, to_write: bool) -> None:
    found = os.fstat(descriptor)
    may_be_a_blob = found.st_nlink != 1 or not found.st_mode & 0o200
    if not stat.S_ISREG(found.st_mode) or (to_write and may_be_a_blob):
        raise EvidenceStoreError("upload_damaged", "the upload's file is not one that may be written")
