"""Room on the disk: what is free, less what is on its way, may not go below the reserve.

What is on its way is what resumable uploads still want (their rows say so, also to other processes) and what announced
bodies of this process have not written yet. So ten bodies that would each fit alone do not run past the reserve
together. A body that announces no size takes room in steps, as it comes.

A promise to an upload lapses when nothing of it was committed for an hour: whoever promises much and sends nothing
holds the disk against nobody for longer. What it has stays, and when it goes on it must find its room again.
"""

from __future__ import annotations

import shutil
import threading

from sqlmodel import col, func, select

from app.clock import Clock, later
from app.config import Settings
from app.db import Database
from app.errors import EnvironmentFailedError
from app.intake.models import Upload
from app.intake.upload_rows import WANTING

STEP_BYTES = 64 << 20
"""Room that a body without a size takes at once."""
PROMISE_SECONDS = 3600.0
"""So long after its creation or its last commit the room of an upload is kept."""


class Held:
    """Room that was promised to one body; what is written is on the disk, and no longer promised."""

    def __init__(self, room: Room, size: int) -> None:
        """Made by `Room.hold`."""
        self._room = room
        self._left = size

    def need(self, size: int) -> None:
        """So many bytes are about to be written: a body that said less takes another step of room.

        Raises:
            EnvironmentFailedError: `storage_full` (507).
        """
        if size <= self._left:
            return
        more = size - self._left
        try:
            self._room.take(step := max(STEP_BYTES, more))
        except EnvironmentFailedError:
            self._room.take(step := more)  # there may be room for these, though not for a whole step
        self._left += step

    def wrote(self, size: int) -> None:
        """So many bytes have reached the disk."""
        self._room.give_back(gone := min(size, self._left))
        self._left -= gone

    def release(self) -> None:
        """Nothing more comes."""
        self.wrote(self._left)


class Room:
    """The room of one archive, as this process knows it; safe to use from several threads."""

    def __init__(self, settings: Settings, db: Database, clock: Clock) -> None:
        """Bind to an archive's disk."""
        self._settings = settings
        self._db = db
        self._clock = clock
        self._lock = threading.Lock()
        self._held = 0

    @property
    def free(self) -> int:
        """Free bytes of the disk."""
        return shutil.disk_usage(self._settings.data).free

    @property
    def reserve(self) -> int:
        """Bytes that nothing that comes in may take."""
        return self._settings.disk_reserve_bytes

    @property
    def promised(self) -> int:
        """Bytes that bodies under way have announced and not yet written."""
        return self._held

    def check(self, wanted: int = 0) -> None:
        """Refuse what would eat the reserve, or what announced bodies were promised; as it goes, so no row is asked.

        Raises:
            EnvironmentFailedError: `storage_full` (507).
        """
        if self.free - self._held - wanted < self.reserve:
            raise storage_full()

    def hold(self, size: int) -> Held:
        """Promise room to a body, or refuse it.

        Raises:
            EnvironmentFailedError: `storage_full` (507).
        """
        self.take(size)
        return Held(self, size)

    def take(self, size: int) -> None:
        """Promise so much more, or refuse it.

        Raises:
            EnvironmentFailedError: `storage_full` (507).
        """
        with self._lock:
            if self.free - self._held - self._uploads() - size < self.reserve:
                raise storage_full()
            self._held += size

    def require_reserve(self) -> None:
        """Refuse to keep more of a resumable upload, which has its promise, while others have eaten into the reserve.

        Raises:
            EnvironmentFailedError: `storage_full` (507).
        """
        if self.free < self.reserve:
            raise _no_room_now()

    def has_lapsed(self, upload: Upload) -> bool:
        """Whether the room that was promised to an upload is kept no longer."""
        return upload.updated_at < self._moved_since()

    def hold_again(self, upload: Upload) -> Held:
        """Promise room to an upload that goes on after its promise has lapsed, or refuse it.

        Raises:
            EnvironmentFailedError: `storage_full` (507).
        """
        try:
            return self.hold(upload.size - upload.committed)
        except EnvironmentFailedError:
            raise _no_room_now() from None

    def give_back(self, size: int) -> None:
        """Promise so much less."""
        with self._lock:
            self._held -= size

    def _uploads(self) -> int:
        kept = col(Upload.state).in_(WANTING) & (col(Upload.updated_at) >= self._moved_since())
        with self._db.read() as session:
            wanting = select(func.sum(col(Upload.size) - col(Upload.committed))).where(kept)
            return int(session.exec(wanting).one() or 0)

    def _moved_since(self) -> str:
        return later(self._clock(), -PROMISE_SECONDS)


def storage_full() -> EnvironmentFailedError:
    """The disk has no room (507)."""
    detail = "the archive's disk has no room for this and for what is under way; nothing was kept"
    return EnvironmentFailedError("storage_full", detail, status=507)


def _no_room_now() -> EnvironmentFailedError:
    detail = "the archive's disk has no room now; what was committed is kept, go on from there later"
    return EnvironmentFailedError("storage_full", detail, status=507)
