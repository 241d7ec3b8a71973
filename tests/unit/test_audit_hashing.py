"""Hashing side by side: right digests, in order, failures by name, and an end when somebody asks for it."""

from __future__ import annotations

import hashlib
import io
import threading
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import BinaryIO

import pytest

from app.audit.hashing import WINDOW, Hashed, Hasher
from app.audit.meter import AuditStoppedError, Meter, Step
from evidence_store.errors import EvidenceStoreError


def content(number: int) -> bytes:
    return bytes([number % 251]) * (number * 997 % 3_000_000)


def hasher(workers: int, meter: Meter | None = None, *, all_digests: bool = False) -> Hasher[int]:
    return Hasher(lambda number: io.BytesIO(content(number)), workers, meter or Meter(), all_digests=all_digests)


def hash_each(several: Hasher[int], wanted: Iterable[int]) -> Iterator[tuple[int, Hashed | EvidenceStoreError]]:
    with closing(several):
        several.begin(wanted)
        yield from several.each()


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("all_digests", [False, True])
def test_digests_are_right_and_in_order(workers: int, all_digests: bool) -> None:  # noqa: FBT001
    wanted = [5, 0, 3000, 7, 7, 2999, 1]
    found = list(hash_each(hasher(workers, all_digests=all_digests), wanted))
    assert [file for file, _ in found] == wanted
    for number, made in found:
        data = content(number)
        more = (hashlib.sha512(data).hexdigest(), zlib.crc32(data)) if all_digests else (None, None)
        assert made == Hashed(hashlib.sha256(data).hexdigest(), len(data), *more)


def test_many_more_files_than_may_wait_come_out_in_order() -> None:
    wanted = list(range(WINDOW * 2 + 3))
    small: Hasher[int] = Hasher(lambda number: io.BytesIO(b"%d" % number), 3, Meter(), all_digests=False)
    assert [file for file, _ in hash_each(small, wanted)] == wanted


class Broken(io.BytesIO):
    """A medium that fails while it is read."""

    def readinto(self, _: object) -> int:
        raise OSError(5, "Input/output error")


def test_file_that_cannot_be_read_is_told_and_the_others_are_hashed() -> None:
    def opened(number: int) -> BinaryIO:
        if number == 1:
            raise EvidenceStoreError("blob_missing", "no blob")
        return Broken() if number == 2 else io.BytesIO(b"x")

    results = dict(hash_each(Hasher(opened, 2, Meter(), all_digests=False), [1, 2, 3]))
    codes = {number: made.code for number, made in results.items() if isinstance(made, EvidenceStoreError)}
    assert codes == {1: "blob_missing", 2: "storage_failed"}
    assert results[3] == Hashed(hashlib.sha256(b"x").hexdigest(), 1)


class Endless(io.BytesIO):
    """A file that never ends."""

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        return len(buffer)


def test_it_ends_in_the_middle_of_a_file_when_asked_to_stop() -> None:
    stop = threading.Event()
    begun = threading.Event()

    def opened(_: int) -> BinaryIO:
        begun.set()
        return Endless()

    running = threading.active_count()
    results = hash_each(Hasher(opened, 2, Meter(stop=stop), all_digests=False), [1, 2, 3])

    def stop_once_begun() -> None:
        begun.wait(60)
        stop.set()

    threading.Thread(target=stop_once_begun).start()
    with pytest.raises(AuditStoppedError):
        next(results)
    assert threading.active_count() <= running, "no thread goes on by itself"


def test_bytes_are_counted_and_a_keeper_is_told() -> None:
    told: list[Step] = []
    meter = Meter(keeper=told.append)
    meter.begin("files", 3, bytes_total=10, bytes_done=4)
    meter._next_keep = 0.0
    abc: Hasher[int] = Hasher(lambda _: io.BytesIO(b"abc"), 2, meter, all_digests=False)
    list(hash_each(abc, [1, 2]))
    assert told
    step = meter.step()
    assert (step.stage, step.bytes_done, step.bytes_total, step.total) == ("files", 10, 10, 3)
    assert step.seconds_left == 0


def test_what_is_hashed_beside_another_check_counts_for_the_files_and_for_nothing_else() -> None:
    meter = Meter()
    meter.begin("rows", 7)
    abc: Hasher[int] = Hasher(lambda _: io.BytesIO(b"abc"), 1, meter, all_digests=False)
    with closing(abc):
        abc.begin([1, 2])
        while meter._hashed < 2 * len(b"abc"):
            time.sleep(0.001)
        assert (meter.step().stage, meter.step().bytes_done) == ("rows", 0)
        meter.begin("files", 2, bytes_total=10, bytes_done=4)
        assert meter.step().bytes_done == 4 + 2 * len(b"abc")
        assert [file for file, _ in abc.each()] == [1, 2]
    assert meter.step().bytes_done == 4 + 2 * len(b"abc"), "not counted twice"
