"""Binding database rows to the log: every auditable row is named, with its digest, by an event.

A table registers the columns that its digest covers. The event that writes a row carries
`[table, key, format, digest]` under `details.rows`; replaying the log tells the digest that each
row must have today, so an edited, deleted or smuggled row is found by name. Each row carries its
own random salt, so that a digest in a disclosed event cannot be used to guess what the row says.

Invariant: a released format (table, number) is never edited; a changed table gets the next number.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlmodel import Field, Session, SQLModel

from app.custody.bulk import put_rows
from evidence_store.canonical import JsonInput, canonical_bytes

_HEX_AT_ONCE = 64 << 10


def fresh_salt() -> str:
    """32 random bytes as hex."""
    return secrets.token_hex(32)


class SaltedRow(SQLModel):
    """Base of auditable tables."""

    row_salt: str = Field(default_factory=fresh_salt, max_length=64)


@dataclass(frozen=True, slots=True)
class RowFormat:
    """Which columns of a table a digest covers.

    Attributes:
        model: the table class.
        key: name of the primary key column.
        number: version of the format.
        columns: covered columns, the key and the salt included.
    """

    model: type[SaltedRow]
    key: str
    number: int
    columns: tuple[str, ...]


_FORMATS: dict[tuple[str, int], RowFormat] = {}
_NEWEST: dict[str, RowFormat] = {}


def register(model: type[SaltedRow], *columns: str, key: str = "id", number: int = 1) -> None:
    """Make a table auditable.

    Args:
        model: the table class.
        columns: columns besides the key and the salt. No floats: write decimals as text.
        key: primary key column.
        number: version of this format.
    """
    table = str(model.__tablename__)
    form = _FORMATS[(table, number)] = RowFormat(model, key, number, (key, *columns, "row_salt"))
    if table not in _NEWEST or _NEWEST[table].number < number:
        _NEWEST[table] = form


def formats() -> Iterator[tuple[str, RowFormat]]:
    """The newest format of each auditable table."""
    yield from sorted(_NEWEST.items(), key=lambda named: named[0])


def format_of(table: str, number: int) -> RowFormat | None:
    """The format that an event names, if this program knows it."""
    return _FORMATS.get((table, number))


def _plain(value: Any, marks: dict[str, bytes]) -> Any:  # noqa: ANN401 - column values of any type
    """Bytes say that they are bytes: their hex text in the same column is another value.

    In the place of many bytes stands a mark that nobody can guess, and so can have written into another column.
    """
    if not isinstance(value, bytes):
        return value
    if len(value) <= _HEX_AT_ONCE:
        return ["bytes", value.hex()]
    mark = secrets.token_hex(32)
    marks[mark] = value
    return ["bytes", mark]


def _hashed(canonical: bytes, marks: Mapping[str, bytes]) -> str:
    """SHA-256 (hex) of a canonical text with the hex of many bytes in the place of each mark, never all in memory."""
    places = sorted((canonical.index(mark.encode()), mark) for mark in marks)
    computer, position = hashlib.sha256(), 0
    for place, mark in places:
        computer.update(canonical[position:place])
        value = memoryview(marks[mark])
        for offset in range(0, len(value), _HEX_AT_ONCE):
            computer.update(value[offset : offset + _HEX_AT_ONCE].hex().encode())
        position = place + len(mark)
    computer.update(canonical[position:])
    return computer.hexdigest()


def values_digest(values: Mapping[str, Any], form: RowFormat) -> str:
    """SHA-256 over the canonical form of the covered columns, hex.

    Args:
        values: column name to value, as written or as stored.
        form: the format; columns that it does not cover are not looked at.

    Raises:
        EvidenceStoreError: `canonical_form` for a value that no program of ours writes.
    """
    marks: dict[str, bytes] = {}
    covered = {column: _plain(values[column], marks) for column in form.columns}
    record: JsonInput = {"table": str(form.model.__tablename__), "format": form.number, "row": covered}
    return _hashed(canonical_bytes(record), marks)


def row_digest(row: SaltedRow, form: RowFormat) -> str:
    """The digest of a row that is about to be written."""
    return values_digest({column: getattr(row, column) for column in form.columns}, form)


def binding(row: SaltedRow) -> list[str | int]:
    """What an event says of a row: `[table, key, format, digest]`."""
    table = str(row.__tablename__)
    form = _NEWEST[table]
    return [table, str(getattr(row, form.key)), form.number, row_digest(row, form)]


def put_salted(session: Session, rows: Sequence[SaltedRow]) -> None:
    """Insert new rows in their order, past the mapper, which does not come to know of them.

    Args:
        session: the open unit of work.
        rows: plain values that the driver takes without conversion.
    """
    for name, alike in groupby(rows, lambda row: str(row.__tablename__)):
        table = SQLModel.metadata.tables[name]
        columns = tuple(table.columns.keys())
        put_rows(session.connection(), table, columns, [tuple(getattr(row, each) for each in columns) for row in alike])
