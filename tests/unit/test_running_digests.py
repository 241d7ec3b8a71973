"""The digests of an upload whose computing fails on the way: read again from the first byte, never wrong."""

from __future__ import annotations

import os
import threading
import zlib
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from app.intake.running import READING, RunningDigests, Turns
from evidence_store.digests import DigestComputer, digest_stream
from evidence_store.errors import EvidenceStoreError
from evidence_store.parallel_digests import WORTH_A_THREAD

A, B, C = (letter * WORTH_A_THREAD for letter in (b"a", b"b", b"c"))
SIZE = len(A)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "upload.part"
    path.write_bytes(A + B + C)
    return path


def fail_on(monkeypatch: pytest.MonkeyPatch, piece: bytes, *, times: int = 1) -> None:
    """Memory runs out when SHA-512 takes this piece, so many times."""
    take, left = DigestComputer._update_sha512, [times]

    def taken(computer: DigestComputer, data: bytes) -> None:
        if data == piece and left[0]:
            left[0] -= 1
            raise MemoryError
        take(computer, data)

    monkeypatch.setattr(DigestComputer, "_update_sha512", taken)


def test_writer_goes_on_when_a_piece_is_not_digested_and_the_file_is_read_again(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = RunningDigests(file)
    running.update(A, 0)
    running.commit(SIZE)
    fail_on(monkeypatch, B)
    running.update(B, SIZE)
    running.update(C, 2 * SIZE)
    running.commit(3 * SIZE)
    assert running.is_behind()
    assert running.catch_up() == digest_stream([A, B, C])


def test_piece_that_comes_again_after_a_failure_is_digested_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running, crc32 = RunningDigests(file), zlib.crc32
    running.update(A, 0)
    running.commit(SIZE)

    def no_memory(data: bytes, before: int) -> int:
        if data == B:
            raise MemoryError
        return crc32(data, before)

    with monkeypatch.context() as patched, suppress(MemoryError):
        patched.setattr(zlib, "crc32", no_memory)  # SHA-512 has taken it by then
        running.update(B, SIZE)
    running.roll_back()  # the request ended; nothing of B was committed
    assert running.go_on_from(SIZE)
    running.update(B, SIZE)
    running.commit(2 * SIZE)
    assert running.catch_up() == digest_stream([A, B])


def test_reading_that_fails_says_so_and_begins_again_with_the_first_byte(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = RunningDigests(file)
    running.commit(3 * SIZE)
    fail_on(monkeypatch, A + B + C, times=2)
    for _ in range(2):
        with pytest.raises(EvidenceStoreError) as failure:
            running.catch_up()
        assert failure.value.code == "digests_broken"
    assert running.catch_up() == digest_stream([A, B, C])


def test_digests_that_are_complete_wait_for_nobody_who_reads(file: Path) -> None:
    running = RunningDigests(file)
    for number, piece in enumerate((A, B, C)):
        running.update(piece, number * SIZE)
    running.commit(3 * SIZE)
    got: list[object] = []
    with ExitStack() as places:
        for _ in range(2):
            places.enter_context(READING.one())
        asks = threading.Thread(target=lambda: got.append(running.catch_up()), daemon=True)
        asks.start()
        asks.join(5)
        assert got == [digest_stream([A, B, C])]


def test_two_huge_files_that_are_read_again_hold_up_nobody_and_end_with_their_uploads(
    tmp_path: Path, file: Path
) -> None:
    huge = 64 << 30  # sparse; to be read for minutes
    ended: list[str] = []

    def read(running: RunningDigests) -> None:
        try:
            running.catch_up()
        except EvidenceStoreError as error:
            ended.append(error.code)

    readers, paths = [], [tmp_path / "one.part", tmp_path / "two.part"]
    for path in paths:
        path.touch()
        os.truncate(path, huge)
        running = RunningDigests(path)
        running.commit(huge)
        readers.append(threading.Thread(target=read, args=(running,), daemon=True))
    try:
        for reader in readers:
            reader.start()
        small = RunningDigests(file)
        small.commit(3 * SIZE)
        asks = threading.Thread(target=small.catch_up, daemon=True)
        asks.start()
        asks.join(20)
        assert not asks.is_alive()
        assert not small.is_behind()
        assert ended == []
        assert all(reader.is_alive() for reader in readers)
    finally:
        for path in paths:
            path.unlink()
    for reader in readers:
        reader.join(20)
    assert ended == ["upload_damaged", "upload_damaged"]


def test_turns_come_in_the_order_of_asking() -> None:
    turns, order = Turns(1), list[str]()

    def ask(name: str) -> None:
        with turns.one():
            order.append(name)

    waiting = [threading.Thread(target=ask, args=(name,), daemon=True) for name in "abc"]
    with turns.one():
        for number, one in enumerate(waiting, 1):
            one.start()
            while len(turns._waiting) < number and one.is_alive():
                pass
    with turns.one():  # whoever has just given a place back comes after those who waited for it
        assert order == ["a", "b", "c"]
    with turns.one():
        pass  # and the place is free again
