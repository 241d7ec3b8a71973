"""The digests of an upload while it comes in: in memory, and caught up with the disk after a restart.

Two threads feed them, never both at once: the request that writes, as long as the digests stand exactly where the next
bytes go; else a thread that reads what is committed, which nobody changes any more. So a client that goes on after a
restart is never kept waiting until 50 GB were read: its bytes are taken, and hashed later. When computing fails (no
memory, no thread), what was computed is forgotten and the file is read again from its first byte.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from evidence_store.digests import CHUNK_BYTES, Digests, Piece
from evidence_store.durable import coded_errors
from evidence_store.errors import EvidenceStoreError
from evidence_store.parallel_digests import ParallelDigestComputer

log = logging.getLogger("catena.intake")

REMEMBERED = 256
TURN_CHUNKS = 32
"""So many chunks (of 1 MiB) are read in one turn: some tenths of a second, then whoever waits longest comes next."""


class Turns:
    """So many at once, in the order in which they came.

    A semaphore of the standard library lets whoever gives a place back take it again before those who wait have woken.
    """

    def __init__(self, places: int) -> None:
        """All places are free."""
        self._lock = threading.Lock()
        self._free = places
        self._waiting: deque[threading.Event] = deque()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a place, as soon as it is one's turn."""
        called = threading.Event()
        with self._lock:
            if self._free:
                self._free -= 1
                called.set()
            else:
                self._waiting.append(called)
        called.wait()
        try:
            yield
        finally:
            with self._lock:
                if self._waiting:
                    self._waiting.popleft().set()  # the place goes from hand to hand and is never free in between
                else:
                    self._free += 1


READING = Turns(2)


class RunningDigests:
    """The digests of the first bytes of one upload."""

    def __init__(self, path: Path) -> None:
        """Bind to the file, nothing of which is digested yet."""
        self._path = path
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._now = ParallelDigestComputer()
        self._kept = ParallelDigestComputer()
        self._committed = 0

    def update(self, data: Piece, offset: int) -> None:
        """Take bytes that were written at an offset, if that is where the digests stand."""
        with self._lock:
            if self._now.size == offset:
                with suppress(EvidenceStoreError), self._or_from_the_start():
                    self._now.update(data)

    def commit(self, size: int) -> None:
        """The first `size` bytes of the file are as they will stay."""
        with self._lock:
            self._committed = max(self._committed, size)
            if self._now.size <= size:
                with suppress(EvidenceStoreError), self._or_from_the_start():
                    self._kept = self._now.copy()

    def roll_back(self) -> None:
        """Forget bytes that were digested and not committed."""
        with self._lock:
            if self._now.size > self._committed:
                with suppress(EvidenceStoreError), self._or_from_the_start():
                    self._now = self._kept.copy()

    def go_on_from(self, committed: int) -> bool:
        """Forget what was not committed, then learn what another process has committed since.

        Returns:
            False when less is committed than was: these digests are worth nothing then.
        """
        self.roll_back()  # first: what was digested and not committed may not be what has been committed since
        if committed < self._committed:
            return False
        self.commit(committed)
        return True

    def is_behind(self) -> bool:
        """Whether committed bytes are not digested yet."""
        with self._lock:
            return self._now.size < self._committed

    def catch_up(self) -> Digests:
        """Read what is committed and not digested; returns the digests of all that is, at once when nothing is to read.

        Raises:
            EvidenceStoreError: `upload_damaged`, also when the file has lost its name meanwhile, as the upload has
                ended; `storage_failed`; `digests_broken` when computing fails, the next call begins with the first
                byte.
        """
        if (digests := self._of_all()) is not None:
            return digests
        with self._reading, coded_errors("read an upload"), self._path.open("rb") as stream:
            while (digests := self._of_all()) is None:
                with READING.one():
                    self._read_a_turn(stream.fileno())
            return digests

    def catch_up_beside(self) -> None:
        """The same in a thread of its own, unless one is at it."""
        if self.is_behind() and not self._reading.locked():
            threading.Thread(target=self._caught, name="catena-digests", daemon=True).start()

    def _caught(self) -> None:
        try:
            self.catch_up()
        except EvidenceStoreError as error:
            log.info("an upload is not digested beside its writing: %s", error)  # finishing it will say so

    def _of_all(self) -> Digests | None:
        """The digests of all that is committed; None while some of it is not digested."""
        with self._lock, self._or_from_the_start():
            return None if self._now.size < self._committed else self._now.result()

    def _read_a_turn(self, descriptor: int) -> None:
        """Digest some chunks, unless the upload has ended: nobody reads on in a file that has no name any more."""
        if os.fstat(descriptor).st_nlink == 0:
            raise EvidenceStoreError("upload_damaged", "the upload has ended; its file has no name any more")
        for _ in range(TURN_CHUNKS):
            self._read_on(descriptor)

    def _read_on(self, descriptor: int) -> None:
        """Digest one chunk, if there is one."""
        with self._lock:
            at, end = self._now.size, self._committed
        if at >= end:
            return
        data = os.pread(descriptor, min(CHUNK_BYTES, end - at), at)
        if not data:
            raise EvidenceStoreError("upload_damaged", "committed bytes of the upload are gone")
        with self._lock, self._or_from_the_start():
            if self._now.size == at:
                self._now.update(data)
                self._kept = self._now.copy()

    @contextmanager
    def _or_from_the_start(self) -> Iterator[None]:
        """Nobody knows which bytes a broken computer has taken: nothing of it is kept, nor of its copies."""
        try:
            yield
        except BaseException as error:
            log.warning("the digests of an upload are computed again from its first byte: %s", error)
            self._now, self._kept = ParallelDigestComputer(), ParallelDigestComputer()
            raise


class RunningBook:
    """The digests of the uploads that were written to last; others are read from the disk again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, RunningDigests] = OrderedDict()

    def of(self, upload_id: str, path: Path, committed: int) -> RunningDigests:
        """The digests of an upload, of which so many bytes are committed."""
        with self._lock:
            running = self._known.pop(upload_id, None)
            if running is None or not running.go_on_from(committed):
                running = RunningDigests(path)
                running.commit(committed)
            self._known[upload_id] = running
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return running

    def forget(self, upload_id: str) -> None:
        """The upload has ended."""
        with self._lock:
            self._known.pop(upload_id, None)
