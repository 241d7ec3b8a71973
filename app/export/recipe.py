"""How a bundle's file is made again, byte for byte, when it is gone: everything of it but the files of the store.

A bundle is sealed once. Its signature, time stamps and all that the archive said on that day cannot be made a second
time, and another version of this program would word its README another way. So what is no file of the blob store is
kept as it was written: a recipe is the bundle with those files cut out and named by their SHA-256.

Form: zlib over one line of JSON, `{"segments": [[N] or [N, SHA256]], "v": 1}`, and after it the bytes of each
segment that names no file of the store; N is the segment's size in bytes.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

from app.errors import EnvironmentFailedError
from evidence_store.bundle import bagit, layout
from evidence_store.canonical import canonical_bytes
from evidence_store.digests import CHUNK_BYTES
from evidence_store.errors import EvidenceStoreError
from evidence_store.verify.report import Report
from evidence_store.verify.zip_reader import ZipEntry, read_entries

MAX_BYTES = 64 << 20
"""Of the kept bytes before compression; a bundle that needs more is not made again, but exported anew."""

_SHA256_HEX = 64
_LEVEL = 6


def make_recipe(bundle: BinaryIO, holds: Callable[[str], bool]) -> bytes | None:
    """The recipe of a finished bundle.

    Args:
        bundle: its ZIP, as it was written; only the kept bytes are read again.
        holds: whether the store has a file with this SHA-256 (hex).

    Returns:
        None when more would have to be kept than `MAX_BYTES`.

    Raises:
        EvidenceStoreError: `not_a_bundle` for anything but a ZIP that the writer made.
    """
    report = Report()
    entries = read_entries(bundle, report)
    if not entries or not report.ok:
        raise EvidenceStoreError("not_a_bundle", "what was written is no bundle")
    named = _payload_digests(bundle, entries)
    segments: list[list[int | str]] = []
    kept: list[tuple[int, int]] = []
    position = total = 0
    for entry in entries:
        sha256 = named.get(entry.name)
        if sha256 is None or not entry.size or not holds(sha256):
            continue
        total += entry.data_offset - position
        if total > MAX_BYTES:
            return None
        kept.append((position, entry.data_offset))
        segments += [[entry.data_offset - position], [entry.size, sha256]]
        position = entry.end
    size = bundle.seek(0, 2)
    if total + size - position > MAX_BYTES:
        return None
    kept.append((position, size))
    segments.append([size - position])
    head = canonical_bytes({"v": 1, "segments": [list(segment) for segment in segments]})
    packer = zlib.compressobj(_LEVEL)
    packed = [packer.compress(head + b"\n")]
    for start, end in kept:
        pieces = ((offset, min(CHUNK_BYTES, end - offset)) for offset in range(start, end, CHUNK_BYTES))
        packed.extend(packer.compress(_read(bundle, *piece)) for piece in pieces)
    return b"".join([*packed, packer.flush()])


def rebuilt(recipe: bytes, open_blob: Callable[[str], BinaryIO]) -> Iterator[bytes]:
    """The bundle's bytes again, a limited number at a time; whoever takes them compares their digest.

    Raises:
        EnvironmentFailedError: `recipe_damaged`.
        EvidenceStoreError: `blob_missing` and others of the store.
    """
    try:
        head, _, kept = zlib.decompress(recipe).partition(b"\n")
        segments = [(int(size), str(rest[0]) if rest else None) for size, *rest in json.loads(head)["segments"]]
    except (zlib.error, ValueError, TypeError, KeyError, RecursionError) as error:
        raise EnvironmentFailedError("recipe_damaged", "how the bundle was made cannot be read", status=500) from error
    position = 0
    for size, sha256 in segments:
        if sha256 is None:
            yield kept[position : position + size]
            position += size
            continue
        with open_blob(sha256) as stream:
            while chunk := stream.read(CHUNK_BYTES):
                yield chunk


def digest_of(chunks: Iterator[bytes], write: Callable[[bytes], object]) -> tuple[str, int]:
    """SHA-256 (hex) and number of bytes that were written on the way."""
    computer, size = hashlib.sha256(), 0
    for chunk in chunks:
        computer.update(chunk)
        size += len(chunk)
        write(chunk)
    return computer.hexdigest(), size


def _payload_digests(bundle: BinaryIO, entries: list[ZipEntry]) -> dict[str, str]:
    """SHA-256 of each payload file, as the bundle itself says."""
    for entry in entries:
        if entry.name == layout.MANIFEST_SHA256:
            return bagit.parse_manifest(_read(bundle, entry.data_offset, entry.size), _SHA256_HEX)
    raise EvidenceStoreError("not_a_bundle", f"what was written has no {layout.MANIFEST_SHA256}")


def _read(stream: BinaryIO, offset: int, length: int) -> bytes:
    stream.seek(offset)
    data = stream.read(length)
    if len(data) != length:
        raise EvidenceStoreError("not_a_bundle", "what was written is shorter than it says")
    return data
