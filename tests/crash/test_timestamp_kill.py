"""`kill -9` between an authority's answer and the commit that keeps it: the stamp is asked for again, and is one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import col, select

from app.api.services import Services
from app.timestamps.models import TimestampRow
from app.timestamps.service import receipt_subject
from evidence_store.seal import seal_imprint
from evidence_store.timestamps.token import verify_token
from tests.archives import PASSPHRASE, deposit, make_archive
from tests.checks import assert_clean
from tests.databases import BACKENDS, fresh_database
from tests.processes import Nursery, nursery, until
from tests.tsa import LocalTsa, start_tsa


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with nursery(tmp_path_factory.mktemp("processes")) as here:
        yield here


@pytest.fixture(params=BACKENDS)
def services(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Services]:
    made = make_archive(tmp_path, fresh_database(request.param, tmp_path))
    yield made
    made.archive.db.close()


@pytest.fixture
def tsa(tmp_path: Path) -> Iterator[LocalTsa]:
    here = start_tsa(tmp_path)
    yield here
    here.stop()


def rows(services: Services) -> list[TimestampRow]:
    with services.archive.db.read() as session:
        return list(session.exec(select(TimestampRow).order_by(col(TimestampRow.id))))


@pytest.mark.parametrize(
    "place",
    [
        "app.timestamps.service:ask",  # claimed, not asked yet
        "app.timestamps.stamps:Stamps.done",  # answered and verified, not kept
    ],
)
def test_worker_killed_around_the_answer(place: str, services: Services, tsa: LocalTsa, processes: Nursery) -> None:
    who = services.access.local_operator()
    services.timestamps.add(who.actor, "first", tsa.url, tsa.authority.roots_pem)
    receipt = deposit(services, who, services.evidence.create_case(who, "T1"), b"data").receipt
    assert receipt is not None
    services.checkpoint()
    settings = services.archive.settings
    worker = processes.start(
        "worker",
        pause_at=place,
        CATENA_DATA=str(settings.data),
        CATENA_DATABASE_URL=settings.database_url,
        CATENA_PASSPHRASE=PASSPHRASE.decode(),
    )
    worker.paused()
    asked = len(tsa.requests)
    worker.kill()
    subject = receipt_subject(receipt.item_id)
    claimed = [row for row in rows(services) if row.attempts]
    assert [(row.state, row.response, row.attempts) for row in claimed] == [("pending", None, 1)]
    assert services.timestamps.tokens(subject) == {}
    services.timestamps.work()  # its lease still holds: whoever comes does the rest
    assert [row.state for row in rows(services) if row.id == claimed[0].id] == ["pending"]
    services.timestamps.retry()
    until(lambda: _all_done(services), "everything is stamped")
    assert len(rows(services)) == len({row.subject for row in rows(services)})
    (token,) = services.timestamps.tokens(subject).values()
    verify_token(token, seal_imprint(receipt.seal), "sha256", tsa.roots)
    assert len(tsa.requests) > asked
    assert_clean(services)


def _all_done(services: Services) -> bool:
    services.timestamps.work()
    return {row.state for row in rows(services)} == {"done"}


def test_server_asks_by_itself_and_after_a_restart_for_what_a_killed_one_did_not_get(
    services: Services, tsa: LocalTsa, processes: Nursery
) -> None:
    who = services.access.local_operator()
    services.timestamps.add(who.actor, "first", tsa.url, tsa.authority.roots_pem)
    receipt = deposit(services, who, services.evidence.create_case(who, "T1"), b"data").receipt
    assert receipt is not None
    settings = services.archive.settings
    variables = {
        "CATENA_DATA": str(settings.data),
        "CATENA_DATABASE_URL": settings.database_url,
        "CATENA_PASSPHRASE": PASSPHRASE.decode(),
    }
    tsa.mode = "busy"
    server = processes.start("serve", "--port", "0", "--json", "--workers", "0", **variables)
    until(lambda: any(row.last_error for row in rows(services)), "the server has asked", told=lambda: server.stderr)
    server.kill()
    tsa.mode = "up"
    server = processes.start("serve", "--port", "0", "--json", "--workers", "0", **variables)
    subject = receipt_subject(receipt.item_id)
    until(lambda: services.timestamps.tokens(subject), "the receipt is stamped", told=lambda: server.stderr)
    server.kill()
    assert_clean(services)
