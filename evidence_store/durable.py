"""The only place that fsyncs, links and renames.

A file or a name is durable once this module returns: after a power cut the file is there, whole,
under that name. POSIX gives that only when the file is synced before it is named and the folder
is synced after. Errors of the operating system leave as `EvidenceStoreError`: `storage_full` when
the disk or the quota is full, `storage_failed` for everything else.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from evidence_store.errors import EvidenceStoreError

SYNC_AHEAD_BYTES = 4 << 20
"""Pieces in which a large file goes to the disk before it is synced."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{32}", re.ASCII | re.DOTALL)


@contextmanager
def coded_errors(action: str) -> Iterator[None]:
    """Turn an `OSError` of the block into a coded error.

    Args:
        action: what was being done, for the detail ("write the staging file").

    Raises:
        EvidenceStoreError: `storage_full` or `storage_failed`.
    """
    try:
        yield
    except OSError as error:
        code = "storage_full" if error.errno in _FULL else "storage_failed"
        raise EvidenceStoreError(code, f"could not {action}: {error.strerror or error}") from error


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write every byte to a file descriptor; the system may take them in several steps.

    Raises:
        OSError: as `os.write`; the caller codes it.
    """
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def begin_sync(descriptor: int, offset: int, size: int) -> None:
    """Have the system begin to write what was just written: the sync that comes later, and promises, waits for less.

    A hint, and nothing is promised: pages that are not on the disk yet stay in memory (posix_fadvise(2), DONTNEED).
    """
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            os.posix_fadvise(descriptor, offset, size, os.POSIX_FADV_DONTNEED)


def sync_file(descriptor: int) -> None:
    """Force a file's bytes and size to the disk.

    Raises:
        OSError: as `os.fsync`; the caller codes it.
    """
    os.fsync(descriptor)


def fsync_directory(path: Path) -> None:
    """Force the names in a folder to the disk.

    Raises:
        EvidenceStoreError: `storage_full` or `storage_failed`.
    """
    with coded_errors("sync a folder"):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def make_directories(path: Path, mode: int = 0o777) -> None:
    """Make a folder and its missing parents, durably; an existing folder is left as it is.

    Args:
        path: the innermost folder.
        mode: permissions of each folder made, before the umask.

    Raises:
        EvidenceStoreError: `storage_full` or `storage_failed` (also when a part is not a folder).
    """
    missing: list[Path] = []
    current = path
    with coded_errors("make a folder"):
        while not current.is_dir():
            missing.append(current)
            current = current.parent
        for folder in reversed(missing):
            folder.mkdir(mode, exist_ok=True)
            fsync_directory(folder.parent)


def link_new(staged: Path, final: Path) -> bool:
    """Give a staged, already synced file its final name; never overwrite.

    Both names must be on one file system. The staged name stays; the caller removes it.

    Returns:
        True when `final` is new, False when the name was already taken. Either way the name in
        the folder is durable on return: an earlier process may have died before it synced.

    Raises:
        EvidenceStoreError: `storage_full` or `storage_failed`.
    """
    created = True
    with coded_errors("link a file into place"):
        try:
            os.link(staged, final, follow_symlinks=False)
        except FileExistsError:
            created = False
    fsync_directory(final.parent)
    return created


def replace_file(path: Path, data: bytes, mode: int) -> None:
    """Put `data` under `path`, replacing what was there; readers see the old file or the new one.

    Raises:
        EvidenceStoreError: `storage_full` or `storage_failed`; the old file is then still there.
    """
    place_file(path, data, mode)
    fsync_directory(path.parent)


def place_file(path: Path, data: bytes, mode: int) -> None:
    """As `replace_file`, for one of many files: the caller syncs each folder once, when all are in place.

    The bytes are durable on return, the name only after `fsync_directory`.

    Raises:
        EvidenceStoreError: `storage_full` or `storage_failed`; the old file is then still there.
    """
    with _temporary(path, data, mode) as temporary, coded_errors("replace a file"):
        temporary.replace(path)


def move_file(source: Path, target: Path) -> None:
    """Give a file, already durable, another name on the same file system, in place of what was there.

    Raises:
        EvidenceStoreError: `storage_full` or `storage_failed`; both files are then as before.
    """
    with coded_errors("move a file"):
        source.replace(target)
    fsync_directory(target.parent)
    if source.parent != target.parent:
        fsync_directory(source.parent)


def remove_temporaries(folder: Path) -> None:
    """Remove what a process that was killed while it wrote into a folder has left there.

    Only for a folder that nobody else writes into now.

    Raises:
        EvidenceStoreError: `storage_failed`.
    """
    with coded_errors("tidy a folder"):
        for path in folder.iterdir():
            if is_temporary(path):
                path.unlink(missing_ok=True)


def is_temporary(path: Path) -> bool:
    """Whether a file is named as those that this module writes before it gives them their names."""
    return _TEMPORARY.fullmatch(path.name) is not None


def write_new(path: Path, data: bytes, mode: int) -> None:
    """Put `data` under a name that must be free; the whole file appears or nothing does.

    Raises:
        EvidenceStoreError: `file_exists` when the name is taken, `storage_full` or `storage_failed`.
    """
    with _temporary(path, data, mode) as temporary:
        created = link_new(temporary, path)
    if not created:
        raise EvidenceStoreError("file_exists", f"{path.name} exists and is never overwritten")


@contextmanager
def _temporary(path: Path, data: bytes, mode: int) -> Iterator[Path]:
    """A synced file beside `path`, removed on the way out unless it was renamed."""
    temporary = path.parent / f".{path.name}.{uuid4().hex}"
    try:
        with coded_errors("write a file"):
            # Created private: a secret must not be readable for a moment before fchmod.
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                write_all(descriptor, data)
                os.fchmod(descriptor, mode)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        yield temporary
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
