"""A bundle's file: it has its final name when it is whole and on the disk, and never before.

While an export is being made its `.part` file exists and is locked (flock). A `.part` file that nobody holds is what a
crash left behind.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from evidence_store.bundle.sets import ENDING, SEAL_ENDING, part_name
from evidence_store.durable import (
    SYNC_AHEAD_BYTES,
    begin_sync,
    coded_errors,
    link_new,
    make_directories,
    sync_file,
)
from evidence_store.errors import EvidenceStoreError

PART = ".part"
_COPIED_AT_ONCE = 64 << 20


@dataclass(slots=True)
class Staged:
    """A file in the making.

    Attributes:
        stream: takes its bytes.
        final: the name it will have.
    """

    stream: BinaryIO
    final: Path
    _written: int = field(default=0, init=False)
    _begun: int = field(default=0, init=False)

    def write(self, data: bytes | memoryview) -> int:
        """Take the next bytes; of a large file they go to the disk meanwhile, so that its end waits for few."""
        taken = self.stream.write(data)
        self._written += taken
        if self._written - self._begun >= SYNC_AHEAD_BYTES:
            begin_sync(self.stream.fileno(), self._begun, self._written - self._begun)
            self._begun = self._written
        return taken

    def publish(self, mode: int) -> None:
        """Give the file its final name, durably.

        Raises:
            EvidenceStoreError: `file_exists` when the name is taken, `storage_full`, `storage_failed`.
        """
        with coded_errors("write the bundle"):
            self.stream.flush()
            os.fchmod(self.stream.fileno(), mode)
            sync_file(self.stream.fileno())
        if not link_new(part_of(self.final), self.final):
            raise EvidenceStoreError("file_exists", f"{self.final.name} exists and is never overwritten")


def part_of(final: Path) -> Path:
    """The name that a file has while it is being made."""
    return final.with_name(final.name + PART)


@contextmanager
def staged(final: Path) -> Iterator[Staged]:
    """Make a file under its `.part` name, locked; whatever was not published is gone when the block ends.

    Raises:
        EvidenceStoreError: `file_exists` when somebody else is making this file, `storage_full`, `storage_failed`.
    """
    make_directories(final.parent, 0o700)
    part = part_of(final)
    with coded_errors("write the bundle"), _open_new(final) as stream:
        try:
            yield Staged(stream, final)
        finally:
            # Whether there is a bundle is decided by now; `remove_dead` takes a leftover away.
            with suppress(OSError):
                part.unlink()


def _open_new(final: Path) -> BinaryIO:
    part = part_of(final)
    for _ in range(3):
        with suppress(FileExistsError):
            stream = part.open("xb")
            fcntl.flock(stream, fcntl.LOCK_EX)
            if os.fstat(stream.fileno()).st_nlink:
                return stream
            stream.close()  # taken for a dead one's, before it was locked
            continue
        if is_being_made(final):  # else what a crash left behind is gone now
            break
    raise EvidenceStoreError("file_exists", f"{part.name} exists: this file is being made already")


def copy_to(source: Path, target: Path) -> None:
    """Copy a finished bundle to where its receiver wants it; never overwrites.

    Raises:
        EvidenceStoreError: `file_exists`, `storage_full`, `storage_failed`.
    """
    with staged(target) as copy:
        with source.open("rb") as stream:
            _copy(stream, copy.stream)
        copy.publish(0o644)


def _copy(source: BinaryIO, target: BinaryIO) -> None:
    """Copy a file, inside the system where it can do so: no byte passes through this program."""
    try:
        while os.copy_file_range(source.fileno(), target.fileno(), _COPIED_AT_ONCE):
            pass
    except OSError as error:
        if error.errno not in {errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}:
            raise
        shutil.copyfileobj(source, target, 1 << 20)  # from where the system stopped


def set_names(out: Path, parts: int) -> tuple[list[Path], Path, Path]:
    """Where a set goes that is asked for as `NAME.zip`: its parts, its list and the list's seal, beside that name."""
    name = out.name.removesuffix(".zip")
    whole = out.with_name(f"{name}{ENDING}")
    paths = [out.with_name(part_name(name, number, parts)) for number in range(1, parts + 1)]
    return paths, whole, whole.with_name(whole.name + SEAL_ENDING)


def copy_set(out: Path, parts: Sequence[Path], statement: bytes, seal: bytes) -> None:
    """Copy a set to where its receiver wants it; its list comes last, so that a set with a list was copied whole.

    Raises:
        EvidenceStoreError: as `copy_to`; names that are taken are found before the first byte is copied.
    """
    paths, whole, sealed = set_names(out, len(parts))
    for path in (*paths, whole, sealed):
        if path.exists():
            raise EvidenceStoreError("file_exists", f"{path.name} exists and is never overwritten")
    for source, path in zip(parts, paths, strict=True):
        copy_to(source, path)
    for path, data in ((sealed, seal), (whole, statement)):
        with staged(path) as copy:
            copy.stream.write(data)
            copy.publish(0o644)


def is_being_made(final: Path) -> bool:
    """Whether a living process holds the file's `.part`; a dead one's is removed on the way."""
    part = part_of(final)
    try:
        with part.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink(missing_ok=True)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def remove_dead(folder: Path) -> None:
    """Remove the `.part` files that crashes left in a folder.

    Raises:
        EvidenceStoreError: `storage_failed`.
    """
    with coded_errors("remove what an interrupted export left"):
        for part in folder.glob(f"*{PART}"):
            is_being_made(part.with_name(part.name.removesuffix(PART)))


def discard(final: Path) -> None:
    """Remove a bundle that nobody was given."""
    with suppress(FileNotFoundError):
        final.unlink()
