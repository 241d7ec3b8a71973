"""The members of all data object groups, sorted outside memory: the log has them in the order of time, not by object.

Runs are sorted in memory, written to files of their own and merged. Within a group the hashes come ascending, as the
group's hash needs them, so that no group has to fit into memory either.
"""

from __future__ import annotations

import hashlib
import heapq
import tempfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

from app.custody.log_scan import damaged
from evidence_store.durable import coded_errors
from evidence_store.timestamps.algorithms import SIZES
from evidence_store.timestamps.ers import ALGORITHM

RUN = 30_000
"""Members that are sorted in memory at a time, about 10 MiB."""
MAX_NAME = 100
_SIZE = SIZES[ALGORITHM]

Member = tuple[bytes, bytes]


class Sorter:
    """Collects members, then gives them back by group; a context manager.

    Attributes:
        longest: length of the longest name of a group so far.
    """

    def __init__(self, folder: Path, run: int = RUN) -> None:
        """Begin with nothing.

        Args:
            folder: where the runs lie, on a disk with room for about 120 bytes a member.
            run: members in memory at a time.
        """
        self._folder = folder
        self._run = run
        self._members: list[Member] = []
        self._files: list[BinaryIO] = []
        self.longest = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files:
            file.close()

    def add(self, group: str, member: bytes) -> None:
        """Add a member to a group.

        Raises:
            EnvironmentFailedError: `log_damaged`, as `add_digest`.
        """
        self.add_digest(group, hashlib.sha512(member).digest())

    def add_digest(self, group: str, digest: bytes) -> None:
        """Add the hash of a member to a group, which is named by text without spaces or control characters.

        Raises:
            EnvironmentFailedError: `log_damaged` for a name that no object of ours has.
        """
        name = group.encode("utf-8", "surrogatepass")
        if not 0 < len(name) <= MAX_NAME or not group.isascii() or not group.isprintable() or " " in group:
            raise damaged("an event is about something that has no proper name")
        self.longest = max(self.longest, len(name))
        self._members.append((name, digest))
        if len(self._members) >= self._run:
            self._write_run()

    def groups(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Each group's name, ascending, and the hashes of its members, ascending, its name's own among them.

        Raises:
            EnvironmentFailedError: `log_damaged` when two members of a group are the same.
        """
        runs = [_read_run(file) for file in self._files]
        merged = heapq.merge(*runs, iter(sorted(self._members)))
        for name, members in groupby(merged, key=lambda member: member[0]):
            hashes = (digest for _, digest in members)
            yield name.decode("ascii"), _all_different(heapq.merge([hashlib.sha512(name).digest()], hashes))

    def _write_run(self) -> None:
        self._members.sort()
        with coded_errors("sort the log"):
            # Without a name on the disk: nothing is left of it after a kill. __exit__ closes it.
            file = cast("BinaryIO", tempfile.TemporaryFile(dir=self._folder))  # noqa: SIM115
            self._files.append(file)
            file.writelines(bytes([len(name)]) + name + digest for name, digest in self._members)
            file.flush()
        self._members = []


def _read_run(file: BinaryIO) -> Iterator[Member]:
    file.seek(0)
    while length := file.read(1):
        yield file.read(length[0]), file.read(_SIZE)


def _all_different(hashes: Iterator[bytes]) -> Iterator[bytes]:
    before = b""
    for each in hashes:
        if each == before:
            raise damaged("an event is in the log twice")
        yield each
        before = each
