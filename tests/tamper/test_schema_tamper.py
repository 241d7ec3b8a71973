"""An insider who leaves every row as it is and has the database hide some of them, or let others in."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from app.api.services import Services
from tests.archives import deposit, make_archive
from tests.checks import assert_clean, audit, work_off
from tests.databases import fresh_postgres
from tests.victims import Victim

_INDEX = "ix_item_case_received"


def index_some_rows(database: Path) -> None:
    """Let the index of items know none that is here, and put its definition back to what it was."""
    with closing(sqlite3.connect(database)) as connection, connection:
        (kept,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (_INDEX,)).fetchone()
        connection.execute(f"DROP INDEX {_INDEX}")
        connection.execute(f"CREATE INDEX {_INDEX} ON item (case_id, received_at, id) WHERE original_name = 'another'")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (kept, _INDEX))


def found(services: Services) -> set[tuple[str, str]]:
    report = audit(services)
    return {(each["code"], each["subject"]) for each in report["findings"] if each["severity"] == "error"}


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Victim]:
    made = Victim(tmp_path / "data")
    yield made
    made.services.archive.db.close()


def test_index_that_leaves_items_out_under_its_old_definition_is_named(victim: Victim) -> None:
    index_some_rows(victim.data / "catena.db")
    assert found(victim.services) == {("database_damaged", "database")}


def test_page_of_the_database_that_was_written_over_is_named_and_the_audit_goes_on(victim: Victim) -> None:
    """An index's page: the rows themselves are whole."""
    with closing(sqlite3.connect(victim.data / "catena.db")) as connection, connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (_INDEX,)).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with (victim.data / "catena.db").open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xa5" * size)
    assert ("database_damaged", "database") in found(victim.services)


def _rewritten(victim: Victim, table: str, old: str, new: str) -> None:
    """A definition in the file's own table of definitions, changed."""
    with closing(sqlite3.connect(victim.data / "catena.db")) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        change = "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE name = ? AND sql LIKE ?"
        assert connection.execute(change, (old, new, table, f"%{old}%")).rowcount == 1, f"no {old} in {table}"


@pytest.mark.parametrize(
    "columns",
    [
        "(case_id, received_at, id) WHERE id <> 'x'",
        "(case_id, received_at)",
        "(received_at, case_id, id)",
        "(case_id, received_at DESC, id)",
        "(case_id, received_at, id COLLATE NOCASE)",
        "(case_id, received_at, lower(id))",
    ],
)
def test_index_of_our_name_that_is_another_is_named(columns: str, victim: Victim) -> None:
    victim.do(f"DROP INDEX {_INDEX}")
    victim.do(f"CREATE INDEX {_INDEX} ON item {columns}")
    assert found(victim.services) == {("schema_altered", f"index {_INDEX} of item")}


def test_index_that_lets_no_doubles_in_and_should_is_named(victim: Victim) -> None:
    victim.do(f"DROP INDEX {_INDEX}")
    victim.do(f"CREATE UNIQUE INDEX {_INDEX} ON item (case_id, received_at, id)")
    assert found(victim.services) == {("schema_altered", f"index {_INDEX} of item")}


@pytest.mark.parametrize(
    ("old", "new", "subject"),
    [
        ("time VARCHAR(27) NOT NULL", "time VARCHAR(27) NOT NULL DEFAULT 'x'", "column time of custody_event"),
        ("time VARCHAR(27) NOT NULL", "time VARCHAR(27)", "column time of custody_event"),
        ("time VARCHAR(27) NOT NULL", "time VARCHAR(27) NOT NULL CHECK (1)", "table custody_event"),
        ("time VARCHAR(27) NOT NULL", "time VARCHAR(27) NOT NULL COLLATE NOCASE", "table custody_event"),
    ],
)
def test_column_that_is_defined_otherwise_is_named(old: str, new: str, subject: str, victim: Victim) -> None:
    _rewritten(victim, "custody_event", old, new)
    assert ("schema_altered", subject) in found(victim.services)


def test_reference_that_no_longer_holds_is_named(victim: Victim) -> None:
    _rewritten(victim, "item", "FOREIGN KEY(case_id) REFERENCES evidence_case (id)", "CHECK (1)")
    assert ("schema_altered", "constraint of item") in found(victim.services)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, Services]]:
    """An archive in PostgreSQL."""
    import tempfile

    url = fresh_postgres()
    with tempfile.TemporaryDirectory() as folder:
        services = make_archive(Path(folder), url)
        who = services.access.local_operator()
        case = services.evidence.create_case(who, "T1")
        for number in range(3):
            deposit(services, who, case, b"x%d" % number)
        work_off(services)
        services.checkpoint()
        assert_clean(services)
        yield url, services
        services.archive.db.close()


ON_POSTGRESQL = {
    "row security": (
        ["ALTER TABLE item ENABLE ROW LEVEL SECURITY", "CREATE POLICY hides ON item USING (id <> 'x')"],
        ["DROP POLICY hides ON item", "ALTER TABLE item DISABLE ROW LEVEL SECURITY"],
        {"table item", "policy hides of item"},
    ),
    "row security for the owner": (
        ["ALTER TABLE item FORCE ROW LEVEL SECURITY"],
        ["ALTER TABLE item NO FORCE ROW LEVEL SECURITY"],
        {"table item"},
    ),
    "an index of some rows": (
        [f"DROP INDEX {_INDEX}", f"CREATE INDEX {_INDEX} ON item (case_id, received_at, id) WHERE id <> 'x'"],
        [f"DROP INDEX {_INDEX}", f"CREATE INDEX {_INDEX} ON item (case_id, received_at, id)"],
        {f"index {_INDEX} of item"},
    ),
    "an index in another order of letters": (
        [f"DROP INDEX {_INDEX}", f'CREATE INDEX {_INDEX} ON item (case_id COLLATE "POSIX", received_at, id)'],
        [f"DROP INDEX {_INDEX}", f"CREATE INDEX {_INDEX} ON item (case_id, received_at, id)"],
        {f"index {_INDEX} of item"},
    ),
    "an index by hash": (
        [f"DROP INDEX {_INDEX}", f"CREATE INDEX {_INDEX} ON item USING hash (case_id)"],
        [f"DROP INDEX {_INDEX}", f"CREATE INDEX {_INDEX} ON item (case_id, received_at, id)"],
        {f"index {_INDEX} of item"},
    ),
    "an index that is not kept": (
        ["UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_item_case_received'::regclass"],
        ["UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'ix_item_case_received'::regclass"],
        {f"index {_INDEX} of item"},
    ),
    "a constraint gone": (
        ["ALTER TABLE custody_event DROP CONSTRAINT uq_custody_event_object_seq"],
        ["ALTER TABLE custody_event ADD CONSTRAINT uq_custody_event_object_seq UNIQUE (object, object_seq)"],
        {"constraint of custody_event"},
    ),
    "a constraint more": (
        ["ALTER TABLE item ADD CONSTRAINT mine CHECK (id <> 'x')"],
        ["ALTER TABLE item DROP CONSTRAINT mine"],
        {"constraint of item"},
    ),
    "references that are not kept": (
        ["ALTER TABLE item DISABLE TRIGGER ALL"],
        ["ALTER TABLE item ENABLE TRIGGER ALL"],
        {"trigger"},
    ),
    "a default": (
        ["ALTER TABLE custody_event ALTER COLUMN sha256 SET DEFAULT 'x'"],
        ["ALTER TABLE custody_event ALTER COLUMN sha256 DROP DEFAULT"],
        {"column sha256 of custody_event"},
    ),
    "another type": (
        ["ALTER TABLE custody_event ALTER COLUMN time TYPE character varying(40)"],
        ["ALTER TABLE custody_event ALTER COLUMN time TYPE character varying(27)"],
        {"column time of custody_event"},
    ),
    "a type without a length": (
        ["ALTER TABLE custody_event ALTER COLUMN time TYPE text"],
        ["ALTER TABLE custody_event ALTER COLUMN time TYPE character varying(27)"],
        {"column time of custody_event"},
    ),
    "another order of letters": (
        ['ALTER TABLE custody_event ALTER COLUMN time TYPE character varying(27) COLLATE "POSIX"'],
        ['ALTER TABLE custody_event ALTER COLUMN time TYPE character varying(27) COLLATE "default"'],
        {"column time of custody_event"},
    ),
    "a column without a value": (
        ["ALTER TABLE custody_event ALTER COLUMN time DROP NOT NULL"],
        ["ALTER TABLE custody_event ALTER COLUMN time SET NOT NULL"],
        {"column time of custody_event"},
    ),
    "a table that a crash empties": (
        ["ALTER TABLE cosignature SET UNLOGGED"],
        ["ALTER TABLE cosignature SET LOGGED"],
        {"table cosignature"},
    ),
    "rows of another table": (
        ["CREATE TABLE mine () INHERITS (cosignature)"],
        ["DROP TABLE mine"],
        {"table cosignature", "table mine"},
    ),
    "a rule": (
        ["CREATE RULE quiet AS ON DELETE TO item DO INSTEAD NOTHING"],
        ["DROP RULE quiet ON item"],
        {"rule quiet of item"},
    ),
}


@pytest.mark.parametrize("name", ON_POSTGRESQL)
def test_what_hides_rows_or_lets_others_in_is_named_on_postgresql(name: str, served: tuple[str, Services]) -> None:
    url, services = served
    attack, undo, subjects = ON_POSTGRESQL[name]
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql"), autocommit=True) as connection:
        for statement in attack:
            connection.execute(statement.encode())
        try:
            told = {subject for code, subject in found(services) if code == "schema_altered"}
        finally:
            for statement in undo:
                connection.execute(statement.encode())
    assert {"trigger" if subject.startswith("trigger RI_") else subject for subject in told} == subjects
    assert_clean(services)
