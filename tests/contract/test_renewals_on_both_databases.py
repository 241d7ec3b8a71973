"""Renewals on every database that the archive runs on: the whole history is proven, whatever is added after it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from app.errors import EnvironmentFailedError
from tests.checks import assert_clean
from tests.databases import BACKENDS, fresh_database
from tests.renewals import stage


@pytest.mark.parametrize("backend", BACKENDS)
def test_history_is_renewed_proven_and_audited(backend: str, tmp_path: Path) -> None:
    with stage(tmp_path, ("first", "second"), database_url=fresh_database(backend, tmp_path)) as at:
        items = [f"item:{at.deposit(b'photo %d' % number).item.id}" for number in range(7)]
        at.services.renewals.renew(at.admin)
        at.read(items[0].removeprefix("item:"))
        outcome = at.services.renewals.renew(at.admin)
        assert outcome.tree is not None
        files = at.files(*at.objects())
        for about in items:
            covered, tokens = at.verify(files, 2 if about == items[0] else 1, about)
            assert covered == len(at.events(about))
            assert len(tokens) == 2
        assert at.verify_checkpoint(files, 1)
        assert at.verify_checkpoint(files, 2)
        assert [renewal.number for renewal in at.services.renewals.standing(at.admin).renewals] == [1, 2]
        assert_clean(at.services)


@pytest.mark.parametrize("backend", BACKENDS)
def test_event_changed_in_the_middle_of_the_log_stops_the_renewal(backend: str, tmp_path: Path) -> None:
    with stage(tmp_path, database_url=fresh_database(backend, tmp_path)) as at:
        at.deposit(b"a photo")
        at.size()
        with at.services.archive.db.write() as session:
            session.execute(text("UPDATE custody_event SET object_seq = 77 WHERE leaf_index = 3"))
        with pytest.raises(EnvironmentFailedError) as caught:
            at.services.renewals.renew(at.admin)
        assert caught.value.code == "log_damaged"
        assert [path.name for path in at.renewals.iterdir()] == ["lock"]
        assert at.told() == []
