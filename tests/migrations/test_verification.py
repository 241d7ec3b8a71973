"""Revision 0015: verification comes to an archive that was there before it, and stays what the log says."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from sqlalchemy.exc import IntegrityError

from app import migrate
from app.db import Database
from app.verification.service import Review
from app.wiring import open_archive
from evidence_store.keys import file as key_file
from tests.archives import PASSPHRASE, make_archive, person
from tests.checks import assert_clean, audit, errors_of
from tests.databases import BACKENDS, fresh_database
from tests.schemas_of_before import take_back
from tests.verification_samples import place

REVISION = "0015"
TABLES = ("verification_review", "verification_version", "verification_subject", "verification")


@pytest.mark.parametrize("backend", BACKENDS)
def test_verification_is_bound_to_the_log_and_each_number_is_given_once(backend: str, tmp_path: Path) -> None:
    url = fresh_database(backend, tmp_path)
    with mock.patch.object(key_file, "SCRYPT_P", 1):
        services = make_archive(tmp_path, url, fresh=True)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    incident = services.incidents.add(who, case, "INC-1", {"title": "kept from before"})
    services.checkpoint()
    services.archive.db.close()
    before = ScriptDirectory.from_config(migrate._config()).get_revision(REVISION).down_revision
    assert isinstance(before, str)
    with closing(Database(url)) as db:
        take_back(db, before)
        assert set(TABLES).isdisjoint(sa.inspect(db.engine).get_table_names())
        migrate.upgrade(db)

    services = open_archive(services.archive.settings, lambda: PASSPHRASE)
    assert services.verified.status_of_incident(who, "INC-1")["level"] == "collected"
    made = services.verifications.add(who, case, "geolocation", "GEO-1", place("incident", incident.entry.id))
    second = person(services, "lena", "legal", case)
    services.verifications.review(second, Review("GEO-1", "approve", 1))
    assert services.verified.status_of_incident(who, "INC-1")["level"] == "located"
    assert_clean(services)

    engine = services.archive.db.engine
    for table in TABLES:
        columns = ", ".join(c["name"] for c in sa.inspect(engine).get_columns(table) if c["name"] != "id")
        again = f"INSERT INTO {table} (id, {columns}) SELECT 'x' || substr(id, 2), {columns} FROM {table}"  # noqa: S608 - ours
        with pytest.raises(IntegrityError), engine.begin() as connection:
            connection.exec_driver_sql(again)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE verification SET ref = 'GEO-2'"))
        connection.execute(sa.text("DELETE FROM verification_subject"))
        connection.execute(sa.text("UPDATE verification_version SET created_by = 'nobody'"))
        connection.execute(sa.text("UPDATE verification_review SET decision = 'reject'"))
    found = errors_of(audit(services))
    assert ("row_altered", f"verification {made.row.id}") in found
    assert {code for code, _ in found} == {"row_altered", "row_missing"}
    assert len(found) == len(TABLES)
    services.archive.db.close()
