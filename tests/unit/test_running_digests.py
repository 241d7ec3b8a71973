"""The digests of an upload whose computing fails on the way: read again from the first byte, never wrong."""

from __future__ import annotations

import zlib
from contextlib import suppress
from pathlib import Path

import pytest

from app.intake.running import RunningDigests
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
