"""The contract of every blob store, in prose and in types.

A blob is a sequence of bytes named by its SHA-256. The store is write-once: there is no call that
changes or removes a blob.

- *Staging*: bytes are written to a staged blob, which nobody can see. Leaving its `with` block
  without `commit` discards it; so does a failed write or commit. Nothing half-written is ever visible.
- *Durable on return*: once `commit` returns, the blob survives a power cut.
- *The same bytes twice*: the second commit re-reads the stored blob, finds it equal and returns
  `created=False`. There is one copy.
- *Another body never overwrites*: when the stored blob turns out to be damaged, it stays as it is, as
  evidence; the good bytes are kept aside under `conflicts` and `commit` raises `blob_conflict`.
- *Adopting*: a finished file that is on disk already becomes a blob without being copied where the backend
  can do that. Its digests are the caller's word, who computed them from these very bytes; all else is as
  with `commit`, also when it is repeated. The file keeps its name until the caller removes it, and from
  then on is never written to: it may be the blob itself.
- *Reading does not verify*: `open` returns the stored bytes as they are. Whoever relies on them hashes
  them again.

Errors are `EvidenceStoreError`: `blob_missing`, `blob_irregular` (what has the name is not a plain file),
`blob_conflict`, `file_changed` (an adopted file has another size than its digests say), `stage_closed`,
`digest_form`, `storage_full`, `storage_failed`, `bad_location`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from evidence_store.digests import Digests, Piece


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """What a commit did.

    Attributes:
        digests: of the committed bytes.
        created: False when the same bytes were stored already.
    """

    digests: Digests
    created: bool


class StagedBlob(Protocol):
    """Bytes on their way in; one writer, used in a `with` block."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def write(self, data: Piece) -> None:
        """Take the next bytes. Raises `stage_closed`, `storage_full`, `storage_failed`, `digests_broken`."""

    @property
    def size(self) -> int:
        """Number of bytes so far; cheaper to ask than their digests."""

    def digests(self) -> Digests:
        """The digests of the bytes so far."""

    def commit(self) -> StoredBlob:
        """Store the bytes under their SHA-256, durably. Raises also `blob_conflict`."""

    def discard(self) -> None:
        """Forget the bytes; does nothing after `commit` or a second time."""


class BlobStore(Protocol):
    """A write-once store of bytes by SHA-256 (64 lowercase hex characters)."""

    def stage(self) -> StagedBlob:
        """Begin a new blob."""

    def adopt(self, path: Path, digests: Digests) -> StoredBlob:
        """Store a finished file, durably; on a local store it must lie on the same file system.

        Raises `file_changed`, `blob_conflict`, `storage_full`, `storage_failed`.
        """

    def open(self, sha256: str) -> BinaryIO:
        """Open a blob for reading from its first byte; the stream is seekable. Raises `blob_missing`."""

    def size(self, sha256: str) -> int:
        """Size in bytes. Raises `blob_missing`."""

    def contains(self, sha256: str) -> bool:
        """Whether a blob of this name is stored; says nothing about its bytes."""

    def list(self) -> Iterator[str]:
        """All stored names, sorted."""

    def local_path(self, sha256: str) -> AbstractContextManager[Path]:
        """A path to the bytes, valid within the `with` block, read only. Raises `blob_missing`."""
