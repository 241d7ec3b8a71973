"""Long work in small numbers: comparisons and exports may not take the threads that short requests need.

Each kind of work has a few places. Who finds none free waits for a short time without holding a thread, then is told
to come back (503 `busy`). The work runs in threads of its own, beyond those of the short requests.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread

from app.errors import CatenaError

P = ParamSpec("P")
T = TypeVar("T")
POLL_SECONDS = 0.05


class Slots:
    """A few places for one kind of long work; safe to use from several event loops."""

    def __init__(self, what: str, at_once: int, waiting: int, patience: float) -> None:
        """Set the bounds.

        Args:
            what: the kind of work, for the message.
            at_once: places.
            waiting: how many requests may wait for a place; further ones are refused at once.
            patience: longest wait, in seconds.
        """
        self.patience = patience
        self._what = what
        self._waiting_at_most = waiting
        self._places = threading.BoundedSemaphore(at_once)
        self._waiting = 0

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do the work in a thread of its own, once there is a place.

        Raises:
            CatenaError: `busy` (503) when no place came free in time, and whatever the work raises.
        """
        await self._enter()
        try:
            return await to_thread.run_sync(partial(work, *args, **kwargs), limiter=CapacityLimiter(1))
        finally:
            self._places.release()

    async def _enter(self) -> None:
        if self._places.acquire(blocking=False):
            return
        if self._waiting >= self._waiting_at_most:
            raise self._busy()
        self._waiting += 1
        try:
            until = time.monotonic() + self.patience
            while not self._places.acquire(blocking=False):
                if time.monotonic() >= until:
                    raise self._busy()
                await asyncio.sleep(POLL_SECONDS)
        finally:
            self._waiting -= 1

    def _busy(self) -> CatenaError:
        return CatenaError("busy", f"too many {self._what} at once; try again in a few seconds", status=503)


COMPARISONS = Slots("comparisons", at_once=2, waiting=8, patience=5.0)
EXPORTS = Slots("exports", at_once=2, waiting=4, patience=5.0)
IMPORTS = Slots("bundles being received", at_once=2, waiting=4, patience=5.0)
