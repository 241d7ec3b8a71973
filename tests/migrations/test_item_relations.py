"""Relations come to an archive that was there before them, and stay what the log says."""

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
from tests.checks import assert_clean, audit, errors_of
from tests.databases import BACKENDS, fresh_database
from tests.schemas_of_before import take_back

BEFORE = "0006"


@pytest.mark.parametrize("backend", BACKENDS)
def test_items_of_before_can_be_related_and_the_rows_are_bound_to_the_log(backend: str, tmp_path: Path) -> None:
    url = fresh_database(backend, tmp_path)
    with mock.patch.object(key_file, "SCRYPT_P", 1):
        services = make_archive(tmp_path, url, fresh=True)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    medium, sidecar = (deposit(services, who, case, data).item.id for data in (b"medium", b"sidecar"))
    services.checkpoint()
    services.archive.db.close()
    with closing(Database(url)) as db:
        take_back(db, BEFORE)
        assert "item_relation" not in sa.inspect(db.engine).get_table_names()
        migrate.upgrade(db)

    services = open_archive(services.archive.settings, lambda: PASSPHRASE)
    row, new = services.relations.add(who, sidecar, medium, "sidecar", "named after the whole file name")
    assert new
    assert [(one.relation.id, one.item, one.direction) for one in services.relations.of(who, medium)] == [
        (row.id, sidecar, "has")
    ]
    assert_clean(services)
    columns = "row_salt, id, item_id, related_id, kind, basis, created_at, created_by"
    copied = "row_salt, 'x', item_id, {related}, kind, basis, created_at, created_by"
    for related in ("related_id", "'no such item'"):  # the pair twice; an item that is not there
        statement = f"INSERT INTO item_relation ({columns}) SELECT {copied.format(related=related)} FROM item_relation"  # noqa: S608
        with pytest.raises(IntegrityError), services.archive.db.engine.begin() as connection:
            connection.execute(sa.text(statement))
    with services.archive.db.engine.begin() as connection:
        connection.execute(sa.text("UPDATE item_relation SET basis = 'said by nobody'"))
    assert ("row_altered", f"item_relation {row.id}") in errors_of(audit(services))
    services.archive.db.close()
