"""Where a report waits until its bundle is written: a file without a name, in the archive's own folder, or memory.

What is in it is what the bundle holds, in plain text, so it never lies outside the archive. The file has no name and is
gone when nobody holds it any more, however the process ends.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from evidence_store.durable import coded_errors, write_all
from evidence_store.errors import EvidenceStoreError

PIECE: Final = 256 << 10
_ACTION: Final = "keep a report until its bundle is written"


class Spool:
    """Bytes that are written once, in order, and read at any place; `size` is how many there are."""

    def __init__(self, folder: Path | None) -> None:
        """Begin with nothing.

        Args:
            folder: of the archive; None keeps everything in memory.

        Raises:
            EvidenceStoreError: `storage_full`, `storage_failed`.
        """
        self.size = 0
        self._memory = bytearray()
        self._waiting = bytearray()
        self._descriptor: int | None = None
        if folder is not None:
            with coded_errors(_ACTION), tempfile.TemporaryFile(dir=folder, buffering=0) as file:
                self._descriptor = os.dup(file.fileno())
            weakref.finalize(self, os.close, self._descriptor)

    def write(self, data: bytes) -> int:
        """Take the next bytes; how many they are.

        Raises:
            EvidenceStoreError: `storage_full`, `storage_failed`.
        """
        self.size += len(data)
        if self._descriptor is None:
            self._memory += data
            return len(data)
        self._waiting += data
        if len(self._waiting) >= PIECE:
            self._settle()
        return len(data)

    def text(self, text: str) -> None:
        """Take text, as UTF-8; raises as `write`."""
        self.write(text.encode())

    def keep(self, data: bytes) -> Callable[[], bytes]:
        """Take bytes that are asked for again one day; gives what reads them. Raises as `write`."""
        offset = self.size
        self.write(data)
        return partial(self.read, offset, len(data))

    def read(self, offset: int, size: int) -> bytes:
        """Some of the bytes.

        Raises:
            EvidenceStoreError: `storage_full`, `storage_failed`, also when they are not there any more.
        """
        if self._descriptor is None:
            return bytes(self._memory[offset : offset + size])
        self._settle()
        with coded_errors(_ACTION):
            data = os.pread(self._descriptor, size, offset)
        if len(data) != min(size, self.size - offset):
            raise EvidenceStoreError("storage_failed", "a report that waits for its bundle was cut off")
        return data

    def pieces(self) -> Iterator[bytes]:
        """All bytes so far, in pieces; raises as `read`."""
        for offset in range(0, self.size, PIECE):
            yield self.read(offset, PIECE)

    def _settle(self) -> None:
        if self._waiting and self._descriptor is not None:
            with coded_errors(_ACTION):
                write_all(self._descriptor, bytes(self._waiting))
            self._waiting.clear()
