"""The media bytes of a proxy on their way: bounded by a ceiling and by the room on the disk."""

from __future__ import annotations

import shutil
import tempfile
from types import TracebackType
from typing import Self

from app.analysis.errors import SandboxFailure
from app.analysis.limits import MEBIBYTE
from app.config import Settings
from app.errors import EnvironmentFailedError
from evidence_store.blobs.base import StagedBlob
from evidence_store.digests import CHUNK_BYTES
from evidence_store.durable import coded_errors

ROOM_EVERY = 16 * MEBIBYTE


class Spool:
    """A file without a name on the archive's disk: gone with the process, whatever happens; used in a `with` block."""

    def __init__(self, settings: Settings, most: int) -> None:
        """Open it.

        Args:
            settings: of the archive.
            most: bytes that it takes.

        Raises:
            EnvironmentFailedError: `storage_full`.
            EvidenceStoreError: `storage_full`, `storage_failed`.
        """
        self._settings = settings
        self._most = most
        self._size = self._asked_at = 0
        self._require_room()
        with coded_errors("open a file for a proxy"):
            self._file = tempfile.TemporaryFile(dir=settings.data)  # noqa: SIM115 (closed by __exit__)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def take(self, data: bytes) -> None:
        """Keep the next bytes.

        Raises:
            SandboxFailure: `output_too_large`.
            EnvironmentFailedError: `storage_full`.
            EvidenceStoreError: `storage_full`, `storage_failed`.
        """
        self._size += len(data)
        if self._size > self._most:
            raise SandboxFailure("output_too_large", f"the proxy passed {self._most} bytes")
        if self._size - self._asked_at > ROOM_EVERY:
            self._require_room()
        with coded_errors("write a proxy"):
            self._file.write(data)

    def put_behind(self, front: bytes, staged: StagedBlob) -> None:
        """Write the whole file: index first."""
        self._require_room()
        staged.write(front)
        with coded_errors("read a proxy again"):
            self._file.seek(0)
            while chunk := self._file.read(CHUNK_BYTES):
                staged.write(chunk)

    def _require_room(self) -> None:
        """Uploads and the log go before working copies.

        Raises:
            EnvironmentFailedError: `storage_full`.
        """
        self._asked_at = self._size
        with coded_errors("ask for free space"):
            free = shutil.disk_usage(self._settings.data).free
        if free - self._size - 2 * ROOM_EVERY < self._settings.disk_reserve_bytes:  # once more for the stored copy
            raise EnvironmentFailedError("storage_full", "no room for a working copy", status=507)
