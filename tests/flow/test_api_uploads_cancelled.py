"""A server that shuts down cancels what is under way: no thread goes on with a file that was given back."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from app.intake.spool import SpoolFile
from app.intake.uploads import Uploads
from app.intake.writing import Writing
from evidence_store.errors import EvidenceStoreError
from tests.apis import Api, opened, refused
from tests.checks import assert_clean
from tests.tus import CHUNK, VERSION, begin, head, patch, shown

DATA = bytes(range(256)) * 10_000  # 2.5 MB
MIB = 1 << 20


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One archive for all tests of the module; clean at the end."""
    with opened(tmp_path_factory.mktemp("cancelled"), "sqlite") as api:
        yield api
        assert_clean(api.services)


def cancelled_patch(api: Api, path: str, data: bytes, begun: threading.Event, *, ends: bool) -> None:
    """Send bytes from the first on; the request is cancelled, twice, as soon as something has begun."""
    fields = {"authorization": f"Bearer {api.tokens['ana']}", **VERSION, **CHUNK, "Upload-Offset": "0"}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "PATCH",
        "scheme": "http",
        "path": f"/api/v1{path}",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in fields.items()],
        "server": ("test", 80),
    }
    incoming = [data]

    async def receive() -> dict[str, Any]:
        if not incoming:
            await asyncio.sleep(60)
        return {"type": "http.request", "body": incoming.pop(), "more_body": not ends}

    async def send(_: Any) -> None:  # noqa: ANN401 - any ASGI message
        raise AssertionError("a cancelled request is not answered")

    async def run() -> None:
        task = asyncio.ensure_future(api.client.app(scope, receive, send))
        assert await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        if others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others, timeout=5)  # the server goes on

    asyncio.run(run())


def slowed(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, *, after: bool = False) -> threading.Event:
    """A method takes a while longer, in its thread; returns what is set when that begins."""
    begun, method = threading.Event(), getattr(owner, name)

    def slow(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - stands in for any method
        done = method(*given, **named) if after else None
        begun.set()
        time.sleep(0.3)
        return done if after else method(*given, **named)

    monkeypatch.setattr(owner, name, slow)
    return begun


def is_right(api: Api, path: str) -> None:
    """The upload became an item of these very bytes."""
    told = shown(api, path)
    assert told["state"] == "done", told
    item = api.get("ana", f"/items/{told['item']}").json()
    assert item["sha256"] == hashlib.sha256(DATA).hexdigest()
    assert item["sha512"] == hashlib.sha512(DATA).hexdigest()


def test_request_cancelled_while_a_thread_writes_promises_what_is_on_the_disk(
    one: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = begin(one, len(DATA))
    begun, pwrite, order = threading.Event(), os.pwrite, []

    def slow(descriptor: int, data: bytes, offset: int) -> int:
        begun.set()
        time.sleep(0.3)
        written = pwrite(descriptor, data, offset)
        order.append("written")
        return written

    end = Writing.end

    def noted(writing: Writing, *, whole: bool) -> Any:  # noqa: ANN401 - the held file
        order.append("end")
        return end(writing, whole=whole)

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", slow)
        patched.setattr(Writing, "end", noted)
        cancelled_patch(one, path, DATA[:MIB], begun, ends=False)
    deadline = time.monotonic() + 5
    while (kept := int(head(one, path).headers["upload-offset"])) == 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert order == ["written", "end"]
    assert kept == MIB
    assert patch(one, path, kept, DATA[kept:]).headers["catena-state"] == "done"
    is_right(one, path)


@pytest.mark.parametrize("after", [False, True], ids=["before-the-commit", "after-it"])
def test_request_cancelled_at_its_very_end_becomes_an_item_all_the_same(
    one: Api,
    monkeypatch: pytest.MonkeyPatch,
    after: bool,  # noqa: FBT001
) -> None:
    path = begin(one, len(DATA))
    with monkeypatch.context() as patched:
        begun = slowed(patched, Writing, "end", after=after)
        cancelled_patch(one, path, DATA, begun, ends=True)
    deadline = time.monotonic() + 5
    while shown(one, path)["state"] != "done" and time.monotonic() < deadline:
        time.sleep(0.05)
    is_right(one, path)


def test_request_cancelled_before_it_holds_the_file_leaves_it_free(one: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    path = begin(one, len(DATA))
    with monkeypatch.context() as patched:
        begun = slowed(patched, Uploads, "begin", after=True)
        cancelled_patch(one, path, DATA, begun, ends=True)
    assert patch(one, path, 0, DATA).headers["catena-state"] == "done"
    is_right(one, path)


def test_upload_for_whose_item_there_is_no_thread_is_finished_later(one: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    path, start = begin(one, len(DATA)), threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "catena-finish":
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        answer = patch(one, path, 0, DATA)
        assert answer.headers["retry-after"] == "5"
        refused(answer, 503, "busy")
    one.services.uploads.work()
    is_right(one, path)


def test_writing_that_has_ended_writes_nothing(one: Api) -> None:
    path = begin(one, 10)
    who = one.services.access.local_operator("ana")
    writing = one.services.uploads.begin(who, path.rsplit("/", 1)[-1], 0, None, None)
    writing.write(b"01234")
    assert writing.end(whole=True) is None
    with pytest.raises(EvidenceStoreError, match="stage_closed"):
        writing.write(b"56789")
    with pytest.raises(EvidenceStoreError, match="stage_closed"):
        writing.end(whole=False)
    assert head(one, path).headers["upload-offset"] == "5"


def test_end_waits_for_the_thread_that_writes(one: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    path = begin(one, 10)
    who = one.services.access.local_operator("ana")
    writing = one.services.uploads.begin(who, path.rsplit("/", 1)[-1], 0, None, None)
    with monkeypatch.context() as patched:
        begun = slowed(patched, SpoolFile, "write_at")
        writer = threading.Thread(target=writing.write, args=(b"01234",))
        writer.start()
        assert begun.wait(10)
        assert writing.end(whole=False) is None
        writer.join()
    assert head(one, path).headers["upload-offset"] == "5"
    assert patch(one, path, 5, b"56789").headers["catena-state"] == "done"
