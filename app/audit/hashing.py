"""Hashing stored files side by side, results in the order of the files.

Threads are enough: reading and hashing both let other threads run. Each thread reads into one buffer of its own, and
the system is told that a file is read from front to back. One file is hashed by one thread, so a single large file
takes as long as it takes.
"""

from __future__ import annotations

import hashlib
import os
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedIOBase
from itertools import islice
from typing import BinaryIO, Final, Generic, TypeVar, cast

from app.audit.meter import Meter
from evidence_store.durable import coded_errors
from evidence_store.errors import EvidenceStoreError

BUFFER_BYTES: Final = 1 << 20
WINDOW: Final = 1_000
"""How far the other threads may run ahead of a large file: results wait in memory, files do not."""

_PATIENCE_SECONDS: Final = 0.2

F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Hashed:
    """What a file's bytes are.

    Attributes:
        sha256: hex; `sha512` likewise.
        size: in bytes.
        sha512: None unless all digests were asked for.
        crc32: likewise.
    """

    sha256: str
    size: int
    sha512: str | None = None
    crc32: int | None = None


def default_workers() -> int:
    """One thread for each processor that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Hasher(Generic[F]):
    """Hashes files with a few threads; to be closed."""

    def __init__(self, open_file: Callable[[F], BinaryIO], workers: int, meter: Meter, *, all_digests: bool) -> None:
        """Set it up.

        Args:
            open_file: opens a file, in any thread; raises `EvidenceStoreError`.
            workers: number of threads.
            meter: told of the bytes that were hashed; it stops the work by raising.
            all_digests: SHA-512 and CRC-32 as well.
        """
        self._open = open_file
        self._meter = meter
        self._all = all_digests
        self._given_up = threading.Event()
        self._own = threading.local()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="catena-audit")
        self._ahead: deque[tuple[F, Future[Hashed | EvidenceStoreError]]] = deque()
        self._files: Iterator[F] = iter(())

    def begin(self, files: Iterable[F]) -> None:
        """Begin with the first files, while whoever calls does something else before `each`.

        Args:
            files: all of them, in order.
        """
        self._files = iter(files)
        self._submit()

    def each(self) -> Iterator[tuple[F, Hashed | EvidenceStoreError]]:
        """Each file with its digests, or with the reason why it could not be read; in the order given."""
        while self._ahead:
            yield self._next()
            self._submit()

    def close(self) -> None:
        """Give up what is not hashed yet."""
        self._given_up.set()
        self._pool.shutdown(cancel_futures=True)

    def _submit(self) -> None:
        for file in islice(self._files, WINDOW - len(self._ahead)):
            self._ahead.append((file, self._pool.submit(self._hash, file)))

    def _next(self) -> tuple[F, Hashed | EvidenceStoreError]:
        file, hashing = self._ahead.popleft()
        while True:
            self._meter.look()
            with suppress(TimeoutError):
                return file, hashing.result(_PATIENCE_SECONDS)

    def _hash(self, file: F) -> Hashed | EvidenceStoreError:
        try:
            with self._open(file) as stream, coded_errors("read a stored file"):
                return self._digests(stream)
        except EvidenceStoreError as error:
            return error

    def _digests(self, stream: BinaryIO) -> Hashed:
        with suppress(OSError, AttributeError):  # only a hint, and not every stream is a file
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        read = cast("BufferedIOBase", stream).readinto
        sha256, sha512, crc32, size = hashlib.sha256(), hashlib.sha512(), 0, 0
        buffer = self._buffer()
        while (count := read(buffer)) and not self._given_up.is_set():
            part = buffer[:count]
            sha256.update(part)
            if self._all:
                sha512.update(part)
                crc32 = zlib.crc32(part, crc32)
            size += count
            self._meter.hashed(count)
        more = (sha512.hexdigest(), crc32) if self._all else (None, None)
        return Hashed(sha256.hexdigest(), size, *more)

    def _buffer(self) -> memoryview:
        if not hasattr(self._own, "buffer"):
            self._own.buffer = memoryview(bytearray(BUFFER_BYTES))
        buffer: memoryview = self._own.buffer
        return buffer
