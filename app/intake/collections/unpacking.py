"""Folders for what is unpacked: gone at the end, or at the next start when the process that made them was killed.

A folder is locked as long as its process lives: however a process ends, the operating system lets go of its locks. What
has the name of such a folder, belongs to this user and can be locked is left over: copies of evidence, of no use.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

PREFIX: Final = "catena-unpacked-"
_TRIES: Final = 100


@contextmanager
def folder_to_unpack(scratch: Path | None = None) -> Iterator[Path]:
    """An empty folder that is removed at the end; what killed processes left beside it is removed first.

    Args:
        scratch: where to make it; None for the system's folder of temporary files.

    Raises:
        OSError: it cannot be made or removed.
    """
    clear_left_over(scratch)
    folder, lock = _made(scratch)
    try:
        yield folder
        shutil.rmtree(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def clear_left_over(scratch: Path | None = None) -> None:
    """Remove folders of this user whose process is gone; one that cannot be removed stays for the next start."""
    base = scratch or Path(tempfile.gettempdir())
    for folder in base.glob(f"{PREFIX}*"):
        with suppress(OSError):
            lock = _locked(folder)
            try:
                shutil.rmtree(folder)
            finally:
                os.close(lock)


def _made(scratch: Path | None) -> tuple[Path, int | None]:
    for _ in range(_TRIES):
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=scratch))
        try:
            lock = _locked(folder)
        except (BlockingIOError, FileNotFoundError):  # another process took it for left over before it was locked
            continue
        except OSError:  # no locks in this file system: then nobody else gets one either, and it is never left over
            return folder, None
        if folder.exists():
            return folder, lock
        os.close(lock)
    raise FileExistsError(errno.EEXIST, "no folder to unpack into could be kept", str(scratch))


def _locked(folder: Path) -> int:
    """Lock a folder of this user; returns the descriptor that holds the lock.

    Raises:
        OSError: it is locked (`BlockingIOError`), no folder, or somebody else's.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if mine := os.fstat(descriptor).st_uid == os.geteuid():
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    if not mine:
        os.close(descriptor)
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(folder))
    return descriptor
