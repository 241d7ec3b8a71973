"""The hash tree of a renewal in two files: made in one pass, and read without loading either.

`objects` names the groups, one a line, ascending, padded with spaces to lines of one length: line i is leaf i. `tree`
holds all hashes, 64 bytes each, level after level, the leaves first and the root last.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from app.errors import EnvironmentFailedError
from app.renewal.sorting import MAX_NAME
from evidence_store.durable import coded_errors, sync_file
from evidence_store.timestamps.algorithms import SIZES
from evidence_store.timestamps.ers import ALGORITHM
from evidence_store.timestamps.hash_tree import group_hash_of_sorted, level_sizes, next_level, path

OBJECTS: Final = "objects"
TREE: Final = "tree"
MODE: Final = 0o400
"""Permissions of a renewal's files: they never change."""
_SIZE: Final = SIZES[ALGORITHM]
_CHUNK: Final = 4096 * _SIZE


def write_tree(folder: Path, groups: Iterable[tuple[str, Iterator[bytes]]], width: int) -> tuple[int, bytes]:
    """Write both files, durably but for their names in the folder.

    Args:
        folder: where.
        groups: names ascending, each with its members' hashes, ascending; at least one.
        width: length of the longest name.

    Returns:
        Number of groups, and the root.

    Raises:
        EvidenceStoreError: `storage_full` or `storage_failed`.
    """
    with coded_errors("write the hash tree"), ExitStack() as stack:
        objects = stack.enter_context((folder / OBJECTS).open("xb"))
        tree = stack.enter_context((folder / TREE).open("xb"))
        leaves = 0
        for name, hashes in groups:
            objects.write(name.encode("ascii").ljust(width) + b"\n")
            tree.write(group_hash_of_sorted(ALGORITHM, hashes))
            leaves += 1
        _write_levels(folder / TREE, tree, leaves)
        for file in (objects, tree):
            file.flush()
            os.fchmod(file.fileno(), MODE)
            sync_file(file.fileno())
    with TreeFiles(folder, leaves) as written:
        return leaves, written.root


def _write_levels(name: Path, tree: BinaryIO, leaves: int) -> None:
    """Append every level above the leaves, each from the one before it."""
    start = 0
    with name.open("rb") as below:
        for size in level_sizes(leaves)[:-1]:
            tree.flush()
            below.seek(start)
            tree.writelines(next_level(ALGORITHM, _nodes(below, size)))
            start += size * _SIZE


def _nodes(file: BinaryIO, count: int) -> Iterator[bytes]:
    left = count * _SIZE
    while left and (chunk := file.read(min(left, _CHUNK))):  # cut short, it would lack a root: TreeFiles sees that
        left -= len(chunk)
        for place in range(0, len(chunk), _SIZE):
            yield chunk[place : place + _SIZE]


class TreeFiles:
    """The two files, open for reading; a context manager."""

    def __init__(self, folder: Path, leaves: int) -> None:
        """Open them.

        Args:
            folder: of the renewal.
            leaves: how many groups there are.

        Raises:
            EnvironmentFailedError: `renewal_damaged` when they are gone or of another size.
        """
        self._leaves = leaves
        self._sizes = level_sizes(leaves)
        with ExitStack() as stack:
            try:
                self._objects = stack.enter_context((folder / OBJECTS).open("rb"))
                self._tree = stack.enter_context((folder / TREE).open("rb"))
                self._width = self._objects.readline(MAX_NAME + 2).find(b"\n") + 1
                sizes = ((folder / OBJECTS).stat().st_size, (folder / TREE).stat().st_size)
            except OSError as error:
                raise renewal_damaged(f"{folder.name}: its hash tree cannot be read: {error.strerror}") from None
            if not self._width or sizes != (self._width * leaves, sum(self._sizes) * _SIZE):
                raise renewal_damaged(f"{folder.name}: its hash tree does not have {leaves} groups")
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def root(self) -> bytes:
        """The root, 64 bytes."""
        return self.node(len(self._sizes) - 1, 0)

    def node(self, level: int, index: int) -> bytes:
        """A hash of the tree."""
        self._tree.seek((sum(self._sizes[:level]) + index) * _SIZE)
        return self._tree.read(_SIZE)

    def find(self, name: str) -> int | None:
        """The leaf of a group; None when the renewal has no such group."""
        wanted = name.encode()
        low, high = 0, self._leaves
        while low < high:
            middle = (low + high) // 2
            self._objects.seek(middle * self._width)
            found = self._objects.read(self._width).rstrip()
            if found == wanted:
                return middle
            low, high = (middle + 1, high) if found < wanted else (low, middle)
        return None

    def path(self, leaf: int) -> list[bytes]:
        """The leaf's siblings on the way to the root."""
        return path(leaf, self._leaves, self.node)


def renewal_damaged(what: str) -> EnvironmentFailedError:
    """The error of a renewal whose files are not those that the log names."""
    return EnvironmentFailedError("renewal_damaged", f"renewal {what}: run 'catena audit'", status=500)
