"""What the index in SQL says to SQLite; see `app.matching.sql_index`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

import numpy as np
from sqlalchemy import CursorResult, Engine
from sqlalchemy.engine import Connection

from app.matching.index import as_words, hamming
from app.matching.sql_keys import BANDS, keys_of

BATCH: Final = 2_000  # rows read together
FILLED: Final = 65_536  # rows written together, in order of their keys: one walk along the index
_ROWS: Final = "INSERT INTO hash_index_row (id, item, number, bits) VALUES (?, ?, ?, ?)"
_KEYS: Final = "INSERT INTO hash_index_key (key, row) VALUES (?, ?)"
_NEAR: Final = (
    "SELECT id, item, number, bits FROM hash_index_row WHERE id IN"
    " (SELECT k.row FROM json_each(?) AS p CROSS JOIN hash_index_key AS k ON k.key = p.value)"
)

Found = tuple[int, int, str, int]  # distance, id, item, number


def add(connection: Connection, item: str, rows: Sequence[bytes]) -> None:
    """Add rows to an item."""
    asked = "SELECT coalesce(max(number) + 1, 0) FROM hash_index_row WHERE item = ?"
    first = int(connection.exec_driver_sql(asked, (item,)).scalar_one())
    _write(connection, [(item, first + at, row) for at, row in enumerate(rows)])


def fill(connection: Connection, items: Iterable[tuple[str, Sequence[bytes]]]) -> None:
    """Add the rows of all items to an empty index."""
    numbered = _numbered(items)
    while part := list(islice(numbered, FILLED)):
        _write(connection, part)


def settle(_engine: Engine) -> None:
    """Nothing: SQLite needs no statistics for one plan."""


def remove_keys(connection: Connection, item: str) -> None:
    """Forget the keys of an item's rows."""
    rows = connection.exec_driver_sql("SELECT id, bits FROM hash_index_row WHERE item = ?", (item,)).all()
    if rows:
        gone = _pairs([row.id for row in rows], b"".join(row.bits for row in rows))
        connection.exec_driver_sql("DELETE FROM hash_index_key WHERE key = ? AND row = ?", gone)


def near(connection: Connection, value: bytes, probes: list[int], radius: int) -> list[Found]:
    """Rows under one of these keys, within the radius."""
    return _within(connection.exec_driver_sql(_NEAR, (json.dumps(probes),)), value, radius)


def scan(connection: Connection, value: bytes, radius: int) -> list[Found]:
    """Rows within the radius."""
    asked = "SELECT id, item, number, bits FROM hash_index_row"
    return _within(connection.exec_driver_sql(asked), value, radius)


def numbered(items: Iterable[tuple[str, Sequence[bytes]]]) -> Iterator[tuple[str, int, bytes]]:
    """(item, number in it, row) of all rows; an item may come in several parts."""
    counts: dict[str, int] = {}
    for item, rows in items:
        first = counts.get(item, 0)
        counts[item] = first + len(rows)
        yield from ((item, first + at, bytes(row)) for at, row in enumerate(rows))


_numbered = numbered


def _write(connection: Connection, rows: list[tuple[str, int, bytes]]) -> None:
    first = int(connection.exec_driver_sql("SELECT coalesce(max(id) + 1, 1) FROM hash_index_row").scalar_one())
    connection.exec_driver_sql(_ROWS, [(first + at, *row) for at, row in enumerate(rows)])
    ids = list(range(first, first + len(rows)))
    connection.exec_driver_sql(_KEYS, _pairs(ids, b"".join(row for _, _, row in rows)))


def _pairs(ids: list[int], rows: bytes) -> list[tuple[int, int]]:
    keys, owners = keys_of(rows).ravel(), np.repeat(ids, BANDS)
    order = np.argsort(keys, kind="stable")
    return list(zip(keys[order].tolist(), owners[order].tolist(), strict=True))


def _within(rows: CursorResult[Any], value: bytes, radius: int) -> list[Found]:
    wanted, found = as_words(value)[None], []
    for part in rows.partitions(BATCH):
        words = np.frombuffer(b"".join(row[3] for row in part), np.uint64).reshape(-1, 4)
        distances = hamming(wanted, words)[0]
        for at in np.flatnonzero(distances <= radius).tolist():
            found.append((int(distances[at]), part[at][0], part[at][1], part[at][2]))
    return found
