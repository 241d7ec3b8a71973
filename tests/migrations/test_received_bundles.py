"""Bundles of partners come to an archive that was there before there was a table for them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app import migrate
from app.db import Database
from app.wiring import open_archive
from evidence_store.keys import file as key_file
from tests.archives import PASSPHRASE, deposit, make_archive
from tests.bundles import sample_archive
from tests.checks import assert_clean
from tests.databases import BACKENDS, fresh_database
from tests.schemas_of_before import take_back

REVISION = "0019"


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_partners_bundle_is_received_by_an_archive_of_before(backend: str, tmp_path: Path) -> None:
    url = fresh_database(backend, tmp_path)
    with mock.patch.object(key_file, "SCRYPT_P", 1):
        services = make_archive(tmp_path, url, fresh=True)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    kept = deposit(services, who, case, b"of before").item.id
    services.checkpoint()
    services.archive.db.close()
    with closing(Database(url)) as db:
        take_back(db, REVISION)
        take_back(db, "-1")
        assert not {"received_bundle", "received_item"} & set(sa.inspect(db.engine).get_table_names())
        migrate.upgrade(db)

    services = open_archive(services.archive.settings, lambda: PASSPHRASE)
    with services.receiving.spool() as spool:
        spool.fill([sample_archive("migration").bundle()])
        received = services.receiving.receive(who, case, spool, spool.check())
    assert len(received.items) == 2
    assert kept in {item.id for item, _ in services.evidence.list_items(who).items}
    assert_clean(services)
    columns = "row_salt, id, case_id, sha256, state, told, received_at, received_by, finished_at"
    others = columns.replace("id, case_id", "'x', case_id", 1)
    twice = f"INSERT INTO received_bundle ({columns}) SELECT {others} FROM received_bundle"  # noqa: S608
    with pytest.raises(IntegrityError), services.archive.db.engine.begin() as connection:
        connection.execute(sa.text(twice))
    with pytest.raises(IntegrityError), services.archive.db.engine.begin() as connection:
        connection.execute(sa.text("UPDATE received_item SET item_id = 'no such item'"))
    services.archive.db.close()
