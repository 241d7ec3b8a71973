"""The hashes that are searched, as a table of their own keeps them beside the fingerprints.

A process reads them all before its first comparison. In the fingerprints of 100,000 photos they lie in as many places
of 8 GB, in this table side by side in 70 MB. It is written with the fingerprint, in the same unit of work. What it
lacks, or has in another form, is read of the fingerprint: it saves time and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import Connection, bindparam, or_, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from app.db import table_of
from app.errors import CatenaError
from app.matching.beginnings import Beginning, beginnings
from app.matching.errors import FingerprintError
from app.matching.models import FingerprintHashes, FingerprintRow
from app.matching.recipe import PHOTO_HASHES_END

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from app.matching.hash_rows import Words

Hashes = tuple[str, str, int, bytes | None]
"""Item, kind, index of the event, and the hashes (`packed`); None where the fingerprint failed."""

_VALUE: Final = 32  # octets of a hash; of `app.matching.format` and numpy no more is loaded than what is called needs
_ROW_OCTETS: Final = _VALUE + 1
_AT_ONCE: Final = 32  # of recordings one may have a megabyte
_KEPT = table_of(FingerprintHashes)
_MADE = table_of(FingerprintRow)
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
_PUT = text(
    "INSERT INTO fingerprint_hashes (leaf_index, item_id, algorithm, kind, data)"
    " VALUES (:leaf_index, :item_id, :algorithm, :kind, :data) ON CONFLICT (leaf_index) DO UPDATE SET"
    " item_id = excluded.item_id, algorithm = excluded.algorithm, kind = excluded.kind, data = excluded.data"
)


def packed(data: bytes, kind: str) -> bytes:
    """The hashes of a fingerprint that are neither flipped nor turned: 32 octets each, then one each, 1 for a crop.

    Args:
        data: the fingerprint; of a photo its beginning is enough.
        kind: photo or video.

    Raises:
        FingerprintError: `malformed_fingerprint`.
    """
    from app.matching.format import plain_hashes

    words, crops, _ = plain_hashes([data[:PHOTO_HASHES_END] if kind == "photo" else data])
    return words.tobytes() + crops.tobytes()


def unpacked(parts: Sequence[bytes]) -> tuple[Words, NDArray[np.bool_], NDArray[np.intp]]:
    """Many `packed`.

    Returns:
        (n, 4) words; (n) whether each is of a crop; (n) the number of its fingerprint, ascending.

    Raises:
        FingerprintError: `malformed_fingerprint`.
    """
    import numpy as np

    counts = [len(part) // _ROW_OCTETS for part in parts]
    split = [(part[: _VALUE * count], part[_VALUE * count :]) for part, count in zip(parts, counts, strict=True)]
    crops = np.frombuffer(b"".join(last for _, last in split), "u1")
    if len(crops) != sum(counts) or np.any(crops > 1):
        raise FingerprintError("malformed_fingerprint", "kept hashes have another length, or are neither crops nor not")
    words = np.frombuffer(b"".join(first for first, _ in split), "u8").reshape(-1, _VALUE // 8)
    return words, crops.astype(np.bool_), np.repeat(np.arange(len(parts)), counts)


def put_hashes(connection: Connection, row: FingerprintRow) -> None:
    """Keep the hashes of a fingerprint that is written in this unit of work; a row that claims its event is replaced.

    Raises:
        FingerprintError: `malformed_fingerprint`.
    """
    data = None if row.data is None else packed(row.data, row.kind)
    about = {"leaf_index": row.leaf_index, "item_id": row.item_id, "algorithm": row.algorithm, "kind": row.kind}
    connection.execute(_PUT, {**about, "data": data})


def newer_hashes(session: Session, algorithm: str, after: int) -> Iterator[Hashes]:
    """Hashes in the order of their fingerprints' events in the log.

    Args:
        session: the open unit of work.
        algorithm: by which version of the recipe.
        after: index of an event in the log; those after it are read.

    Raises:
        FingerprintError: `malformed_fingerprint`.
    """
    asked = {"algorithm": algorithm, "after": after}
    newer = session.connection().execute(_NEWER, asked, execution_options={"yield_per": _AT_ONCE})
    events = groupby(newer, key=lambda row: cast("int", row[0]))
    while some := {leaf: list(rows) for leaf, rows in islice(events, _AT_ONCE)}:
        # Where two fingerprints say that they are of one event, both are looked at.
        missing = [leaf for leaf, rows in some.items() if len(rows) > 1 or not _is_whole(rows[0])]
        read = _read_of_fingerprints(session, algorithm, missing) if missing else {}
        for leaf, rows in some.items():
            if leaf in read:
                yield from read[leaf]
            else:
                _, _, item, kind, data = rows[0]
                yield item, kind, leaf, data


def _is_whole(row: Sequence[Any]) -> bool:
    _, kept, _, _, data = row
    return kept is not None and (data is None or (isinstance(data, bytes) and len(data) % _ROW_OCTETS == 0))


def _read_of_fingerprints(session: Session, algorithm: str, leaves: Sequence[int]) -> dict[int, list[Hashes]]:
    read: dict[int, list[Hashes]] = {leaf: [] for leaf in leaves}
    for found in beginnings(session, leaves):
        if found[1] == algorithm:
            read[found[3]].append(_hashes_of(found))
    return read


def hashes_said(session: Session, leaves: Sequence[int]) -> dict[int, tuple[str, str, str, bytes | None]]:
    """What rows of these events must say: item, algorithm, kind, hashes. Without fingerprints that cannot be read."""
    try:
        return _said(session, leaves)
    except (CatenaError, SQLAlchemyError, UnicodeError):
        if len(leaves) == 1:
            return {}
    said: dict[int, tuple[str, str, str, bytes | None]] = {}
    for leaf in leaves:
        said |= hashes_said(session, [leaf])
    return said


def _said(session: Session, leaves: Sequence[int]) -> dict[int, tuple[str, str, str, bytes | None]]:
    said: dict[int, tuple[str, str, str, bytes | None]] = {}
    for found in beginnings(session, leaves):
        item, kind, leaf, hashes = _hashes_of(found)
        said[leaf] = item, found[1], kind, hashes
    return said


def _hashes_of(found: Beginning) -> Hashes:
    item, _, kind, leaf, start = found
    return item, kind, leaf, None if start is None else packed(start, kind)
