"""Long work has few places; short requests never wait for it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest

from app.api import slots
from app.api.bodies import Bodies
from app.api.slots import Slots
from app.errors import CatenaError
from app.matching.service import Matching
from tests.apis import Api, refused


@contextmanager
def held(places: Slots, count: int) -> Iterator[None]:
    """Take places away, as long work does."""
    release, taken = threading.Event(), threading.Semaphore(0)

    def work() -> None:
        taken.release()
        release.wait(30)

    threads = [threading.Thread(target=lambda: asyncio.run(places.run(work))) for _ in range(count)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert taken.acquire(timeout=10)
    try:
        yield
    finally:
        release.set()
        for thread in threads:
            thread.join()


def test_a_storm_of_comparisons_neither_stops_the_rest_nor_fills_the_threads(
    lite: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, at_once, most = threading.Event(), 0, 0
    lock = threading.Lock()
    match_file = Matching.match_file

    def slow(self: Matching, *args: object) -> object:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        release.wait(30)
        with lock:
            at_once -= 1
        return match_file(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Matching, "match_file", slow)
    many = replace(lite.services.archive.settings, bodies_per_user=100, bodies_at_once=100)
    lite.client.app.state.bodies = Bodies(many)  # type: ignore[attr-defined]
    monkeypatch.setattr(slots.COMPARISONS, "patience", 1.0)
    with ThreadPoolExecutor(45) as pool:
        storm = [pool.submit(lite.post, "ana", "/match", content=b"some bytes %d" % number) for number in range(45)]
        while at_once < 2:
            time.sleep(0.01)
        slowest = 0.0
        for _ in range(5):
            for who, path in ((None, "/healthz"), ("ana", "/me")):
                started = time.perf_counter()
                assert lite.get(who, path).status_code == 200
                slowest = max(slowest, time.perf_counter() - started)
        further = lite.post("ana", "/match", content=b"one more")
        refused(further, 503, "busy")
        assert further.headers["retry-after"] == "5"
        release.set()
        answers = [one.result().status_code for one in storm]
    assert most == 2
    assert slowest < 2.0
    assert set(answers) == {200, 503}
    assert answers.count(200) >= 2
    assert list((lite.services.archive.settings.data / "compare").iterdir()) == []


def test_exports_have_few_places_too(lite: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    lite.deposit(b"data")
    monkeypatch.setattr(slots.EXPORTS, "patience", 0.1)
    with held(slots.EXPORTS, 2):
        refused(lite.post("leo", "/exports", json={"case": "T1"}), 503, "busy")
        assert lite.get("ana", "/me").status_code == 200
    assert lite.post("leo", "/exports", json={"case": "T1"}).status_code == 201


def test_who_waits_gets_the_place_that_comes_free_and_too_many_may_not_wait() -> None:
    places = Slots("tests", at_once=1, waiting=1, patience=5.0)

    async def scene() -> None:
        go = threading.Event()
        first = asyncio.create_task(places.run(go.wait, 10))
        await asyncio.sleep(0)
        second = asyncio.create_task(places.run(lambda: "served"))
        await asyncio.sleep(0)
        with pytest.raises(CatenaError, match="busy"):
            await places.run(lambda: None)
        go.set()
        assert await first
        assert await second == "served"
        with pytest.raises(ZeroDivisionError):
            await places.run(lambda: 1 / 0)
        assert await places.run(lambda: "the place of what failed is free again")

    asyncio.run(scene())
