"""Filling the index in PostgreSQL by COPY: a million rows have sixteen million bands, too many to insert one by one.

Bands go in batches, each in order of its keys: so a batch walks once along the index instead of jumping in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

import numpy as np
from sqlalchemy import text
from sqlalchemy.engine import Connection

from app.matching.errors import FingerprintError
from app.matching.index import ROW_BYTES
from app.matching.multi_index import BAND_BITS

COPIED: Final = 65_536  # rows in a batch: 23 MB of bands
# PostgreSQL's binary COPY: a head, then of each row the number of fields and each field's length and value.
_HEAD: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TAIL: Final = b"\xff\xff"
_BAND: Final = np.dtype([("fields", ">i2"), ("l1", ">i4"), ("key", ">i4"), ("l2", ">i4"), ("row", ">i8")])
_IDS: Final = text("SELECT nextval(pg_get_serial_sequence('hash_index_row', 'id')) FROM generate_series(1, :count)")


def copy_all(connection: Connection, items: Iterable[tuple[str, Sequence[bytes]]]) -> None:
    """Add the rows of all items, in the connection's transaction; no row of theirs may be there already.

    Raises:
        FingerprintError: `malformed_fingerprint` unless every row has 32 bytes.
    """
    driver: Any = connection.connection.driver_connection
    numbered = _numbered(items)
    while part := list(islice(numbered, COPIED)):
        ids = np.array(connection.execute(_IDS, {"count": len(part)}).scalars().all(), np.int64)
        with (
            driver.cursor() as cursor,
            cursor.copy("COPY hash_index_row (id, item, number, value) FROM STDIN") as copy,
        ):
            for number, (item, at, value) in zip(ids.tolist(), part, strict=True):
                copy.write_row((number, item, at, value))
        with (
            driver.cursor() as cursor,
            cursor.copy("COPY hash_index_band (key, row) FROM STDIN (FORMAT BINARY)") as copy,
        ):
            copy.write(_HEAD)
            copy.write(_bands(ids, b"".join(value for _, _, value in part)))
            copy.write(_TAIL)
    # Without fresh statistics the planner reads the whole table for each search: 600 ms instead of a few.
    connection.execute(text("ANALYZE hash_index_row, hash_index_band"))


def _numbered(items: Iterable[tuple[str, Sequence[bytes]]]) -> Iterator[tuple[str, int, bytes]]:
    counts: Counter[str] = Counter()
    for item, rows in items:
        for row in rows:
            if len(row) != ROW_BYTES:
                raise FingerprintError("malformed_fingerprint", "a hash has 32 bytes")
            yield item, counts[item], bytes(row)
            counts[item] += 1


def _bands(ids: np.ndarray[Any, np.dtype[np.int64]], values: bytes) -> bytes:
    """The 16 bands of each row in binary COPY form, in order of their keys."""
    parts = np.frombuffer(values, ">u2").reshape(len(ids), -1).astype(np.int64)
    keys = (parts | (np.arange(parts.shape[1]) << BAND_BITS)).ravel()
    order = np.argsort(keys, kind="stable")
    made = np.empty(len(keys), _BAND)
    made["fields"], made["l1"], made["l2"] = 2, 4, 8
    made["key"], made["row"] = keys[order], np.repeat(ids, parts.shape[1])[order]
    return made.tobytes()
