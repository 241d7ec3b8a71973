"""The schema of the database: what the program made, and nothing that acts or hides beside it.

A trigger could undo or falsify what is written, a view could stand in for a table, and an unknown table
or column could carry what no event speaks of. How what has a right name is defined: schema_definitions.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlmodel import Session, SQLModel

import app.tables  # noqa: F401 - a table that no code has loaded yet would be taken for an intruder's
from app import migrate
from app.audit.schema_definitions import check_definitions
from app.db import Database
from app.errors import CatenaError
from app.migrate import VERSIONS
from evidence_store.verify.report import Report

Part = tuple[str, str, str]
"""(kind, table that it belongs to, name)."""

# Indexes that a constraint made for itself have no statement of their own, and no fixed name.
_SQLITE = """
SELECT type, tbl_name, name FROM sqlite_master WHERE type IN ('trigger', 'view')
UNION ALL SELECT type, tbl_name, name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL
UNION ALL SELECT type, tbl_name, name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_stat*'
UNION ALL SELECT 'column', m.name, c.name FROM sqlite_master AS m, pragma_table_xinfo(m.name) AS c
 WHERE m.type = 'table' AND m.name NOT GLOB 'sqlite_stat*'
"""
_POSTGRESQL = """
WITH ours AS (SELECT oid, relname, relkind FROM pg_class
 WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()))
SELECT 'table', relname, relname FROM ours WHERE relkind IN ('r', 'p', 'f')
UNION ALL SELECT 'view', relname, relname FROM ours WHERE relkind IN ('v', 'm')
UNION ALL SELECT 'trigger', relname, tgname FROM pg_trigger JOIN ours ON ours.oid = tgrelid WHERE NOT tgisinternal
UNION ALL SELECT 'rule', tablename, rulename FROM pg_rules WHERE schemaname = current_schema()
UNION ALL SELECT 'column', relname, attname FROM pg_attribute JOIN ours ON ours.oid = attrelid
 WHERE relkind IN ('r', 'p', 'f') AND attnum > 0 AND NOT attisdropped
UNION ALL SELECT 'index', ours.relname, x.relname FROM pg_index JOIN ours ON ours.oid = indrelid
 JOIN pg_class AS x ON x.oid = indexrelid
 WHERE NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u', 'x'))
"""
_PARTS = {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}


def check_schema(db: Database, session: Session, report: Report) -> None:
    """Name every trigger, rule or view, what was added to the tables or is gone, and a wrong version."""
    connection = session.connection()
    found = {(str(a), str(b), str(c)) for a, b, c in connection.execute(text(_PARTS[connection.dialect.name]))}
    wanted = _declared()
    for part in sorted(_without_parts_of_tables(found - wanted)):
        report.finding("schema_altered", _name(part), "the program did not make it")
    for part in sorted(_without_parts_of_tables(wanted - found)):
        report.finding("schema_altered", _name(part), "it is gone")
    check_definitions(session, report)
    try:
        migrate.require_current(db)
    except CatenaError as error:
        report.finding("schema_altered", VERSIONS, error.detail)
    except Exception as error:  # noqa: BLE001 - whatever the migration tool says of a version that it cannot read
        report.finding("schema_altered", VERSIONS, f"the version cannot be read: {type(error).__name__}")


def _declared() -> set[Part]:
    parts = {("table", VERSIONS, VERSIONS), ("column", VERSIONS, "version_num")}
    for name, table in SQLModel.metadata.tables.items():
        parts.add(("table", name, name))
        parts.update(("column", name, column.name) for column in table.columns)
        parts.update(("index", name, str(index.name)) for index in table.indexes)
    return parts


def _without_parts_of_tables(parts: set[Part]) -> set[Part]:
    """A whole table is named once."""
    whole = {name for kind, _, name in parts if kind == "table"}
    return {part for part in parts if part[0] in {"table", "trigger", "rule", "view"} or part[1] not in whole}


def _name(part: Part) -> str:
    kind, table, name = part
    return f"{kind} {name}" if name == table else f"{kind} {name} of {table}"
