"""A file as it was found: its digest, and the certainty that it did not change meanwhile."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from app.cli.own_files import Identity, own_secret
from app.errors import InvalidInputError

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Fixed:
    """A file that was read once from beginning to end.

    Attributes:
        path: where it is.
        sha256: lowercase hex.
        size: in bytes.
        state: what the file system says of it; another state is another file.
    """

    path: Path
    sha256: str
    size: int
    state: tuple[int, ...]


def fix(path: Path, never: Collection[Identity] = ()) -> Fixed:
    """Read a file once and note its digest.

    Args:
        path: the file.
        never: files that are not read, by what they are and not by their names. What is deposited later has the
            device and inode that were seen here (`opened`), so it is none of them either.

    Raises:
        OSError: it cannot be read.
        InvalidInputError: `not_a_file`, `changed_while_read`, `archive_data`.
    """
    with opened(path) as stream:
        before = state_of(stream)
        if Identity(*before[:2]) in never:
            raise own_secret()
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if state_of(stream) != before:
            raise changed()
    return Fixed(path, digest, before[2], before)


@contextmanager
def opened(path: Path, unless_changed: Fixed | None = None) -> Iterator[BufferedReader]:
    """Open a plain file for reading; a pipe or device is not waited for.

    Raises:
        OSError: it cannot be read; a file that is gone after it was fixed is `vanished`.
        InvalidInputError: `not_a_file`, `vanished`, and `changed_while_read` when it is not what it was.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except FileNotFoundError:
        if unless_changed is None:
            raise
        raise InvalidInputError("vanished", "it went away after it was listed") from None
    except OSError:
        if path.exists() and not path.is_file():
            raise not_a_file() from None
        raise
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise not_a_file()
        if unless_changed is not None and state_of(stream) != unless_changed.state:
            raise changed()
        yield stream


def chunks(stream: BufferedReader) -> Iterator[bytes]:
    """A file in pieces of 1 MiB."""
    while chunk := stream.read(CHUNK):
        yield chunk


def state_of(stream: BufferedReader) -> tuple[int, ...]:
    """Device, inode, size and time of the last write of an open file."""
    told = os.fstat(stream.fileno())
    return told.st_dev, told.st_ino, told.st_size, told.st_mtime_ns


def changed() -> InvalidInputError:
    """The error for a file that somebody writes to."""
    return InvalidInputError("changed_while_read", "it changed while it was read; nothing of it was kept")


def not_a_file() -> InvalidInputError:
    """The error for folders, pipes and devices."""
    return InvalidInputError("not_a_file", "it is neither a file nor a folder")
