"""The hashes that are searched, as a table of their own keeps them beside the fingerprints.

A process reads them all before its first comparison. In the fingerprints of 100,000 photos they lie in as many places
of 8 GB, in this table side by side in 70 MB. It is written with the fingerprint, in the same unit of work.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, bindparam, or_, select
from sqlmodel import Session

from app.custody.bulk import put_rows
from app.db import table_of
from app.matching.beginnings import beginnings
from app.matching.errors import FingerprintError
from app.matching.format import PHOTO_HASHES_END, plain_hashes
from app.matching.hash_rows import ROW_BYTES, Words
from app.matching.models import FingerprintHashes, FingerprintRow

_KEPT = table_of(FingerprintHashes)
_MADE = table_of(FingerprintRow)
_AT_ONCE: Final = 32  # of recordings one may have a megabyte
_COLUMNS: Final = ("leaf_index", "item_id", "algorithm", "kind", "data")
# From the fingerprints' index to the table, so that what is missing here is noticed without looking at a fingerprint.
_NEWER = (
    select(_MADE.c.leaf_index, _KEPT.c.leaf_index, _KEPT.c.item_id, _KEPT.c.kind, _KEPT.c.data)
    .select_from(_MADE.outerjoin(_KEPT, _KEPT.c.leaf_index == _MADE.c.leaf_index))
    .where(
        _MADE.c.leaf_index > bindparam("after"),
        or_(_KEPT.c.leaf_index.is_(None), _KEPT.c.algorithm == bindparam("algorithm")),
    )
    .order_by(_MADE.c.leaf_index)
)

_ALGORITHMS = select(_MADE.c.algorithm, _MADE.c.leaf_index).where(
    _MADE.c.leaf_index.in_(bindparam("leaves", expanding=True))
)


def packed(data: bytes, kind: str) -> bytes:
    """The hashes of a fingerprint that are neither flipped nor turned: 32 octets each, then one each, 1 for a crop.

    Args:
        data: the fingerprint; of a photo its beginning is enough.
        kind: photo or video.

    Raises:
        FingerprintError: `malformed_fingerprint`.
    """
    words, crops, _ = plain_hashes([data[:PHOTO_HASHES_END] if kind == "photo" else data])
    return words.tobytes() + crops.tobytes()


def unpacked(parts: Sequence[bytes]) -> tuple[Words, NDArray[np.bool_], NDArray[np.intp]]:
    """The hashes of many fingerprints.

    Returns:
        (n, 4) words; (n) whether each is of a crop; (n) the number of its fingerprint, ascending.

    Raises:
        FingerprintError: `malformed_fingerprint`.
    """
    counts = [len(part) // (ROW_BYTES + 1) for part in parts]
    crops = np.frombuffer(b"".join(part[ROW_BYTES * count :] for part, count in zip(parts, counts, strict=True)), "u1")
    if len(crops) != sum(counts) or np.any(crops > 1):
        raise FingerprintError("malformed_fingerprint", "kept hashes have another length, or are neither crops nor not")
    words = np.frombuffer(b"".join(part[: ROW_BYTES * count] for part, count in zip(parts, counts, strict=True)), "u8")
    return words.reshape(-1, ROW_BYTES // 8), crops.astype(np.bool_), np.repeat(np.arange(len(parts)), counts)


def put_hashes(connection: Connection, row: FingerprintRow) -> None:
    """Keep the hashes of a fingerprint that is written in this unit of work.

    Raises:
        FingerprintError: `malformed_fingerprint`.
    """
    data = None if row.data is None else packed(row.data, row.kind)
    put_rows(connection, _KEPT, _COLUMNS, [(row.leaf_index, row.item_id, row.algorithm, row.kind, data)])


def newer_hashes(session: Session, algorithm: str, after: int) -> Iterator[tuple[str, str, int, bytes | None]]:
    """Hashes in the order of their fingerprints' events in the log.

    Args:
        session: the open unit of work.
        algorithm: by which version of the recipe.
        after: index of an event in the log; those after it are read.

    Yields:
        Item, kind, index of its event, and the hashes (`packed`); None where the fingerprint failed.

    Raises:
        FingerprintError: `malformed_fingerprint`.
    """
    newer = session.connection().execute(_NEWER, {"algorithm": algorithm, "after": after})
    for rows in newer.yield_per(_AT_ONCE).partitions():
        missing = [leaf for leaf, kept, *_ in rows if kept is None]
        read = {found[2]: found for found in beginnings(session, algorithm, missing)} if missing else {}
        for leaf, kept, item, kind, data in rows:
            if kept is not None:
                yield item, kind, leaf, data
            elif leaf in read:  # of an archive of before, or somebody deleted the row: read of the fingerprint
                yield _read_of(*read[leaf])


def _read_of(item: str, kind: str, leaf: int, start: bytes | None) -> tuple[str, str, int, bytes | None]:
    return item, kind, leaf, None if start is None else packed(start, kind)


def hashes_said(session: Session, leaves: Sequence[int]) -> dict[int, tuple[str, str, str, bytes | None]]:
    """What rows of these events must say: item, algorithm, kind, hashes. Without fingerprints that cannot be read."""
    made = session.connection().execute(_ALGORITHMS, {"leaves": leaves}).all()
    said: dict[int, tuple[str, str, str, bytes | None]] = {}
    for algorithm in {algorithm for algorithm, _ in made}:
        own = [leaf for other, leaf in made if other == algorithm]
        for item, kind, leaf, start in beginnings(session, algorithm, own):
            try:
                said[leaf] = item, algorithm, kind, None if start is None else packed(start, kind)
            except FingerprintError:
                continue  # audits find it altered
    return said
