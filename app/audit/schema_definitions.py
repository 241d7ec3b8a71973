"""How tables, indexes and constraints are defined, against what the program's tables are.

A name says little: an index over a part of a table hides the rest from whoever asks by it, a policy hides rows, a
constraint that is gone lets doubles in. So definitions are compared as text, in one form for both databases:

    index          "UNIQUE (case_id, received_at)"
    constraint     "PRIMARY KEY (id)", "UNIQUE (name)", "FOREIGN KEY (item_id) REFERENCES item(id)"

The program's own tables have no partial or computed index, no check, no default but the numbers of rows, no policy, and
no collation but the one that the database has for a type: another may take two texts for the same, or sort them anew.
The types of columns are compared on PostgreSQL, which keeps to them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import ForeignKeyConstraint, PrimaryKeyConstraint, Table, UniqueConstraint, text
from sqlmodel import Session, SQLModel

from evidence_store.verify.report import Report

Definition = tuple[str, str, str]
"""(table, name of an index or empty, definition)."""

_SQLITE_INDEXES = """
SELECT m.name, l.name, l."unique", l.origin, l.partial, x.name, x."desc", x.coll
  FROM sqlite_master AS m, pragma_index_list(m.name) AS l, pragma_index_xinfo(l.name) AS x
 WHERE m.type = 'table' AND x.key ORDER BY m.name, l.name, x.seqno
"""
_SQLITE_KEYS = """
SELECT m.name, c.name FROM sqlite_master AS m, pragma_table_xinfo(m.name) AS c
 WHERE m.type = 'table' AND c.pk ORDER BY m.name, c.pk
"""
_SQLITE_REFERENCES = """
SELECT m.name, f.id, f."from", f."table", f."to", f.on_update || f.on_delete || f.match
  FROM sqlite_master AS m, pragma_foreign_key_list(m.name) AS f WHERE m.type = 'table' ORDER BY m.name, f.id, f.seq
"""
_SQLITE_TABLES = "SELECT name, sql FROM sqlite_master WHERE type = 'table'"
_SQLITE_COLUMNS = """
SELECT m.name, c.name, c."notnull" OR c.pk, c.dflt_value, c.hidden, NULL
  FROM sqlite_master AS m, pragma_table_xinfo(m.name) AS c WHERE m.type = 'table'
"""
_STRANGE = re.compile(r"\b(CHECK|COLLATE|GENERATED|CONFLICT|STRICT|WITHOUT|DEFERRABLE)\b", re.IGNORECASE)
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")

_OURS = "(SELECT * FROM pg_class WHERE relnamespace = current_schema()::regnamespace) AS ours"
_POSTGRESQL_INDEXES = f"""
SELECT ours.relname, x.relname, pg_get_indexdef(i.indexrelid), i.indisvalid AND i.indisready AND i.indislive,
       EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = i.indexrelid AND contype IN ('p', 'u', 'x'))
  FROM pg_index AS i JOIN {_OURS} ON ours.oid = i.indrelid JOIN pg_class AS x ON x.oid = i.indexrelid
"""  # noqa: S608 - our own words
_POSTGRESQL_CONSTRAINTS = f"""
SELECT ours.relname, pg_get_constraintdef(c.oid) FROM pg_constraint AS c JOIN {_OURS} ON ours.oid = c.conrelid
 WHERE c.contype IN ('p', 'u', 'f', 'c', 'x', 't')
"""  # noqa: S608
_POSTGRESQL_COLUMNS = f"""
SELECT ours.relname, a.attname, a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attgenerated <> '',
       format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attcollation = t.typcollation THEN ''
         ELSE ' COLLATE ' || coalesce((SELECT collname FROM pg_collation WHERE oid = a.attcollation), '?') END
  FROM pg_attribute AS a JOIN {_OURS} ON ours.oid = a.attrelid AND ours.relkind = 'r'
  JOIN pg_type AS t ON t.oid = a.atttypid
  LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attnum > 0 AND NOT a.attisdropped
"""  # noqa: S608
_POSTGRESQL_OTHERS = f"""
SELECT 'table ' || relname, 'row security is on: it hides rows from whom its policies name' FROM {_OURS}
 WHERE relrowsecurity OR relforcerowsecurity
UNION ALL SELECT 'policy ' || polname || ' of ' || relname, 'the program did not make it'
  FROM pg_policy JOIN {_OURS} ON ours.oid = polrelid
UNION ALL SELECT 'trigger ' || tgname || ' of ' || relname, 'a trigger of the database itself is switched off'
  FROM pg_trigger JOIN {_OURS} ON ours.oid = tgrelid WHERE tgisinternal AND tgenabled <> 'O'
UNION ALL SELECT 'table ' || relname, 'rows of another table stand in it by inheritance'
  FROM pg_inherits JOIN {_OURS} ON ours.oid = inhparent
UNION ALL SELECT 'table ' || relname, 'it is not kept durably, or is no plain table'
  FROM {_OURS} WHERE relkind IN ('p', 'f') OR relkind = 'r' AND relpersistence <> 'p'
"""  # noqa: S608
_INDEX = re.compile(r"CREATE (UNIQUE )?INDEX \S+ ON \S+ USING btree (\(.*)", re.DOTALL)


def check_definitions(session: Session, report: Report) -> None:
    """Name each index, constraint and column that is not as the program's is, and whatever may hide rows."""
    lite = session.connection().dialect.name == "sqlite"
    tables = {name: table for name, table in SQLModel.metadata.tables.items() if _is_there(session, name)}
    found = {each for each in (_on_sqlite(session) if lite else _on_postgresql(session)) if each[0] in tables}
    wanted = {each for table in tables.values() for each in _declared(table)}
    both = {each[:2] for each in found} & {each[:2] for each in wanted}  # what is there or not is named by its name
    for table, name, definition in sorted(each for each in found - wanted if each[:2] in both or not each[1]):
        report.finding("schema_altered", _subject(table, name), f"the program did not make it so: {definition}")
    for table, _, definition in sorted(each for each in wanted - found if not each[1]):
        report.finding("schema_altered", _subject(table, ""), f"it is gone: {definition}")
    columns = _SQLITE_COLUMNS if lite else _POSTGRESQL_COLUMNS
    for table, column, never_null, default, computed, kind in _rows(session, columns):
        if table in tables and column in tables[table].columns:
            _check_column(tables[table], column, (bool(never_null), default, bool(computed)), report)
            wanted_kind = _type_on_postgresql(tables[table], column)
            if kind is not None and kind != wanted_kind:
                subject = f"column {column} of {table}"
                report.finding("schema_altered", subject, f"it is {kind}, the program made it {wanted_kind}")
    for subject, detail in _strange_tables(session, tables) if lite else _rows(session, _POSTGRESQL_OTHERS):
        report.finding("schema_altered", subject, detail)


def _subject(table: str, name: str) -> str:
    return f"index {name} of {table}" if name else f"constraint of {table}"


def _is_there(session: Session, table: str) -> bool:
    return bool(session.connection().dialect.has_table(session.connection(), table))


def _rows(session: Session, query: str) -> list[Any]:
    return list(session.connection().execute(text(query)))


def _declared(table: Table) -> Iterator[Definition]:
    for index in table.indexes:
        yield table.name, str(index.name), _of_columns("UNIQUE " if index.unique else "", index.columns.keys())
    for constraint in table.constraints:
        match constraint:
            case PrimaryKeyConstraint():
                yield table.name, "", _of_columns("PRIMARY KEY ", constraint.columns.keys())
            case UniqueConstraint():
                yield table.name, "", _of_columns("UNIQUE ", constraint.columns.keys())
            case ForeignKeyConstraint():
                there = [each.column.name for each in constraint.elements]
                yield table.name, "", _reference(constraint.column_keys, constraint.referred_table.name, there)


def _of_columns(kind: str, columns: Iterable[str]) -> str:
    return f"{kind}({', '.join(columns)})"


def _reference(here: Iterable[str], table: str, there: Iterable[str]) -> str:
    return f"FOREIGN KEY {_of_columns('', here)} REFERENCES {table}{_of_columns('', there)}"


def _check_column(table: Table, name: str, found: tuple[bool, str | None, bool], report: Report) -> None:
    never_null, default, computed = found
    column, subject = table.columns[name], f"column {name} of {table.name}"
    numbered = column is table.autoincrement_column and (default or "").startswith("nextval(")
    if computed or (default is not None and not numbered):
        report.finding("schema_altered", subject, f"the database fills it in: {default}")
    if never_null == bool(column.nullable):
        report.finding("schema_altered", subject, f"it may {'not ' if never_null else ''}be without a value")


# -- SQLite -----------------------------------------------------------------------------------


def _on_sqlite(session: Session) -> Iterator[Definition]:
    parts: dict[tuple[str, str, str, str], list[str]] = {}
    for table, index, unique, origin, partial, column, descending, collation in _rows(session, _SQLITE_INDEXES):
        how = f"{' DESC' if descending else ''}{'' if collation == 'BINARY' else f' COLLATE {collation}'}"
        kind = f"{'UNIQUE ' if unique else ''}{'(a part of the rows) ' if partial else ''}"
        parts.setdefault((table, index, origin, kind), []).append(f"{column or 'something computed'}{how}")
    for (table, index, origin, kind), columns in parts.items():
        if origin != "pk":
            yield table, index if origin == "c" else "", _of_columns(kind, columns)
    keys: dict[str, list[str]] = {}
    for table, column in _rows(session, _SQLITE_KEYS):
        keys.setdefault(table, []).append(column)
    for table, columns in keys.items():
        yield table, "", _of_columns("PRIMARY KEY ", columns)
    references: dict[tuple[str, int, str, str], list[tuple[str, str]]] = {}
    for table, number, here, other, there, actions in _rows(session, _SQLITE_REFERENCES):
        references.setdefault((table, number, other, actions), []).append((here, there))
    for (table, _, other, actions), pairs in references.items():
        plain = "" if actions == "NO ACTIONNO ACTIONNONE" else f" {actions}"
        yield table, "", _reference([one for one, _ in pairs], other, [str(one) for _, one in pairs]) + plain


def _strange_tables(session: Session, tables: Iterable[str]) -> Iterator[tuple[str, str]]:
    for name, sql in _rows(session, _SQLITE_TABLES):
        found = _STRANGE.search(_QUOTED.sub("", sql or ""))
        if name in tables and found is not None:
            yield f"table {name}", f"the program made it without {found.group(0).upper()}"


# -- PostgreSQL -------------------------------------------------------------------------------


def _type_on_postgresql(table: Table, column: str) -> str:
    """As `format_type` says it."""
    from sqlalchemy.dialects import postgresql

    said = str(table.columns[column].type.compile(postgresql.dialect())).lower()  # type: ignore[no-untyped-call]
    return said.replace("varchar", "character varying")


def _on_postgresql(session: Session) -> Iterator[Definition]:
    for table, index, definition, sound, of_constraint in _rows(session, _POSTGRESQL_INDEXES):
        plain = _INDEX.fullmatch(str(definition).replace('"', ""))
        said = definition if plain is None else f"{plain.group(1) or ''}{plain.group(2)}"
        if not of_constraint:
            yield table, index, said if sound else f"{said} NOT VALID"
        elif not sound:
            yield table, "", f"{said} NOT VALID"
    for table, definition in _rows(session, _POSTGRESQL_CONSTRAINTS):
        yield table, "", str(definition).replace('"', "")
