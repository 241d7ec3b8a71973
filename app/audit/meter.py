"""How far an audit has come: stage, files and bytes, rate, time left.

The listener is a terminal's progress bar; the keeper stores what an interrupted audit can go on from. Both are told
now and then, never for each event. Stopping is asked for here as well, since this is where every loop passes by.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SHOW_SECONDS = 0.2
KEEP_SECONDS = 3.0
_LOOK_EVERY = 128  # ticks between two looks at the clock
_SHARE = 20  # keeping may take this part of the time, however long a list of findings has become


class AuditStoppedError(BaseException):
    """Somebody asked the audit to stop; no check may take this for a failure of its own."""


@dataclass(frozen=True, slots=True)
class Step:
    """How far it is.

    Attributes:
        stage: what is being checked.
        done: how many events, rows or files of this stage.
        total: how many there are; 0 when nobody counted them.
        bytes_done: hashed so far; 0 in stages that hash nothing.
        bytes_total: to be hashed.
        rate: per second, of bytes where bytes are hashed, else of what `done` counts.
        seconds_left: for this stage; None while it cannot be told.
    """

    stage: str
    done: int
    total: int
    bytes_done: int
    bytes_total: int
    rate: int
    seconds_left: int | None

    def as_json(self) -> dict[str, Any]:
        """For the progress row and the interface."""
        return {name: getattr(self, name) for name in self.__slots__}


class Meter:
    """Counts what one audit has done; only `hashed` may be called from several threads."""

    def __init__(
        self,
        listener: Callable[[Step], None] | None = None,
        keeper: Callable[[Step], None] | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        """Bind to whoever wants to know.

        Args:
            listener: told several times a second.
            keeper: told every few seconds; what it raises ends the audit.
            stop: set when the audit shall stop.
        """
        self._listener = listener
        self._keeper = keeper
        self._stop = stop
        self._lock = threading.Lock()
        self._ticks = 0
        self._next_show = 0.0
        self._next_keep = time.monotonic() + KEEP_SECONDS
        self._stage, self._total, self._bytes_total = "", 0, 0
        self._done = self._bytes_before = self._begun_with = 0
        self._hashed = 0  # bytes, in whatever stage: hashing begins beside other checks
        self._begun = time.monotonic()

    def begin(self, stage: str, total: int = 0, *, done: int = 0, bytes_total: int = 0, bytes_done: int = 0) -> None:
        """Begin a stage.

        Args:
            stage: its name.
            total: how much there is to do.
            done: how much of it was done before an interruption.
            bytes_total: how many bytes are to be hashed.
            bytes_done: how many were, before an interruption.
        """
        self._stage, self._total, self._bytes_total = stage, total, bytes_total
        self._done, self._bytes_before = done, bytes_done
        self._begun, self._begun_with = time.monotonic(), self._bytes if bytes_total else done
        self._ticks = 0
        self.look()

    def tick(self) -> None:
        """One more is done."""
        self._done += 1
        self._ticks += 1
        if self._ticks >= _LOOK_EVERY:
            self._ticks = 0
            self.look()

    def hashed(self, size: int) -> None:
        """So many bytes more were hashed."""
        with self._lock:
            self._hashed += size

    def stopping(self) -> bool:
        """Whether the audit was asked to stop."""
        return self._stop is not None and self._stop.is_set()

    def look(self) -> None:
        """Tell whoever wants to know, when it is time to.

        Raises:
            AuditStoppedError: somebody asked for it.
        """
        if self.stopping():
            raise AuditStoppedError
        now = time.monotonic()
        if self._listener is not None and now >= self._next_show:
            self._listener(self.step())
            self._next_show = now + SHOW_SECONDS
        if self._keeper is not None and now >= self._next_keep:
            self._keeper(self.step())
            kept = time.monotonic()
            self._next_keep = kept + max(KEEP_SECONDS, _SHARE * (kept - now))

    def end(self) -> None:
        """The stage is done: the listener is told so."""
        if self._listener is not None:
            self._listener(self.step())

    @property
    def _bytes(self) -> int:
        """Hashed so far, for a stage that hashes."""
        return self._bytes_before + self._hashed if self._bytes_total else 0

    def step(self) -> Step:
        """How far it is now."""
        done, total = (self._bytes, self._bytes_total) if self._bytes_total else (self._done, self._total)
        taken = time.monotonic() - self._begun
        rate = int((done - self._begun_with) / taken) if taken > 0 else 0
        left = max(0, total - done) // rate if rate > 0 and total else None
        return Step(self._stage, self._done, self._total, self._bytes, self._bytes_total, rate, left)
