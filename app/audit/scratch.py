"""What an audit has to remember and memory cannot hold: a private SQLite file that is gone when it is closed.

An archive of a million events has two million tree nodes and as many bound rows. SQLite keeps such a database in its
cache while it is small and spills it into an unlinked file of its temporary folder (SQLITE_TMPDIR, else /var/tmp) when
it grows, a few hundred bytes for each event. The file has no name, so nothing is left of it after a kill and nobody can
edit it by its path. Nothing here is evidence: all of it is computed again by the next audit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Final, Self

CACHE_KIB: Final = 32 * 1024
_BATCH: Final = 4096

_TABLES: Final = """
CREATE TABLE node (level INTEGER, place INTEGER, hash, PRIMARY KEY (level, place)) WITHOUT ROWID;
CREATE TABLE chain (object PRIMARY KEY, next, digest) WITHOUT ROWID;
CREATE TABLE ingested (object PRIMARY KEY, event_id, digest, sha256, sha512, size, leaf) WITHOUT ROWID;
CREATE TABLE audit (id PRIMARY KEY, report, seal) WITHOUT ROWID;
CREATE TABLE output (sha256, sha512, leaf, PRIMARY KEY (sha256, sha512)) WITHOUT ROWID;
CREATE TABLE bound (tab, key, number, digest, leaf, seen, PRIMARY KEY (tab, key)) WITHOUT ROWID;
CREATE TABLE file (kind, key, sha256, sha512, crc32, size, leaf, hashed, PRIMARY KEY (kind, key)) WITHOUT ROWID;
"""


class Scratch:
    """Tables of one audit; one thread uses them."""

    def __init__(self) -> None:
        # An empty name asks for a private file that is deleted as soon as it is opened.
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for setting in ("journal_mode=OFF", "synchronous=OFF", "temp_store=FILE", f"cache_size=-{CACHE_KIB}"):
            self._db.execute(f"PRAGMA {setting}")
        self._db.executescript(_TABLES)
        self._db.execute("BEGIN")  # one transaction: nothing is written out before the cache is full

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget everything."""
        self._db.close()

    def do(self, statement: str, *values: Any) -> None:  # noqa: ANN401 - whatever a database may hold
        """Change something."""
        self._db.execute(statement, values)

    def do_each(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Change something once for each row of values."""
        self._db.executemany(statement, rows)

    def one(self, query: str, *values: Any) -> tuple[Any, ...] | None:  # noqa: ANN401
        """The first row of an answer."""
        row: tuple[Any, ...] | None = self._db.execute(query, values).fetchone()
        return row

    def each(self, query: str, *values: Any) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401
        """The rows of an answer, one after the other."""
        cursor = self._db.execute(query, values)
        while rows := cursor.fetchmany(_BATCH):
            yield from rows


def key_bytes(text: str) -> bytes:
    """A key as it is kept here: text that is not UTF-8 (see `stored.any_text`) included."""
    return text.encode("utf-8", "surrogateescape")


def key_text(key: bytes) -> str:
    """The text of a key."""
    return key.decode("utf-8", "surrogateescape")


def keepable(value: object) -> object:
    """A stored value as it is kept here; text that is not UTF-8 becomes its bytes, which equal no text."""
    if not isinstance(value, str):
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape")
    return value
