"""Opens a bundle, which an opponent may have made: a ZIP file, or the folder it was unzipped to."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from evidence_store.bundle.layout import MAX_FILES, REQUIRED, path_problem
from evidence_store.digests import CHUNK_BYTES
from evidence_store.errors import EvidenceStoreError
from evidence_store.verify.report import Report
from evidence_store.verify.zip_reader import ZipEntry, read_entries

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


class Container(Protocol):
    """The regular files of a bundle, by path."""

    def paths(self) -> list[str]:
        """Every file that can be read, sorted; what cannot was reported while opening."""

    def chunks(self, path: str) -> Iterator[bytes]:
        """The file's bytes, a limited number at a time.

        Raises:
            OSError: the file cannot be read.
        """

    def declared_crc32(self, path: str) -> int | None:
        """The CRC-32 that the container states for the file, None when it states none."""


@contextmanager
def open_container(path: Path, report: Report) -> Iterator[Container]:
    """Open a bundle and report what is wrong with its outer form.

    Raises:
        EvidenceStoreError: `unreadable` or `not_a_bundle`: there is nothing to check.
    """
    try:
        folder = _folder(path, report) if stat.S_ISDIR(path.stat().st_mode) else None
    except (OSError, ValueError) as error:
        raise EvidenceStoreError("unreadable", f"{path}: {error}") from error
    if folder is not None:
        yield folder
        return
    with open_regular(path) as stream:
        try:
            entries = read_entries(stream, report)
        except OSError as error:  # also of a file that cannot be read from its end, as some of /proc
            raise EvidenceStoreError("unreadable", f"{path}: {error}") from error
        if entries is None:
            raise EvidenceStoreError("not_a_bundle", f"{path} is neither a ZIP file nor a folder")
        yield ZipContainer(stream, entries)


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading; what is no regular file is not opened: a pipe would be waited for, a device be moved.

    Raises:
        EvidenceStoreError: `unreadable`.
    """
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
        descriptor = os.open(path, _FLAGS) if regular else None
    except (OSError, ValueError) as error:
        raise EvidenceStoreError("unreadable", f"{path}: {error}") from error
    if descriptor is None or not stat.S_ISREG(os.fstat(descriptor).st_mode):  # it may have been replaced since
        if descriptor is not None:
            os.close(descriptor)
        raise EvidenceStoreError("unreadable", f"{path} is no regular file")
    return os.fdopen(descriptor, "rb")


class ZipContainer:
    """A ZIP file whose entries were read strictly: stored, not overlapping, with safe names."""

    def __init__(self, stream: BinaryIO, entries: list[ZipEntry]) -> None:
        self._stream = stream
        self._entries = {entry.name: entry for entry in entries}

    def paths(self) -> list[str]:
        """See `Container`."""
        return sorted(self._entries)

    def chunks(self, path: str) -> Iterator[bytes]:
        """See `Container`."""
        entry = self._entries[path]
        position, left = entry.data_offset, entry.size
        while left:
            self._stream.seek(position)
            chunk = self._stream.read(min(left, CHUNK_BYTES))
            if not chunk:
                raise OSError(0, f"the ZIP ends {left} bytes before the end of this file")
            position, left = position + len(chunk), left - len(chunk)
            yield chunk

    def declared_crc32(self, path: str) -> int | None:
        """See `Container`."""
        return self._entries[path].crc32


class FolderContainer:
    """The regular files of a folder; links are never followed."""

    def __init__(self, root: Path, paths: list[str]) -> None:
        self._root = root
        self._paths = paths

    def paths(self) -> list[str]:
        """See `Container`."""
        return self._paths

    def chunks(self, path: str) -> Iterator[bytes]:
        """See `Container`."""
        # the file may have been replaced by a link, or by a pipe that never ends, since it was listed
        descriptor = os.open(self._root / path, _FLAGS | getattr(os, "O_NOFOLLOW", 0))
        with os.fdopen(descriptor, "rb") as stream:
            while chunk := stream.read(CHUNK_BYTES):
                yield chunk

    def declared_crc32(self, path: str) -> int | None:
        """See `Container`."""
        del path
        return None


def _folder(root: Path, report: Report) -> FolderContainer:
    if not any((root / name).exists() for name in REQUIRED):
        raise EvidenceStoreError("not_a_bundle", f"{root} holds none of the files of a bundle")
    paths: list[str] = []
    with report.checking("container"):
        for path, mode in _walk(root, report):
            problem = path_problem(path)
            if stat.S_ISLNK(mode):
                report.finding("link_refused", path, "A bundle holds no links.")
            elif not stat.S_ISREG(mode):
                report.finding("special_file_refused", path, "A bundle holds regular files only.")
            elif problem is not None:
                report.finding("unsafe_path", path, problem)
            elif len(paths) >= MAX_FILES:
                report.finding("too_many_files", str(root), f"The limit is {MAX_FILES}; the rest was not looked at.")
                break
            else:
                paths.append(path)
    return FolderContainer(root, sorted(paths))


def _walk(root: Path, report: Report) -> Iterator[tuple[str, int]]:
    """Path and mode of everything below a folder that is not itself a folder."""
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        try:
            with os.scandir(root / prefix) as listing:
                for entry in listing:
                    mode = entry.stat(follow_symlinks=False).st_mode
                    if stat.S_ISDIR(mode):
                        waiting.append(f"{prefix}{entry.name}/")
                    else:
                        yield prefix + entry.name, mode
        except OSError as error:
            if not prefix:
                raise
            report.finding("file_unreadable", prefix, f"The folder cannot be listed: {error.strerror}.")
