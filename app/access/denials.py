"""Denied attempts of known users: recorded, but not so that one of them could fill the log, which never shrinks.

1. At most 30 a minute and user are recorded one by one; of each right, the first within an hour always is.
2. What is left out is counted, and told by the next event: that of the next attempt which is recorded, else one of its
   own within a minute (`Access.tell_left_out`).
3. Only user and right decide whether an attempt is recorded, never its object: otherwise the public size of the log
   would tell an outsider which of the cases that he guesses exist.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from schemas.records.v1.event import Actor

log = logging.getLogger("catena.access")

WINDOW_SECONDS = 60.0
MOST_IN_WINDOW = 30
FIRST_SECONDS = 3600.0
"""An attempt at a right that was not recorded for so long is recorded, however many others were."""


class Window:
    """At most so many within the last seconds; not for several threads at once."""

    def __init__(self, most: int, seconds: float) -> None:
        """Nothing has been counted yet."""
        self._most, self._seconds = most, seconds
        self._recent: deque[float] = deque()

    def is_full(self, now: float) -> bool:
        """Whether no more may come now; times in seconds that never go back."""
        while self._recent and now - self._recent[0] >= self._seconds:
            self._recent.popleft()
        return len(self._recent) >= self._most

    def count(self, now: float) -> None:
        """One more has come, in time or in spite of the bound."""
        self._recent.append(now)


@dataclass(slots=True)
class _OfUser:
    """What is remembered of one user; times in seconds that never go back.

    Attributes:
        actor: the user, as events name them.
        recent: attempts that were recorded within the last minute.
        last: when an attempt at each right was last recorded.
        left_out: how many attempts at each right were not recorded since the last event that told of any.
    """

    actor: Actor
    recent: Window = field(default_factory=lambda: Window(MOST_IN_WINDOW, WINDOW_SECONDS))
    last: dict[str, float] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)


class UserDenials:
    """Which denied attempts are recorded one by one; safe to use from several threads."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Nothing was denied yet.

        Args:
            monotonic: seconds that never go back.
        """
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._of: dict[str, _OfUser] = {}

    @property
    def left_out(self) -> int:
        """Attempts of all users that no event has told of yet."""
        with self._lock:
            return sum(one.left_out.total() for one in self._of.values())

    def admit(self, actor: Actor, attempted: str) -> Counter[str] | None:
        """Ask whether an attempt is recorded.

        Returns:
            How many attempts at each right were left out before, for its event to tell; None when it is left out, too.
        """
        with self._lock:
            now = self._monotonic()
            of = self._of.setdefault(actor.id, _OfUser(actor))
            first = attempted not in of.last or now - of.last[attempted] >= FIRST_SECONDS
            if of.recent.is_full(now) and not first:
                if not of.left_out:
                    log.warning("user %s is denied so much that it is counted and not recorded one by one", actor.id)
                of.left_out[attempted] += 1
                return None
            of.recent.count(now)
            of.last[attempted] = now
            told, of.left_out = of.left_out, Counter()
            return told

    def untold(self) -> list[Actor]:
        """Users of whom attempts were left out."""
        with self._lock:
            return [one.actor for one in self._of.values() if one.left_out]

    def take(self, actor: Actor) -> Counter[str]:
        """What was left out of a user, to be told in an event of its own."""
        with self._lock:
            of = self._of[actor.id]
            told, of.left_out = of.left_out, Counter()
            return told

    def put_back(self, actor: Actor, untold: Counter[str]) -> None:
        """The event that should have told this could not be written: the next one does."""
        with self._lock:
            self._of.setdefault(actor.id, _OfUser(actor)).left_out.update(untold)
