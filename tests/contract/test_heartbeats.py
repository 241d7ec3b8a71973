"""The lease of a job under way is prolonged while its handler works, by one thread for all jobs of a worker."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from app.api.services import Services
from app.jobs.service import Claim
from app.jobs.worker import Worker
from tests.checks import assert_clean
from tests.chores import archive_for_chores, done, put, row_of, without_jobs
from tests.databases import BACKENDS
from tests.processes import until


@pytest.fixture(scope="module", params=BACKENDS)
def archive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with archive_for_chores(request.param, tmp_path_factory.mktemp("jobs")) as made:
        yield made
        assert_clean(made)


@pytest.fixture
def services(archive: Services) -> Services:
    return without_jobs(archive)


def test_a_heartbeat_that_fails_is_followed_by_the_next(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    put(services, "a")
    beats = threading.Semaphore(0)
    real = services.jobs.heartbeat

    def broken_once(claim: Claim) -> bool:
        beats.release()
        if len(told) == 0:
            told.append(1)
            raise RuntimeError("nobody foresaw this")
        return real(claim)

    told: list[int] = []
    monkeypatch.setattr(services.jobs, "heartbeat", broken_once)
    monkeypatch.setattr(services.jobs, "lease_seconds", 0.3)

    def handler(claim: Claim) -> None:
        for _ in range(3):
            assert beats.acquire(timeout=10)
        done(services, claim)

    Worker(services.jobs, {"chore": handler}).run_one()
    assert row_of(services, "a").state == "done"


def test_one_thread_prolongs_the_leases_of_all_jobs_of_a_worker_and_ends_with_it(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = ("a", "b", "c")
    for key in keys:
        put(services, key)
    prolonged = {key: threading.Event() for key in keys}
    beaten_by = set()
    real = services.jobs.heartbeat

    def heartbeat(claim: Claim) -> bool:
        beaten_by.add(threading.current_thread())
        held = real(claim)
        if held:
            prolonged[claim.payload["key"]].set()
        return held

    monkeypatch.setattr(services.jobs, "heartbeat", heartbeat)
    monkeypatch.setattr(services.jobs, "lease_seconds", 0.3)

    def handler(claim: Claim) -> None:
        assert prolonged[claim.payload["key"]].wait(10)
        done(services, claim)

    Worker(services.jobs, {"chore": handler}).drain()
    assert {row_of(services, key).state for key in keys} == {"done"}
    (thread,) = beaten_by
    assert not thread.is_alive()


def test_a_lease_that_was_lost_is_beaten_for_no_longer_and_the_next_one_is(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(services, "a", priority=0)
    put(services, "b", priority=1)
    told: list[str] = []
    third_beat = threading.Event()

    def heartbeat(claim: Claim) -> bool:
        told.append(claim.payload["key"])
        if told.count("b") == 2:
            third_beat.set()
        return claim.payload["key"] != "a"

    monkeypatch.setattr(services.jobs, "heartbeat", heartbeat)
    monkeypatch.setattr(services.jobs, "lease_seconds", 0.15)

    def handler(claim: Claim) -> None:
        if claim.payload["key"] == "a":
            until(lambda: bool(told), "the lease is prolonged")
            third_beat.wait(0.3)  # six beats, were it still beaten for
        else:
            assert third_beat.wait(10)
        done(services, claim)

    Worker(services.jobs, {"chore": handler}).drain()
    assert told[:3] == ["a", "b", "b"]


def test_a_job_for_whose_heart_there_was_no_thread_costs_the_next_one_nothing(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("a", "b"):
        put(services, key)
    start = threading.Thread.start
    prolonged, refused = threading.Event(), threading.Event()

    def no_room_at_first(self: threading.Thread) -> None:
        if self.name == "heartbeat" and not refused.is_set():
            refused.set()
            raise RuntimeError("can't start new thread")
        start(self)

    def heartbeat(_: Claim) -> bool:
        prolonged.set()
        return True

    def handler(claim: Claim) -> None:
        assert prolonged.wait(10)
        done(services, claim)

    monkeypatch.setattr(threading.Thread, "start", no_room_at_first)
    monkeypatch.setattr(services.jobs, "heartbeat", heartbeat)
    monkeypatch.setattr(services.jobs, "lease_seconds", 0.3)
    worker = Worker(services.jobs, {"chore": handler})
    with pytest.raises(RuntimeError, match="new thread"):
        worker.run_one()
    assert worker.run_one()
    assert sorted(row_of(services, key).state for key in ("a", "b")) == ["done", "running"]


def test_a_job_that_follows_one_whose_beat_hangs_is_not_without_a_heart(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, key in enumerate(("a", "b")):
        put(services, key, priority=number)
    told: list[str] = []
    hangs, hung, beaten = threading.Event(), threading.Event(), threading.Event()

    def heartbeat(claim: Claim) -> bool:
        key = claim.payload["key"]
        if key == "a" and not hung.is_set():
            hangs.set()
            hung.wait(1)  # three leases
            hung.set()
        told.append(key)
        if key == "b":
            beaten.set()
        return True

    monkeypatch.setattr(services.jobs, "heartbeat", heartbeat)
    monkeypatch.setattr(services.jobs, "lease_seconds", 0.3)

    def handler(claim: Claim) -> None:
        if claim.payload["key"] == "a":
            assert hangs.wait(10)
        else:
            assert hung.is_set()  # it begins after that beat, and is beaten for in its turn
            assert beaten.wait(10)
        done(services, claim)

    Worker(services.jobs, {"chore": handler}).drain()
    assert told[0] == "a"
    assert "b" in told
