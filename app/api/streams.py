"""Taking a file from the wire: no form parsing, no temporary copy, no work on the event loop.

Bytes are gathered into batches of a quarter of a MiB; a thread hashes and writes one batch while the next arrives. A
large body whose client sends fast is read by the thread itself (`app.api.direct`), piece by piece, as long as it is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from app.api.direct import Taken, offered
from app.api.fields import whole_number
from app.api.gate import BodyCutOffError
from app.errors import CatenaError
from evidence_store.digests import Piece

BATCH_BYTES = 1 << 18
SILENCE_SECONDS = 120.0
FAST_BYTES, FAST_SECONDS = 1 << 20, 0.5
"""A client that sends so much in such a time is fast: a thread of its own is worth it."""


def announced_size(request: Request) -> int | None:
    """The Content-Length, when there is one.

    Raises:
        CatenaError: `bad_header`.
    """
    return whole_number("Content-Length", request.headers.get("content-length"))


def refuse_wrapped_body(request: Request) -> None:
    """Refuse bodies in which the file is wrapped: its bytes would not be the original's.

    Raises:
        CatenaError: `unsupported_media_type`, `unsupported_encoding` (415).
    """
    if request.headers.get("content-type", "").lower().startswith("multipart/"):
        raise CatenaError(
            "unsupported_media_type", "send the file's bytes as the body itself, not as a form", status=415
        )
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise CatenaError("unsupported_encoding", "send the file's bytes as they are, not compressed", status=415)


def _nobody(_: float) -> None:
    """Who need not know when something came."""


async def pour(
    request: Request,
    write: Callable[[Piece], None],
    *,
    silence: float | None = SILENCE_SECONDS,
    heard: Callable[[float], None] = _nobody,
) -> int:
    """Pass a request's body on, in batches.

    Args:
        request: whose body has not been read.
        write: called in a thread, one call at a time, in order. What it is given it must not keep; what it hands on to
            another thread is a view of its own (`app.api.pieces`).
        silence: longest pause of the client, in seconds; None when the request's `receive` looks after that.
        heard: told when something came past the event loop (`time.monotonic`); in a thread.

    Returns:
        Number of bytes.

    Raises:
        BodyCutOffError: the client went away, or sent another number of bytes than announced.
        CatenaError: `body_timeout` (408), and whatever `write` raises.
    """
    announced = announced_size(request)
    offer, pace = offered(request.scope), _Pace()
    batches = _Batches(write)
    stream = request.stream()
    try:
        while True:
            async with asyncio.timeout(silence):
                chunk = await anext(stream, None)
            if chunk is None:
                break
            fast = pace.is_fast(len(chunk))
            # Asked before anything is awaited: what arrives meanwhile would have to come first.
            taken = offer.take(batches.total + len(chunk)) if offer is not None and fast else None
            if taken is None:
                await batches.take(chunk)
            else:
                await batches.take_directly(chunk, taken, heard)
        await batches.finish()
    except ClientDisconnect:
        raise BodyCutOffError from None
    except TimeoutError:
        raise CatenaError("body_timeout", "the client fell silent; nothing was kept", status=408) from None
    finally:
        await batches.settle()
    if announced is not None and announced != batches.total:
        raise BodyCutOffError
    return batches.total


class _Pace:
    """How fast a client sends, by the last MiB that came through the event loop."""

    def __init__(self) -> None:
        self._came, self._since = 0, time.monotonic()

    def is_fast(self, size: int) -> bool:
        """Whether a whole measure has just come in time; so many bytes more have come."""
        self._came += size
        if self._came < FAST_BYTES:
            return False
        now = time.monotonic()
        fast = now - self._since <= FAST_SECONDS
        self._came, self._since = 0, now
        return fast


class _Batches:
    """Gathers bytes; at most one batch is being written while the next is gathered."""

    def __init__(self, write: Callable[[Piece], None]) -> None:
        self._write = write
        self._chunks: list[bytes] = []
        self._gathered = 0
        self._at_work: asyncio.Future[int] | None = None
        self.total = 0

    async def take(self, chunk: bytes) -> None:
        """Take the next bytes; waits while the batch before is not written yet."""
        self._chunks.append(chunk)
        self._gathered += len(chunk)
        self.total += len(chunk)
        if self._gathered >= BATCH_BYTES:
            await self._ended()
            self._begin()

    async def take_directly(self, chunk: bytes, taken: Taken, heard: Callable[[float], None]) -> None:
        """Take the next bytes, then what a thread reads from the socket; the body is given back whatever happens."""
        try:
            await self.take(chunk)
            await self.finish()
            if (reading := taken.begin(self._write, heard)) is not None:
                # No task: a loop that is closed cancels all of those, and this thread has a socket in its hands.
                self._at_work = asyncio.wrap_future(reading)
                self.total += await self._ended()
        finally:
            taken.stop()
            try:
                await self.settle()
            finally:
                taken.give_back()

    async def finish(self) -> None:
        """Write what is left."""
        await self._ended()
        if self._gathered:
            self._begin()
            await self._ended()

    async def settle(self) -> None:
        """Wait until no thread holds the file any more, however often this is cancelled; it may be discarded then.

        A server that shuts down cancels what is under way: that ends the wait for a thread and not the thread.
        """
        cancelled: asyncio.CancelledError | None = None
        while self._at_work is not None and not self._at_work.done():
            try:
                await asyncio.wait({self._at_work})
            except asyncio.CancelledError as again:
                cancelled = again
        if self._at_work is not None and not self._at_work.cancelled():
            self._at_work.exception()  # whoever waits for it has been told, or does not ask any more
        self._at_work = None
        if cancelled is not None:
            raise cancelled

    def _begin(self) -> None:
        chunks, self._chunks, self._gathered = self._chunks, [], 0
        self._at_work = asyncio.create_task(run_in_threadpool(_write_together, self._write, chunks))

    async def _ended(self) -> int:
        """Wait for the thread; returns how many bytes it has written."""
        written = 0
        if self._at_work is not None:
            written = await asyncio.shield(self._at_work)
            self._at_work = None
        return written


def _write_together(write: Callable[[Piece], None], chunks: list[bytes]) -> int:
    """In a thread: the only copy, and not on the event loop; a growing buffer is copied again and again."""
    full = b"".join(chunks)
    chunks.clear()  # they would wait in memory beside their copy
    write(full)
    return len(full)
