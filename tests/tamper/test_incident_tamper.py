"""Incidents edited behind the log's back: every column of every table, each on a row of its own, in one audit."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from sqlite3 import connect

from sqlmodel import SQLModel

from app.custody.rows import formats
from app.incidents.dossier import take_apart
from tests.archives import close_archive, make_archive
from tests.checks import assert_clean, audit, errors_of
from tests.incident_samples import REF, document

TABLES = ("incident_entry", "incident_version", "incident_claim")
EDITS = {"text": "'x' || substr({0}, 2)", "integer": "{0} + 1000", "blob": "x'7b7d'", "null": "'nobody'"}


def test_every_edited_column_of_incidents_is_named(tmp_path: Path) -> None:
    services = make_archive(tmp_path)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    services.incident_files.take_in(who, case, take_apart(document()))
    for number in range(8):
        services.incidents.claim(who, REF, {"ref": f"C{number}", "speaker": "Service A", "text": "so it is said"})
    assert_clean(services)
    assert set(TABLES) <= {name for name, _ in formats()}
    expected: set[tuple[str, str]] = set()
    with closing(connect(services.archive.settings.data / "catena.db")) as database, database:
        database.execute("PRAGMA foreign_keys=OFF")
        for table in TABLES:
            keys = [str(row[0]) for row in database.execute(f"SELECT id FROM {table} ORDER BY id")]  # noqa: S608
            columns = list(SQLModel.metadata.tables[table].columns.keys())
            assert len(keys) >= len(columns)
            for column, key in zip(columns, keys, strict=False):
                (kind,) = database.execute(f"SELECT typeof({column}) FROM {table} WHERE id = ?", (key,)).fetchone()  # noqa: S608
                edit = EDITS[kind].format(column)
                changed = database.execute(f"UPDATE {table} SET {column} = {edit} WHERE id = ?", (key,))  # noqa: S608
                assert changed.rowcount == 1
                expected.add(("row_missing" if column == "id" else "row_altered", f"{table} {key}"))
    assert expected <= errors_of(audit(services))
    close_archive(services)
