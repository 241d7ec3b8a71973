"""A request that is cancelled leaves no thread at work with its file."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.api.streams import BATCH_BYTES, pour
from evidence_store.digests import Piece


def body(*chunks: bytes, ends: bool) -> Any:  # noqa: ANN401 - stands in for a request
    async def stream() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk
        if not ends:
            await asyncio.sleep(60)

    return cast("Any", SimpleNamespace(headers={}, scope={}, stream=stream))


class Slow:
    """A writer that takes its time."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.written = 0
        self.at_work = False

    def __call__(self, batch: Piece) -> None:
        self.at_work = True
        self.begun.set()
        time.sleep(0.3)
        self.written += len(batch)
        self.at_work = False


async def cancelled_while_it_writes(request: Any, writer: Slow, *, times: int) -> None:  # noqa: ANN401
    task = asyncio.create_task(pour(request, writer))
    assert await asyncio.to_thread(writer.begun.wait, 10)
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0.02)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not writer.at_work, "the file would be closed while a thread writes to it"


@pytest.mark.parametrize("times", [1, 4])
@pytest.mark.parametrize(
    ("chunks", "ends"),
    [([b"x" * BATCH_BYTES], False), ([b"x" * BATCH_BYTES] * 2, False), ([b"the last, short one"], True)],
    ids=["while-the-client-is-silent", "while-a-batch-waits", "while-the-rest-is-written"],
)
def test_cancelled_request_ends_when_its_writer_has_ended(chunks: list[bytes], ends: bool, times: int) -> None:  # noqa: FBT001
    writer = Slow()
    asyncio.run(cancelled_while_it_writes(body(*chunks, ends=ends), writer, times=times))
    assert writer.written == len(chunks[0])


def test_batches_come_in_order_and_none_is_lost() -> None:
    chunks = [bytes([number]) * (BATCH_BYTES // 3) for number in range(10)]
    taken: list[Piece] = []
    assert asyncio.run(pour(body(*chunks, ends=True), taken.append)) == len(b"".join(chunks))
    assert b"".join(taken) == b"".join(chunks)


def test_error_of_the_last_writing_is_told() -> None:
    def fails(_: Piece) -> None:
        raise ValueError("full")

    refuse: Callable[[Piece], None] = fails
    with pytest.raises(ValueError, match="full"):
        asyncio.run(pour(body(b"x", ends=True), refuse))
