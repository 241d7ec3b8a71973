"""The application under a real server: what only a socket can show."""

from __future__ import annotations

import hashlib
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from app.api import server as http_server
from app.intake.service import Intake
from tests.served import Served, serving, until


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served")) as made:
        yield made


def test_connection_that_breaks_half_way_leaves_nothing(served: Served) -> None:
    with served.client() as client:
        before = len(client.get("/items").json()["items"])
    connection = served.raw(served.head(5_000_000), b"x" * 2_500_000)
    until(lambda: served.staging() != [])
    connection.close()
    until(lambda: served.staging() == [])
    with served.client() as client:
        assert len(client.get("/items").json()["items"]) == before
        data = b"x" * 5_000_000
        retried = client.post("/items?case=T1", content=data)
        assert retried.json()["item"]["sha256"] == hashlib.sha256(data).hexdigest()


def test_a_bad_token_is_refused_before_the_body_is_sent(served: Served) -> None:
    head = served.head(10**9, extra="Expect: 100-continue\n").replace("Bearer catena", "Bearer catana")
    with served.raw(head) as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 401 ")
    with served.raw(served.head(10**12, extra="Expect: 100-continue\n")) as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")
    with served.raw(served.head(4, extra="Expect: 100-continue\n")) as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
    until(lambda: served.staging() == [])


def test_other_requests_are_answered_while_a_large_file_comes_in(served: Served) -> None:
    data = b"z" * 40_000_000
    done = threading.Event()

    def upload() -> None:
        with served.client() as client:
            assert client.post("/items?case=T1", content=data).status_code == 201
        done.set()

    thread = threading.Thread(target=upload)
    thread.start()
    slowest = 0.0
    with served.client() as client:
        while not done.is_set():
            started = time.perf_counter()
            assert client.get("/me").status_code == 200
            slowest = max(slowest, time.perf_counter() - started)
    thread.join()
    assert slowest < 5.0


def test_a_note_of_8000_characters_fits_into_the_head(served: Served) -> None:
    note = "Ї" * 8_000
    with served.client() as client:
        answer = client.post("/items?case=T1", content=b"data", headers={"X-Source-Note": quote(note)})
    assert answer.json()["item"]["source"]["note"] == note


def test_body_in_chunks_without_a_length_is_taken_whole(served: Served) -> None:
    chunks = [b"a" * 700_000, b"b" * 700_000, b"c"]
    with served.client() as client:
        answer = client.post("/items?case=T1", content=iter(chunks))
    assert answer.json()["item"]["sha256"] == hashlib.sha256(b"".join(chunks)).hexdigest()


def test_the_embedded_worker_analyses_what_comes_in(served: Served) -> None:
    with served.client() as client:
        item = client.post("/items?case=T1", content=b"not a picture", headers={"X-Filename": "x.txt"}).json()
        path = f"/items/{item['item']['id']}"
        until(lambda: client.get(path).json()["analysis"]["state"] != "pending", 30)


def test_reader_that_goes_away_leaves_no_file_open(served: Served) -> None:
    data = b"w" * 30_000_000
    with served.client() as client:
        item = client.post("/items?case=T1", content=data).json()["item"]["id"]
        with client.stream("GET", f"/items/{item}/original") as answer:
            next(answer.iter_bytes(1000))
        sha256 = hashlib.sha256(data).hexdigest()
        until(lambda: not any(sha256 in str(_target(link)) for link in Path("/proc/self/fd").iterdir()))


def _target(link: Path) -> Path | None:
    try:
        return link.readlink()
    except OSError:
        return None


def _answer(connection: socket.socket) -> bytes:
    """All that the server says until it closes."""
    said = b""
    with connection, suppress(ConnectionResetError):  # closed before all that was sent was read
        while chunk := connection.recv(65_536):
            said += chunk
    return said


def _send_much(connection: socket.socket) -> None:
    """64 MB, far more than the system's own buffers take."""
    for _ in range(1_000):
        connection.sendall(b"a" * 65_536)


def test_a_head_without_end_is_cut_off_whoever_sends_it(served: Served) -> None:
    endless = served.raw("GET /api/v1/healthz HTTP/1.1\nHost: x\nX-Filler: ")
    with endless, pytest.raises(ConnectionError):
        _send_much(endless)
    filler = "".join(f"X-{number}: {'b' * 1_000}\n" for number in range(200))
    said = _answer(served.raw(f"GET /api/v1/healthz HTTP/1.1\nHost: x\nConnection: close\n{filler}"))
    assert not said or (said.startswith(b"HTTP/1.1 431 ") and b'"code": "head_too_large"' in said)


def test_trailers_without_end_are_cut_off(served: Served) -> None:
    head = f"POST /api/v1/items?case=T1 HTTP/1.1\nHost: x\nAuthorization: Bearer {served.api.tokens['ana']}\n"
    connection = served.raw(head + "Transfer-Encoding: chunked\n", b"4\r\ndata\r\n0\r\nX-Trailer: ")
    with connection, pytest.raises(ConnectionError):
        _send_much(connection)
    until(lambda: served.staging() == [])


def test_a_head_that_does_not_come_in_time_closes_the_connection(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "HEAD_SECONDS", 0.3)
    for said in ("", "GET /api/v1/healthz HTTP/1.1\nHost: x"):
        assert _answer(served.raw(said)) == b""
    again = served.raw("GET /api/v1/healthz HTTP/1.1\nHost: x\n")
    assert again.recv(65_536).startswith(b"HTTP/1.1 200 ")
    again.sendall(b"GET /")
    assert b"HTTP/1.1" not in _answer(again)


def test_a_slow_body_is_not_taken_for_a_slow_head(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "HEAD_SECONDS", 0.2)
    connection = served.raw(served.head(8, extra="Connection: close\n"), b"half")
    time.sleep(0.5)
    connection.sendall(b"rest")
    assert b"HTTP/1.1 201 " in _answer(connection)


def test_head_requests_get_the_fields_and_no_body(served: Served) -> None:
    with served.client() as client:
        item = client.post("/items?case=T1", content=b"data").json()["item"]["id"]
        for path in ("/healthz", "/readyz", "/log/checkpoint", f"/items/{item}/original"):
            answer = client.head(path)
            assert (answer.status_code, answer.content) == (200, b""), path
            assert int(answer.headers["content-length"]) > 0
            assert client.get(path).status_code == 200  # the connection is still in step


def test_who_is_refused_early_gets_the_answer_at_once_and_the_connection_stays_good(served: Served) -> None:
    size, begun = 3_000_000, 1_000
    with served.raw(served.head(size, "outsider"), b"x" * begun) as connection:
        connection.settimeout(10)
        answer = connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 404 "), "told while the body is still on its way"
        connection.sendall(b"x" * (size - begun))
        bearer = served.api.tokens["outsider"]
        me = f"GET /api/v1/me HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {bearer}\r\n\r\n"
        connection.sendall(me.encode())
        rest = b""
        while b"HTTP/1.1 200 OK" not in rest:
            more = connection.recv(65536)
            assert more, "the connection was closed"
            rest += more
    assert served.staging() == []
    expecting = served.head(size, "outsider", "Expect: 100-continue\n")
    with served.raw(expecting) as connection:
        connection.settimeout(10)
        assert connection.recv(65536).startswith(b"HTTP/1.1 404 "), "and not asked to send it"


def test_a_body_in_uneven_pieces_and_the_request_behind_it_arrive_whole(served: Served) -> None:
    data = random.Random(5).randbytes(1_700_001)  # noqa: S311 - repeatable
    ends = [1, 2, 65_000, 700_000, 700_001, 1_400_000, len(data)]
    again = served.head(3, extra="X-Filename: second\n").replace("\n", "\r\n").encode() + b"\r\nxyz"
    with served.raw(served.head(len(data), extra="X-Filename: first\n")) as connection:
        for start, end in pairwise([0, *ends]):
            connection.sendall(data[start:end] + (again if end == len(data) else b""))
            time.sleep(0.03)  # longer than pieces are gathered
        answers = b""
        while answers.count(b" 201 Created") < 2 or hashlib.sha256(b"xyz").hexdigest().encode() not in answers:
            part = connection.recv(65536)
            assert part, answers
            answers += part
    assert hashlib.sha256(data).hexdigest().encode() in answers


def test_a_chunked_body_arrives_whole(served: Served) -> None:
    data = random.Random(6).randbytes(900_000)  # noqa: S311 - repeatable
    with served.client() as client:
        sent = client.post("/items?case=T1", content=(data[at : at + 7_001] for at in range(0, len(data), 7_001)))
    assert sent.json()["item"]["sha256"] == hashlib.sha256(data).hexdigest()


def test_an_answer_that_takes_longer_than_a_head_may_is_given_all_the_same(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    deposit = Intake.deposit

    def slow(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - as the real one
        time.sleep(1.0)
        return deposit(*given, **named)

    monkeypatch.setattr(http_server, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(Intake, "deposit", slow)
    with served.raw(served.head(4), b"slow") as connection:
        assert connection.recv(65_536).startswith(b"HTTP/1.1 201 ")
        connection.sendall(b"GET /")
        begun = time.monotonic()
        assert b"HTTP/1.1" not in _answer(connection)
        assert time.monotonic() - begun < 5, "and the next head is waited for no longer than any"


def test_a_download_that_takes_longer_than_a_head_may_comes_whole(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = random.Random(8).randbytes(30_000_000)  # noqa: S311 - repeatable
    with served.client() as client:
        item = client.post("/items?case=T1", content=data).json()["item"]["id"]
    monkeypatch.setattr(http_server, "HEAD_SECONDS", 0.2)
    bearer = served.api.tokens["ana"]
    head = f"GET /api/v1/items/{item}/original HTTP/1.1\nHost: x\nAuthorization: Bearer {bearer}\nConnection: close\n"
    connection = served.raw(head)
    time.sleep(0.6)
    assert _answer(connection).endswith(data[-1000:])


def _refused_early(served: Served, size: int) -> socket.socket:
    """The connection of somebody without a token who has been answered, and whose body is still to come."""
    connection = served.raw(f"POST /api/v1/items?case=T1 HTTP/1.1\nHost: x\nContent-Length: {size}\n")
    assert connection.recv(65_536).startswith(b"HTTP/1.1 401 ")
    return connection


def test_who_was_refused_and_trickles_on_keeps_no_connection(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "REST_SECONDS", 0.6)
    begun = time.monotonic()
    with _refused_early(served, 10_000_000) as silent, _refused_early(served, 10_000_000) as trickling:
        silent.sendall(b"z")
        with suppress(ConnectionError):
            while time.monotonic() - begun < 6:
                trickling.sendall(b"z")
                time.sleep(0.05)
        assert time.monotonic() - begun < 5, "single bytes gain no time"
        assert _answer(silent) == b""
        assert time.monotonic() - begun < 5, "nor does silence"


def test_who_was_refused_and_sends_the_rest_in_time_may_go_on(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "REST_SECONDS", 0.6)
    with _refused_early(served, 2_000_000) as connection:
        for _ in range(20):
            connection.sendall(b"z" * 100_000)
        time.sleep(1.0)
        connection.sendall(b"GET /api/v1/healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 "), "the next head has its own time"


def test_a_slow_body_that_is_wanted_is_not_taken_for_the_rest_of_a_refused_one(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "REST_SECONDS", 0.2)
    head = served.head(10).replace("\n", "\r\n").encode() + b"\r\n"
    answers = b""
    with served.raw("GET /api/v1/healthz HTTP/1.1\nHost: x\n") as connection:
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")
        for count in (1, 2):  # each on a connection on which another has been answered
            connection.sendall(head)
            for digit in b"0123456789":
                connection.sendall(bytes([digit]))
                time.sleep(0.06)
            while answers.count(b"HTTP/1.1 201 ") < count:
                part = connection.recv(65_536)
                assert part, "the connection was closed"
                answers += part
