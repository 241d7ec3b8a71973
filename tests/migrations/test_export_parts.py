"""Exports of before there were parts: still listed, still handed out; new ones are bound to the log, row by row."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest
import sqlalchemy as sa

from app import migrate
from app.db import Database
from app.errors import EnvironmentFailedError
from app.wiring import open_archive
from evidence_store.keys import file as key_file
from tests.archives import PASSPHRASE, deposit, make_archive
from tests.checks import assert_clean, audit, errors_of
from tests.databases import BACKENDS, fresh_database
from tests.schemas_of_before import take_back

BEFORE = "0012"
TABLES = {"export_part", "export_set", "export_request"}


@pytest.mark.parametrize("backend", BACKENDS)
def test_exports_of_before_stand_and_new_ones_are_bound(backend: str, tmp_path: Path) -> None:
    url = fresh_database(backend, tmp_path)
    with mock.patch.object(key_file, "SCRYPT_P", 1):
        services = make_archive(tmp_path, url, fresh=True)
    who = services.access.local_operator()
    deposit(services, who, services.evidence.create_case(who, "T1"), b"data")
    services.archive.db.close()
    with closing(Database(url)) as db:
        take_back(db, BEFORE)
        assert not TABLES & set(sa.inspect(db.engine).get_table_names())
        migrate.upgrade(db)
        assert set(sa.inspect(db.engine).get_table_names()) >= TABLES

    services = open_archive(services.archive.settings, lambda: PASSPHRASE)
    row = services.exports.create(who, case_ref="T1", key="k")
    assert_clean(services)
    with services.archive.db.engine.begin() as connection:
        connection.execute(sa.text("UPDATE export_part SET recipe = NULL"))
        connection.execute(sa.text("UPDATE export_request SET request_key = 'other'"))
    found = errors_of(audit(services))
    assert {("row_altered", f"export_part {row.id}"), ("row_altered", f"export_request {row.id}")} <= found
    with services.archive.db.engine.begin() as connection:  # as exports of before the migration are
        connection.execute(sa.text("DELETE FROM export_part"))
    _, path = services.exports.open_bundle(who, row.id)
    path.unlink()
    with pytest.raises(EnvironmentFailedError) as refused:
        services.exports.open_bundle(who, row.id)
    assert refused.value.code == "bundle_missing"
    assert ("row_missing", f"export_part {row.id}") in errors_of(audit(services))
    services.archive.db.close()
