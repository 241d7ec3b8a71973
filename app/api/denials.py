"""Refused tokens as custody events: recorded, but not so that a flood of them could fill the log."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

from pydantic import JsonValue

from app.access.denials import Window
from app.archive import Archive
from schemas.records.v1.event import Actor

NOBODY = Actor(id="unknown", name="not authenticated", auth="none")
WINDOW_SECONDS = 60.0
MOST_IN_WINDOW = 30
_TOKEN = re.compile(r"catena_([0-9a-f]{32})_", re.ASCII)


class TokenDenials:
    """Records at most 30 refused tokens a minute; the next one tells how many were left out."""

    def __init__(self, archive: Archive, monotonic: Callable[[], float]) -> None:
        """Bind to an archive.

        Args:
            archive: whose log it is.
            monotonic: seconds that never go back.
        """
        self._archive = archive
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._recent = Window(MOST_IN_WINDOW, WINDOW_SECONDS)
        self._left_out = 0

    @property
    def left_out(self) -> int:
        """Refusals not recorded since the last one that was."""
        return self._left_out

    def leave_out(self) -> None:
        """Count a refusal that is not recorded one by one: who was turned away before anything was looked up."""
        with self._lock:
            self._left_out += 1

    def record(self, bearer: str, reason: str, attempted: str) -> bool:
        """Write a refusal into the log, unless there were too many.

        Args:
            bearer: what was presented; only a token's public id is recorded, never its secret.
            reason: why it was refused.
            attempted: method and path.

        Returns:
            Whether it was recorded.
        """
        details: dict[str, JsonValue] = {"attempted": attempted, "reason": reason}
        token = _TOKEN.match(bearer)
        if token is not None:
            details["token"] = token[1]
        with self._lock:
            now = self._monotonic()
            if self._recent.is_full(now):
                self._left_out += 1
                return False
            self._recent.count(now)
            details["left_out_before"], self._left_out = self._left_out, 0
        about = f"archive:{self._archive.identity.id}"
        with self._archive.db.write() as session:
            self._archive.custody.record(session, about, "access denied", NOBODY, details=details)
        return True
