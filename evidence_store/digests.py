"""Fixity: every digest of a file, computed in one pass.

SHA-256 names and binds the bytes, SHA-512 hedges against a weakness of SHA-256, CRC-32 is what a
ZIP entry needs before it is streamed, and the size is in bytes. Standard library only.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from evidence_store.errors import EvidenceStoreError

CHUNK_BYTES = 1 << 20
"""How much of a file is held in memory while it is read."""

Piece = bytes | memoryview
"""Some of the bytes of a file. A view may show other bytes as soon as it is released; who needs it longer takes one."""

_SHA256_FORM = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Digests:
    """The fixity of one sequence of bytes.

    Attributes:
        sha256: 64 lowercase hex characters (FIPS 180-4).
        sha512: 128 lowercase hex characters (FIPS 180-4).
        crc32: unsigned, as in ZIP (ISO 3309).
        size: in bytes.
    """

    sha256: str
    sha512: str
    crc32: int
    size: int


class DigestComputer:
    """Takes bytes as they arrive and knows the digests of all bytes so far."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._sha512 = hashlib.sha512()
        self._sha512_size = 0
        self._crc32 = 0
        self._size = 0

    @property
    def size(self) -> int:
        """Number of bytes so far."""
        return self._size

    def copy(self) -> DigestComputer:
        """Another computer that stands where this one stands, and goes on by itself."""
        other = DigestComputer()
        self._copy_into(other)
        return other

    def update(self, data: Piece) -> None:
        """Take the next bytes."""
        self._update_sha512(data)  # first: it may go on while the others are computed
        self._sha256.update(data)
        self._crc32 = zlib.crc32(data, self._crc32)
        self._size += len(data)

    def result(self) -> Digests:
        """The digests of all bytes so far; more may follow.

        Raises:
            EvidenceStoreError: `digests_broken` when they are not all of the same bytes: taking a piece has failed.
        """
        self._require_same_size()
        return Digests(self._sha256.hexdigest(), self._sha512.hexdigest(), self._crc32, self._size)

    def _update_sha512(self, data: Piece) -> None:
        self._sha512.update(data)
        self._sha512_size += len(data)

    def _copy_into(self, other: DigestComputer) -> None:
        self._require_same_size()
        other._sha256, other._sha512 = self._sha256.copy(), self._sha512.copy()
        other._sha512_size, other._crc32, other._size = self._sha512_size, self._crc32, self._size

    def _require_same_size(self) -> None:
        """SHA-512 is taken first and the size last, so whatever fails in between shows here."""
        if self._sha512_size != self._size:
            raise EvidenceStoreError("digests_broken", "the digests are of different bytes; compute them again")


def digest_stream(chunks: Iterable[bytes]) -> Digests:
    """Digest an iterable of byte chunks in one pass."""
    computer = DigestComputer()
    for chunk in chunks:
        computer.update(chunk)
    return computer.result()


def digest_file(path: Path) -> Digests:
    """Digest a file, holding at most `CHUNK_BYTES` in memory.

    Raises:
        EvidenceStoreError: `file_unreadable` when the operating system refuses to read it.
    """
    try:
        with path.open("rb") as stream:
            return digest_stream(iter(lambda: stream.read(CHUNK_BYTES), b""))
    except OSError as error:
        raise EvidenceStoreError("file_unreadable", f"{path.name}: {error.strerror}") from error


def parse_sha256(text: str) -> str:
    """Return the text when it is a SHA-256 in the archive's form: 64 lowercase hex characters.

    Raises:
        EvidenceStoreError: `digest_form` for anything else.
    """
    if not _SHA256_FORM.fullmatch(text):
        raise EvidenceStoreError("digest_form", "a SHA-256 is 64 lowercase hexadecimal characters")
    return text
