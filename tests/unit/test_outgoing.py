"""Servers that never come to an end: a request to one ends all the same, and no second thread waits on it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest

from app.errands import Errands, NoAnswerError, TooLargeError
from app.errors import EnvironmentFailedError
from app.outgoing import Outgoing
from app.timestamps.client import TsaUnreachableError
from app.timestamps.client import _post as ask_authority
from app.timestamps.client import new_client as authority_client
from app.witnessing.client import new_client as witness_client
from app.witnessing.client import post as ask_witness

SECONDS = 0.7
HEAD = b"HTTP/1.1 200 OK\r\n"


class Drip:
    """A server that sends a beginning, then one byte after another for ever."""

    def __init__(self, beginning: bytes) -> None:
        self._beginning = beginning
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.given_up = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._drip, args=(connection,), daemon=True).start()

    def _drip(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(65_536)
                connection.sendall(self._beginning)
                while not self._over.wait(0.05):
                    connection.sendall(b"a")
            except OSError:
                self.given_up.set()

    def stop(self) -> None:
        self._over.set()
        self._listener.close()


@pytest.fixture
def drip() -> Iterator[Callable[[bytes], Drip]]:
    made: list[Drip] = []

    def make(beginning: bytes) -> Drip:
        made.append(Drip(beginning))
        return made[-1]

    yield make
    for each in made:
        each.stop()


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        HEAD + b"X: ",
        HEAD + b"\r\n",
        HEAD + b"Content-Length: 60000\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD,
    ],
    ids=["status", "header", "body", "body of a length", "after an interim answer"],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_server_that_drips_any_part_of_its_answer_is_left_when_the_time_is_over(
    scheme: str, beginning: bytes, drip: Callable[[bytes], Drip]
) -> None:
    server = drip(beginning if scheme == "http" else b"\x16\x03\x03\x40\x00")  # a TLS record that is never whole
    with Outgoing(30, {}) as client, pytest.raises(NoAnswerError) as caught:
        client.post(f"{scheme}://127.0.0.1:{server.port}/", b"x", SECONDS, 65_536)
    assert str(caught.value) == f"the answer did not come within {SECONDS:g} s"
    assert server.given_up.wait(30)


def test_what_was_read_of_an_answer_without_an_end_is_no_answer(drip: Callable[[bytes], Drip]) -> None:
    """The connection's end would otherwise look like the end of the body."""
    server = drip(HEAD + b"Connection: close\r\n\r\nwhole")
    with Outgoing(30, {}) as client, pytest.raises(NoAnswerError, match="did not come within"):
        client.post(f"http://127.0.0.1:{server.port}/", b"x", SECONDS, 65_536)


def test_answer_without_an_end_is_left_when_it_is_too_large(drip: Callable[[bytes], Drip]) -> None:
    server = drip(HEAD + b"\r\n" + bytes(10_000))
    with Outgoing(30, {}) as client, pytest.raises(TooLargeError):
        client.post(f"http://127.0.0.1:{server.port}/", b"x", 30, 9_999)


def test_client_is_good_for_another_request_after_one_that_had_no_end(drip: Callable[[bytes], Drip]) -> None:
    server = drip(HEAD + b"X: ")
    with Outgoing(30, {}) as client:
        for _ in range(3):
            with pytest.raises(NoAnswerError, match="did not come within"):
                client.post(f"http://127.0.0.1:{server.port}/", b"x", SECONDS, 65_536)


@contextmanager
def _silent(count: int, port: int = 0) -> Iterator[tuple[int, list[str]]]:
    """A port, and addresses of this machine where it answers no attempt to connect: their queues are full."""
    listeners: list[socket.socket] = []
    waiting: list[socket.socket] = []
    try:
        for number in range(count):
            listener = socket.socket()
            listeners.append(listener)
            listener.bind((f"127.0.0.{number + 2}", port))
            listener.listen(0)
            port = listener.getsockname()[1]
            for _ in range(4):
                one = socket.socket()
                waiting.append(one)
                one.settimeout(0)
                one.connect_ex(listener.getsockname())
        yield port, [listener.getsockname()[0] for listener in listeners]
    finally:
        for each in (*waiting, *listeners):
            each.close()


def _named(addresses: list[str]) -> Any:  # noqa: ANN401
    """The resolver, which finds these addresses for `many.example`."""
    real = socket.getaddrinfo

    def resolve(host: str, port: int, *args: Any, **more: Any) -> Any:  # noqa: ANN401
        names = addresses if host == "many.example" else [host]
        return [found for name in names for found in real(name, port, *args, **more)]

    return mock.patch.object(socket, "getaddrinfo", resolve)


def test_name_with_many_silent_addresses_takes_no_longer_than_one() -> None:
    with _silent(8) as (port, addresses), _named(addresses), Outgoing(300, {}) as client:
        told: list[str] = []

        def post() -> None:
            try:
                client.post(f"http://many.example:{port}/", b"x", SECONDS, 65_536)
            except NoAnswerError as error:
                told.append(str(error))

        asking = threading.Thread(target=post, daemon=True)
        asking.start()
        asking.join(60)
        assert told == [f"the answer did not come within {SECONDS:g} s"]


def test_address_that_works_is_found_behind_one_that_keeps_silent(drip: Callable[[bytes], Drip]) -> None:
    server = drip(HEAD + b"Content-Length: 2\r\n\r\n")
    with _silent(1, server.port) as (_, silent), _named([*silent, "127.0.0.1"]), Outgoing(300, {}) as client:
        answer = client.post(f"http://many.example:{server.port}/", b"x", 10, 65_536)
    assert (answer.status, answer.body) == (200, b"aa")


def test_name_that_nobody_knows_is_no_answer() -> None:
    with Outgoing(30, {}) as client, pytest.raises(NoAnswerError, match="ConnectError"):
        client.post("http://nobody.invalid/", b"x", 30, 65_536)


def test_authority_and_witness_that_drip_their_heads_are_unreachable(drip: Callable[[bytes], Drip]) -> None:
    url = f"http://127.0.0.1:{drip(HEAD + b'X: ').port}"
    with authority_client(30) as client, pytest.raises(TsaUnreachableError, match="did not come within"):
        ask_authority(client, url, b"x", SECONDS)
    with witness_client(30) as client, pytest.raises(EnvironmentFailedError, match="did not come within") as caught:
        ask_witness(client, url, b"x", SECONDS)
    assert caught.value.code == "witness_unreachable"


def test_who_holds_a_thread_gets_no_other_and_others_are_asked_all_the_same() -> None:
    release, begun, asked = threading.Event(), [], []
    errands = Errands("test")

    def hold() -> None:
        begun.append(1)
        release.wait(60)

    for _ in range(4):
        errands.run([("slow", hold), ("quick", lambda: asked.append(1))], 0.2)
    assert (len(begun), len(asked)) == (1, 4)
    release.set()
    for thread in threading.enumerate():
        if thread.name == "test":
            thread.join(30)
    errands.run([("slow", hold)], 30)
    assert len(begun) == 2


def test_two_errands_to_one_party_at_the_same_time_are_both_run_while_somebody_waits_for_them() -> None:
    both = threading.Barrier(2)
    errands = Errands("test")
    errands.run([("one", lambda: both.wait(30)), ("one", lambda: both.wait(30))], 30)
    assert not both.broken


def test_failure_of_an_errand_is_raised() -> None:
    def fail() -> None:
        raise EnvironmentFailedError("witness_unreachable", "no route")

    with pytest.raises(EnvironmentFailedError, match="no route"):
        Errands("test").run([("one", fail)], 30)
