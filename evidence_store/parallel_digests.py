"""Fixity computed on two processors: SHA-512 takes as long as everything else of an ingest together.

The same digests as `evidence_store.digests`, for files that arrive in large pieces. hashlib lets other threads run
while it hashes more than a few kilobytes.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

from evidence_store.digests import DigestComputer, Digests

WORTH_A_THREAD = 256 * 1024
"""Bytes from which handing a piece to another thread costs less than it gains."""

_THREADS = 4
_making = threading.Lock()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, "catena-digest")


class ParallelDigestComputer(DigestComputer):
    """As `DigestComputer`; the SHA-512 of a large piece may be computed while the next one is fetched.

    Not for several threads at once, as its parent. A piece must not be changed after it was handed over.
    """

    def __init__(self) -> None:
        super().__init__()
        self._under_way: Future[None] | None = None

    def result(self) -> Digests:
        """The digests of all bytes so far; more may follow."""
        self._settle()
        return super().result()

    def _update_sha512(self, data: bytes) -> None:
        self._settle()  # pieces are hashed in order
        if len(data) < WORTH_A_THREAD:
            super()._update_sha512(data)
            return
        with _making:
            pool = _pool()
        self._under_way = pool.submit(super()._update_sha512, data)

    def _settle(self) -> None:
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.result()
