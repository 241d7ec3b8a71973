"""Revision 0011: incidents come to an archive that was there before them, and stay what the log says."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from pydantic import JsonValue
from sqlalchemy.exc import IntegrityError

from app import migrate
from app.db import Database
from app.incidents.dossier import take_apart
from app.wiring import open_archive
from evidence_store.keys import file as key_file
from tests.archives import PASSPHRASE, make_archive
from tests.checks import assert_clean, audit, errors_of
from tests.databases import BACKENDS, fresh_database
from tests.incident_samples import REF, document
from tests.schemas_of_before import take_back

REVISION = "0011"
TABLES = ("incident_claim", "incident_version", "incident_entry")
CLAIM: dict[str, JsonValue] = {"speaker": "Service A", "text": "Nobody was hurt.", "fact": "injured", "value": 0}


@pytest.mark.parametrize("backend", BACKENDS)
def test_incidents_are_bound_to_the_log_and_each_number_is_given_once(backend: str, tmp_path: Path) -> None:
    url = fresh_database(backend, tmp_path)
    with mock.patch.object(key_file, "SCRYPT_P", 1):
        services = make_archive(tmp_path, url, fresh=True)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    services.checkpoint()
    services.archive.db.close()
    before = ScriptDirectory.from_config(migrate._config()).get_revision(REVISION).down_revision
    assert isinstance(before, str)
    with closing(Database(url)) as db:
        take_back(db, before)
        assert set(TABLES).isdisjoint(sa.inspect(db.engine).get_table_names())
        migrate.upgrade(db)

    services = open_archive(services.archive.settings, lambda: PASSPHRASE)
    services.incident_files.take_in(who, case, take_apart(document()))
    incident = services.incidents.get(who, REF)
    services.incidents.revise(who, REF, {"title": "said anew"}, "corrected", 1)
    services.incidents.claim(who, REF, CLAIM)
    assert [one.record.number for one in services.incidents.history(who, REF)] == [1, 2]
    assert_clean(services)

    engine = services.archive.db.engine
    for table in TABLES:
        columns = ", ".join(c["name"] for c in sa.inspect(engine).get_columns(table) if c["name"] != "id")
        again = f"INSERT INTO {table} (id, {columns}) SELECT 'x' || substr(id, 2), {columns} FROM {table}"  # noqa: S608 - ours
        with pytest.raises(IntegrityError), engine.begin() as connection:
            connection.exec_driver_sql(again)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE incident_entry SET ref = 'INC-OTHER' WHERE ref = :ref"), {"ref": REF})
        connection.execute(sa.text("DELETE FROM incident_claim"))
        connection.execute(sa.text("UPDATE incident_version SET created_by = 'nobody' WHERE number = 2"))
    found = errors_of(audit(services))
    assert ("row_altered", f"incident_entry {incident.entry.id}") in found
    assert {code for code, _ in found} == {"row_altered", "row_missing"}
    services.archive.db.close()
