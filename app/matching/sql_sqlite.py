"""What the index in SQL says to SQLite; see `app.matching.sql_index`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

import numpy as np
from sqlalchemy import CursorResult, Engine
from sqlalchemy.engine import Connection

from app.matching.index import as_words, hamming
from app.matching.sql_keys import BANDS, HALF, Found, keys_of, numbered

BATCH: Final = 2_000  # rows read together
FILLED: Final = 65_536  # rows written together, in order of their keys: one walk along the index
SETUP: Final = (
    """
    CREATE TABLE IF NOT EXISTS hash_index_row (
        id INTEGER PRIMARY KEY, item TEXT NOT NULL, number INTEGER NOT NULL, bits BLOB NOT NULL, UNIQUE (item, number)
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS hash_index_key (
        key INTEGER NOT NULL, row_id INTEGER NOT NULL, half BLOB NOT NULL, PRIMARY KEY (key, row_id)
    ) WITHOUT ROWID
    """,
)
_ROWS: Final = "INSERT INTO hash_index_row (id, item, number, bits) VALUES (?, ?, ?, ?)"
_KEYS: Final = "INSERT INTO hash_index_key (key, row_id, half) VALUES (?, ?, ?)"
_NEAR: Final = (
    "SELECT k.row_id, k.half FROM json_each(?) AS asked CROSS JOIN hash_index_key AS k ON k.key = asked.value"
)
_SOME: Final = (
    "SELECT r.id, item, number, bits FROM json_each(?) AS asked CROSS JOIN hash_index_row AS r ON r.id = asked.value"
)


def add(engine: Engine, item: str, rows: Sequence[bytes]) -> None:
    """Add rows to an item: all of them or none."""
    asked = "SELECT coalesce(max(number) + 1, 0) FROM hash_index_row WHERE item = ?"
    with engine.begin() as connection:
        first = int(connection.exec_driver_sql(asked, (item,)).scalar_one())
        _write(connection, [(item, first + at, row) for at, row in enumerate(rows)])


def fill(connection: Connection, items: Iterable[tuple[str, Sequence[bytes]]]) -> None:
    """Add the rows of all items to an empty index."""
    each = numbered(items)
    while part := list(islice(each, FILLED)):
        _write(connection, part)


def settle(_engine: Engine) -> None:
    """Nothing: SQLite needs no statistics for one plan."""


def remove_keys(connection: Connection, item: str) -> None:
    """Forget the keys of an item's rows."""
    rows = connection.exec_driver_sql("SELECT id, bits FROM hash_index_row WHERE item = ?", (item,)).all()
    if rows:
        gone = [pair[:2] for pair in _keys([row.id for row in rows], [row.bits for row in rows])]
        connection.exec_driver_sql("DELETE FROM hash_index_key WHERE key = ? AND row_id = ?", gone)


def near(connection: Connection, value: bytes, probes: list[int], radius: int) -> list[Found]:
    """Rows under one of these keys, within the radius."""
    asked = connection.exec_driver_sql(_NEAR, (json.dumps(probes),)).all()
    halves = np.frombuffer(b"".join(row.half for row in asked), np.uint64).reshape(-1, 2)
    differing = np.bitwise_count(halves ^ np.frombuffer(value[HALF], np.uint64)).sum(axis=1)
    ids = sorted({asked[at].row_id for at in np.flatnonzero(differing <= radius).tolist()})
    return _within(connection.exec_driver_sql(_SOME, (json.dumps(ids),)), value, radius)


def scan(connection: Connection, value: bytes, radius: int) -> list[Found]:
    """Rows within the radius."""
    asked = "SELECT id, item, number, bits FROM hash_index_row"
    return _within(connection.exec_driver_sql(asked), value, radius)


def _write(connection: Connection, rows: list[tuple[str, int, bytes]]) -> None:
    first = int(connection.exec_driver_sql("SELECT coalesce(max(id) + 1, 1) FROM hash_index_row").scalar_one())
    connection.exec_driver_sql(_ROWS, [(first + at, *row) for at, row in enumerate(rows)])
    keys = _keys(list(range(first, first + len(rows))), [row for _, _, row in rows])
    connection.exec_driver_sql(_KEYS, keys)


def _keys(ids: list[int], rows: list[bytes]) -> list[tuple[int, int, bytes]]:
    """(key, id, half of the row) in order of the keys."""
    keys = keys_of(b"".join(rows)).ravel()
    order = np.argsort(keys, kind="stable")
    owners = (order // BANDS).tolist()
    return [(key, ids[at], rows[at][HALF]) for key, at in zip(keys[order].tolist(), owners, strict=True)]


def _within(rows: CursorResult[int, str, int, bytes], value: bytes, radius: int) -> list[Found]:
    wanted = as_words(value)[None]
    found: list[Found] = []
    for part in rows.partitions(BATCH):
        words = np.frombuffer(b"".join(row[3] for row in part), np.uint64).reshape(-1, 4)
        distances = hamming(wanted, words)[0]
        near = np.flatnonzero(distances <= radius).tolist()
        found += [(int(distances[at]), part[at][0], part[at][1], part[at][2]) for at in near]
    return found
