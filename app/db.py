"""One engine, two kinds of session: reads that never block, writes that never half-happen.

Facts behind the choices (docs/adr): on SQLite every write begins with `BEGIN IMMEDIATE`, because
a deferred transaction that turns into a write fails under contention instead of waiting; WAL and
`synchronous=FULL` make a commit durable; inside one process one writer runs at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import ArgumentError, DatabaseError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import PoolProxiedConnection
from sqlmodel import Session, SQLModel

from app.config import DATABASE_CONNECTIONS
from app.errors import CatenaError, EnvironmentFailedError

BUSY_TIMEOUT_MS = 30_000
_KEPT_OPEN = 20
_BUSY_SIGNS = ("locked", "busy", "too many clients", "connection slots")


def table_of(model: type[SQLModel]) -> Table:
    """A model's table, for statements that go past the mapper."""
    return SQLModel.metadata.tables[str(model.__tablename__)]


def insert_unless_there(
    table: Any,  # noqa: ANN401 - a table or a model
    keys: Sequence[str] | None = None,
    *,
    on_sqlite: bool,
) -> Any:  # noqa: ANN401 - the databases' own statements have no common type
    """An INSERT that does nothing where its row's key is taken: the one of these columns, or any.

    The row is given when it is executed, so the statement can be made once.
    """
    if on_sqlite:
        return sqlite.insert(table).on_conflict_do_nothing(index_elements=keys)
    from sqlalchemy.dialects import postgresql  # 2 MiB, which an archive on SQLite need not hold

    return postgresql.insert(table).on_conflict_do_nothing(index_elements=keys)


class Database:
    """Sessions over SQLite or PostgreSQL; the unit of work commits, services never do."""

    def __init__(self, url: str, connections: int = DATABASE_CONNECTIONS) -> None:
        """Open an engine.

        Args:
            url: SQLAlchemy URL; `postgresql://` is spoken through psycopg 3.
            connections: to PostgreSQL, at most; who finds none free waits 30 s, then gets `database_busy`. SQLite's are
                files, and its readers wait for nobody.

        Raises:
            CatenaError: `bad_setting` when the URL cannot be read, or for less than one connection.
        """
        if connections < 1:  # which the pool would read as: no limit
            raise CatenaError("bad_setting", "CATENA_DATABASE_CONNECTIONS must be at least 1")
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise CatenaError("bad_setting", "the database URL cannot be read") from None
        if parsed.drivername in {"postgresql", "postgres"}:
            parsed = parsed.set(drivername="postgresql+psycopg")
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        arguments: dict[str, Any] = {
            "pool_pre_ping": not self.is_sqlite,
            "hide_parameters": True,
        }  # evidence is not for logs
        if self.is_sqlite:
            arguments["connect_args"] = {"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000}
        else:
            # A unit of work waits for the log's lock with a connection in its hand: one for every thread, or none is
            # left for those who only read. They are opened as they are needed.
            kept = min(connections, _KEPT_OPEN)
            arguments |= {"pool_size": kept, "max_overflow": connections - kept}
        self.engine: Engine = create_engine(parsed, **arguments)
        self._begin = _SqliteBegin(self.engine) if self.is_sqlite else None
        # The option is for who listens to the engine: it is `write` that makes the writer.
        self._writer = self.engine.execution_options(catena_write=True)
        # A report made of several questions must be of one moment; SQLite's reads are so by themselves.
        self._reader = (
            self.engine if self.is_sqlite else self.engine.execution_options(isolation_level="REPEATABLE READ")
        )
        self._write_lock: AbstractContextManager[Any] = _OneWriter() if self.is_sqlite else nullcontext()

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A unit of work: commits when the block ends, rolls back on any exception.

        On SQLite it is the writer from its beginning: who may have nothing to write looks first.

        Raises:
            EnvironmentFailedError: `storage_full`, `database_busy`, `database_damaged` or `database_failed`.
        """
        with self._write_lock, coded(), Session(self._writer, expire_on_commit=False) as session, session.begin():
            if self._begin is not None:
                self._begin.writer(session)
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A consistent snapshot; nothing written in it is kept."""
        with coded(), Session(self._reader, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def look(self) -> Iterator[Connection]:
        """As `read`, past the mapper: for questions that are asked of each file, with statements that are made once."""
        with coded(), self._reader.connect() as connection:
            yield connection

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


class _OneWriter:
    """One writer at a time inside the process; a unit of work inside another is a programming error."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner: int | None = None

    def __enter__(self) -> None:
        if self._owner == threading.get_ident():
            raise RuntimeError("a unit of work was opened inside another")
        self._lock.acquire()
        self._owner = threading.get_ident()

    def __exit__(self, *_: object) -> None:
        self._owner = None
        self._lock.release()


class _SqliteBegin:
    """How transactions begin on SQLite: the driver leaves it to us.

    The dialect does it, and no listener to the engine's "begin": with one, the engine asks for listeners before and
    after each statement, which is a third of what a small one costs.
    """

    def __init__(self, engine: Engine) -> None:
        self._here = threading.local()
        event.listen(engine, "connect", _prepare)
        engine.dialect.do_begin = self._do_begin  # type: ignore[method-assign]

    def writer(self, session: Session) -> None:
        """Begin the transaction of a session as one that writes."""
        self._here.writes = True
        try:
            session.connection()
        finally:
            self._here.writes = False

    def _do_begin(self, dbapi_connection: PoolProxiedConnection) -> None:
        cursor = dbapi_connection.cursor()
        cursor.execute("BEGIN IMMEDIATE" if getattr(self._here, "writes", False) else "BEGIN")
        cursor.close()


def _prepare(connection: Any, _record: Any) -> None:  # noqa: ANN401 - the driver's own type
    connection.isolation_level = None  # transactions are begun by us
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


@contextmanager
def coded() -> Iterator[None]:
    """Give the failures of a database their codes; errors in what was asked of it pass.

    Raises:
        EnvironmentFailedError: `storage_full`, `database_busy`, `database_damaged` or `database_failed`.
    """
    try:
        yield
    except PoolTimeoutError as error:
        raise EnvironmentFailedError(
            "database_busy", "all connections to the database are in use; try again"
        ) from error
    except InterfaceError as error:
        raise EnvironmentFailedError("database_failed", "the database did not answer as it should") from error
    except DatabaseError as error:
        if type(error) is DatabaseError:  # how SQLite says that the file is malformed, or no database
            raise EnvironmentFailedError("database_damaged", "the database file is damaged", status=500) from error
        if not isinstance(error, (OperationalError, InternalError)):
            raise
        text = str(error.orig).lower()
        if "full" in text or "no space" in text:
            raise EnvironmentFailedError("storage_full", "the database has no room left", status=507) from error
        if any(sign in text for sign in _BUSY_SIGNS):
            raise EnvironmentFailedError("database_busy", "the database is busy; try again") from error
        raise EnvironmentFailedError("database_failed", "the database did not answer as it should") from error
