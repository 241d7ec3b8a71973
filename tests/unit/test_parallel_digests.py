"""Digests computed on two processors when a thread or memory is not there: right, or refused, never wrong."""

from __future__ import annotations

import hashlib
import importlib.util
import threading
import zlib
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType

import pytest

from evidence_store import parallel_digests
from evidence_store.digests import DigestComputer, digest_stream
from evidence_store.errors import EvidenceStoreError
from evidence_store.parallel_digests import WORTH_A_THREAD, ParallelDigestComputer

A, B = b"a" * WORTH_A_THREAD, b"b" * WORTH_A_THREAD


@pytest.fixture
def fresh() -> ModuleType:
    """The module as a new process has it: no thread is started yet."""
    spec = importlib.util.spec_from_file_location("fresh_parallel_digests", parallel_digests.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def refused(call: Callable[[], object]) -> bool:
    with pytest.raises(EvidenceStoreError) as refusal:
        call()
    return refusal.value.code == "digests_broken"


@pytest.mark.parametrize("there_are", [0, 1, 3])
def test_computer_that_gets_no_thread_takes_each_piece_once(
    fresh: ModuleType, monkeypatch: pytest.MonkeyPatch, there_are: int
) -> None:
    start, take, started, go_on = threading.Thread.start, DigestComputer._update_sha512, [0], threading.Event()

    def start_few(thread: threading.Thread) -> None:
        if started[0] >= there_are:
            raise RuntimeError("can't start new thread")
        started[0] += 1
        start(thread)

    def busy(computer: DigestComputer, data: bytes) -> None:
        if threading.current_thread() is not threading.main_thread():
            go_on.wait(10)
        take(computer, data)

    monkeypatch.setattr(threading.Thread, "start", start_few)
    monkeypatch.setattr(DigestComputer, "_update_sha512", busy)
    computers = [fresh.ParallelDigestComputer() for _ in range(4)]
    for computer in computers:
        computer.update(A)
    go_on.set()
    for computer in computers:
        computer.update(B)
        assert computer.result() == digest_stream([A, B])


def test_threads_are_used_again_when_the_system_has_some(fresh: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    computer, where = fresh.ParallelDigestComputer(), set()
    take = DigestComputer._update_sha512

    def noted(computer: DigestComputer, data: bytes) -> None:
        where.add(threading.current_thread() is threading.main_thread())
        take(computer, data)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", none)
        computer.update(A)
    monkeypatch.setattr(DigestComputer, "_update_sha512", noted)
    computer.update(B)
    result = computer.result()
    assert where == {False}
    assert result == digest_stream([A, B])


@pytest.mark.parametrize("piece", [B, b"short"], ids=["in-a-thread", "inline"])
def test_computer_that_lost_a_piece_never_answers_again(monkeypatch: pytest.MonkeyPatch, piece: bytes) -> None:
    computer, take = ParallelDigestComputer(), DigestComputer._update_sha512
    computer.update(A)

    def no_memory(_: DigestComputer, data: bytes) -> None:
        if data is piece:
            raise MemoryError
        take(_, data)

    with monkeypatch.context() as patched:
        patched.setattr(DigestComputer, "_update_sha512", no_memory)
        with suppress(EvidenceStoreError):  # it may show with the next step only
            computer.update(piece)
    assert refused(lambda: computer.update(piece))
    assert refused(computer.result)
    assert refused(computer.copy)


def test_computer_is_broken_when_the_second_digest_fails_after_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    computer, crc32 = ParallelDigestComputer(), zlib.crc32
    with monkeypatch.context() as patched:
        patched.setattr(zlib, "crc32", lambda data, before: crc32(data, before) if data is not B else 1 // 0)
        computer.update(A)
        assert refused(lambda: computer.update(B))
    assert refused(lambda: computer.update(B))
    assert refused(computer.result)


def test_digests_of_different_bytes_are_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last guard, for every computer: what was taken twice or not at all shows in the sizes."""
    computer = DigestComputer()
    with monkeypatch.context() as patched:
        patched.setattr(zlib, "crc32", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            computer.update(b"x")
    computer.update(b"x")
    assert computer.size == 1
    assert computer._sha256.hexdigest() == hashlib.sha256(b"xx").hexdigest()
    assert refused(computer.result)
    assert refused(computer.copy)
