"""Workers of one command, each in a thread of its own."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from app.errors import CatenaError
from app.jobs.worker import Worker
from evidence_store.errors import EvidenceStoreError

_LOOK_SECONDS = 0.2
_OBJECTS_BETWEEN_COLLECTIONS = 20_000


class Runs(Protocol):
    """Something that works in a thread until it is told to stop."""

    def run(self) -> None:
        """Work."""

    def stop(self) -> None:
        """End soon."""


def _collect_rarely() -> None:
    """A job makes some thousand objects, and hardly one that only the collector could free; it took 2 % of all CPU."""
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)


@contextmanager
def working(staff: Sequence[Runs]) -> Iterator[None]:
    """Let all of them work beside the block."""
    _collect_rarely()
    threads = [threading.Thread(target=worker.run, name="catena-worker", daemon=True) for worker in staff]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for worker in staff:
            worker.stop()
        for thread in threads:
            thread.join(timeout=30)


def work(
    staff: list[Worker], do: Callable[[Worker], None], *, told_to_end: threading.Event | None = None, grace_s: float = 0
) -> int:
    """Let all of them work until each one ends; when interrupted, until each has done its current job.

    Args:
        staff: the workers.
        do: what each of them does.
        told_to_end: once it is set, each does its current job to the end and no other.
        grace_s: and when that takes longer than so many seconds, gives it back for another worker to begin anew.

    Returns:
        How many jobs were given back.

    Raises:
        CatenaError: what ended the first worker that failed; also EvidenceStoreError.
    """
    _collect_rarely()
    errors: list[CatenaError | EvidenceStoreError] = []

    def one(worker: Worker) -> None:
        try:
            do(worker)
        except (CatenaError, EvidenceStoreError) as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(worker,), name="catena-worker", daemon=True) for worker in staff]
    for thread in threads:
        thread.start()
    given_back = 0
    try:
        if told_to_end is None:
            _join(threads)
        else:
            given_back = _join_within(threads, staff, told_to_end, grace_s)
    finally:
        for worker in staff:
            worker.stop()
        if told_to_end is None:
            _join(threads)
    if errors:
        raise errors[0]
    return given_back


def _join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join()


def _join_within(
    threads: list[threading.Thread], staff: list[Worker], told_to_end: threading.Event, grace_s: float
) -> int:
    while any(thread.is_alive() for thread in threads) and not told_to_end.wait(_LOOK_SECONDS):
        pass
    for worker in staff:
        worker.stop()
    end = time.monotonic() + grace_s
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    late = [worker for worker, thread in zip(staff, threads, strict=True) if thread.is_alive()]
    return sum(worker.let_go() for worker in late)
