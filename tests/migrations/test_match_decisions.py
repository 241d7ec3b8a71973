"""Decisions on matches come to an archive that was there before them; older fingerprints are renewed and kept."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from app import migrate
from app.db import Database
from app.matching import recipe, service
from app.matching.models import FingerprintRow
from app.wiring import make_worker, open_archive
from evidence_store.keys import file as key_file
from tests.archives import PASSPHRASE, deposit, make_archive
from tests.checks import assert_clean, audit, errors_of
from tests.databases import BACKENDS, fresh_database
from tests.flow.test_api_matches import jpeg, scene
from tests.schemas_of_before import take_back

BEFORE = "0011"
OLD = f"{recipe.ALGORITHM}/0"


@pytest.mark.parametrize("backend", BACKENDS)
def test_matches_of_before_are_renewed_and_decided_and_bound_to_the_log(backend: str, tmp_path: Path) -> None:
    url = fresh_database(backend, tmp_path)
    with mock.patch.object(key_file, "SCRYPT_P", 1):
        services = make_archive(tmp_path, url, fresh=True)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    first, second = (deposit(services, who, case, jpeg(scene(1), quality)).item.id for quality in (92, 60))
    with mock.patch.object(service, "ALGORITHM_ID", OLD):
        make_worker(services).drain()
    services.checkpoint()
    services.archive.db.close()
    with closing(Database(url)) as db:
        take_back(db, BEFORE)
        assert "match_decision" not in sa.inspect(db.engine).get_table_names()
        migrate.upgrade(db)

    services = open_archive(services.archive.settings, lambda: PASSPHRASE)
    assert services.matching.state_of(first)["state"] == "pending"
    assert (services.matching.renew(limit=1), services.matching.renew(), services.matching.renew()) == (1, 1, 0)
    make_worker(services).drain()
    with services.archive.db.read() as session:
        made = sorted(session.exec(select(FingerprintRow.item_id, FingerprintRow.algorithm)))
    assert made == sorted((item, name) for item in (first, second) for name in (OLD, recipe.ALGORITHM_ID))
    assert [one.item for one in services.matching.matches_of(who, first)] == [second]
    assert services.matching.renew() == 0

    row = services.decisions.decide(who, first, second, "confirm", "the same shot")
    assert services.decisions.cluster(who, second).earliest == first
    assert_clean(services)
    columns = "row_salt, id, item_id, other_id, number, decision, reason, created_at, created_by"
    copied = "row_salt, 'x', item_id, {other}, number, decision, reason, created_at, created_by"
    for other in ("other_id", "'no such item'"):  # the number twice; an item that is not there
        statement = f"INSERT INTO match_decision ({columns}) SELECT {copied.format(other=other)} FROM match_decision"  # noqa: S608
        with pytest.raises(IntegrityError), services.archive.db.engine.begin() as connection:
            connection.execute(sa.text(statement))
    with services.archive.db.engine.begin() as connection:
        connection.execute(sa.text("UPDATE match_decision SET decision = 'reject'"))
    assert ("row_altered", f"match_decision {row.id}") in errors_of(audit(services))
    with services.archive.db.engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM match_decision"))
    assert ("row_missing", f"match_decision {row.id}") in errors_of(audit(services))
    services.archive.db.close()
