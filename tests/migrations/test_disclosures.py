"""The register comes to an archive that was there before it: its exports are in it, new ones are bound to the log."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app import migrate
from app.db import Database
from app.disclosure.rules import Recipient, Wishes, parse_parts
from app.wiring import open_archive
from evidence_store.keys import file as key_file
from tests.archives import PASSPHRASE, deposit, make_archive
from tests.checks import assert_clean, audit, errors_of
from tests.databases import BACKENDS, fresh_database
from tests.disclosing import photo
from tests.exports_of_before import exports_as_before
from tests.schemas_of_before import take_back

BEFORE = "0013"
TABLES = {"disclosure", "disclosure_item", "disclosure_openings", "redaction", "redaction_review"}


@pytest.mark.parametrize("backend", BACKENDS)
def test_exports_of_before_stand_in_the_register_and_new_ones_are_bound(backend: str, tmp_path: Path) -> None:
    url = fresh_database(backend, tmp_path)
    with mock.patch.object(key_file, "SCRYPT_P", 1):
        services = make_archive(tmp_path, url, fresh=True)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    first, second = (deposit(services, who, case, photo(seed)).item.id for seed in (1, 2))
    with exports_as_before():
        old = services.exports.create(who, item_ids=[first])
    services.archive.db.close()
    with closing(Database(url)) as db:
        take_back(db, BEFORE)
        assert not TABLES & set(sa.inspect(db.engine).get_table_names())
        migrate.upgrade(db)
        assert set(sa.inspect(db.engine).get_table_names()) >= TABLES

    services = open_archive(services.archive.settings, lambda: PASSPHRASE)
    (line,) = services.register.entries(who)
    assert (line.id, line.as_json()["recipient"]) == (old.id, None)
    wishes = Wishes(Recipient("A court", "court"), "withhold", {second: parse_parts(())})
    new = services.exports.create(who, case_ref="T1", wishes=wishes)
    made = services.redactions.redact(who, first, [(1, 1, 5, 5)], "fill", "a face")
    services.openings.disclose(who, new.id, Recipient("A court", "court"), "order", release="agreed")
    assert [one.export.id for one in services.register.entries(who)] == [new.id, new.id, old.id]
    assert [one.export.id for one in services.register.entries(who, item_id=first)] == [new.id, old.id]
    assert_clean(services)
    engine = services.archive.db.engine
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(sa.text("UPDATE disclosure_item SET item_id = 'no such item'"))
    for table in ("disclosure", "disclosure_item", "redaction"):
        with engine.begin() as connection:
            connection.execute(sa.text(f"UPDATE {table} SET row_salt = 'x' WHERE 1 = 1"))  # noqa: S608
    found = errors_of(audit(services))
    assert ("row_altered", f"redaction {made.row.id}") in found
    assert {code for code, _ in found} == {"row_altered"}
    services.archive.db.close()
