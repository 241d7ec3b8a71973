"""Fixity computed on two processors: SHA-512 takes as long as everything else of an ingest together.

The same digests as `evidence_store.digests`, for files that arrive in large pieces. hashlib lets other threads run
while it hashes more than a few kilobytes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from evidence_store.digests import DigestComputer, Digests, Piece
from evidence_store.errors import EvidenceStoreError

WORTH_A_THREAD = 256 * 1024
"""Bytes from which handing a piece to another thread costs less than it gains."""

_THREADS = 4


class _Pool:
    """Threads that are all there before the first piece is queued.

    An executor that starts them as they are needed queues a piece first. When the system then refuses a thread, the
    caller sees an error, and a busy thread hashes the piece all the same, later.
    """

    def __init__(self) -> None:
        self._making = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None

    def executor(self) -> ThreadPoolExecutor | None:
        """The threads; None while the system has none to give."""
        with self._making:
            if self._executor is None:
                self._executor = _started()
            return self._executor


def _started() -> ThreadPoolExecutor | None:
    executor, go_on = ThreadPoolExecutor(_THREADS, "catena-digest"), threading.Event()
    try:
        for _ in range(_THREADS):
            executor.submit(go_on.wait)  # nobody is idle yet: each starts a thread
    except (RuntimeError, MemoryError):
        executor.shutdown(wait=False)
        return None
    finally:
        go_on.set()
    return executor


_POOL = _Pool()


class ParallelDigestComputer(DigestComputer):
    """As `DigestComputer`; the SHA-512 of a large piece may be computed while the next one is fetched.

    Not for several threads at once, as its parent. A piece must not be changed while it is being hashed: bytes cannot
    be, and of memory that is used again there is a view until then, which its owner can ask for. Once a step has failed
    nobody can tell which bytes were taken: the computer is broken, and every later call says so.
    """

    def __init__(self) -> None:
        super().__init__()
        self._under_way: Future[None] | None = None
        self._broken = False

    def update(self, data: Piece) -> None:
        """Take the next bytes.

        Raises:
            EvidenceStoreError: `digests_broken`.
        """
        with self._unbroken():
            super().update(data)

    def result(self) -> Digests:
        """The digests of all bytes so far; more may follow.

        Raises:
            EvidenceStoreError: `digests_broken`.
        """
        with self._unbroken():
            self._settle()
            return super().result()

    def copy(self) -> ParallelDigestComputer:
        """Another computer that stands where this one stands, and goes on by itself.

        Raises:
            EvidenceStoreError: `digests_broken`.
        """
        with self._unbroken():
            self._settle()
            other = ParallelDigestComputer()
            self._copy_into(other)
            return other

    def _update_sha512(self, data: Piece) -> None:
        self._settle()  # pieces are hashed in order
        executor = _POOL.executor() if len(data) >= WORTH_A_THREAD else None
        if executor is None:
            super()._update_sha512(data)
            return
        view = data if isinstance(data, bytes) else memoryview(data)  # the caller's own ends with the call
        self._under_way = executor.submit(_beside, super()._update_sha512, view)

    def _settle(self) -> None:
        if self._under_way is not None:
            self._under_way.result()
            self._under_way = None

    @contextmanager
    def _unbroken(self) -> Iterator[None]:
        if self._broken:
            raise _broken()
        self._broken = True  # until the step has ended well, whatever ends it
        try:
            yield
        except EvidenceStoreError:
            raise
        except Exception as error:
            raise _broken() from error
        self._broken = False


def _beside(update: Callable[[Piece], None], data: Piece) -> None:
    try:
        update(data)
    finally:
        if isinstance(data, memoryview):
            data.release()


def _broken() -> EvidenceStoreError:
    return EvidenceStoreError("digests_broken", "computing the digests has failed; read the bytes again")
