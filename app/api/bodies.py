"""Bodies of files in small numbers: so many of each user and of all, each with its room on the disk.

Asked before the body is read. A place is left when the request ends, however it ends.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.access.service import Principal
from app.config import Settings
from app.errors import LimitError
from app.intake.room import Held
from evidence_store.digests import Piece

RETRY_SECONDS = 2


class Bodies:
    """The places of one archive's server; safe to use from several threads."""

    def __init__(self, settings: Settings) -> None:
        """Set the bounds: `bodies_per_user` and `bodies_at_once`."""
        self._per_user = settings.bodies_per_user
        self._at_once = settings.bodies_at_once
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()
        self._refused = 0

    @property
    def under_way(self) -> int:
        """Bodies that are being received."""
        return self._under_way.total()

    @property
    def refused(self) -> int:
        """Bodies that found no place since the start."""
        return self._refused

    @contextmanager
    def place(self, who: Principal) -> Iterator[None]:
        """A place for one body.

        Raises:
            LimitError: `too_many_bodies` (429).
        """
        self._enter(who.user_id)
        try:
            yield
        finally:
            self._leave(who.user_id)

    def _enter(self, user_id: str) -> None:
        with self._lock:
            mine = self._under_way[user_id]
            if mine >= self._per_user:
                self._refused += 1
                detail = "you are sending as many files as you may at once; wait for one to end"
                raise _refusal(detail, limit=self._per_user, used=mine)
            if self._under_way.total() >= self._at_once:
                self._refused += 1
                raise _refusal("the archive receives as many files as it can at once; try again in a moment")
            self._under_way[user_id] += 1

    def _leave(self, user_id: str) -> None:
        with self._lock:
            self._under_way[user_id] -= 1
            self._under_way += Counter()  # forgets who has none


def _refusal(detail: str, limit: int | None = None, used: int | None = None) -> LimitError:
    return LimitError("too_many_bodies", detail, status=429, limit=limit, used=used, retry_after=RETRY_SECONDS)


def noting(write: Callable[[Piece], None], held: Held) -> Callable[[Piece], None]:
    """A writer that takes the room it needs, and gives back what it wrote."""

    def both(batch: Piece) -> None:
        held.need(len(batch))
        write(batch)
        held.wrote(len(batch))

    return both
