"""Buffers that are used again hold what they held as long as anybody looks, and no byte behind a body is taken."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api import direct
from app.api.direct import Offer, Taken
from app.api.pieces import KEPT, PIECE_BYTES, Pieces
from evidence_store.digests import DigestComputer, Piece, digest_stream
from evidence_store.parallel_digests import WORTH_A_THREAD, ParallelDigestComputer

MIB = 1 << 20


class OneBuffer(Pieces):
    """What `Pieces` must not be: it does not ask."""

    def free(self) -> bytearray:
        self._buffers = self._buffers or [bytearray(self._size)]
        return self._buffers[0]


@pytest.fixture
def slow_hash(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """SHA-512 in a thread begins only when this is set."""
    go_on, take = threading.Event(), DigestComputer._update_sha512

    def late(computer: DigestComputer, data: Piece) -> None:
        if threading.current_thread() is not threading.main_thread():
            go_on.wait(10)
        take(computer, data)

    monkeypatch.setattr(DigestComputer, "_update_sha512", late)
    yield go_on
    go_on.set()


@pytest.mark.parametrize("how", ["whole", "part", "read-only"])
def test_a_buffer_that_anybody_has_a_view_of_is_not_given_out(how: str) -> None:
    pieces = Pieces(100)
    first = pieces.free()
    with memoryview(first) as view:
        kept = {"whole": view, "part": view[10:20], "read-only": view[:5].toreadonly()}[how]
        if how != "whole":
            view.release()
        assert pieces.free() is not first
    kept.release()
    assert pieces.free() is first
    assert len(first) == 100


def test_readers_that_never_let_go_cost_no_more_than_what_they_hold() -> None:
    pieces = Pieces(100)
    held = [memoryview(pieces.free()) for _ in range(10)]
    assert len({id(view.obj) for view in held}) == 10
    assert len(pieces._buffers) == KEPT


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 255)), max_size=60))
def test_every_view_shows_what_it_showed_at_first(steps: list[tuple[bool, int]]) -> None:
    pieces, held = Pieces(8), list[tuple[memoryview, int]]()
    for keep, value in steps:
        buffer = pieces.free()
        buffer[:] = bytes([value]) * 8
        held.append((memoryview(buffer), value))
        if not keep:
            held.pop(0)[0].release()
        assert all(view == bytes([value]) * 8 for view, value in held)


def test_a_computer_keeps_what_it_has_not_hashed_from_being_used_again(slow_hash: threading.Event) -> None:
    computer, pieces = ParallelDigestComputer(), Pieces(WORTH_A_THREAD)
    buffer = pieces.free()
    buffer[:] = b"a" * WORTH_A_THREAD
    with memoryview(buffer) as view:
        computer.update(view)
    assert pieces.free() is not buffer, "it is not hashed yet"
    slow_hash.set()
    assert computer.result() == digest_stream([b"a" * WORTH_A_THREAD])
    assert pieces.free() is buffer


@pytest.mark.parametrize(("made", "right"), [(Pieces, True), (OneBuffer, False)], ids=["asked", "not-asked"])
def test_digests_are_right_however_late_a_thread_is_and_would_not_be_if_nobody_asked(
    slow_hash: threading.Event,
    made: type[Pieces],
    right: bool,  # noqa: FBT001
) -> None:
    chunks = [bytes([number]) * WORTH_A_THREAD for number in range(2)]
    computer, pieces = ParallelDigestComputer(), made(WORTH_A_THREAD)
    for number, chunk in enumerate(chunks):
        buffer = pieces.free()
        buffer[:] = chunk
        if number:
            slow_hash.set()
        with memoryview(buffer) as view:
            computer.update(view)
    assert (computer.result() == digest_stream(chunks)) is right


class Connection:
    """Stands in for a protocol whose body is taken over; the socket is a real one."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.ours.settimeout(0)
        self.left: int | None = None

    def hold(self) -> socket.socket:
        return self.ours.dup()

    def go_on(self, left: int) -> None:
        self.left = left


@pytest.fixture
def connection() -> Iterator[Connection]:
    made = Connection()
    yield made
    made.ours.close()
    made.theirs.close()


def taken_of(connection: Connection, size: int) -> Taken:
    taken = Offer(cast("Any", connection), size).take(0)
    assert taken is not None
    return taken


def test_no_byte_behind_the_body_is_taken(connection: Connection) -> None:
    data, behind = random.Random(1).randbytes(5 * MIB + 12_345), b"GET / HTTP/1.1\r\n\r\n"  # noqa: S311 - repeatable
    sender = threading.Thread(target=connection.theirs.sendall, args=(data + behind,))
    sender.start()
    got, moments = bytearray(), list[float]()
    taken = taken_of(connection, len(data))
    assert taken.pass_on(got.extend, moments.append) == len(data)
    taken.give_back()
    sender.join()
    assert got == data
    assert connection.left == 0
    assert connection.ours.recv(1000) == behind
    assert moments == sorted(moments) != []


@pytest.mark.parametrize("how", ["silent", "slow", "gone", "stopped"])
def test_what_has_come_is_passed_on_and_the_rest_given_back(
    connection: Connection, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "PIECE_SECONDS", 5.0 if how in {"gone", "stopped"} else 0.3)
    data = random.Random(2).randbytes(600_000)  # noqa: S311 - repeatable
    got, taken = bytearray(), taken_of(connection, 9 * MIB)
    ended = threading.Event()

    def send() -> None:
        connection.theirs.sendall(data)
        if how == "gone":
            connection.theirs.shutdown(socket.SHUT_WR)
        if how == "stopped":
            taken.stop()
        while how == "slow" and not ended.wait(0.01):
            connection.theirs.sendall(b"x")

    sender = threading.Thread(target=send)
    sender.start()
    begun = time.monotonic()
    count = taken.pass_on(got.extend, lambda _: None)
    ended.set()
    sender.join()
    assert time.monotonic() - begun < 4
    taken.give_back()
    assert connection.left == 9 * MIB - count
    assert len(got) == count
    assert bytes(got[: len(data)]) == data[: len(got)]
    if how != "stopped":
        assert count >= len(data)


def test_a_body_is_taken_only_when_all_of_it_that_came_was_read(connection: Connection) -> None:
    offer = Offer(cast("Any", connection), 9 * MIB)
    offer.left -= 1000  # came, and lies somewhere on its way
    assert offer.take(0) is None
    assert offer.take(999) is None
    taken = offer.take(1000)
    assert taken is not None
    taken.give_back()
    offer.left = direct.LARGE_BYTES - 1
    assert offer.take(9 * MIB - offer.left) is None, "not worth it"


def test_so_many_threads_and_no_more_and_many_take_less_memory_each(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def noted(size: int) -> Pieces:
        sizes.append(size)
        return Pieces(size)

    monkeypatch.setattr(direct, "Pieces", noted)
    takens = []
    for _ in range(8):
        takens.append(taken_of(connection, 9 * MIB))
        takens[-1].stop()
        assert takens[-1].pass_on(lambda _: None, lambda _: None) == 0
    assert sizes == [PIECE_BYTES] * 2 + [PIECE_BYTES // 2] * 6
    assert Offer(cast("Any", connection), 9 * MIB).take(0) is None
    takens.pop().give_back()
    takens.append(taken_of(connection, 9 * MIB))
    for taken in takens:
        taken.give_back()
    assert direct._places.used == 0


@pytest.mark.parametrize(
    ("headers", "length"),
    [
        ([(b"content-length", b"17")], 17),
        ([(b"content-length", b"17"), (b"content-length", b"17")], None),
        ([(b"content-length", b"17"), (b"transfer-encoding", b"chunked")], None),
        ([(b"transfer-encoding", b"chunked")], None),
        ([(b"content-length", b"+17")], None),
        ([], None),
    ],
)
def test_only_a_body_whose_end_is_known_is_offered(headers: list[tuple[bytes, bytes]], length: int | None) -> None:
    assert direct._length_of(headers) == length
