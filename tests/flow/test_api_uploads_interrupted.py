"""Resumable uploads whose links drop, and requests for one upload that meet."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from app.intake import uploads
from app.intake.uploads import Uploads
from tests.apis import Api, refused
from tests.tus import (
    DATA,
    begin,
    broken_patch,
    checksum,
    delete,
    head,
    patch,
)


def test_what_has_arrived_is_kept_when_the_link_drops(both: Api) -> None:
    path = begin(both, len(DATA))
    status, body = broken_patch(both, path, 0, [DATA[:1_300_000], DATA[1_300_000:1_300_007], None])
    assert (status, body["code"]) == (400, "body_cut_off")
    assert head(both, path).headers["upload-offset"] == "1300007"
    status, body = broken_patch(
        both, path, 1_300_007, [DATA[1_300_007:2_000_000], None], **{"Upload-Checksum": checksum(DATA[1_300_007:])}
    )
    assert (status, body["code"]) == (400, "body_cut_off")
    assert head(both, path).headers["upload-offset"] == "1300007", "what cannot be checked is not kept"
    item = patch(both, path, 1_300_007, DATA[1_300_007:]).headers["catena-item"].rsplit("/", 1)[-1]
    assert both.get("ana", f"/items/{item}").json()["sha256"] == hashlib.sha256(DATA).hexdigest()


@contextmanager
def held(api: Api, path: str, *, beating: bool) -> Iterator[Callable[[], None]]:
    """Another request writes to the upload: its client sends, or has fallen silent and gives way when asked."""
    who = api.services.access.local_operator("ana")
    at_work = api.services.uploads.begin(who, path.rsplit("/", 1)[-1], 0, None, None)
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(0.05):
            if beating:
                at_work.heard = time.monotonic()
            elif api.services.uploads.is_wanted(at_work):
                at_work.end(whole=False)
                return

    at_work.write(b"01234")
    at_work.heard = time.monotonic() - (0 if beating else 60)
    thread = threading.Thread(target=beat)
    thread.start()

    def leave() -> None:
        stop.set()
        thread.join()
        if beating:
            at_work.end(whole=False)

    try:
        yield leave
    finally:
        leave()


def test_second_writer_is_answered_at_once_while_the_first_is_at_work(both: Api) -> None:
    path = begin(both, 10)
    with held(both, path, beating=True):
        started = time.monotonic()
        for answer in (patch(both, path, 0, b"0123456789"), delete(both, path)):
            refused(answer, 423, "upload_locked")
            assert answer.headers["retry-after"] == "1"
        assert head(both, path).headers["upload-offset"] == "0", "what is durable is told without waiting"
        assert time.monotonic() - started < 2.0
    assert head(both, path).headers["upload-offset"] == "5"
    assert patch(both, path, 5, b"56789").headers["catena-state"] == "done"


def test_client_that_comes_back_takes_over_from_its_own_dead_line(one: Api) -> None:
    path = begin(one, 10)
    with held(one, path, beating=False):
        started = time.monotonic()
        assert head(one, path).headers["upload-offset"] == "5", "the silent writer left, what it had is kept"
        assert patch(one, path, 5, b"56789").headers["catena-state"] == "done"
        assert time.monotonic() - started < 3.0


def test_silent_writer_in_another_process_is_asked_too(one: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    path = begin(one, 10)
    services = one.services
    another = Uploads(
        services.archive, services.access, services.intake, services.quotas
    )  # as another server would have it
    monkeypatch.setattr(uploads, "QUIET_SECONDS", 0.2)
    with held(one, path, beating=False):
        time.sleep(0.3)
        who = services.access.local_operator("ana")
        assert another.offset(who, path.rsplit("/", 1)[-1]).committed == 5
    assert delete(one, path).status_code == 204
