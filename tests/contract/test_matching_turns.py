"""While one worker reads all hashes for the first time, the others go on with other work, and nothing is left out."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlmodel import col, select

from app.api.services import Services
from app.cli.staff import work
from app.jobs.models import Job
from app.matching.format import Fingerprint
from app.matching.known import Known
from app.matching.recipe import Found
from app.matching.service import MATCH_JOB, Matching
from app.wiring import make_worker
from tests.archives import deposit, make_archive
from tests.checks import assert_clean, work_off
from tests.databases import BACKENDS, fresh_database
from tests.matching_media import scene

LONG = 30.0  # seconds, of which nothing is waited when all goes well


@pytest.fixture(params=BACKENDS)
def services(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Services]:
    made = make_archive(tmp_path, fresh_database(request.param, tmp_path))
    yield made
    assert_clean(made)
    made.archive.db.close()


def jpeg(seed: int, quality: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(scene(seed)).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def states(services: Services, kind: str) -> list[str]:
    with services.archive.db.read() as session:
        return list(session.exec(select(Job.state).where(Job.kind == kind).order_by(col(Job.id))))


def three_photos(services: Services) -> list[str]:
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    return [deposit(services, who, case, jpeg(*one)).item.id for one in ((0, 90), (0, 50), (1, 90))]


def related(services: Services, items: list[str]) -> list[list[str]]:
    who = services.access.local_operator()
    return [[match.item for match in services.matching.matches_of(who, item)] for item in items]


@contextmanager
def held(monkeypatch: pytest.MonkeyPatch, reader: threading.Thread) -> Iterator[None]:
    """What this thread begins with the first reading, which does not end before the block does."""
    reading, may_end = threading.Event(), threading.Event()
    real, in_time = Known._refresh, []

    def slow(self: Known) -> None:
        reading.set()
        in_time.append(may_end.wait(LONG))
        real(self)

    monkeypatch.setattr(Known, "_refresh", slow)
    reader.start()
    try:
        assert reading.wait(LONG)
        yield
    finally:
        may_end.set()
        reader.join(LONG)
    assert not reader.is_alive()
    assert all(in_time)


def test_others_analyse_while_one_reads_and_compare_when_it_has_read(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = three_photos(services)
    first, second = make_worker(services), make_worker(services)
    with held(monkeypatch, threading.Thread(target=first.drain, kwargs={"wait_s": LONG})):
        while "ready" in states(services, "analyse") or "running" in states(services, "analyse"):
            assert second.run_one()  # it would stand here if it went into the comparison of what it has analysed
        assert states(services, "match").count("running") == 1
        assert states(services, "match").count("ready") == len(items) - 1
    work_off(services)
    assert set(states(services, "match")) == {"done"}
    assert related(services, items) == [[items[1]], [items[0]], []]


def test_of_two_that_would_read_one_gives_its_job_back_and_takes_other_work(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = three_photos(services)
    asked = (Fingerprint("photo", 1, 1, 0, 1, (), ()),)
    search = threading.Thread(target=services.matching._known.search, args=asked, kwargs={"without": set()})
    with held(monkeypatch, search):
        with monkeypatch.context() as before:  # it has looked a moment before the other one began
            before.setattr(services.matching, "not_now", tuple)
            assert make_worker(services).run_one()
        assert states(services, "match") == ["ready"]
        worker = make_worker(services)
        while worker.run_one():
            pass
        assert states(services, "match") == ["ready"] * len(items)
    work_off(services)
    assert set(states(services, "match")) == {"done"}
    assert related(services, items) == [[items[1]], [items[0]], []]


def test_a_reading_that_fails_holds_up_nobody(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    items, real = three_photos(services), Known._refresh
    failed: list[bool] = []

    def broken(self: Known) -> None:
        if not failed:
            failed.append(True)
            raise MemoryError
        real(self)

    monkeypatch.setattr(Known, "_refresh", broken)
    make_worker(services).drain()  # waits for nothing
    assert sorted(states(services, "match")) == ["done", "done", "ready"]  # the one that failed is tried again later
    assert services.matching.not_now() == ()
    work_off(services)
    assert related(services, items) == [[items[1]], [items[0]], []]


def test_two_workers_that_wait_for_nothing_leave_nothing(services: Services) -> None:
    items = three_photos(services)
    staff = [make_worker(services), make_worker(services)]
    work(staff, lambda one: one.drain())
    assert set(states(services, "match")) == {"done"}
    assert related(services, items) == [[items[1]], [items[0]], []]


def test_who_is_held_back_by_the_reading_shares_what_is_left(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_refresh, real_search = Known._refresh, Known.search

    def slow(self: Known) -> None:
        if not self._is_read:
            time.sleep(1.0)
        real_refresh(self)

    def search(self: Known, *given: Any, **named: Any) -> list[Found]:  # noqa: ANN401 - passed through
        time.sleep(0.1)
        return real_search(self, *given, **named)

    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    for number in range(10):
        deposit(services, who, case, jpeg(number, 90))
    monkeypatch.setattr(Matching, "not_now", lambda _: (MATCH_JOB,))
    make_worker(services).run_one()  # so that all comparisons are left for the queue
    worker = make_worker(services)
    while worker.run_one():
        pass
    monkeypatch.undo()
    assert states(services, "match") == ["ready"] * 10
    monkeypatch.setattr(Known, "_refresh", slow)
    monkeypatch.setattr(Known, "search", search)
    staff = [make_worker(services), make_worker(services)]
    work(staff, lambda one: one.drain())
    assert set(states(services, "match")) == {"done"}
    assert sum(one.worked for one in staff) == 10  # what was given back is no work
    assert min(one.worked for one in staff) > 1
    with services.archive.db.read() as session:
        assert set(session.exec(select(Job.last_error).where(Job.kind == "match"))) == {None}


def test_kinds_that_are_left_out_are_claimed_by_nobody_who_leaves_them_out(services: Services) -> None:
    three_photos(services)
    assert services.jobs.claim("one", ["analyse", "fingerprint", "match", "seal"]) is None
    claim = services.jobs.claim("one", ["seal", "match"])
    assert claim is not None
    assert claim.kind == "analyse"
    services.jobs.postpone(claim, "not meant", 0.0)
    work_off(services)
