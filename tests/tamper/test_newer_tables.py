"""Exports in parts, disclosures, redactions, bundles received, counts, releases and the care of the law, edited behind
the log's back: every column of each table, and each row deleted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from unittest import mock

import pytest
from sqlmodel import SQLModel

from app import tables
from app.api.services import Services
from app.custody.rows import formats
from app.disclosure.rules import Recipient, Wishes, parse_parts
from app.export import making
from app.incidents.dossier import take_apart
from app.law.catalogue import packaged_catalogue
from app.law.rule_care import Switch
from tests.archives import close_archive, deposit, make_archive, person
from tests.bundles import sample_archive
from tests.checks import assert_clean, audit, errors_of
from tests.disclosing import photo
from tests.incident_samples import document

assert tables  # all are registered by it
TABLES = (
    "catalogue_import", "disclosure", "disclosure_item", "disclosure_openings", "export_part", "export_request",
    "export_set", "frozen_release", "pattern_rule", "provision_signoff", "received_bundle", "received_item",
    "redaction", "redaction_review", "rule_change", "rule_change_review",
)  # fmt: skip
KEYS = {name: form.key for name, form in formats()}
EDITS = {"text": "{0} || '1'", "integer": "{0} + 1000", "blob": "{0} || x'20'", "null": "'1'"}
SMALL = 60 + 15  # files: what all parts of a set share, and one item


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """A row in every table, and a clean audit."""
    services = make_archive(tmp_path_factory.mktemp("newer"))
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    leo, liz = (person(services, name, "legal", case) for name in ("leo", "liz"))
    first, second = (deposit(services, who, case, photo(seed)).item.id for seed in (1, 2))
    court = Recipient("A court", "court")
    made = services.redactions.redact(who, first, [(1, 1, 5, 5)], "fill", "a face")
    services.redactions.review(leo, made.row.id, "approve")
    held = services.exports.create(who, case_ref="T1", wishes=Wishes(court, "withhold", {second: parse_parts(())}))
    services.openings.disclose(who, held.id, court, "order", release="agreed")
    with mock.patch.object(making, "FILES_PER_PART", SMALL):
        services.exports.create(who, case_ref="T1", key="k")
    services.incident_files.take_in(who, case, take_apart(document()))
    services.patterns.put_rule(who, case, "all", {"title": "t", "period": {"from": "2025-01-01"}})
    services.releases.freeze(who, case, "R1", "all")
    services.catalogue_care.sign(leo, "ap1-art62", "sign", "read")
    services.catalogue_care.take_in(who, json.dumps(json.loads(packaged_catalogue())).encode(), "as one line")
    services.rule_care.change(leo, Switch(rule="R01", on=False), "too wide")
    services.rule_care.review(liz, 1, "confirm")
    with services.receiving.spool() as spool:
        spool.fill([sample_archive("newer").bundle()])
        services.receiving.receive(who, case, spool, spool.check())
    assert_clean(services)
    yield services
    close_archive(services)


@pytest.fixture
def database(archive: Services, tmp_path: Path) -> Iterator[Path]:
    """Its database, which is put back afterwards."""
    path = archive.archive.settings.data / "catena.db"
    archive.archive.db.close()
    shutil.copyfile(path, tmp_path / "kept")
    yield path
    archive.archive.db.close()
    for beside in path.parent.glob("catena.db-*"):
        beside.unlink()
    shutil.copyfile(tmp_path / "kept", path)


@pytest.mark.parametrize("number", range(max(len(SQLModel.metadata.tables[table].columns) for table in TABLES)))
def test_every_edited_column_is_named(archive: Services, database: Path, number: int) -> None:
    expected = set()
    with closing(connect(database)) as connection, connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        for table in TABLES:
            columns = list(SQLModel.metadata.tables[table].columns.keys())
            if number >= len(columns):
                continue
            column = columns[number]
            key_column = KEYS[table]
            chosen = f"SELECT {key_column}, typeof({column}) FROM {table} ORDER BY rowid DESC LIMIT 1"  # noqa: S608 - our own names
            key, kind = connection.execute(chosen).fetchone()
            edit = EDITS[kind].format(column)
            update = f"UPDATE {table} SET {column} = {edit} WHERE {key_column} = ?"  # noqa: S608
            assert connection.execute(update, (key,)).rowcount == 1
            expected.add(("row_missing" if column == key_column else "row_altered", f"{table} {key}"))
    assert expected <= errors_of(audit(archive))


def test_every_deleted_row_is_named(archive: Services, database: Path) -> None:
    expected = set()
    with closing(connect(database)) as connection, connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        for table in TABLES:
            keys = [key for (key,) in connection.execute(f"SELECT {KEYS[table]} FROM {table}")]  # noqa: S608
            assert keys
            connection.execute(f"DELETE FROM {table}")  # noqa: S608
            expected |= {("row_missing", f"{table} {key}") for key in keys}
    assert expected <= errors_of(audit(archive))
