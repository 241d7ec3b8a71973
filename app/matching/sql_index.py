"""The same exact search in the database: 16 bands of 16 bits as a plain table with an index (multi-index hashing).

For archives whose hashes should not lie in every process. The tables are derived: nothing that a verdict or a proof
rests on stands only here, they are not bound to the log, and `rebuild` makes them anew from the fingerprints, which
are. They are made when this is first used; see docs/adr/0042-index.md for why it is not the default.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    delete,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from app.matching.errors import FingerprintError
from app.matching.index import ROW_BYTES, Hit, as_words, hamming
from app.matching.multi_index import BAND_BITS, EQUAL_RADIUS, EXACT_RADIUS
from app.matching.sql_copy import copy_all

BATCH: Final = 2_000  # rows written or scanned together
ATTEMPTS: Final = 8  # of two processes that add rows to one item at once, one counts again
_ROW_KEY: Final = BigInteger().with_variant(Integer, "sqlite")

_TABLES: Final = MetaData()
_HASHES: Final = Table(
    "hash_index_row",
    _TABLES,
    Column("id", _ROW_KEY, primary_key=True, autoincrement=True),
    Column("item", String(36), nullable=False),
    Column("number", Integer, nullable=False),
    Column("value", LargeBinary(ROW_BYTES), nullable=False),
    Index("uq_hash_index_row", "item", "number", unique=True),
)
# A key holds its band in the upper bits, so that one index serves all of them.
_BANDS: Final = Table(
    "hash_index_band",
    _TABLES,
    Column("key", Integer, primary_key=True, autoincrement=False),
    Column("row", _ROW_KEY, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
Index("ix_hash_index_band_row", _BANDS.c.row)


class SqlHashIndex:
    """A `HashIndex` in SQLite or PostgreSQL. Safe with several processes: what one has added, all find."""

    def __init__(self, engine: Engine) -> None:
        """Make the two tables unless they are there."""
        self._engine = engine
        _TABLES.create_all(engine)

    def __len__(self) -> int:
        with self._engine.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(_HASHES)).scalar_one())

    def add(self, item: str, rows: Sequence[bytes]) -> None:
        """See `HashIndex.add`.

        Raises:
            FingerprintError: `malformed_fingerprint` unless every row has 32 bytes.
        """
        for attempt in range(ATTEMPTS):
            try:
                with self._engine.begin() as connection:
                    _add(connection, item, rows)
            except IntegrityError:
                if attempt == ATTEMPTS - 1:
                    raise
            else:
                return

    def remove(self, item: str) -> None:
        """See `HashIndex.remove`."""
        with self._engine.begin() as connection:
            own = select(_HASHES.c.id).where(_HASHES.c.item == item)
            connection.execute(delete(_BANDS).where(_BANDS.c.row.in_(own)))
            connection.execute(delete(_HASHES).where(_HASHES.c.item == item))

    def rebuild(self, items: Iterable[tuple[str, Sequence[bytes]]]) -> None:
        """Replace all that is filed, in one transaction: a search sees the old or the new, never a part."""
        with self._engine.begin() as connection:
            connection.execute(delete(_BANDS))
            connection.execute(delete(_HASHES))
            if connection.dialect.name == "postgresql":
                copy_all(connection, items)
                return
            for item, rows in items:
                _add(connection, item, rows)

    def search(self, value: bytes, radius: int) -> list[Hit]:
        """See `HashIndex.search`: by bands up to 31 bits, by a scan of the table beyond."""
        wanted = as_words(value)[None]
        found: list[tuple[int, int, str, int]] = []
        with self._engine.connect() as connection:
            columns = select(_HASHES.c.id, _HASHES.c.item, _HASHES.c.number, _HASHES.c.value)
            if radius > EXACT_RADIUS:
                asked = columns.order_by(_HASHES.c.id)
            else:
                if connection.dialect.name == "postgresql":  # it would rather read all rows for a few hundred
                    connection.execute(text("SET LOCAL enable_seqscan = off"))
                near = select(_BANDS.c.row).where(_BANDS.c.key.in_(_probes(value, radius))).distinct().subquery()
                asked = columns.join(near, near.c.row == _HASHES.c.id)
            for part in connection.execution_options(yield_per=BATCH).execute(asked).partitions():
                words = np.frombuffer(b"".join(bytes(row.value) for row in part), np.uint64).reshape(-1, 4)
                distances = hamming(wanted, words)[0].tolist()
                found += [(d, r.id, r.item, r.number) for d, r in zip(distances, part, strict=True) if d <= radius]
        return [(item, number, distance) for distance, _, item, number in sorted(found)]


def _add(connection: Connection, item: str, rows: Sequence[bytes]) -> None:
    if any(len(row) != ROW_BYTES for row in rows):
        raise FingerprintError("malformed_fingerprint", "a hash has 32 bytes")
    if connection.dialect.name == "postgresql":  # who adds to the same item waits for the end of this transaction
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:item, 0))"), {"item": item})
    count = select(func.coalesce(func.max(_HASHES.c.number) + 1, 0)).where(_HASHES.c.item == item)
    first = int(connection.execute(count).scalar_one())
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        made = connection.execute(
            insert(_HASHES).returning(_HASHES.c.id, sort_by_parameter_order=True),
            [{"item": item, "number": first + start + at, "value": row} for at, row in enumerate(part)],
        ).scalars()
        bands = [{"key": key, "row": number} for number, row in zip(made, part, strict=True) for key in _keys(row)]
        connection.execute(insert(_BANDS), bands)


def _keys(row: bytes) -> list[int]:
    """The 16 keys of a row, each with its band in the upper bits."""
    values = np.frombuffer(row, dtype=">u2").tolist()
    return [(band << BAND_BITS) | value for band, value in enumerate(values)]


def _probes(row: bytes, radius: int) -> list[int]:
    """Keys that a row within the radius must have one of."""
    flips = [0] if radius <= EQUAL_RADIUS else [0, *(1 << bit for bit in range(BAND_BITS))]
    return [key ^ flip for key in _keys(row) for flip in flips]
