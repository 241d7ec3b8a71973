"""Locks between processes (flock): the system gives them back when a process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evidence_store.durable import coded_errors


@contextmanager
def locked(path: Path, action: str, *, folder: bool = False) -> Iterator[None]:
    """Hold a path alone while the block runs; waits for whoever holds it.

    Args:
        path: a file, which is made when it is not there, or (with folder) a folder that is.
        action: what is being done, for the error's detail.
        folder: whether the path is a folder. Never guessed: a folder in a lock file's place is an error.

    Raises:
        EvidenceStoreError: `storage_full` or `storage_failed`: it cannot be opened or locked.
    """
    with coded_errors(action):
        flags = os.O_RDONLY | os.O_DIRECTORY if folder else os.O_CREAT | os.O_RDWR
        descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        with coded_errors(action):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
