"""A blob store on a local file system.

Layout under the root, all on one file system:

    sha256/ab/cd/<64 hex>    the blobs, read-only (0444), never renamed, overwritten or removed
    staging/<uuid>.part      bytes on their way in; a crash leaves one, `purge_staging` removes it
    conflicts/<64 hex>       good bytes whose name is taken by damaged ones

Write order: staging file, fsync, link into place, fsync of the folder, unlink of the staging name. A
crash between any two steps leaves either no blob or the whole blob. The root may be reached through a
symbolic link; below the root none is followed, so nobody who can place a link there can pass other
bytes off as evidence. Folders are private to the user who runs the archive (0700).
"""

from __future__ import annotations

import errno
import os
import re
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self
from uuid import uuid4

from evidence_store.blobs.base import StoredBlob
from evidence_store.digests import CHUNK_BYTES, Digests, Piece, digest_stream, parse_sha256
from evidence_store.durable import (
    SYNC_AHEAD_BYTES,
    begin_sync,
    coded_errors,
    fsync_directory,
    link_new,
    make_directories,
    sync_file,
    write_all,
)
from evidence_store.errors import EvidenceStoreError
from evidence_store.parallel_digests import ParallelDigestComputer

_PACKAGE = Path(__file__).resolve().parent.parent
_PRIVATE = 0o700
_READ_ONLY = 0o444
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_SHARD = re.compile(r"[0-9a-f]{2}", re.ASCII)


class LocalBlobStore:
    """Keeps blobs as files; safe to use from several threads and processes.

    Args:
        root: folder of the store; made when missing.

    Raises:
        EvidenceStoreError: `bad_location` for a root inside the `evidence_store` package,
            `storage_failed` or `storage_full` when the folders cannot be made.
    """

    def __init__(self, root: Path) -> None:
        with coded_errors("find the root of the blob store"):
            self.root = root.resolve()
        if self.root.is_relative_to(_PACKAGE):
            raise EvidenceStoreError("bad_location", "evidence is never stored inside the evidence_store package")
        self._objects = self.root / "sha256"
        self._staging = self.root / "staging"
        self._conflicts = self.root / "conflicts"
        self._settled: set[Path] = set()
        for folder in (self._objects, self._staging, self._conflicts):
            make_directories(folder, _PRIVATE)
            _require_folder(folder)

    def stage(self) -> LocalStagedBlob:
        """Begin a new blob."""
        return LocalStagedBlob(self, self._staging / f"{uuid4().hex}.part")

    def adopt(self, path: Path, digests: Digests) -> StoredBlob:
        """Link a finished file of this file system into place, without copying it."""
        with coded_errors("open a finished file"):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            with coded_errors("sync a finished file"):
                found = os.fstat(descriptor)
                if not stat.S_ISREG(found.st_mode) or found.st_size != digests.size:
                    raise EvidenceStoreError("file_changed", "the finished file is not the one that was digested")
                os.fchmod(descriptor, _READ_ONLY)
                sync_file(descriptor)
        finally:
            os.close(descriptor)
        return StoredBlob(digests, created=self.settle(path, digests))

    def open(self, sha256: str) -> BinaryIO:
        """Open a blob for reading."""
        return os.fdopen(self._open_descriptor(sha256), "rb")

    def size(self, sha256: str) -> int:
        """Size in bytes."""
        with self.open(sha256) as stream:
            return os.fstat(stream.fileno()).st_size

    def contains(self, sha256: str) -> bool:
        """Whether a plain file of this name is stored."""
        try:
            os.close(self._open_descriptor(sha256))
        except EvidenceStoreError as error:
            if error.code in {"blob_missing", "blob_irregular"}:
                return False
            raise
        return True

    def list(self) -> Iterator[str]:
        """All stored names, sorted."""
        return (path.rpartition("/")[2] for path, is_blob in self._walk() if is_blob)

    def strays(self) -> Iterator[str]:
        """Paths below `sha256/` that are not blobs in their place: links, misplaced or foreign files."""
        return (path for path, is_blob in self._walk() if not is_blob)

    def conflicts(self) -> Iterator[str]:
        """File names of the good bytes kept aside, sorted; each begins with its SHA-256."""
        return (entry.name for entry in _scan(self._conflicts))

    @contextmanager
    def local_path(self, sha256: str) -> Iterator[Path]:
        """The path of the stored file itself."""
        os.close(self._open_descriptor(sha256))
        yield self._path(sha256)

    def purge_staging(self, older_than_s: float) -> int:
        """Remove staging files that nobody wrote to for this long.

        Args:
            older_than_s: age in seconds since the last write; longer than any upload may pause.

        Returns:
            How many were removed.

        Raises:
            EvidenceStoreError: `storage_failed`.
        """
        removed = 0
        now = time.time()
        for entry in _scan(self._staging):
            with coded_errors("purge a staging file"), suppress(FileNotFoundError):
                if now - entry.stat(follow_symlinks=False).st_mtime >= older_than_s:
                    Path(entry.path).unlink()
                    removed += 1
        return removed

    def settle(self, staged: Path, digests: Digests) -> bool:
        """Link a synced staging file into place; called by a staged blob's commit.

        Returns:
            True when the blob is new, False when the same bytes were stored already.

        Raises:
            EvidenceStoreError: `blob_conflict` when what has the name is damaged; it stays as it is.
        """
        final = self._path(digests.sha256)
        self._prepare_shard(final.parent)
        if link_new(staged, final):
            return True
        if not self._holds(digests):
            self._keep_aside(staged, digests)
            raise EvidenceStoreError("blob_conflict", f"the stored bytes of {digests.sha256} are damaged")
        return False

    def _path(self, sha256: str) -> Path:
        parse_sha256(sha256)
        return self._objects / sha256[:2] / sha256[2:4] / sha256

    def _prepare_shard(self, shard: Path) -> None:
        for folder in (shard.parent, shard):
            if folder not in self._settled:
                with coded_errors("make a folder"):
                    folder.mkdir(_PRIVATE, exist_ok=True)
                # Also one that is there: another process may have made it and died, or not come, before its fsync.
                fsync_directory(folder.parent)
                self._settled.add(folder)
        for folder in (self._objects, shard.parent, shard):
            _require_folder(folder)

    def _holds(self, digests: Digests) -> bool:
        try:
            with self.open(digests.sha256) as stream, coded_errors("read a stored blob"):
                return digest_stream(iter(lambda: stream.read(CHUNK_BYTES), b"")) == digests
        except EvidenceStoreError as error:
            if error.code == "blob_irregular":
                return False
            raise

    def _keep_aside(self, staged: Path, digests: Digests) -> None:
        if not link_new(staged, self._conflicts / digests.sha256):
            # Somebody's copy is there already; it is not trusted to be good, and never overwritten.
            link_new(staged, self._conflicts / f"{digests.sha256}.{uuid4().hex}")

    def _open_descriptor(self, sha256: str) -> int:
        """Walk down from the root, one name at a time, without following a link."""
        parse_sha256(sha256)
        try:
            folder = os.open(self._objects, _FOLDER)
            try:
                for shard in (sha256[:2], sha256[2:4]):
                    inner = os.open(shard, _FOLDER, dir_fd=folder)
                    os.close(folder)
                    folder = inner
                # O_NONBLOCK: opening a planted FIFO must not hang.
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                descriptor = os.open(sha256, flags, dir_fd=folder)
            finally:
                os.close(folder)
        except FileNotFoundError:
            raise EvidenceStoreError("blob_missing", f"no blob {sha256}") from None
        except OSError as error:
            if error.errno in {errno.ELOOP, errno.ENOTDIR, errno.ENXIO}:
                raise _irregular(sha256) from error
            raise EvidenceStoreError("storage_failed", f"could not open a blob: {error.strerror}") from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise _irregular(sha256)
        return descriptor

    def _walk(self) -> Iterator[tuple[str, bool]]:
        """Each path below `sha256/` at the depth where it stops being regular, and whether it is a blob."""
        for first in _scan(self._objects):
            if not _is_shard(first):
                yield first.name, False
                continue
            for second in _scan(Path(first.path)):
                shard = f"{first.name}/{second.name}"
                if not _is_shard(second):
                    yield shard, False
                    continue
                for entry in _scan(Path(second.path)):
                    yield f"{shard}/{entry.name}", _is_blob(entry, first.name + second.name)


class LocalStagedBlob:
    """Bytes on their way into a `LocalBlobStore`.

    Whoever commits or discards them while another thread still writes waits for that thread.
    """

    def __init__(self, store: LocalBlobStore, path: Path) -> None:
        self._store = store
        self._path = path
        self._computer = ParallelDigestComputer()
        self._begun = 0
        self._lock = threading.RLock()
        with coded_errors("open a staging file"):
            self._descriptor: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

    def write(self, data: Piece) -> None:
        """Take the next bytes; after a failure the staged blob is discarded."""
        with self._lock, self._or_nothing():
            descriptor = self._open()
            self._computer.update(data)
            with coded_errors("write a staging file"):
                write_all(descriptor, data)
            if self._computer.size - self._begun >= SYNC_AHEAD_BYTES:
                begin_sync(descriptor, self._begun, self._computer.size - self._begun)
                self._begun = self._computer.size

    @property
    def size(self) -> int:
        """Number of bytes so far; cheaper to ask than their digests."""
        return self._computer.size

    def digests(self) -> Digests:
        """The digests of the bytes so far."""
        with self._lock, self._or_nothing():
            return self._computer.result()

    def commit(self) -> StoredBlob:
        """Store the bytes under their SHA-256, durably."""
        with self._lock:
            try:
                descriptor = self._open()
                digests = self.digests()
                with coded_errors("sync a staging file"):
                    if os.fstat(descriptor).st_size != digests.size:
                        raise EvidenceStoreError("file_changed", "the staged file is not the one that was digested")
                    os.fchmod(descriptor, _READ_ONLY)
                    sync_file(descriptor)
                return StoredBlob(digests, created=self._store.settle(self._path, digests))
            finally:
                self.discard()

    def discard(self) -> None:
        """Forget the bytes and remove the staging name."""
        with self._lock:
            if self._descriptor is None:
                return
            descriptor, self._descriptor = self._descriptor, None
            # What matters is decided by now; a leftover is purged later.
            with suppress(OSError):
                os.close(descriptor)
            with suppress(OSError):
                self._path.unlink()

    @contextmanager
    def _or_nothing(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.discard()
            raise

    def _open(self) -> int:
        if self._descriptor is None:
            raise EvidenceStoreError("stage_closed", "the staged blob was committed or discarded")
        return self._descriptor


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    with coded_errors("list a folder of the blob store"), os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _is_shard(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False) and _SHARD.fullmatch(entry.name) is not None


def _is_blob(entry: os.DirEntry[str], prefix: str) -> bool:
    try:
        in_place = parse_sha256(entry.name).startswith(prefix)
    except EvidenceStoreError:
        return False
    return in_place and entry.is_file(follow_symlinks=False)


def _require_folder(folder: Path) -> None:
    with coded_errors("look at a folder of the blob store"):
        mode = folder.lstat().st_mode
    if not stat.S_ISDIR(mode):
        raise EvidenceStoreError("blob_irregular", f"{folder.name} is not a folder of the store")


def _irregular(sha256: str) -> EvidenceStoreError:
    return EvidenceStoreError("blob_irregular", f"what has the name {sha256} is not a plain file of the store")
