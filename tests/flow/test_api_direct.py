"""Large bodies under attack, read by the event loop and read by a thread: right to the byte, or refused."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from app.api import direct, streams, tus
from app.api import server as http_server
from app.api.direct import Taken
from app.evidence.models import Blob
from app.intake import writing
from evidence_store.digests import DigestComputer, Piece
from tests.apis import Api, opened
from tests.bundles import sample_archive
from tests.checks import assert_clean
from tests.served import Served, listening, serving, until
from tests.tus import begin, checksum, head

MIB = 1 << 20
DATA = random.Random(7).randbytes(9 * MIB + 4_321)  # noqa: S311 - repeatable
SHA256 = hashlib.sha256(DATA).hexdigest()
FAST, SLOW = 1 << 18, 0.06
"""Bytes and the seconds between them of a client that is just fast enough for a thread."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One archive for all tests of the module; clean at the end, and nothing is left behind."""
    with serving(tmp_path_factory.mktemp("direct")) as made:
        yield made
        assert_clean(made.api.services)
        until(lambda: made.staging() == [])


@pytest.fixture(autouse=True)
def any_client_is_fast(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """On a loaded machine too; and whatever happens, all places are free afterwards, and no descriptor is left."""
    held, hold = list[socket.socket](), direct.DirectProtocol.hold

    def noted(protocol: direct.DirectProtocol) -> socket.socket | None:
        found = hold(protocol)
        if found is not None:
            held.append(found)
        return found

    monkeypatch.setattr(direct.DirectProtocol, "hold", noted)
    monkeypatch.setattr(streams, "FAST_SECONDS", 60.0)
    monkeypatch.setattr(direct, "LARGE_BYTES", MIB)
    yield
    until(lambda: direct._places.used == 0)
    assert {one.fileno() for one in held} <= {-1}


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes each thread has passed on, -1 while it is at it, -2 when writing failed."""
    counts: list[int] = []
    pass_on = Taken.pass_on

    def counted(*given: Any) -> int:  # noqa: ANN401 - as the real one
        number = len(counts)
        counts.append(-1)
        try:
            counts[number] = pass_on(*given)
        except BaseException:
            counts[number] = -2
            raise
        return counts[number]

    monkeypatch.setattr(Taken, "pass_on", counted)
    return counts


@pytest.fixture(params=["by-a-thread", "by-the-loop"])
def way(request: pytest.FixtureRequest, taken: list[int], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Both ways a body may be read; the test has gone the way that it says."""
    way: str = request.param
    if way == "by-the-loop":
        monkeypatch.setattr(direct, "LARGE_BYTES", 1 << 60)
    yield way
    assert (taken != []) == (way == "by-a-thread")


def answer_of(connection: socket.socket) -> tuple[int, str, bytes]:
    """One answer: status, head, body."""
    said = b""
    while b"\r\n\r\n" not in said:
        part = connection.recv(1)
        assert part, f"closed after {said!r}"
        said += part
    text = said.decode()
    length = re.search(r"(?i)content-length: (\d+)", text)
    body = b""
    while length is not None and len(body) < int(length[1]):
        body += connection.recv(int(length[1]) - len(body))
    return int(text.split()[1]), text, body


def patch_head(served: Served, path: str, offset: int, size: int, extra: str = "") -> str:
    return (
        f"PATCH /api/v1{path} HTTP/1.1\nHost: x\nAuthorization: Bearer {served.api.tokens['ana']}\n"
        f"Tus-Resumable: 1.0.0\nContent-Type: application/offset+octet-stream\n"
        f"Upload-Offset: {offset}\nContent-Length: {size}\n{extra}"
    )


def patch(served: Served, path: str, offset: int, data: bytes, extra: str = "") -> tuple[int, str, bytes]:
    with served.raw(patch_head(served, path, offset, len(data), extra), data) as connection:
        connection.settimeout(60)
        return answer_of(connection)


def offset_of(served: Served, path: str) -> int:
    with served.client() as client:
        answer = client.head(path, headers={"Tus-Resumable": "1.0.0"})
    return int(answer.headers["upload-offset"])


def goes_on_to_the_item(served: Served, path: str, data: bytes = DATA) -> None:
    """The client asks where to go on and does; the item has these very bytes."""
    deadline = time.monotonic() + 20
    while (kept := offset_of(served, path)) < len(data):
        assert time.monotonic() < deadline
        patch(served, path, kept, data[kept:])
    with served.client() as client:
        until(lambda: client.get(path).json()["state"] == "done")
        item = client.get(f"/items/{client.get(path).json()['item']}").json()
    is_right(item, data)


def is_right(item: dict[str, Any], data: bytes = DATA) -> None:
    assert item["sha256"] == hashlib.sha256(data).hexdigest()
    assert item["sha512"] == hashlib.sha512(data).hexdigest()
    assert item["size"] == len(data)


def send_slowly(connection: socket.socket, data: bytes, pause: float = SLOW) -> None:
    for at in range(0, len(data), FAST):
        connection.sendall(data[at : at + FAST])
        time.sleep(pause)


def test_bodies_of_every_size_and_the_requests_behind_them_arrive_whole(served: Served, way: str) -> None:
    sizes = [len(DATA), 5 * MIB, 2 * MIB + 1, 3 * MIB - 1]
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as connection:
        requests = b"".join(served.head(n).replace("\n", "\r\n").encode() + b"\r\n" + DATA[:n] for n in sizes)
        sender = threading.Thread(target=connection.sendall, args=(requests,))
        sender.start()
        for size in sizes:
            status, _, body = answer_of(connection)
            assert status == 201
            is_right(json.loads(body)["item"], DATA[:size])
        sender.join()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_either_event_loop_hands_its_socket_over_and_takes_it_back(served: Served, taken: list[int], loop: str) -> None:
    app = served.api.client.app
    assert isinstance(app, FastAPI)
    with listening(served.api, app, loop=loop) as other, other.client() as client:
        for _ in range(2):
            is_right(client.post("/items?case=T1", content=DATA).json()["item"])
    assert sum(taken) > 10 * MIB


def test_chunks_of_an_upload_keep_their_connection(served: Served, way: str) -> None:
    path, size = begin(served.api, len(DATA)), 3 * MIB
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as connection:
        for at in range(0, len(DATA), size):
            chunk = DATA[at : at + size]
            line = patch_head(served, path, at, len(chunk), "Expect: 100-continue\n" if at == size else "")
            connection.sendall(line.replace("\n", "\r\n").encode() + b"\r\n")
            if at == size:
                assert answer_of(connection)[0] == 100
            connection.sendall(chunk)
            status, text, _ = answer_of(connection)
            assert status == 204
            assert f"upload-offset: {at + len(chunk)}\r\n" in text
    goes_on_to_the_item(served, path)


def test_digests_are_right_however_late_the_thread_that_hashes_is(
    served: Served, taken: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    take, dice = DigestComputer._update_sha512, random.Random(3)  # noqa: S311 - repeatable

    def late(computer: DigestComputer, data: Piece) -> None:
        time.sleep(dice.choice([0, 0, 0.001, 0.03]))
        take(computer, data)

    monkeypatch.setattr(DigestComputer, "_update_sha512", late)
    monkeypatch.setattr(direct, "PIECE_BYTES", 1 << 18)
    for offset in range(3):
        with served.client() as client:
            is_right(client.post("/items?case=T1", content=DATA[offset:]).json()["item"], DATA[offset:])
        goes_on_to_the_item(served, begin(served.api, len(DATA)))
    assert sum(taken) > 6 * 7 * MIB


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("seed", range(3))
def test_link_cut_at_any_byte_keeps_no_deposit_and_what_came_of_an_upload(
    served: Served,
    way: str,
    seed: int,
    reset: bool,  # noqa: FBT001
) -> None:
    at = random.Random(seed).randrange(3 * MIB, len(DATA))  # noqa: S311 - repeatable
    path = begin(served.api, len(DATA))
    with served.client() as client:
        before = len(client.get("/items?limit=500").json()["items"])
    for line in (served.head(len(DATA)), patch_head(served, path, 0, len(DATA))):
        connection = served.raw(line, DATA[:at])
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    until(lambda: served.staging() == [] and offset_of(served, path) > 0)
    kept = offset_of(served, path)
    assert kept <= at if reset else kept == at
    with served.client() as client:
        assert len(client.get("/items?limit=500").json()["items"]) == before
    goes_on_to_the_item(served, path)


def test_silent_client_ends_in_time(served: Served, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tus, "SILENCE_SECONDS", 1.0)
    defaults = streams.pour.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "silence", 1.0)
    path, begun = begin(served.api, len(DATA)), time.monotonic()
    with served.raw(patch_head(served, path, 0, len(DATA)), DATA[: 6 * MIB]) as connection:
        connection.settimeout(30)
        status, _, body = answer_of(connection)
        assert (status, json.loads(body)["code"]) == (400, "body_cut_off")
        assert f"{6 * MIB} bytes are kept" in body.decode()
    with served.raw(served.head(len(DATA)), DATA[: 6 * MIB]) as connection:
        connection.settimeout(30)
        status, _, body = answer_of(connection)
        assert (status, json.loads(body)["code"]) == (408, "body_timeout")
    assert time.monotonic() - begun < 20
    goes_on_to_the_item(served, path)


def test_client_that_was_heard_all_the_time_may_pause_then(
    served: Served, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tus, "SILENCE_SECONDS", 2.0)
    path = begin(served.api, len(DATA))
    with served.raw(patch_head(served, path, 0, len(DATA))) as connection:
        connection.settimeout(30)
        send_slowly(connection, DATA[: 8 * MIB])  # two seconds
        time.sleep(1.4)
        connection.sendall(DATA[8 * MIB :])
        assert answer_of(connection)[0] == 204
    goes_on_to_the_item(served, path)


def test_trickle_is_given_back_and_arrives_whole(served: Served, taken: list[int]) -> None:
    with served.raw(served.head(len(DATA)), DATA[: 4 * MIB]) as connection:
        connection.settimeout(30)
        for at in range(150):
            connection.sendall(DATA[4 * MIB + at : 4 * MIB + at + 1])
            time.sleep(0.01)
        assert -1 not in taken, "no thread waits for a slow client"
        connection.sendall(DATA[4 * MIB + 150 :])
        status, _, body = answer_of(connection)
    assert status == 201
    is_right(json.loads(body)["item"])
    assert len(taken) > 1, "and one was there again when it was fast"


def test_two_writers_never_mix(served: Served, way: str) -> None:
    path = begin(served.api, len(DATA))
    with served.raw(patch_head(served, path, 0, len(DATA))) as connection:
        connection.settimeout(30)
        sender = threading.Thread(target=send_slowly, args=(connection, DATA))
        sender.start()
        time.sleep(0.8)
        status, _, body = patch(served, path, 0, b"x" * MIB)
        assert (status, json.loads(body)["code"]) == (423, "upload_locked")
        sender.join()
        assert answer_of(connection)[0] == 204
    goes_on_to_the_item(served, path)


def test_writer_that_falls_silent_gives_way(served: Served, way: str) -> None:
    path = begin(served.api, len(DATA))
    with served.raw(patch_head(served, path, 0, len(DATA)), DATA[: 6 * MIB]) as connection:
        connection.settimeout(30)
        time.sleep(1.5)
        assert offset_of(served, path) == 6 * MIB
        assert answer_of(connection)[0] == 400
    goes_on_to_the_item(served, path)


def full_after(times: int, call: Callable[[int], None]) -> Callable[[int], None]:
    left = [times]

    def full(descriptor: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        call(descriptor)

    return full


@pytest.mark.parametrize("size", [7 * MIB, len(DATA)], ids=["small-rest", "large-rest"])
def test_disk_that_fills_up_at_a_commit_is_told_while_bytes_still_come(
    served: Served, way: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = begin(served.api, len(DATA))
    with monkeypatch.context() as patched:
        patched.setattr(writing, "COMMIT_BYTES", 2 * MIB)
        patched.setattr(os, "fdatasync", full_after(1, os.fdatasync))
        with served.raw(patch_head(served, path, 0, size)) as connection:
            connection.settimeout(30)
            with suppress(ConnectionError):
                send_slowly(connection, DATA[:size], 0.01)
            with suppress(ConnectionError):  # the answer may be lost when much was left unread
                status, text, body = answer_of(connection)
                assert (status, json.loads(body)["code"]) == (507, "storage_full")
                assert ("connection: close" in text) == (size > 8 * MIB)
            if size < 8 * MIB:
                line = f"GET /api/v1/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.api.tokens['ana']}\r\n\r\n"
                connection.sendall(line.encode())
                assert answer_of(connection)[0] == 200, "the connection is still in step"
    kept = offset_of(served, path)
    assert 2 * MIB <= kept < 3 * MIB, "what was synced, and no more"
    goes_on_to_the_item(served, path)


def test_body_with_a_checksum_is_kept_whole_or_not_at_all(served: Served, way: str) -> None:
    path = begin(served.api, len(DATA))
    wrong = checksum(DATA[:-1] + b"?")
    assert patch(served, path, 0, DATA, f"Upload-Checksum: {wrong}\n")[0] == 460
    assert offset_of(served, path) == 0
    assert patch(served, path, 0, DATA, f"Upload-Checksum: {checksum(DATA)}\n")[0] == 204
    goes_on_to_the_item(served, path)


def test_file_that_is_only_compared_is_read_in_the_same_ways(served: Served, way: str) -> None:
    with served.client() as client:
        answer = client.post("/match", content=DATA)
        assert answer.status_code == 200, answer.text
        assert answer.json()["query"]["sha256"] == SHA256


def test_bundle_of_a_partner_arrives_whole_and_gives_its_file(served: Served, taken: list[int], way: str) -> None:
    partner = sample_archive(f"direct-{way}")
    original = DATA + way.encode()
    partner.deposit("VIDEO.MP4", original)
    with served.client() as client:
        answer = client.post("/bundles?case=T1", content=partner.bundle())
        assert answer.status_code == 201, answer.text
    with served.api.services.archive.db.read() as session:
        blob = session.get(Blob, hashlib.sha256(original).hexdigest())
    assert blob is not None
    assert blob.size == len(original)


def test_body_without_a_length_is_never_taken(served: Served, taken: list[int]) -> None:
    with served.client() as client:
        sent = client.post("/items?case=T1", content=(DATA[at : at + MIB] for at in range(0, len(DATA), MIB)))
    is_right(sent.json()["item"])
    assert taken == []


def test_body_for_which_there_is_no_thread_arrives_all_the_same(
    served: Served, taken: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    start, refused = threading.Thread.start, list[str]()

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "catena-body":
            refused.append(thread.name)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with served.client() as client:
        is_right(client.post("/items?case=T1", content=DATA).json()["item"])
    assert taken == []
    assert refused != []


def test_bodies_that_change_hands_all_the_time_arrive_whole(
    served: Served, taken: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several clients at once, each with requests close behind each other, in pieces and with pauses of any length."""
    fill, lots = Taken._fill, random.Random(11)  # noqa: S311 - repeatable

    def part(taken: Taken, view: memoryview, *given: Any) -> int:  # noqa: ANN401 - as the real one
        return fill(taken, view[: lots.choice([len(view), len(view), 1 + len(view) // 3])], *given)

    monkeypatch.setattr(Taken, "_fill", part)
    monkeypatch.setattr(direct, "LARGE_BYTES", 1 << 16)
    monkeypatch.setattr(direct, "PIECE_BYTES", 1 << 17)
    monkeypatch.setattr(streams, "FAST_BYTES", 1 << 16)
    wrong: list[str] = []

    def client(seed: int) -> None:
        dice = random.Random(seed)  # noqa: S311 - repeatable
        cuts = [(start := dice.randrange(5 * MIB), start + dice.randrange(1, 4 * MIB)) for _ in range(5)]
        bodies = [DATA[start:end] for start, end in cuts]
        stream = b"".join(served.head(len(one)).replace("\n", "\r\n").encode() + b"\r\n" + one for one in bodies)
        with socket.create_connection(("127.0.0.1", served.port), timeout=60) as connection:
            sender = threading.Thread(target=send_unevenly, args=(connection, stream, dice))
            sender.start()
            for body in bodies:
                status, _, answer = answer_of(connection)
                if status != 201 or json.loads(answer)["item"]["sha512"] != hashlib.sha512(body).hexdigest():
                    wrong.append(f"{seed}: {status} {answer!r}")
            sender.join()

    clients = [threading.Thread(target=client, args=(seed,)) for seed in range(6)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    assert wrong == []
    assert len(taken) > 90, "each body several times"


def send_unevenly(connection: socket.socket, data: bytes, dice: random.Random) -> None:
    at = 0
    while at < len(data):
        size = dice.choice([1, 1_000, 70_000, 200_000, 1_000_000])
        connection.sendall(data[at : at + size])
        at += size
        time.sleep(dice.choice([0, 0, 0, 0.002, 0.01]))


def test_server_that_stops_waits_for_the_thread_and_promises_what_is_on_the_disk(
    tmp_path: Path, taken: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "STOP_SECONDS", 1)
    with opened(tmp_path, "sqlite") as api:
        app = api.client.app
        assert isinstance(app, FastAPI)
        path = begin(api, len(DATA))
        connection = stopped_in_the_middle(api, app, path, taken)
        assert taken != []
        assert min(taken) >= 0, "each thread has ended, and of itself"
        (file,) = (one for one in api.services.archive.settings.uploads.iterdir() if one.suffix == ".part")
        before = file.stat()
        with suppress(OSError), connection:
            connection.sendall(DATA[-MIB:])
        kept = int(head(api, path).headers["upload-offset"])
        assert 0 < kept == file.stat().st_size
        assert file.stat().st_mtime_ns == before.st_mtime_ns
        with listening(api, app) as again:
            goes_on_to_the_item(again, path)
        assert_clean(api.services)


def stopped_in_the_middle(api: Api, app: FastAPI, path: str, taken: list[int]) -> socket.socket:
    """The server is told to stop while a client sends, and does."""
    ended = threading.Event()

    def send(connection: socket.socket) -> None:
        for at in range(0, len(DATA) - MIB, 20_000):
            if ended.wait(0.01):
                return
            with suppress(OSError):
                connection.sendall(DATA[at : at + 20_000])

    with listening(api, app) as served:
        connection = served.raw(patch_head(served, path, 0, len(DATA)))
        sender = threading.Thread(target=send, args=(connection,))
        sender.start()
        until(lambda: -1 in taken)
    ended.set()
    sender.join()
    return connection
