"""Resumable uploads whose links drop, and requests for one upload that meet."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from app.intake import uploads, writing
from app.intake.models import Upload
from app.intake.spool import Spool, SpoolFile
from app.intake.uploads import Uploads
from tests.apis import Api, refused
from tests.served import until
from tests.tus import (
    DATA,
    begin,
    broken_patch,
    checksum,
    delete,
    head,
    patch,
    spool,
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


@pytest.mark.parametrize(("seconds", "committed"), [(0.0, 1_000), (600.0, 0)])
def test_slow_client_is_promised_what_came_before_32_mib_have(
    seconds: float, committed: int, both: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else nothing would be committed of an upload at 9 kB/s for an hour, and its room would lapse."""
    monkeypatch.setattr(writing, "COMMIT_SECONDS", seconds)
    path = begin(both, len(DATA))
    who = both.services.access.local_operator("ana")
    at_work = both.services.uploads.begin(who, path.rsplit("/", 1)[-1], 0, None, None)
    at_work.write(DATA[:1_000])
    assert at_work.upload.committed == committed
    at_work.leave()
    assert head(both, path).headers["upload-offset"] == str(committed)


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


def test_those_who_ask_for_an_upload_that_is_held_take_no_threads_from_others(one: Api) -> None:
    path, upload_id = _begun(one)
    who = one.services.access.local_operator("ana")
    writing = one.services.uploads.begin(who, upload_id, 0, None, None)
    writing.heard = time.monotonic() - 60  # silent, and it does not give way
    try:
        waits, took = _together(20, lambda: head(one, path))
        assert {answer.headers["upload-offset"] for answer in waits} == {"0"}
        assert sum(seconds > 1.5 for seconds in took) == 1, "one waits for the silent one, the others are answered"
        waiter = threading.Thread(target=head, args=(one, path))
        waiter.start()
        time.sleep(0.4)
        writing.heard = time.monotonic()
        begun = time.monotonic()
        waiter.join()
        assert time.monotonic() - begun < 1.0, "who sends again is not waited for"
    finally:
        writing.leave()
    assert [file.suffix for file in spool(one)] == [".part"], "no wish is left behind"
    assert delete(one, path).status_code == 204


@pytest.mark.parametrize("method", ["HEAD", "PATCH", "DELETE"])
@pytest.mark.parametrize("ending", ["terminated", "done"])
def test_who_meets_the_end_of_an_upload_is_told_how_it_ended(
    one: Api, method: str, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = _begun(one)
    hold, ends = Spool.hold, [lambda: delete(one, path), lambda: patch(one, path, 0, b"0123456789")]

    def meets(spool: Spool, upload_id: str, *, to_write: bool) -> SpoolFile:
        """Between the look at the row and the hold, another request ends the upload."""
        monkeypatch.setattr(Spool, "hold", hold)
        assert ends[ending == "done"]().status_code == 204
        return hold(spool, upload_id, to_write=to_write)

    monkeypatch.setattr(Spool, "hold", meets)
    if method == "HEAD":
        answer = head(one, path)
    else:
        answer = patch(one, path, 0, b"0123456789") if method == "PATCH" else delete(one, path)
    if ending == "terminated":
        assert answer.status_code == 410
    elif method == "HEAD":
        assert (answer.status_code, answer.headers["catena-state"]) == (200, "done")
    else:
        refused(answer, 409, "wrong_offset" if method == "PATCH" else "upload_complete")
    assert spool(one) == []


def test_who_waits_for_an_upload_that_ends_leaves_no_wish(one: Api) -> None:
    path, upload_id = _begun(one)
    held_file = Spool(one.services.archive.settings.uploads).hold(upload_id, to_write=False)
    time.sleep(uploads.QUIET_SECONDS + 0.1)
    answers: list[int] = []
    waiter = threading.Thread(target=lambda: answers.append(head(one, path).status_code))
    waiter.start()
    until(lambda: len(spool(one)) == 2)
    with one.services.archive.db.write() as session:
        session.get_one(Upload, upload_id).state = "terminated"
    held_file.remove()
    held_file.release()
    waiter.join()
    assert (answers, spool(one)) == ([410], [])


def test_an_upload_that_failed_because_its_bytes_are_gone_may_be_given_up(one: Api) -> None:
    path, upload_id = _begun(one)
    with one.services.archive.db.write() as session:
        upload = session.get_one(Upload, upload_id)
        upload.state, upload.failure_code = "failed", "upload_damaged"
    spool(one)[0].unlink()
    assert delete(one, path).status_code == 204
    refused(delete(one, path), 410, "upload_terminated")


def _begun(api: Api) -> tuple[str, str]:
    """A new upload of ten bytes: its path, its id."""
    path = begin(api, 10)
    return path, path.rsplit("/", 1)[-1]


def _together(count: int, ask: Callable[[], httpx.Response]) -> tuple[list[httpx.Response], list[float]]:
    """Ask so many times at once: the answers, and how many seconds each took."""
    answers: list[httpx.Response] = []
    took: list[float] = []

    def one() -> None:
        begun = time.monotonic()
        answers.append(ask())
        took.append(time.monotonic() - begun)

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers, took
