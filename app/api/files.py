"""Handing out stored bytes: whole or one range, never in a form that a browser would run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import BinaryIO

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from app.api.fields import attachment, digest_field
from app.api.problems import problem
from app.api.ranges import UnsatisfiableRangeError, not_modified, requested_range
from evidence_store.digests import CHUNK_BYTES

INERT = {
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that may be handed out.

    Attributes:
        sha256: names the bytes; the entity tag.
        size: in bytes.
        name: to save it under.
        media_type: as sent; `application/octet-stream` for what others made.
    """

    sha256: str
    size: int
    name: str
    media_type: str = "application/octet-stream"

    @property
    def etag(self) -> str:
        """Strong entity tag."""
        return f'"{self.sha256}"'


class ClosingResponse(StreamingResponse):
    """A stream whose file is closed however the answer ends."""

    def __init__(self, stream: BinaryIO, content: AsyncIterator[bytes], status: int, headers: dict[str, str]) -> None:
        """Wrap an open file.

        Args:
            stream: closed at the end.
            content: what is sent.
            status: HTTP status.
            headers: of the response.
        """
        super().__init__(content, status, headers)
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._stream.close()


def hand_out(request: Request, file: StoredFile, open_file: Callable[[], BinaryIO]) -> Response:
    """Answer a GET or HEAD for stored bytes; conditional and range requests included.

    A HEAD opens nothing and is no recorded read: no byte of the file leaves, and the name, size and digest that it
    tells stand in the item's description too. Range means nothing in it (RFC 9110, section 14.2).

    Args:
        request: the request.
        file: what is asked for.
        open_file: opens it, and records the read; not called when no byte will be sent.
    """
    headers = {**INERT, "ETag": file.etag, "Accept-Ranges": "bytes", "Cache-Control": "private, no-store"}
    if not_modified(request.headers.get("if-none-match"), file.etag):
        return Response(status_code=304, headers=headers)
    wanted = None if request.method == "HEAD" else request.headers.get("range")
    try:
        part = requested_range(wanted, request.headers.get("if-range"), file.etag, file.size)
    except UnsatisfiableRangeError:
        outside = {"Content-Range": f"bytes */{file.size}"}
        return problem(request.scope, 416, "range_not_satisfiable", f"the file has {file.size} bytes", headers=outside)
    headers |= {
        "Content-Type": file.media_type,
        "Content-Disposition": attachment(file.name),
        "Repr-Digest": digest_field(file.sha256),
        "Content-Length": str(file.size if part is None else part.length),
    }
    if part is not None:
        headers["Content-Range"] = part.content_range
    if request.method == "HEAD":
        return Response(status_code=200, headers=headers)
    stream = open_file()
    first, length = (0, file.size) if part is None else (part.first, part.length)
    return ClosingResponse(stream, _chunks(stream, first, length), 200 if part is None else 206, headers)


async def _chunks(stream: BinaryIO, first: int, length: int) -> AsyncIterator[bytes]:
    """The bytes asked for, read by a thread in batches of 1 MiB."""
    await run_in_threadpool(stream.seek, first)
    while length > 0:
        chunk = await run_in_threadpool(stream.read, min(CHUNK_BYTES, length))
        if not chunk:
            raise OSError("the stored file is shorter than recorded")  # the broken connection tells the client
        length -= len(chunk)
        yield chunk
