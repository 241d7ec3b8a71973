"""What durable work promises, on SQLite and on PostgreSQL: turns, progress, waiting, giving up, trying again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlmodel import select

from app.api.services import Services
from app.errors import ConflictError, EnvironmentFailedError
from app.jobs import service
from app.jobs.backoff import MAX_SECONDS, delay
from app.jobs.models import Job
from app.jobs.service import Claim, LeaseLostError
from app.jobs.worker import WAIT_SECONDS, Worker
from tests.archives import deposit, events_of
from tests.checks import assert_clean, work_off
from tests.chores import CLOCK, archive_for_chores, done, lease_runs_out, put, row_of, taken, without_jobs
from tests.databases import BACKENDS
from tests.processes import until


@pytest.fixture(scope="module", params=BACKENDS)
def archive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with archive_for_chores(request.param, tmp_path_factory.mktemp("jobs")) as made:
        yield made


@pytest.fixture
def services(archive: Services) -> Services:
    return without_jobs(archive)


def item_of(services: Services) -> str:
    (found,) = services.evidence.list_items(services.access.local_operator()).items
    return found[0].id


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
