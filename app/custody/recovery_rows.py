"""Which lost events take effect again: those whose objects' chains are whole and whose rows are found as written.

An event without the rows that it wrote would make the archive say what it does not do: an item without a file, a link
that nobody can read. Such an event stays without effect, and so do all later ones of its object.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Engine, Table, insert, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, SQLModel

from app.custody.event_rows import TABLE as EVENTS
from app.custody.rows import format_of, values_digest
from app.errors import EnvironmentFailedError
from evidence_store.errors import EvidenceStoreError
from schemas.records.v1.event import CustodyEvent

Events = Mapping[int, tuple[CustodyEvent, bytes]]


class Bound(NamedTuple):
    """What an event says of a row that it wrote."""

    table: str
    key: str
    number: int
    digest: str


@dataclass
class Effects:
    """What is brought back.

    Attributes:
        events: by their places.
        rows: the columns of each row that they wrote, as it must be in the end.
    """

    events: dict[int, tuple[CustodyEvent, bytes]] = field(default_factory=dict)
    rows: dict[Bound, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def choose(cls, session: Session, texts: Events, databases: Sequence[Engine]) -> Effects:
        """The largest choice that holds: a removed event may remove others, until none is removed.

        Args:
            session: a snapshot of the database.
            texts: events whose text is known, by place.
            databases: where their rows may be.
        """
        bound = {place: rows for place, (event, _) in texts.items() if (rows := _bound(event)) is not None}
        events = {place: texts[place] for place in sorted(bound)}
        found: dict[Bound, dict[str, Any] | None] = {}
        while True:
            events = _chained(session, events)
            last = {row[:2]: row for place in events for row in bound[place]}
            for row in last.values():
                if row not in found:
                    found[row] = _find(databases, row)
            missing = {place for place, row in last.items() if found[row] is None}
            if not missing:
                return cls(events, {row: values for row in last.values() if (values := found[row]) is not None})
            events = {
                place: one for place, one in events.items() if missing.isdisjoint(row[:2] for row in bound[place])
            }

    def write_rows(self, session: Session) -> None:
        """Write the rows, those first that others refer to.

        Raises:
            EnvironmentFailedError: `recovery_rows_refused` when the database does not take them.
        """
        order = {str(table.name): place for place, table in enumerate(SQLModel.metadata.sorted_tables)}
        connection = session.connection()
        try:
            for row in sorted(self.rows, key=lambda row: (order[row.table], row)):
                table, values = _table(row), self.rows[row]
                changed = connection.execute(update(table).where(_is(row)).values(**values))
                if changed.rowcount == 0:
                    connection.execute(insert(table).values(**values))
        except SQLAlchemyError as error:
            raise EnvironmentFailedError(
                "recovery_rows_refused", "the database does not take the rows of the lost events; nothing was changed"
            ) from error


def _chained(session: Session, events: Events) -> dict[int, tuple[CustodyEvent, bytes]]:
    """Those that follow from the last event of their object, in the database or among them."""
    heads: dict[str, tuple[int, str | None]] = {}
    chained = {}
    for place, (event, canonical) in events.items():
        if event.object not in heads:
            heads[event.object] = _head(session, event.object)
        if (event.object_seq, event.prev) == heads[event.object]:
            chained[place] = event, canonical
            heads[event.object] = event.object_seq + 1, hashlib.sha256(canonical).hexdigest()
    return chained


def _head(session: Session, about: str) -> tuple[int, str | None]:
    """Number and `prev` of an object's next event."""
    newest = select(EVENTS.c.object_seq, EVENTS.c.event_sha256).where(EVENTS.c.object == about)
    row = session.connection().execute(newest.order_by(EVENTS.c.object_seq.desc()).limit(1)).one_or_none()
    return (0, None) if row is None else (row[0] + 1, row[1])


def _bound(event: CustodyEvent) -> list[Bound] | None:
    """The rows that an event wrote; None when its list of them cannot be read, or this program does not know them."""
    listed: Any = event.details.get("rows", [])
    try:
        rows = [Bound(str(table), str(key), int(number), str(digest)) for table, key, number, digest in listed]
    except (TypeError, ValueError):
        return None
    return rows if all(format_of(row.table, row.number) for row in rows) else None


def _find(databases: Sequence[Engine], row: Bound) -> dict[str, Any] | None:
    """The columns of a row, from the first database that has it exactly as it was written."""
    form = format_of(row.table, row.number)
    for engine in databases:
        values = _read(engine, row)
        try:
            if form is not None and values is not None and values_digest(values, form) == row.digest:
                return values
        except EvidenceStoreError:
            continue  # a value that no program of ours writes
    return None


def _read(engine: Engine, row: Bound) -> dict[str, Any] | None:
    try:
        with engine.connect() as connection:
            found = connection.execute(select(_table(row)).where(_is(row))).mappings().one_or_none()
    except (SQLAlchemyError, ValueError):  # another schema, or a damaged page
        return None
    return None if found is None else dict(found)


def _table(row: Bound) -> Table:
    return SQLModel.metadata.tables[row.table]


def _is(row: Bound) -> Any:  # noqa: ANN401 - a condition of SQLAlchemy's
    form = format_of(row.table, row.number)
    column = _table(row).c["id" if form is None else form.key]
    return column == (int(row.key) if column.type.python_type is int else row.key)
