"""The beginnings of stored fingerprints: of a photo's 75 kB its hashes are in the first 2.5, points in the first 24.

SQLite's `substr` loads the whole value first, 100,000 of which are 7.5 GB: its incremental input reads the pages that
are asked for (https://www.sqlite.org/c3ref/blob_open.html).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import cast

from sqlalchemy import ColumnClause, bindparam, case, func, literal_column, select
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from app.db import table_of
from app.matching.models import FingerprintRow
from app.matching.recipe import PHOTO_HASHES_END

_TABLE = table_of(FingerprintRow)
_HAVE = _TABLE.c
_ROWID: ColumnClause[int] = literal_column("rowid")
_ALGORITHM = _HAVE.algorithm == bindparam("algorithm")
_MADE = func.typeof(_HAVE.data) != "null"  # IS NOT NULL would load the value, this does not
_CHOSEN = _HAVE.item_id.in_(bindparam("items", expanding=True)), _ALGORITHM
_PLACES = select(_ROWID, _HAVE.item_id).where(*_CHOSEN, _MADE)
_START = func.substr(_HAVE.data, 1, bindparam("size"))
_STARTS = select(_HAVE.item_id, _START, func.octet_length(_HAVE.data)).where(*_CHOSEN, _HAVE.data.is_not(None))
_THESE = _HAVE.leaf_index.in_(bindparam("leaves", expanding=True))
_ABOUT = _HAVE.item_id, _HAVE.algorithm, _HAVE.kind, _HAVE.leaf_index
_THESE_PLACES = select(*_ABOUT, _ROWID, _MADE).where(_THESE).order_by(_HAVE.leaf_index)
_HASHES = case((_HAVE.kind == "photo", func.substr(_HAVE.data, 1, PHOTO_HASHES_END)), else_=_HAVE.data)
_THESE_STARTS = select(*_ABOUT, _HASHES).where(_THESE).order_by(_HAVE.leaf_index)
WHOLE = 1 << 30  # bytes; more than any has

Beginning = tuple[str, str, str, int, bytes | None]


def beginnings(session: Session, leaves: Sequence[int]) -> Iterator[Beginning]:
    """Fingerprints by any version of the recipe, in the order of their events in the log.

    Args:
        session: the open unit of work.
        leaves: indexes of these events; few hundred at once.

    Yields:
        Item, algorithm, kind, index of its event, and the bytes: of a photo those that hold its hashes, else all; None
        where the fingerprint failed.
    """
    connection, asked = session.connection(), {"leaves": leaves}
    if session.get_bind().dialect.name != "sqlite":
        for *about, read in connection.execute(_THESE_STARTS, asked, execution_options={"yield_per": 1}):
            yield *about, None if read is None else bytes(read)
        return
    driver = _driver(session)
    for *about, number, there in connection.execute(_THESE_PLACES, asked).all():
        size = PHOTO_HASHES_END if about[2] == "photo" else WHOLE
        yield *about, _first_bytes(driver, number, size)[0] if there else None


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
