"""Bundles of before ADR 43 keep their SHA-512, bound to the log; new ones have none, and none can be added."""

from __future__ import annotations

import hashlib
from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from app import migrate
from app.audit.checks import Options
from app.db import Database
from app.export.models import ExportPartRow
from app.wiring import open_archive
from evidence_store.keys import file as key_file
from tests.archives import PASSPHRASE, deposit, make_archive
from tests.checks import assert_clean, audit, errors_of
from tests.databases import BACKENDS, fresh_database
from tests.exports_of_before import exports_as_before
from tests.schemas_of_before import take_back

REVISION, BEFORE = "0020", "0019"


@pytest.mark.parametrize("backend", BACKENDS)
def test_rows_of_before_stand_and_new_ones_have_no_second_digest(backend: str, tmp_path: Path) -> None:
    url = fresh_database(backend, tmp_path)
    with mock.patch.object(key_file, "SCRYPT_P", 1):
        services = make_archive(tmp_path, url, fresh=True)
    who = services.access.local_operator()
    deposit(services, who, services.evidence.create_case(who, "T1"), b"data")
    with exports_as_before():
        before = services.exports.create(who, case_ref="T1")
    services.archive.db.close()
    with closing(Database(url)) as db:
        take_back(db, BEFORE)
        with pytest.raises(IntegrityError), db.engine.begin() as connection:
            connection.execute(sa.text("UPDATE export_part SET sha512 = NULL"))
        migrate.upgrade(db, REVISION)
        migrate.upgrade(db)

    services = open_archive(services.archive.settings, lambda: PASSPHRASE)
    now = services.exports.create(who, case_ref="T1")
    with services.archive.db.read() as session:
        told = {part.id: part.sha512 for part in session.exec(select(ExportPartRow))}
    data = (services.archive.settings.exports / f"{before.id}.zip").read_bytes()
    assert told == {before.id: hashlib.sha512(data).hexdigest(), now.id: None}
    assert_clean(services)
    everything = services.audits.run(services.access.local_auditor(), options=Options(all_digests=True))
    assert errors_of(everything) == set()
    with pytest.raises(ValueError, match="without SHA-512"):
        take_back(services.archive.db, BEFORE)
    for changed, key in (("NULL", before.id), ("'" + "0" * 128 + "'", now.id)):
        with services.archive.db.engine.begin() as connection:
            connection.execute(sa.text(f"UPDATE export_part SET sha512 = {changed} WHERE id = :key"), {"key": key})  # noqa: S608
        assert ("row_altered", f"export_part {key}") in errors_of(audit(services))
    services.archive.db.close()
