"""What the index in SQL says to PostgreSQL (14 or later, for `bit_count`); see `app.matching.sql_index`.

It is filled by COPY: a million rows have thirteen million keys. They go in batches, each in order of its keys: so a
batch walks once along the index instead of jumping in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Final

import numpy as np
from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection

from app.matching.sql_keys import BANDS, HALF, Found, keys_of, numbered

COPIED: Final = 65_536  # rows in a batch: 22 MB of keys
# A statement of PostgreSQL's own procedures is one round trip, planned once in a session.
SETUP: Final = (
    "SELECT pg_advisory_xact_lock(hashtextextended('hash_index', 0))",  # of two that begin at once, one waits
    """
    CREATE TABLE IF NOT EXISTS hash_index_row (
        id bigserial PRIMARY KEY, item varchar(36) NOT NULL, number integer NOT NULL, bits bit(256) NOT NULL,
        UNIQUE (item, number)
    )
    """,
    # All that a search asks of keys stands in their index.
    """
    CREATE TABLE IF NOT EXISTS hash_index_key (
        key integer NOT NULL, row_id bigint NOT NULL, half bit(128) NOT NULL,
        PRIMARY KEY (key, row_id) INCLUDE (half)
    )
    """,
    # Who adds to the same item waits for the end of this transaction, and counts after that.
    """
    CREATE OR REPLACE FUNCTION hash_index_add(owner text, given text[], keys integer[]) RETURNS void
    LANGUAGE plpgsql AS $$
    DECLARE
        first integer;
        made bigint;
        each integer := cardinality(keys) / cardinality(given);
    BEGIN
        PERFORM pg_advisory_xact_lock(hashtextextended(owner, 0));
        SELECT coalesce(max(number) + 1, 0) INTO first FROM hash_index_row WHERE item = owner;
        FOR at IN 1 .. cardinality(given) LOOP
            INSERT INTO hash_index_row (item, number, bits) VALUES (owner, first + at - 1, given[at]::bit(256))
            RETURNING id INTO made;
            INSERT INTO hash_index_key (key, row_id, half)
            SELECT own, made, substring(given[at] FROM 129)::bit(128)
            FROM unnest(keys[(at - 1) * each + 1 : at * each]) AS own;
        END LOOP;
    END $$
    """,
    # Candidates are judged by the half beside their key; the planner would rather read all rows than look keys up.
    """
    CREATE OR REPLACE FUNCTION hash_index_near(wanted bit(256), probes integer[], radius integer)
    RETURNS TABLE (far bigint, id bigint, item varchar, number integer)
    LANGUAGE sql STABLE SET enable_seqscan = off AS $$
        SELECT bit_count(r.bits # wanted), r.id, r.item, r.number FROM hash_index_row AS r
        WHERE r.id = ANY (ARRAY(
            SELECT row_id FROM hash_index_key
            WHERE key = ANY (probes) AND bit_count(half # substring(wanted FROM 129)::bit(128)) <= radius
        )) AND bit_count(r.bits # wanted) <= radius
    $$
    """,
)
# Binary COPY: a head, then of each row the number of fields and each field's length and value.
_HEAD: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TAIL: Final = b"\xff\xff"
_KEY: Final = np.dtype(
    [
        ("fields", ">i2"),
        *(("l1", ">i4"), ("key", ">i4")),
        *(("l2", ">i4"), ("row", ">i8")),
        *(("l3", ">i4"), ("bits", ">i4"), ("half", "V16")),
    ]
)
_IDS: Final = text("SELECT nextval(pg_get_serial_sequence('hash_index_row', 'id')) FROM generate_series(1, :count)")
_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtextextended(:item, 0))")
_ADD: Final = text("SELECT hash_index_add(:item, CAST(:rows AS text[]), CAST(:keys AS integer[]))")
_NEAR: Final = text(
    "SELECT far, id, item, number"
    " FROM hash_index_near(CAST(:wanted AS bit(256)), CAST(:probes AS integer[]), CAST(:radius AS integer))"
)
_REMOVE: Final = text(
    "DELETE FROM hash_index_key USING unnest(CAST(:keys AS integer[]), CAST(:ids AS bigint[])) AS gone (key, id)"
    " WHERE hash_index_key.key = gone.key AND hash_index_key.row_id = gone.id"
)
_SCAN: Final = text(
    """
    SELECT far, id, item, number FROM (
        SELECT bit_count(bits # CAST(:wanted AS bit(256))) AS far, id, item, number FROM hash_index_row
    ) AS each_row WHERE far <= :radius
    """
)


def add(engine: Engine, item: str, rows: Sequence[bytes]) -> None:
    """Add rows to an item: all of them or none."""
    keys = keys_of(b"".join(rows)).ravel().tolist()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(_ADD, {"item": item, "rows": [_bits(row) for row in rows], "keys": keys})


def fill(connection: Connection, items: Iterable[tuple[str, Sequence[bytes]]]) -> None:
    """Add the rows of all items to an empty index."""
    driver: Any = connection.connection.driver_connection
    rows = numbered(items)
    while part := list(islice(rows, COPIED)):
        ids = np.array(connection.execute(_IDS, {"count": len(part)}).scalars().all(), np.int64)
        with driver.cursor() as cursor:
            with cursor.copy("COPY hash_index_row (id, item, number, bits) FROM STDIN") as copy:
                for number, (item, at, row) in zip(ids.tolist(), part, strict=True):
                    copy.write_row((number, item, at, _bits(row)))
            with cursor.copy("COPY hash_index_key (key, row_id, half) FROM STDIN (FORMAT BINARY)") as copy:
                copy.write(_HEAD)
                copy.write(_keys(ids, b"".join(row for _, _, row in part)))
                copy.write(_TAIL)


def settle(engine: Engine) -> None:
    """Fresh statistics, and pages marked as visible to all: then keys are read from their index alone."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM (ANALYZE) hash_index_row, hash_index_key"))


def remove_keys(connection: Connection, item: str) -> None:
    """Forget the keys of an item's rows."""
    connection.execute(_LOCK, {"item": item})
    asked = text("SELECT id, CAST(bits AS text) FROM hash_index_row WHERE item = :item")
    rows = connection.execute(asked, {"item": item}).all()
    keys = keys_of(b"".join(int(bits, 2).to_bytes(32, "big") for _, bits in rows))
    ids = np.repeat(np.array([number for number, _ in rows], np.int64), BANDS)
    connection.execute(_REMOVE, {"keys": keys.ravel().tolist(), "ids": ids.tolist()})


def near(connection: Connection, value: bytes, probes: list[int], radius: int) -> list[Found]:
    """Rows under one of these keys, within the radius."""
    found = connection.execute(_NEAR, {"wanted": _bits(value), "probes": probes, "radius": radius})
    return [(row[0], row[1], row[2], row[3]) for row in found]


def scan(connection: Connection, value: bytes, radius: int) -> list[Found]:
    """Rows within the radius."""
    found = connection.execute(_SCAN, {"wanted": _bits(value), "radius": radius})
    return [(row[0], row[1], row[2], row[3]) for row in found]


def _bits(row: bytes) -> str:
    return f"{int.from_bytes(row, 'big'):0256b}"


def _keys(ids: np.ndarray[Any, np.dtype[np.int64]], rows: bytes) -> bytes:
    """The keys of each row in binary COPY form, in order of their keys."""
    keys = keys_of(rows).ravel()
    order = np.argsort(keys, kind="stable")
    made = np.empty(len(keys), _KEY)
    made["fields"], made["l1"], made["l2"], made["l3"], made["bits"] = 3, 4, 8, 20, 128
    made["key"], made["row"] = keys[order], np.repeat(ids, BANDS)[order]
    halves = np.ascontiguousarray(np.frombuffer(rows, np.uint8).reshape(-1, 32)[:, HALF]).view("V16").ravel()
    made["half"] = halves[order // BANDS]
    return made.tobytes()
