"""Refused tokens in small numbers: an address that goes on presenting them is turned away before the database is asked.

1. Each address has so many failures a minute; they come back evenly (a token bucket). What is turned away costs none.
2. A token that was good here before is looked up all the same, so colleagues behind the same address go on working.
   It is known by its SHA-256, and looked up like any other: one that was revoked is refused, and forgotten.
3. Memory is bounded: of addresses and of tokens the ones that were not seen for longest are forgotten first.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from app.errors import LimitError

MOST_ADDRESSES = 10_000
MOST_TOKENS = 10_000
MINUTE = 60.0


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Failures:
    """The failures of each address; safe to use from several threads."""

    def __init__(self, per_minute: int, monotonic: Callable[[], float]) -> None:
        """Set the bound.

        Args:
            per_minute: refused tokens of one address in a minute; 0 for no limit.
            monotonic: seconds that never go back.
        """
        self._per_minute = per_minute
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._good: OrderedDict[bytes, None] = OrderedDict()
        self._turned_away = 0

    @property
    def turned_away(self) -> int:
        """Requests that were answered 429 since the start."""
        return self._turned_away

    @property
    def addresses(self) -> int:
        """Addresses that are remembered."""
        return len(self._buckets)

    def enter(self, client: str, bearer: str) -> bool:
        """Let a token be looked up, or turn it away.

        What is not known to be good is charged before it is looked up: of a hundred at once, few are.

        Returns:
            Whether the address was charged; to be handed to `settle`.

        Raises:
            LimitError: `too_many_failures` (429).
        """
        if not self._per_minute:
            return False
        with self._lock:
            if _digest(bearer) in self._good:
                return False
            bucket = self._refilled(client)
            if bucket.left < 1:
                self._turned_away += 1
                wait = max(1, math.ceil((1 - bucket.left) * MINUTE / self._per_minute))
                detail = "too many refused tokens from this address; wait before you try again"
                raise LimitError("too_many_failures", detail, status=429, limit=self._per_minute, retry_after=wait)
            bucket.left -= 1
            return True

    def settle(self, client: str, bearer: str, *, charged: bool, good: bool | None) -> None:
        """Say what became of a token: good, refused, or (None) not known because something else failed."""
        if not self._per_minute:
            return
        with self._lock:
            if good is not False:
                if charged:
                    self._give_back(client)
                if good:
                    self._remember(_digest(bearer))
                return
            if not charged:
                bucket = self._refilled(client)
                bucket.left = max(0.0, bucket.left - 1)
            self._good.pop(_digest(bearer), None)

    def _give_back(self, client: str) -> None:
        bucket = self._refilled(client)
        bucket.left += 1
        if bucket.left >= self._per_minute:
            del self._buckets[client]  # nothing to remember

    def _remember(self, digest: bytes) -> None:
        self._good[digest] = None
        self._good.move_to_end(digest)
        while len(self._good) > MOST_TOKENS:
            self._good.popitem(last=False)

    def _refilled(self, client: str) -> _Bucket:
        now, full = self._monotonic(), float(self._per_minute)
        bucket = self._buckets.setdefault(client, _Bucket(full, now))
        bucket.left = min(full, bucket.left + (now - bucket.at) * full / MINUTE)
        bucket.at = now
        self._buckets.move_to_end(client)
        while len(self._buckets) > MOST_ADDRESSES:
            self._buckets.popitem(last=False)
        return bucket


def _digest(bearer: str) -> bytes:
    return hashlib.sha256(bearer.encode("utf-8", "surrogatepass")).digest()
