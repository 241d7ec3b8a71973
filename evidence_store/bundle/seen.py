"""Which identifiers came before: exact, and in flat memory however many there are.

New ones wait in memory. When those are many, all move into a hash table in a temporary file, which the system removes
when it is closed, however the program ends. It holds digests only. Where there is no place for it, they stay in memory.
"""

from __future__ import annotations

import io
import math
import os
import tempfile
from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import groupby

IN_MEMORY = 1 << 15
"""Identifiers that wait in memory: some 4 MiB."""

_KEY = 16
_PAGE = 32 * _KEY
_EMPTY = bytes(_KEY)


class Seen:
    """A set of identifiers that only grows; to be closed.

    An identifier stands in it as 128 bits of a SHA-256 with a secret. So whoever writes a bundle can choose neither two
    that are taken for one another, nor many that fall into one place of the table and make it slow.
    """

    def __init__(self) -> None:
        """Make an empty one."""
        self._limit: float = IN_MEMORY
        self._secret = os.urandom(_KEY)
        self._waiting: set[bytes] = set()
        self._table: _Table | None = None

    def close(self) -> None:
        """Remove the temporary file; nothing may be added any more."""
        if self._table is not None:
            self._table.close()

    def add(self, identifier: str) -> bool:
        """Take an identifier, and say whether it is new.

        Raises:
            OSError: the temporary file cannot be read any more.
        """
        key = sha256(self._secret + identifier.encode()).digest()[:_KEY]
        if key in self._waiting or (self._table is not None and self._table.has(key)):
            return False
        self._waiting.add(key)
        if len(self._waiting) >= self._limit:
            self._move()
        return True

    def _move(self) -> None:
        """Move what waits into the table, a larger one where it would be more than half full."""
        table, before = self._table, self._table
        try:
            needed = len(self._waiting) + (0 if before is None else before.filled)
            if table is None or needed > table.places // 2:
                table = _Table(4 * needed)
                table.put([] if before is None else before.keys())
            table.put(sorted(self._waiting))
        except OSError:  # no folder for it, or the disk is full: what waits is in memory still, and stays there
            self._limit = math.inf
            if table is not None and table is not before:
                table.close()
            return
        if before is not None and before is not table:
            before.close()
        self._table = table
        self._waiting.clear()


class _Table:
    """A hash table in a file: pages of 32 places; a key lies in its own page, or when that is full in one after it.

    Never more than half full, so that a search ends. Every method raises OSError when the file fails.
    """

    def __init__(self, places: int) -> None:
        """Make one that is empty."""
        self._pages = places * _KEY // _PAGE + 1
        self.places = self._pages * _PAGE // _KEY
        self.filled = 0
        self._file: io.FileIO = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - see `close`
        try:
            self._file.truncate(self._pages * _PAGE)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Remove it."""
        self._file.close()

    def has(self, key: bytes) -> bool:
        """Whether a key is in it."""
        page = self._own_page(key)
        while _place(data := self._read(page), key) < 0:
            if data.endswith(_EMPTY):  # a page fills from its beginning
                return False
            page = (page + 1) % self._pages
        return True

    def put(self, keys: Iterable[bytes]) -> None:
        """Put keys in that are not in it yet; fast when they come in order."""
        for own_page, group in groupby(keys, self._own_page):
            page, rest = own_page, b"".join(group)
            while rest:
                if (free := _place(self._read(page), _EMPTY)) >= 0:
                    part, rest = rest[: _PAGE - free], rest[_PAGE - free :]
                    self._write(page * _PAGE + free, part)
                page = (page + 1) % self._pages

    def keys(self) -> Iterator[bytes]:
        """All keys, nearly in order."""
        for page in range(self._pages):
            data = self._read(page)
            yield from sorted({data[at : at + _KEY] for at in range(0, _PAGE, _KEY)} - {_EMPTY})

    def _own_page(self, key: bytes) -> int:
        return int.from_bytes(key[:8], "big") * self._pages >> 64  # keys in order have pages in order

    def _read(self, page: int) -> bytes:
        self._file.seek(page * _PAGE)
        data = self._file.read(_PAGE)
        if len(data) != _PAGE:
            raise OSError(0, "the temporary file is cut short")
        return data

    def _write(self, position: int, keys: bytes) -> None:
        self._file.seek(position)
        if self._file.write(keys) != len(keys):
            raise OSError(0, "a short write")
        self.filled += len(keys) // _KEY


def _place(page: bytes, key: bytes) -> int:
    """Where in a page a key begins, -1 when it is not there."""
    at = page.find(key)
    while at > 0 and at % _KEY:  # it only looks like it, across two others
        at = page.find(key, at + 1)
    return at
