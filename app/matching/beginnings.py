"""The beginnings of stored fingerprints: of a photo's 75 kB its hashes are in the first 2.5, points in the first 24.

SQLite's `substr` loads the whole value first, 100,000 of which are 7.5 GB: its incremental input reads the pages that
are asked for (https://www.sqlite.org/c3ref/blob_open.html).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, cast

from sqlalchemy import ColumnClause, bindparam, case, func, literal_column, select
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from app.db import table_of
from app.matching.format import PHOTO_HASHES_END
from app.matching.models import FingerprintRow

_TABLE = table_of(FingerprintRow)
_HAVE = _TABLE.c
_ROWID: ColumnClause[int] = literal_column("rowid")
_ALGORITHM = _HAVE.algorithm == bindparam("algorithm")
_MADE = func.typeof(_HAVE.data) != "null"  # IS NOT NULL would load the value, this does not
_CHOSEN = _HAVE.item_id.in_(bindparam("items", expanding=True)), _ALGORITHM
_PLACES = select(_ROWID, _HAVE.item_id).where(*_CHOSEN, _MADE)
_START = func.substr(_HAVE.data, 1, bindparam("size"))
_STARTS = select(_HAVE.item_id, _START, func.octet_length(_HAVE.data)).where(*_CHOSEN, _HAVE.data.is_not(None))
_THESE = _ALGORITHM, _HAVE.leaf_index.in_(bindparam("leaves", expanding=True))
_THESE_PLACES = (
    select(_ROWID, _HAVE.item_id, _HAVE.kind, _HAVE.leaf_index, _MADE).where(*_THESE).order_by(_HAVE.leaf_index)
)
_HASHES = case((_HAVE.kind == "photo", func.substr(_HAVE.data, 1, PHOTO_HASHES_END)), else_=_HAVE.data)
_THESE_STARTS = select(_HAVE.item_id, _HAVE.kind, _HAVE.leaf_index, _HASHES).where(*_THESE).order_by(_HAVE.leaf_index)
WHOLE = 1 << 30  # bytes; more than any has


def beginnings(session: Session, algorithm: str, leaves: Sequence[int]) -> Iterator[tuple[str, str, int, bytes | None]]:
    """Fingerprints in the order of their events in the log.

    Args:
        session: the open unit of work.
        algorithm: by which version of the recipe.
        leaves: indexes of these events; few hundred at once.

    Yields:
        Item, kind, index of its event, and the bytes: of a photo those that hold its hashes, else all; None where the
        fingerprint failed.
    """
    read = _parts if session.get_bind().dialect.name == "sqlite" else _slices
    yield from read(session, {"algorithm": algorithm, "leaves": leaves})


def beginnings_of(
    session: Session, algorithm: str, items: Sequence[str], size: int = WHOLE
) -> Iterator[tuple[str, bytes, int]]:
    """The fingerprints of some items; those that have none are left out.

    Args:
        session: the open unit of work.
        algorithm: by which version of the recipe.
        items: UUIDs.
        size: bytes that are read of each.

    Yields:
        Item, the first bytes, and how many there are in all.
    """
    if not items:
        return
    asked = {"items": items, "algorithm": algorithm}
    if session.get_bind().dialect.name == "sqlite":
        driver = _driver(session)
        for number, item in session.connection().execute(_PLACES, asked).all():
            yield item, *_first_bytes(driver, number, size)
    else:
        for item, start, total in session.connection().execute(_STARTS, asked | {"size": size}):
            yield item, bytes(start), total


def _driver(session: Session) -> sqlite3.Connection:
    return cast("sqlite3.Connection", session.connection().connection.dbapi_connection)


def _first_bytes(driver: sqlite3.Connection, number: int, size: int) -> tuple[bytes, int]:
    try:
        with driver.blobopen(_TABLE.name, _HAVE.data.name, number, readonly=True) as blob:
            return blob.read(size), len(blob)
    except sqlite3.Error as error:  # in SQLAlchemy's words, which get their codes (`app.db.coded`)
        raise DBAPIError.instance(None, None, error, sqlite3.Error) from error


def _parts(session: Session, asked: dict[str, Any]) -> Iterator[tuple[str, str, int, bytes | None]]:
    driver = _driver(session)
    for number, item, kind, leaf_index, there in session.connection().execute(_THESE_PLACES, asked).all():
        size = PHOTO_HASHES_END if kind == "photo" else WHOLE
        yield item, kind, leaf_index, _first_bytes(driver, number, size)[0] if there else None


def _slices(session: Session, asked: dict[str, Any]) -> Iterator[tuple[str, str, int, bytes | None]]:
    for item, kind, leaf_index, read in session.connection().execute(_THESE_STARTS, asked).yield_per(1):
        yield item, kind, leaf_index, None if read is None else bytes(read)
