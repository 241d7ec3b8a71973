"""The custody log inside the caller's SQL transaction (evidence_store.log.sequencer).

Statements go to the connection as they are, past the mapper: an append is a handful of them, and the mapper's care
for each row took four times as long as the database's.

A unit of work has one `SqlLogTransaction` (`log_of`): the head is locked by the first who asks, and what was read or
written behind that lock is not read again, for nobody else can change it before the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeVar

from sqlalchemy import Dialect, bindparam, select, text, update
from sqlmodel import Session

from app.custody.bulk import put_rows
from app.custody.models import LogHead, LogNode
from app.db import table_of
from app.errors import EnvironmentFailedError
from evidence_store.log.merkle import HASH_BYTES, NodeReader

HEAD_ID = 1
_LOG = "log"
_HEAD = table_of(LogHead)
_NODE = table_of(LogNode)
_LOCK = select(_HEAD.c.size).where(_HEAD.c.id == HEAD_ID).with_for_update()
_MOVE = update(_HEAD).where(_HEAD.c.id == HEAD_ID)
_AT = select(_NODE.c.hash).where(_NODE.c.level == bindparam("the_level"), _NODE.c.index == bindparam("the_index"))

T = TypeVar("T")


class SqlLogTransaction:
    """Nodes and head of the log as rows; nothing here commits.

    Attributes:
        newest: number and digest of the newest event of each object that this unit of work has recorded something of.
    """

    def __init__(self, session: Session) -> None:
        """Speak through one open transaction."""
        self._connection = session.connection()
        self._nested = session.get_nested_transaction()
        self._size: int | None = None
        self._fresh: dict[tuple[int, int], bytes] = {}
        self.newest: dict[str, tuple[int, str]] = {}

    def lock_head(self) -> int:
        """Lock the one head row; return the number of leaves.

        SQLite holds the whole database since BEGIN IMMEDIATE; PostgreSQL locks the row. Once locked, nobody else can
        move it before this transaction ends.

        Raises:
            EnvironmentFailedError: `log_head_missing`.
        """
        if self._size is None:
            self._size = self._connection.execute(_LOCK).scalar_one_or_none()
        if self._size is None:
            raise EnvironmentFailedError("log_head_missing", "the log's head row is gone: run 'catena audit'")
        return self._size

    def read_node(self, level: int, index: int) -> bytes:
        """Hash of a complete subtree."""
        fresh = self._fresh.get((level, index))
        if fresh is None:
            fresh = self._connection.execute(_AT, {"the_level": level, "the_index": index}).scalar_one_or_none()
        return _there(level, index, fresh)

    def put_nodes(self, nodes: Sequence[tuple[int, int, bytes]]) -> None:
        """Add the nodes that an append completes."""
        self._fresh.update({(level, index): digest for level, index, digest in nodes})
        put_rows(self._connection, _NODE, ("level", "index", "hash"), nodes)

    def put_head(self, size: int) -> None:
        """Move the head."""
        self._connection.execute(_MOVE, {"size": size})
        self._size = size

    def is_of(self, session: Session) -> bool:
        """Whether this speaks through the transaction, or the savepoint, that is open there.

        What was read behind a savepoint may have been taken back with it.
        """
        return self._connection is session.connection() and self._nested is session.get_nested_transaction()


def log_of(session: Session) -> SqlLogTransaction:
    """The log as the open unit of work sees it, the same for all who ask."""
    known = session.info.get(_LOG)
    if isinstance(known, SqlLogTransaction) and known.is_of(session):
        return known
    made = session.info[_LOG] = SqlLogTransaction(session)
    return made


def read_node(session: Session, level: int, index: int) -> bytes:
    """Hash of a complete subtree as stored.

    Raises:
        EnvironmentFailedError: `log_node_missing`.
    """
    found = session.connection().execute(_AT, {"the_level": level, "the_index": index})
    return _there(level, index, found.scalar_one_or_none())


def read_nodes(session: Session, level: int, first: int, count: int) -> list[bytes]:
    """Hashes of neighbouring complete subtrees, in one question.

    Raises:
        EnvironmentFailedError: `log_node_missing`.
    """
    between = _NODE.c.index.between(first, first + count - 1)
    wanted = select(_NODE.c.index, _NODE.c.hash).where(_NODE.c.level == level, between)
    found: dict[int, bytes] = dict(session.connection().execute(wanted).all())
    return [_there(level, index, found.get(index)) for index in range(first, first + count)]


def computed(session: Session, compute: Callable[[NodeReader], T]) -> T:
    """What is computed from O(log n) nodes, such as a root or a proof, with one question to the database.

    Args:
        session: a snapshot.
        compute: a function of a node reader; which nodes it asks for may not depend on what they hold, and it is
            called twice: first to learn which nodes it wants.

    Raises:
        EnvironmentFailedError: `log_node_missing`.
    """
    wanted: dict[tuple[int, int], None] = {}

    def remember(level: int, index: int) -> bytes:
        wanted[level, index] = None
        return bytes(HASH_BYTES)

    compute(remember)
    found = _lookup(session, list(wanted)) if wanted else {}
    return compute(lambda level, index: _there(level, index, found.get((level, index))))


def _lookup(session: Session, wanted: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
    places = 8
    while places < len(wanted):
        places *= 2  # a few statements, each compiled once; what is asked for twice is found twice
    padded = [wanted[min(place, len(wanted) - 1)] for place in range(places)]
    connection = session.connection()
    statement, names = _lookup_statement(connection.dialect, places)
    values = tuple(number for pair in padded for number in pair)
    rows = connection.exec_driver_sql(statement, values if names is None else dict(zip(names, values, strict=True)))
    return {(level, index): digest for level, index, digest in rows.all()}  # row by row takes twice as long


@lru_cache(maxsize=64)
def _lookup_statement(dialect: Dialect, places: int) -> tuple[str, list[str] | None]:
    """A join with the list of places: SQLite would read the whole table for `(level, index) IN (...)`.

    Returns:
        The statement as the driver takes it, and the names of its values; None when it takes them by position.
    """
    names = [f"{kind}{place}" for place in range(places) for kind in ("l", "i")]
    listed = ", ".join(f"(:l{place}, :i{place})" for place in range(places))
    compiled = text(
        f'WITH wanted(l, i) AS (VALUES {listed}) SELECT node.level, node."index", node.hash '  # noqa: S608 - our own words
        'FROM wanted JOIN log_node AS node ON node.level = wanted.l AND node."index" = wanted.i'
    ).compile(dialect=dialect)
    return str(compiled), None if compiled.positional else names


def tree_size(session: Session) -> int:
    """Number of leaves as of this snapshot.

    Raises:
        EnvironmentFailedError: `log_head_missing`.
    """
    size = session.connection().execute(select(_HEAD.c.size).where(_HEAD.c.id == HEAD_ID)).scalar_one_or_none()
    if size is None:
        raise EnvironmentFailedError("log_head_missing", "the log's head row is gone: run 'catena audit'")
    return int(size)


def _there(level: int, index: int, digest: bytes | None) -> bytes:
    if digest is None:
        raise EnvironmentFailedError("log_node_missing", f"log node ({level}, {index}) is gone: run 'catena audit'")
    return digest
