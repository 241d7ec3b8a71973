"""Digests of a stream on threads beside the one that makes it, each algorithm on its own.

hashlib lets other threads run while it hashes more than a few kilobytes. For pieces of a mebibyte or so; at most
`WAITING` of them wait, so memory stays flat however slow a digest is.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

WAITING = 4
"""Pieces that may wait for a digest."""


class _Side:
    """One digest and the thread that computes it; without a thread it is computed at once."""

    def __init__(self, algorithm: str) -> None:
        self._computer = hashlib.new(algorithm)
        self._waiting: deque[Future[None]] = deque()
        self._thread: ThreadPoolExecutor | None = ThreadPoolExecutor(1, f"catena-{algorithm}")
        try:
            self._thread.submit(int).result()  # it is there before the first piece is queued
        except (RuntimeError, MemoryError):
            self._thread.shutdown(wait=False)
            self._thread = None

    def update(self, data: bytes) -> None:
        if self._thread is None:
            self._computer.update(data)
            return
        while len(self._waiting) >= WAITING:
            self._waiting.popleft().result()
        self._waiting.append(self._thread.submit(self._computer.update, data))

    def hexdigest(self) -> str:
        while self._waiting:
            self._waiting.popleft().result()
        return self._computer.hexdigest()

    def close(self) -> None:
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)


class SideHashes:
    """Several digests of one stream; not for several threads at once."""

    def __init__(self, sides: list[_Side]) -> None:
        self._sides = sides

    def update(self, data: bytes) -> None:
        """Take the next bytes, which must not be changed afterwards."""
        for side in self._sides:
            side.update(data)

    def hexdigests(self) -> list[str]:
        """The digests of all bytes so far, in the order in which they were asked for."""
        return [side.hexdigest() for side in self._sides]


@contextmanager
def side_hashes(*algorithms: str) -> Iterator[SideHashes]:
    """Digests by these algorithms of hashlib; their threads end with the block."""
    sides = [_Side(algorithm) for algorithm in algorithms]
    try:
        yield SideHashes(sides)
    finally:
        for side in sides:
            side.close()
