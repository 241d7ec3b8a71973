"""Taking a file from the wire: no form parsing, no temporary copy, no work on the event loop.

Bytes are gathered into batches of a quarter of a MiB; a thread hashes and writes one batch while the next arrives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from app.api.fields import whole_number
from app.api.gate import BodyCutOffError
from app.errors import CatenaError

BATCH_BYTES = 1 << 18
SILENCE_SECONDS = 120.0


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


async def pour(request: Request, write: Callable[[bytes], None], *, silence: float = SILENCE_SECONDS) -> int:
    """Pass a request's body on, in batches.

    Args:
        request: whose body has not been read.
        write: called in a thread, one call at a time, in order.
        silence: longest pause of the client, in seconds.

    Returns:
        Number of bytes.

    Raises:
        BodyCutOffError: the client went away, or sent another number of bytes than announced.
        CatenaError: `body_timeout` (408), and whatever `write` raises.
    """
    announced = announced_size(request)
    batches = _Batches(write)
    stream = request.stream()
    try:
        while True:
            async with asyncio.timeout(silence):
                chunk = await anext(stream, None)
            if chunk is None:
                break
            await batches.take(chunk)
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


class _Batches:
    """Gathers bytes; at most one batch is being written while the next is gathered."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._chunks: list[bytes] = []
        self._gathered = 0
        self._writing: asyncio.Task[None] | None = None
        self.total = 0

    async def take(self, chunk: bytes) -> None:
        """Take the next bytes; waits while the batch before is not written yet."""
        self._chunks.append(chunk)
        self._gathered += len(chunk)
        self.total += len(chunk)
        if self._gathered >= BATCH_BYTES:
            await self._written()
            self._begin()

    async def finish(self) -> None:
        """Write what is left."""
        await self._written()
        if self._gathered:
            self._begin()
            await self._written()

    async def settle(self) -> None:
        """Wait until no thread holds the file any more, however often this is cancelled; it may be discarded then.

        A server that shuts down cancels what is under way: that ends the wait for a thread and not the thread.
        """
        cancelled: asyncio.CancelledError | None = None
        while self._writing is not None and not self._writing.done():
            try:
                await asyncio.wait({self._writing})
            except asyncio.CancelledError as again:
                cancelled = again
        if self._writing is not None and not self._writing.cancelled():
            self._writing.exception()  # whoever waits for it has been told, or does not ask any more
        self._writing = None
        if cancelled is not None:
            raise cancelled

    def _begin(self) -> None:
        chunks, self._chunks, self._gathered = self._chunks, [], 0
        self._writing = asyncio.create_task(run_in_threadpool(_write_together, self._write, chunks))

    async def _written(self) -> None:
        if self._writing is not None:
            await asyncio.shield(self._writing)
            self._writing = None


def _write_together(write: Callable[[bytes], None], chunks: list[bytes]) -> None:
    """In a thread: the only copy, and not on the event loop; a growing buffer is copied again and again."""
    full = b"".join(chunks)
    chunks.clear()  # they would wait in memory beside their copy
    write(full)
