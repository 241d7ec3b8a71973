"""What the database holds, exactly as it holds it.

The mapped classes trust the types of the schema, and an insider need not: SQLite keeps a text where
bytes belong, an integer where a boolean belongs, and text that is not UTF-8. The audit reads such
values as they are and names them, instead of failing on them or taking them for what they are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Boolean, ColumnElement, RowMapping, Select, select, type_coerce
from sqlalchemy.types import NullType
from sqlmodel import Session, SQLModel

from app.db import table_of

BATCH = 500


def stored_rows(session: Session, model: type[SQLModel], *order: str) -> Iterator[RowMapping]:
    """All rows of a table, each column as stored.

    Args:
        session: a read session.
        model: the mapped class.
        order: names of the columns to sort by.
    """
    table = table_of(model)
    yield from streamed(session, select(*as_stored(model)).order_by(*(table.c[name] for name in order)))


def as_stored(model: type[SQLModel], prefix: str = "") -> list[ColumnElement[Any]]:
    """The columns of a table, each to be read as stored.

    Args:
        model: the mapped class.
        prefix: put before their names, for a query over several tables.
    """
    return [type_coerce(column, NullType()).label(prefix + column.name) for column in table_of(model).columns]


def streamed(session: Session, statement: Select[Any]) -> Iterator[RowMapping]:
    """The rows of an answer in batches, so that a large table does not fill the memory."""
    found = session.connection().execute(statement, execution_options={"yield_per": BATCH})
    yield from found.mappings()


def as_mapped(model: type[SQLModel], row: RowMapping) -> dict[str, Any]:
    """A stored row with SQLite's 0 and 1 as the booleans that they stand for; nothing else is converted."""
    values = dict(row)
    for column in table_of(model).columns:
        value = values[column.name]
        if isinstance(column.type, Boolean) and type(value) is int and value in {0, 1}:
            values[column.name] = bool(value)
    return values


@contextmanager
def any_text(session: Session) -> Iterator[None]:
    """Read text that is not UTF-8 as well; what is not becomes lone surrogates, which nothing of ours writes."""
    connection = session.connection()
    if connection.dialect.name != "sqlite":  # PostgreSQL itself refuses such text
        yield
        return
    driver: Any = connection.connection.dbapi_connection
    usual = driver.text_factory
    driver.text_factory = _decoded
    try:
        yield
    finally:
        driver.text_factory = usual


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


def shown(text: str) -> str:
    """Text that every reader of a report can take: bytes that are no text, written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
