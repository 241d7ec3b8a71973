"""While one worker reads all hashes for the first time, the others go on with other work, and nothing is left out."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from sqlmodel import col, select

from app.api.services import Services
from app.jobs.models import Job
from app.matching.known import Known
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


def test_others_analyse_while_one_reads_and_compare_when_it_has_read(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, may_end = threading.Event(), threading.Event()
    real, in_time = Known._refresh, []

    def slow(self: Known) -> None:
        reading.set()
        in_time.append(may_end.wait(LONG))
        real(self)

    items = three_photos(services)
    monkeypatch.setattr(Known, "_refresh", slow)
    first, second = make_worker(services), make_worker(services)
    thread = threading.Thread(target=first.drain, kwargs={"wait_s": LONG})
    thread.start()
    try:
        assert reading.wait(LONG)
        while "ready" in states(services, "analyse") or "running" in states(services, "analyse"):
            assert second.run_one()  # it would stand here if it went into the comparison of what it has analysed
        assert states(services, "match").count("running") == 1
        assert states(services, "match").count("ready") == len(items) - 1
    finally:
        may_end.set()
        thread.join(LONG)
    assert not thread.is_alive()
    assert all(in_time)
    work_off(services)
    assert set(states(services, "match")) == {"done"}
    assert related(services, items) == [[items[1]], [items[0]], []]


def test_who_announced_the_reading_and_died_holds_up_nobody(services: Services) -> None:
    items = three_photos(services)
    assert services.matching._known.take_turn()  # and never comes back to search
    work_off(services)
    assert set(states(services, "match")) == {"done"}
    assert related(services, items) == [[items[1]], [items[0]], []]
    assert services.matching._known.take_turn()


def test_what_has_no_fingerprint_takes_nobodys_turn(services: Services) -> None:
    who = services.access.local_operator()
    deposit(services, who, services.evidence.create_case(who, "T1"), b"a text", "a.txt")
    work_off(services)
    assert services.matching._known.take_turn()
    assert not services.matching._known.take_turn()
