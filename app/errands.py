"""Asking others: what may come of it, and threads that each ask one party. HTTP itself is in `app.outgoing`."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.errors import CatenaError
from evidence_store.errors import EvidenceStoreError

log = logging.getLogger("catena.outgoing")


class NoAnswerError(Exception):
    """The answer did not come in time, or the exchange failed in some other way; the text says how."""


class TooLargeError(Exception):
    """The answer has more bytes than it may."""


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer.

    Attributes:
        status: of HTTP.
        body: whole.
    """

    status: int
    body: bytes


class Errands:
    """Threads that each ask one party.

    A thread that is not done when nobody waits for it any more is left to its own time limits. Until it has ended, no
    other is begun for the same party: one that never answers holds one thread, not one for each time that it is asked.
    """

    def __init__(self, name: str) -> None:
        """Name the threads."""
        self._name = name
        self._lock = threading.Lock()
        self._left: dict[str, list[threading.Thread]] = {}

    def run(self, works: Sequence[tuple[str, Callable[[], object]]], seconds: float) -> None:
        """Run all at once, so that a slow party holds up no other, and wait at most so long.

        Args:
            works: each with the party that it asks; left out when a thread of that party was left behind and lives.
            seconds: how long is waited.

        Raises:
            CatenaError: or an `EvidenceStoreError`: the first that one of them raised.
        """
        failures: list[CatenaError | EvidenceStoreError] = []

        def caught(work: Callable[[], object]) -> None:
            try:
                work()
            except (CatenaError, EvidenceStoreError) as error:
                failures.append(error)

        begun: list[tuple[str, threading.Thread]] = []
        deadline = time.monotonic() + seconds
        for party, work in works:
            if self._is_held(party):
                log.warning("%s still holds the thread that asked last; no other is begun", party)
                continue
            thread = threading.Thread(target=caught, args=(work,), name=self._name, daemon=True)
            thread.start()
            begun.append((party, thread))
        for party, thread in begun:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                with self._lock:
                    self._left.setdefault(party, []).append(thread)
        if failures:
            raise failures[0]

    def _is_held(self, party: str) -> bool:
        with self._lock:
            alive = [each for each in self._left.pop(party, ()) if each.is_alive()]
            if alive:
                self._left[party] = alive
            return bool(alive)
