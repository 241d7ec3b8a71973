"""Writes a bundle as one ZIP, in one pass and with flat memory.

Every entry is stored without compression, its size and CRC-32 in the local header and no data descriptor: that is what
the strictest readers take (Java's ZipInputStream), and it lets the verifier account for every byte of the file. The
same plan always gives the same bytes, but for the signature, which is the last entry.

Invariant: no signature is made before every other byte was found to be what the plan said, and was written, but for
the last ones that wait for a whole piece.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, nullcontext
from datetime import UTC, datetime
from types import GeneratorType
from typing import TYPE_CHECKING, Protocol

from evidence_store.bundle import layout
from evidence_store.bundle.contents import BundleFile, bundle_files
from evidence_store.bundle.plan import BundlePlan, BundleResult
from evidence_store.digests import CHUNK_BYTES, digest_stream
from evidence_store.errors import EvidenceStoreError
from evidence_store.side_hashes import side_hashes

if TYPE_CHECKING:  # it loads a library of ciphers that is of no use here, so only who writes a bundle waits for it
    from stream_zip import MemberFile

# From here on an entry needs 64-bit sizes and offsets; well below 4 GiB to leave room for headers.
ZIP64_FROM = 0xFFFF_0000
_MODE = stat.S_IFREG | 0o644
_HEADER_BYTES = 30 + 20
_FIRST_YEAR, _LAST_YEAR = 1980, 2107  # what a ZIP's DOS date can say


class Out(Protocol):
    """Takes a bundle."""

    def write(self, data: bytes, /) -> int:
        """Take the next bytes, all of them."""


def write_bundle(out: Out, plan: BundlePlan, seal: Callable[[bytes], bytes]) -> BundleResult:
    """Write a bundle.

    Args:
        out: takes the ZIP's bytes in order; nothing is read back. After an error what was written is no bundle (it has
            no signature and no central directory) and the caller discards it.
        plan: what to write.
        seal: makes the detached CAdES signature (DER) over the ASiCManifest's bytes; called once, at the end.

    Raises:
        EvidenceStoreError: `bundle_plan_invalid`; `fixity_mismatch` when an original's bytes are not those that the
            plan's digests name; or what `seal` raises. What `out` and the originals' readers raise passes through.
    """
    from stream_zip import ZipIntegrityError, stream_zip

    files = bundle_files(plan)
    size = 0
    with side_hashes("sha256") as whole:
        members = _members(files, plan.created_at, seal)
        try:
            for chunk in stream_zip(members, chunk_size=CHUNK_BYTES, extended_timestamps=False):
                whole.update(chunk)
                out.write(chunk)
                size += len(chunk)
        except ZipIntegrityError as error:
            raise _mismatch("a file of the store") from error
        (sha256,) = whole.hexdigests()
    return BundleResult(
        sha256=sha256,
        size=size,
        files=len(files) + 1,
        sealed_list_sha256=files[-1].digests.sha256,
    )


def _members(files: list[BundleFile], created_at: str, seal: Callable[[bytes], bytes]) -> Iterator[MemberFile]:
    modified = datetime.fromisoformat(created_at).astimezone(UTC)
    if not _FIRST_YEAR <= modified.year <= _LAST_YEAR:
        raise EvidenceStoreError("bundle_plan_invalid", f"a ZIP cannot say {created_at}")
    offset = 0
    for file in files:
        yield _member(file.path, file.digests.size, file.digests.crc32, offset, modified, _checked(file))
        offset += _HEADER_BYTES + len(file.path) + file.digests.size
    signature = seal(b"".join(files[-1].chunks()))
    known = digest_stream((signature,))
    yield _member(layout.SEAL, known.size, known.crc32, offset, modified, (signature,))


def _member(path: str, size: int, crc32: int, offset: int, modified: datetime, chunks: Iterable[bytes]) -> MemberFile:
    from stream_zip import NO_COMPRESSION_32, NO_COMPRESSION_64

    method = NO_COMPRESSION_64 if offset + size >= ZIP64_FROM else NO_COMPRESSION_32
    return path, modified, _MODE, method(size, crc32), chunks


def _checked(file: BundleFile) -> Iterator[bytes]:
    """A file's bytes, which must be those that its digests name, by SHA-256 and size.

    Its CRC-32 is compared where the ZIP is made, before the next file begins (stream_zip, `ZipIntegrityError`).
    Its SHA-512 is not computed again: the digest comes from the pass that computed SHA-256, and the ingestion event
    names both. Whoever receives the bundle computes it (ADR 0033).
    """
    sha256, received = hashlib.sha256(), 0
    source = file.chunks()
    # an aborted bundle must not leave the original's file open
    with closing(source) if isinstance(source, GeneratorType) else nullcontext():
        for chunk in source:
            received += len(chunk)
            if received > file.digests.size:
                break
            sha256.update(chunk)
            yield chunk
    if (sha256.hexdigest(), received) != (file.digests.sha256, file.digests.size):
        raise _mismatch(file.path)


def _mismatch(path: str) -> EvidenceStoreError:
    return EvidenceStoreError("fixity_mismatch", f"{path}: its bytes are not those that the archive received")
