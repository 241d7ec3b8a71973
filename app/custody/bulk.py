"""Many rows at once, handed to the driver as they are.

The engine's own way binds each value of each row by name, which takes longer than the database needs for the row.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Table, insert


def put_rows(connection: Connection, table: Table, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows.

    Args:
        connection: of the open transaction.
        table: into which.
        columns: names of its columns, in the order of the values.
        rows: plain values that the driver takes without conversion: int, str, bytes, None.
    """
    statement, positional = _compiled(connection.dialect, table, columns)
    if not rows:
        return
    if positional:
        connection.exec_driver_sql(statement, list(rows))
    else:
        connection.exec_driver_sql(statement, [dict(zip(columns, row, strict=True)) for row in rows])


@lru_cache(maxsize=32)
def _compiled(dialect: Dialect, table: Table, columns: tuple[str, ...]) -> tuple[str, bool]:
    """The statement as the driver takes it, and whether it takes values by position."""
    compiled = insert(table).compile(dialect=dialect, column_keys=list(columns))
    if compiled.positional and tuple(compiled.positiontup or ()) != columns:
        raise AssertionError("columns are not in the order of the table")
    return str(compiled), compiled.positional
