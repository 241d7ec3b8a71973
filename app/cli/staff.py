"""Workers of one command, each in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

from app.errors import CatenaError
from app.jobs.worker import Worker
from evidence_store.errors import EvidenceStoreError


def work(staff: list[Worker], do: Callable[[Worker], None]) -> None:
    """Let all of them work until each one ends; when interrupted, until each has done its current job.

    Raises:
        CatenaError: what ended the first worker that failed; also EvidenceStoreError.
    """
    errors: list[CatenaError | EvidenceStoreError] = []

    def one(worker: Worker) -> None:
        try:
            do(worker)
        except (CatenaError, EvidenceStoreError) as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(worker,), name="catena-worker") for worker in staff]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    finally:
        for worker in staff:
            worker.stop()
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]
