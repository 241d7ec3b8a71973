"""A blob store in memory: the contract of `base` without a disk, for short-lived archives and tests."""

from __future__ import annotations

import io
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from evidence_store.blobs.base import StoredBlob
from evidence_store.digests import DigestComputer, Digests, Piece, digest_stream, parse_sha256
from evidence_store.durable import coded_errors
from evidence_store.errors import EvidenceStoreError


class MemoryBlobStore:
    """Keeps blobs in a dictionary; safe to use from several threads."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}
        self._conflicts: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def stage(self) -> MemoryStagedBlob:
        """Begin a new blob."""
        return MemoryStagedBlob(self)

    def adopt(self, path: Path, digests: Digests) -> StoredBlob:
        """Read a finished file and keep its bytes."""
        with coded_errors("read a finished file"):
            data = path.read_bytes()
        if len(data) != digests.size:
            raise EvidenceStoreError("file_changed", "the finished file is not the one that was digested")
        return self.put(digests, data)

    def open(self, sha256: str) -> BinaryIO:
        """Open a blob for reading."""
        return io.BytesIO(self._bytes(sha256))

    def size(self, sha256: str) -> int:
        """Size in bytes."""
        return len(self._bytes(sha256))

    def contains(self, sha256: str) -> bool:
        """Whether a blob of this name is stored."""
        return parse_sha256(sha256) in self._blobs

    def list(self) -> Iterator[str]:
        """All stored names, sorted."""
        return iter(sorted(self._blobs))

    def conflicts(self) -> Iterator[str]:
        """Names whose good bytes were kept aside, sorted."""
        return iter(sorted(self._conflicts))

    @contextmanager
    def local_path(self, sha256: str) -> Iterator[Path]:
        """A temporary copy on disk, gone after the `with` block."""
        data = self._bytes(sha256)
        with tempfile.TemporaryDirectory(prefix="catena-blob-") as folder:
            path = Path(folder) / sha256
            path.write_bytes(data)
            yield path

    def put(self, digests: Digests, data: bytes) -> StoredBlob:
        """Store whole bytes under their digests; called by a staged blob's commit."""
        with self._lock:
            existing = self._blobs.get(digests.sha256)
            if existing is None:
                self._blobs[digests.sha256] = data
                return StoredBlob(digests, created=True)
            if digest_stream([existing]) != digests:
                self._conflicts[digests.sha256] = data
                raise EvidenceStoreError("blob_conflict", f"the stored bytes of {digests.sha256} are damaged")
            return StoredBlob(digests, created=False)

    def _bytes(self, sha256: str) -> bytes:
        try:
            return self._blobs[parse_sha256(sha256)]
        except KeyError:
            raise EvidenceStoreError("blob_missing", f"no blob {sha256}") from None


class MemoryStagedBlob:
    """Bytes on their way into a `MemoryBlobStore`."""

    def __init__(self, store: MemoryBlobStore) -> None:
        self._store = store
        self._buffer: bytearray | None = bytearray()
        self._computer = DigestComputer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

    def write(self, data: Piece) -> None:
        """Take the next bytes."""
        self._open_buffer().extend(data)
        self._computer.update(data)

    @property
    def size(self) -> int:
        """Number of bytes so far; cheaper to ask than their digests."""
        return self._computer.size

    def digests(self) -> Digests:
        """The digests of the bytes so far."""
        return self._computer.result()

    def commit(self) -> StoredBlob:
        """Store the bytes under their SHA-256."""
        data = bytes(self._open_buffer())
        self._buffer = None
        return self._store.put(self.digests(), data)

    def discard(self) -> None:
        """Forget the bytes."""
        self._buffer = None

    def _open_buffer(self) -> bytearray:
        if self._buffer is None:
            raise EvidenceStoreError("stage_closed", "the staged blob was committed or discarded")
        return self._buffer
