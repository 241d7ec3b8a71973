"""The beginnings of stored fingerprints, which hold their hashes: of a photo 2.5 of 75 kB are read.

SQLite's `substr` loads the whole value first, 100,000 of which are 7.5 GB: its incremental input reads the pages that
are asked for (https://www.sqlite.org/c3ref/blob_open.html).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import cast

from sqlalchemy import case, func, literal_column, select
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from app.db import table_of
from app.matching.format import PHOTO_HASHES_END
from app.matching.models import FingerprintRow

_TABLE = table_of(FingerprintRow)
_HAVE = _TABLE.c
_AT_ONCE = 200


def beginnings(session: Session, algorithm: str, after: int) -> Iterator[tuple[str, str, int, bytes | None]]:
    """Fingerprints in the order of their events in the log.

    Args:
        session: the open unit of work.
        algorithm: by which version of the recipe.
        after: index of an event in the log; those after it are read.

    Yields:
        Item, kind, index of its event, and the bytes: of a photo those that hold its hashes, else all; None where the
        fingerprint failed.
    """
    read = _parts if session.get_bind().dialect.name == "sqlite" else _slices
    yield from read(session, algorithm, after)


def _parts(session: Session, algorithm: str, after: int) -> Iterator[tuple[str, str, int, bytes | None]]:
    driver = cast("sqlite3.Connection", session.connection().connection.dbapi_connection)
    made = func.typeof(_HAVE.data) != "null"  # IS NOT NULL would load the value, this does not
    newer = (
        select(literal_column("rowid"), _HAVE.item_id, _HAVE.kind, _HAVE.leaf_index, made)
        .where(_HAVE.algorithm == algorithm, _HAVE.leaf_index > after)
        .order_by(_HAVE.leaf_index)
    )
    for number, item, kind, leaf_index, there in session.connection().execute(newer).yield_per(_AT_ONCE):
        start = None
        if there:
            try:
                with driver.blobopen(_TABLE.name, _HAVE.data.name, number, readonly=True) as blob:
                    start = blob.read(PHOTO_HASHES_END if kind == "photo" else -1)
            except sqlite3.Error as error:  # in SQLAlchemy's words, which get their codes (`app.db.coded`)
                raise DBAPIError.instance(None, None, error, sqlite3.Error) from error
        yield item, kind, leaf_index, start


def _slices(session: Session, algorithm: str, after: int) -> Iterator[tuple[str, str, int, bytes | None]]:
    start = case((_HAVE.kind == "photo", func.substr(_HAVE.data, 1, PHOTO_HASHES_END)), else_=_HAVE.data)
    newer = (
        select(_HAVE.item_id, _HAVE.kind, _HAVE.leaf_index, start)
        .where(_HAVE.algorithm == algorithm, _HAVE.leaf_index > after)
        .order_by(_HAVE.leaf_index)
    )
    for item, kind, leaf_index, read in session.connection().execute(newer).yield_per(_AT_ONCE):
        yield item, kind, leaf_index, None if read is None else bytes(read)
