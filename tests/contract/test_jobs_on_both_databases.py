"""What durable work promises, on SQLite and on PostgreSQL: turns, progress, waiting, giving up, trying again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete
from sqlmodel import select

from app.api.services import Services
from app.errors import ConflictError, EnvironmentFailedError
from app.jobs import service
from app.jobs.backoff import MAX_SECONDS, delay
from app.jobs.models import Job
from app.jobs.service import Claim, LeaseLostError
from app.jobs.worker import WAIT_SECONDS, Worker
from tests.archives import deposit, events_of, make_archive
from tests.checks import assert_clean, work_off
from tests.databases import BACKENDS, fresh_database
from tests.processes import until


class Hands:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(microseconds=1)
        return self.now


CLOCK = Hands()


@pytest.fixture(scope="module", params=BACKENDS)
def archive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    folder = tmp_path_factory.mktemp("jobs")
    made = make_archive(folder, fresh_database(request.param, folder), clock=CLOCK, fresh=True)
    who = made.access.local_operator()
    deposit(made, who, made.evidence.create_case(who, "T1"), b"what the jobs are about", "a.txt")
    yield made
    made.archive.db.close()


@pytest.fixture
def services(archive: Services) -> Services:
    """The archive with an empty job table."""
    with archive.archive.db.write() as session:
        session.connection().execute(delete(Job))
    archive.jobs._told.clear()
    return archive


def item_of(services: Services) -> str:
    (found,) = services.evidence.list_items(services.access.local_operator()).items
    return found[0].id


def put(services: Services, key: str, *, subject: str | None = None, priority: int = 0, attempts: int = 3) -> None:
    with services.archive.db.write() as session:
        services.jobs.enqueue(
            session, "chore", key, {"key": key}, subject=subject, priority=priority, max_attempts=attempts
        )


def row_of(services: Services, key: str) -> Job:
    with services.archive.db.read() as session:
        return session.exec(select(Job).where(Job.dedupe_key == f"chore:{key}")).one()


def taken(services: Services) -> Claim:
    claim = services.jobs.claim("worker")
    assert claim is not None
    return claim


def done(services: Services, claim: Claim) -> None:
    with services.archive.db.write() as session:
        services.jobs.finish(session, claim)


def lease_runs_out() -> None:
    CLOCK.now += timedelta(seconds=16)


def test_a_key_is_worked_on_once_whatever_became_of_it(services: Services) -> None:
    put(services, "a")
    put(services, "a")
    assert services.jobs.unfinished() == 1
    done(services, taken(services))
    put(services, "a")
    assert services.jobs.claim("worker") is None
    put(services, "b", attempts=1)
    services.jobs.fail(taken(services), "no")
    put(services, "b")
    assert row_of(services, "b").state == "dead"
    assert services.jobs.counts() == {"done": 1, "dead": 1}


def test_what_follows_is_held_by_the_worker_that_did_the_job_and_taken_over_like_any_other(services: Services) -> None:
    put(services, "first", subject="item:1")
    claim = taken(services)
    with services.archive.db.write() as session:
        services.jobs.finish(session, claim)
        follows = services.jobs.take_on(session, claim, "chore", "second", {"key": "second"}, priority=30)
    assert follows is not None
    assert (follows.attempt, follows.subject, follows.payload) == (1, "item:1", {"key": "second"})
    row = row_of(services, "second")
    assert (row.id, row.state, row.worker) == (follows.id, "running", "worker")
    assert services.jobs.claim("another") is None
    lease_runs_out()
    over = services.jobs.claim("another")
    assert over is not None
    assert (over.id, over.attempt) == (follows.id, 2)
    with pytest.raises(LeaseLostError):
        done(services, follows)
    done(services, over)
    with services.archive.db.write() as session:
        assert services.jobs.take_on(session, claim, "chore", "second", {"key": "second"}, priority=30) is None


def test_what_is_done_already_is_settled_unless_somebody_is_at_it(services: Services) -> None:
    put(services, "waits")
    put(services, "runs")
    for key in ("waits", "runs"):
        if key == "runs":
            claim = taken(services)
        with services.archive.db.write() as session:
            services.jobs.settle(session, "chore", key)
    assert [row_of(services, key).state for key in ("waits", "runs")] == ["done", "running"]
    done(services, claim)


def test_many_that_enqueue_one_key_at_once_make_one_job(services: Services) -> None:
    errors: list[BaseException] = []

    def enqueue() -> None:
        try:
            put(services, "same")
        except BaseException as error:  # noqa: BLE001 - told below
            errors.append(error)

    threads = [threading.Thread(target=enqueue) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert services.jobs.unfinished() == 1


def test_progress_is_fenced_throttled_and_prolongs_the_lease(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(services, "film")
    claim = taken(services)
    services.jobs.progress(claim, 3, 5_000_000_000)
    services.jobs.progress(claim, 4, 5_000_000_000)
    first = row_of(services, "film")
    assert (first.progress_done, first.progress_total) == (3, 5_000_000_000)
    monkeypatch.setattr(service, "PROGRESS_SECONDS", 0.0)
    CLOCK.now += timedelta(seconds=10)
    services.jobs.progress(claim, 5)
    later = row_of(services, "film")
    assert (later.progress_done, later.progress_total) == (5, None)
    assert str(later.lease_until) > str(first.lease_until)
    lease_runs_out()
    other = taken(services)
    assert row_of(services, "film").progress_done is None, "the new attempt has done nothing yet"
    with pytest.raises(LeaseLostError):
        services.jobs.progress(claim, 6)
    services.jobs.progress(other, 1)
    assert row_of(services, "film").progress_done == 1


def test_progress_that_cannot_be_written_does_not_fail_the_job(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(services, "film")
    claim = taken(services)

    def busy() -> None:
        raise EnvironmentFailedError("database_busy", "busy")

    with monkeypatch.context() as patch:
        patch.setattr(services.archive.db, "write", busy)
        services.jobs.progress(claim, 1)
    done(services, claim)


def test_urgent_work_goes_first_and_the_rest_is_not_starved(services: Services) -> None:
    put(services, "patient", priority=30)
    for number in range(3 * service.OLDEST_EVERY):
        put(services, f"urgent-{number}", priority=1)
    order = []
    for _ in range(2 * service.OLDEST_EVERY):
        claim = taken(services)
        order.append(claim.payload["key"])
        done(services, claim)
    assert order[0].startswith("urgent"), "or the turn of the oldest came up at once"
    assert order.index("patient") < service.OLDEST_EVERY


def test_what_a_silent_worker_held_goes_before_all_that_waits(services: Services) -> None:
    put(services, "held", priority=30)
    first = taken(services)
    put(services, "urgent", priority=0)
    lease_runs_out()
    assert taken(services).id == first.id


def test_a_job_that_kills_its_worker_each_time_is_given_up_on_the_record_and_blocks_nobody(services: Services) -> None:
    about = f"item:{item_of(services)}"
    before = len(events_of(services, about))
    put(services, "bomb", subject=about, attempts=2)
    put(services, "next")
    for _ in range(2):
        assert taken(services).payload["key"] == "bomb"
        lease_runs_out()
    assert taken(services).payload["key"] == "next"
    dead = row_of(services, "bomb")
    assert (dead.state, dead.last_error) == ("dead", "its worker died each time")
    event = events_of(services, about)[before:]
    assert [one.type for one in event] == ["work given up"]
    assert event[0].details == {"job": "chore", "attempts": 2, "reason": "its worker died each time"}
    assert_clean(services)


def test_what_was_given_up_is_tried_again_by_a_person_on_the_record(services: Services) -> None:
    who = services.access.local_operator()
    about = f"item:{item_of(services)}"
    put(services, "a", subject=about, attempts=1)
    claim = taken(services)
    (listed,) = services.work.find(who, state="running").jobs
    with pytest.raises(ConflictError) as refused:
        services.work.retry(who, str(listed.id))
    assert refused.value.code == "job_not_dead"
    services.jobs.fail(claim, "code: why")
    assert services.jobs.given_up(about, "chore") == "code: why"
    again = services.work.retry(who, str(claim.id))
    assert (again.state, again.last_error) == ("ready", "code: why")
    event = events_of(services, about)[-1]
    assert (event.type, event.actor.id, event.details) == ("work resumed", who.user_id, {"job": "chore"})
    second = taken(services)
    assert second.attempt == 2
    services.jobs.fail(second, "code: again")
    assert row_of(services, "a").state == "ready", "it has attempts again"
    assert_clean(services)


def test_a_job_that_cannot_be_tried_now_waits_and_loses_no_attempt(services: Services) -> None:
    put(services, "a", attempts=1)

    def full(_claim: Claim) -> None:
        raise EnvironmentFailedError("storage_full", "no room left", status=507)

    worker = Worker(services.jobs, {"chore": full})
    for _ in range(5):
        assert worker.run_one()
        waiting = row_of(services, "a")
        assert (waiting.state, waiting.last_error) == ("ready", "storage_full: no room left")
        assert services.jobs.claim("worker") is None
        CLOCK.now += timedelta(seconds=WAIT_SECONDS)
    worker = Worker(services.jobs, {"chore": lambda claim: done(services, claim)})
    assert worker.run_one()
    assert row_of(services, "a").state == "done"


def test_a_worker_that_must_end_gives_its_job_back_and_what_it_still_does_is_not_kept(services: Services) -> None:
    put(services, "long", attempts=1)
    go_on, lost = threading.Event(), threading.Event()

    def slow(claim: Claim) -> None:
        go_on.wait(30)
        try:
            done(services, claim)
        except LeaseLostError:
            lost.set()
            raise

    worker = Worker(services.jobs, {"chore": slow})
    thread = threading.Thread(target=worker.run_one)
    thread.start()
    until(lambda: row_of(services, "long").state == "running", "the job is begun")
    assert worker.let_go()
    other = taken(services)
    go_on.set()
    thread.join()
    assert lost.is_set()
    done(services, other)
    assert not worker.let_go()


@pytest.mark.parametrize("at", ["claim", "fail", "postpone"])
def test_no_failure_ends_the_thread_of_a_worker(
    services: Services, at: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put(services, "a", attempts=5)
    real, asked, tried = getattr(services.jobs, at), threading.Event(), list[int]()

    def broken_once(*given: object) -> object:
        if not asked.is_set():
            asked.set()
            raise RuntimeError("nobody foresaw this")
        return real(*given)

    def handler(claim: Claim) -> None:
        tried.append(claim.attempt)
        if len(tried) == 1 and at == "fail":
            raise ValueError("broken")
        if len(tried) == 1 and at == "postpone":
            raise EnvironmentFailedError("storage_full", "full")
        done(services, claim)

    monkeypatch.setattr(services.jobs, at, broken_once)
    worker = Worker(services.jobs, {"chore": handler})
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        until(asked.is_set, "it was asked")
        if at != "claim":
            until(lambda: "worker pauses" in caplog.text, "the failure is logged")
            lease_runs_out()  # the job is not lost either: it is held until then
        until(lambda: services.jobs.unfinished() == 0, "the worker goes on")
    finally:
        worker.stop()
        thread.join()
    assert row_of(services, "a").state == "done"
    assert "nobody foresaw this" in caplog.text


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


@pytest.mark.parametrize("end", ["done", "failed", "given up", "postponed", "lost", "finished too late", "silent"])
def test_nothing_is_remembered_of_a_job_that_has_ended(services: Services, end: str) -> None:
    jobs = services.jobs
    put(services, "a", attempts=1 if end == "given up" else 3)
    claim = taken(services)
    jobs.progress(claim, 1, 2)
    assert list(jobs._told) == [claim.id]
    if end in {"lost", "finished too late", "silent"}:
        lease_runs_out()
        taken(services)
    if end == "done":
        done(services, claim)
    elif end == "postponed":
        jobs.postpone(claim, "later", 0)
    elif end == "silent":
        assert not jobs.heartbeat(claim)
    elif end == "finished too late":
        with pytest.raises(LeaseLostError):
            done(services, claim)
    elif end == "lost":
        jobs._told[claim.id] = -service.PROGRESS_SECONDS
        with pytest.raises(LeaseLostError):
            jobs.progress(claim, 2, 2)
    else:
        jobs.fail(claim, "no")
    assert jobs._told == {}


def test_payload_that_nobody_wrote_is_given_up_at_once(services: Services) -> None:
    put(services, "odd")
    with services.archive.db.write() as session:
        session.exec(select(Job)).one().payload = '["not", "one"]'
    assert services.jobs.claim("worker") is None
    assert row_of(services, "odd").last_error == "its payload cannot be read"


def test_an_idle_worker_writes_nothing_and_waits_for_no_writer(services: Services) -> None:
    if not services.archive.db.is_sqlite:
        pytest.skip("there an update of no row is no write")
    put(services, "later")
    services.jobs.fail(taken(services), "not yet")
    journal = services.archive.settings.data.parent / "catena.db-wal"
    with services.archive.db.write() as session:
        before = journal.stat().st_size
        assert services.jobs.claim("worker") is None, "it would be a unit of work inside another"
        assert session.is_active
    assert journal.stat().st_size == before


def test_waits_grow_and_no_two_are_alike() -> None:
    assert all(3.75 <= delay(1) <= 6.25 for _ in range(50))
    assert all(15 <= delay(2) <= 25 for _ in range(50))
    assert all(delay(number) <= MAX_SECONDS * 1.25 for number in (5, 50, 5000))
    assert len({delay(3) for _ in range(20)}) > 15


def test_items_work_is_seen_to_its_end(services: Services) -> None:
    who = services.access.local_operator()
    case = services.evidence.find_case(who, "T1")
    item = deposit(services, who, case, b"another", "b.txt").item.id
    work_off(services)
    jobs = services.work.of_item(item)
    assert {job.kind: job.state for job in jobs} == {
        "seal": "done",
        "analyse": "done",
        "fingerprint": "done",
        "match": "done",
    }
    assert all(job.started_at and job.finished_at for job in jobs)
