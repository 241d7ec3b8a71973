"""Checkpoints: signed in order whoever signs, and not at all when a rollback could not be told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import Session, col, select

from app.api.services import Services
from app.attendants import attendants
from app.custody.models import CheckpointRow
from app.errors import CatenaError, EnvironmentFailedError
from app.jobs.models import Job
from app.wiring import make_worker, open_archive
from tests.archives import PASSPHRASE, deposit, make_archive
from tests.checks import assert_clean
from tests.databases import BACKENDS, fresh_database


@pytest.fixture(params=BACKENDS)
def services(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Services]:
    made = make_archive(tmp_path, fresh_database(request.param, tmp_path))
    made.checkpoint()
    yield made
    made.archive.db.close()


def checkpoints(session: Session) -> list[CheckpointRow]:
    return list(session.exec(select(CheckpointRow).order_by(col(CheckpointRow.size))))


def test_signers_at_once_number_their_checkpoints_in_the_order_of_the_log(services: Services) -> None:
    others = [open_archive(services.archive.settings, lambda: PASSPHRASE) for _ in range(2)]
    signers = [services, *others]
    for one in signers:
        one.archive.log_key()
    done = threading.Event()
    failures: list[CatenaError] = []

    def sign(one: Services) -> None:
        while not done.is_set():
            try:
                one.checkpoint()
            except CatenaError as error:
                failures.append(error)

    threads = [threading.Thread(target=sign, args=(one,)) for one in signers]
    for thread in threads:
        thread.start()
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    for number in range(25):
        deposit(services, who, case, f"{number}".encode())
    done.set()
    for thread in threads:
        thread.join()
    assert not failures
    newest = services.checkpoint()
    with services.archive.db.read() as session:
        rows = checkpoints(session)
    assert len(rows) > 3
    assert [row.seq for row in rows] == list(range(len(rows)))
    assert services.archive.settings.head_file.read_bytes() == rows[-1].note == newest
    assert_clean(services)
    for one in others:
        one.archive.db.close()


def test_without_the_head_kept_outside_nothing_is_signed_even_if_all_checkpoints_are_gone(services: Services) -> None:
    with services.archive.db.write() as session:
        for row in checkpoints(session):
            session.delete(row)
    services.archive.settings.head_file.unlink()
    with pytest.raises(EnvironmentFailedError) as caught:
        services.checkpoint()
    assert caught.value.code == "head_file_missing"
    with services.archive.db.read() as session:
        assert checkpoints(session) == []


def test_a_log_begins_once(services: Services) -> None:
    key = services.archive.log_key()
    with pytest.raises(EnvironmentFailedError) as caught:
        services.checkpointer.begin(key.public_key, key.sign)
    assert caught.value.code == "log_has_begun"


def test_a_server_without_workers_still_signs(services: Services) -> None:
    services.evidence.create_case(services.access.local_operator(), "T1")
    assert services.log_has_grown()
    signer, *_ = attendants(services)
    thread = threading.Thread(target=signer.run)
    thread.start()
    signer.stop()
    thread.join()
    assert not services.log_has_grown()


@pytest.mark.parametrize("payload", ["", "[]", "{", '{"item": 7}', "[" * 100_000])
def test_a_spoiled_job_is_buried_and_the_others_are_done(services: Services, payload: str) -> None:
    who = services.access.local_operator()
    deposit(services, who, services.evidence.create_case(who, "T1"), b"bytes")
    with services.archive.db.write() as session:
        seal = session.exec(select(Job).where(Job.kind == "seal")).one()
        seal.payload, seal.state = payload, "ready"  # as if the receipt had not been made at once
    make_worker(services).drain(wait_s=20)
    with services.archive.db.read() as session:
        states = {job.kind: job.state for job in session.exec(select(Job))}
    assert states == {"seal": "dead", "analyse": "done", "fingerprint": "done", "match": "done"}


def test_a_receipt_is_owed_for_days_not_for_three_tries(services: Services) -> None:
    who = services.access.local_operator()
    deposit(services, who, services.evidence.create_case(who, "T1"), b"bytes")
    with services.archive.db.read() as session:
        assert session.exec(select(Job).where(Job.kind == "seal")).one().max_attempts >= 1000
