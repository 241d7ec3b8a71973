"""The same exact search in the database: bands of each row as a plain table with an index (multi-index hashing).

For archives whose hashes should not lie in every process. The tables are derived: nothing that a verdict or a proof
rests on stands only here, they are not bound to the log, and `rebuild` makes them anew from the fingerprints, which
are. They are made when this is first used; see docs/adr/0042-index.md for why it is not the default.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from app.matching import sql_postgresql, sql_sqlite
from app.matching.errors import FingerprintError
from app.matching.index import ROW_BYTES, Hit, as_words
from app.matching.multi_index import EXACT_RADIUS
from app.matching.sql_keys import probes_of

ATTEMPTS: Final = 8  # of two processes that add rows to one item at once, one counts again


class SqlHashIndex:
    """A `HashIndex` in SQLite or PostgreSQL. Safe with several processes: what one has added, all find."""

    def __init__(self, engine: Engine) -> None:
        """Make the two tables unless they are there."""
        self._engine = engine
        self._speech = sql_postgresql if engine.dialect.name == "postgresql" else sql_sqlite
        with engine.begin() as connection:
            for statement in self._speech.SETUP:
                connection.exec_driver_sql(statement)

    def __len__(self) -> int:
        with self._engine.connect() as connection:
            return int(connection.execute(text("SELECT count(*) FROM hash_index_row")).scalar_one())

    def add(self, item: str, rows: Sequence[bytes]) -> None:
        """See `HashIndex.add`.

        Raises:
            FingerprintError: `malformed_fingerprint` unless every row has 32 bytes.
        """
        _require_rows(rows)
        for attempt in range(ATTEMPTS if rows else 0):
            try:
                self._speech.add(self._engine, item, rows)
            except IntegrityError:
                if attempt == ATTEMPTS - 1:
                    raise
            else:
                return

    def remove(self, item: str) -> None:
        """See `HashIndex.remove`."""
        with self._engine.begin() as connection:
            self._speech.remove_keys(connection, item)
            connection.execute(text("DELETE FROM hash_index_row WHERE item = :item"), {"item": item})

    def rebuild(self, items: Iterable[tuple[str, Sequence[bytes]]]) -> None:
        """Replace all that is filed, in one transaction: a search sees the old or the new, never a part."""
        with self._engine.begin() as connection:
            connection.execute(text("DELETE FROM hash_index_key"))
            connection.execute(text("DELETE FROM hash_index_row"))
            self._speech.fill(connection, _checked(items))
        self._speech.settle(self._engine)

    def search(self, value: bytes, radius: int) -> list[Hit]:
        """See `HashIndex.search`: by bands up to 31 bits, by a scan of the table beyond."""
        as_words(value)
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if radius > EXACT_RADIUS:
                found = self._speech.scan(connection, value, radius)
            else:
                found = self._speech.near(connection, value, probes_of(value, radius).tolist(), radius)
        return [(item, number, distance) for distance, _, item, number in sorted(found)]


def _require_rows(rows: Sequence[bytes]) -> None:
    if any(len(row) != ROW_BYTES for row in rows):
        raise FingerprintError("malformed_fingerprint", "a hash has 32 bytes")


def _checked(items: Iterable[tuple[str, Sequence[bytes]]]) -> Iterable[tuple[str, Sequence[bytes]]]:
    for item, rows in items:
        _require_rows(rows)
        yield item, rows
