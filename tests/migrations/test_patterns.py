"""Revision 0017: patterns and the care of the law come to an archive that was there before them."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from sqlalchemy.exc import IntegrityError

from app import migrate
from app.db import Database
from app.incidents.dossier import take_apart
from app.law.catalogue import packaged_catalogue
from app.law.rule_care import Switch
from app.wiring import open_archive
from evidence_store.keys import file as key_file
from tests.archives import PASSPHRASE, make_archive, person
from tests.checks import assert_clean, audit, errors_of
from tests.databases import BACKENDS, fresh_database
from tests.incident_samples import document
from tests.schemas_of_before import take_back

REVISION = "0017"
TABLES = (
    "rule_change_review",
    "rule_change",
    "provision_signoff",
    "catalogue_import",
    "frozen_release",
    "pattern_rule",
)


@pytest.mark.parametrize("backend", BACKENDS)
def test_releases_and_sign_offs_are_bound_to_the_log_and_each_number_is_given_once(
    backend: str, tmp_path: Path
) -> None:
    url = fresh_database(backend, tmp_path)
    with mock.patch.object(key_file, "SCRYPT_P", 1):
        services = make_archive(tmp_path, url, fresh=True)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    services.incident_files.take_in(who, case, take_apart(document()))
    lawyers = [person(services, name, "legal", case) for name in ("leo", "liz")]
    services.checkpoint()
    services.archive.db.close()
    before = ScriptDirectory.from_config(migrate._config()).get_revision(REVISION).down_revision
    assert isinstance(before, str)
    with closing(Database(url)) as db:
        take_back(db, before)
        assert set(TABLES).isdisjoint(sa.inspect(db.engine).get_table_names())
        migrate.upgrade(db)

    services = open_archive(services.archive.settings, lambda: PASSPHRASE)
    services.patterns.put_rule(who, case, "all", {"title": "t", "period": {"from": "2025-01-01"}})
    services.releases.freeze(who, case, "R1", "all")
    services.catalogue_care.sign(lawyers[0], "ap1-art62", "sign", "read")
    services.catalogue_care.take_in(who, json.dumps(json.loads(packaged_catalogue())).encode(), "as one line")
    services.rule_care.change(lawyers[0], Switch(rule="R01", on=False), "too wide")
    services.rule_care.review(lawyers[1], 1, "confirm")
    assert services.releases.verify(who, case, "R1").identical
    assert_clean(services)

    engine = services.archive.db.engine
    for table in ("rule_change_review", "provision_signoff", "frozen_release", "pattern_rule"):
        columns = ", ".join(c["name"] for c in sa.inspect(engine).get_columns(table) if c["name"] != "id")
        again = f"INSERT INTO {table} (id, {columns}) SELECT 'x' || substr(id, 2), {columns} FROM {table}"  # noqa: S608 - ours
        with pytest.raises(IntegrityError), engine.begin() as connection:
            connection.exec_driver_sql(again)
    for table in TABLES:
        with engine.begin() as connection:
            connection.execute(sa.text(f"UPDATE {table} SET created_at = '2020-01-01T00:00:00.000000Z'"))  # noqa: S608
    found = errors_of(audit(services))
    assert {subject.split()[0] for code, subject in found if code == "row_altered"} == set(TABLES)
    services.archive.db.close()
