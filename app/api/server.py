"""How the application is served: uvicorn with bounds that hold before any token is known.

1. A request's head has at most 192 KiB: a source context that is full of letters of four bytes has 150 KB of JSON as
   UTF-8. More is answered 431 `head_too_large` (RFC 6585). The same holds for all else that is not body, such as
   trailers. The parser has no bound of its own; the one of uvicorn's other parser (h11) costs a quarter of the speed
   of uploads.
2. A head is whole within 30 seconds, or the connection is closed; what is being answered is not interrupted for that.
3. What is left of a body after its answer comes within 30 seconds, or the connection is closed, however steadily it
   trickles: it is read for nothing, and who was refused has shown no token.
4. At most 256 connections; more are answered 503 in plain text.
5. Stopping waits at most 30 seconds for requests that are being answered.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httptools
import uvicorn
from starlette.types import ASGIApp

from app.api.direct import DirectProtocol

MAX_HEAD_BYTES = 192 * 1024
HEAD_SECONDS = 30.0
REST_SECONDS = 30.0
CONNECTIONS = 256
KEEP_ALIVE_SECONDS = 15
STOP_SECONDS = 30
_TOO_LARGE = f"the head of a request has at most {MAX_HEAD_BYTES} bytes"
_PROBLEM = json.dumps(
    {
        "type": "urn:catena:problem:head_too_large",
        "title": "Request Header Fields Too Large",
        "status": 431,
        "detail": _TOO_LARGE,
        "code": "head_too_large",
    }
).encode()
_TOO_LARGE_ANSWER = b"\r\n".join(
    [
        b"HTTP/1.1 431 Request Header Fields Too Large",
        b"content-type: application/problem+json",
        f"content-length: {len(_PROBLEM)}".encode(),
        b"connection: close",
        b"",
        _PROBLEM,
    ]
)


class BoundedProtocol(DirectProtocol):
    """HTTP/1.1 whose large bodies may be taken over, with bounds on heads and on what follows an answer."""

    _awaiting_head = True
    _head_bytes = 0
    _since_body = 0
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Take bytes off the wire; too many that were neither body nor the end of a request are refused."""
        if self.transport.is_closing():
            return
        self._since_body += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._since_body > MAX_HEAD_BYTES:
            self.logger.warning(_TOO_LARGE)
            self.send_400_response(_TOO_LARGE)
        elif self._awaiting_head and self._is_answered():
            self._wait_for_head()  # before that, the next head has time: it is the client who waits

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request; a head that is too large is told as such."""
        if msg != _TOO_LARGE and self._head_bytes <= MAX_HEAD_BYTES:
            super().send_400_response(msg)
            return
        self.transport.write(_TOO_LARGE_ANSWER)
        self.transport.close()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A part of the address."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A whole header or trailer field."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._awaiting_head = False
        self._since_body = 0
        self._stop_waiting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._since_body = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole; another may follow."""
        self._awaiting_head = True
        self._since_body = 0
        self._stop_waiting()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is given; what is left of the request's body is not waited for without end."""
        super().on_response_complete()
        if not self._awaiting_head and self._is_answered() and self._late is None:
            # One time for all of it: each byte puts an end to uvicorn's own.
            self._late = self.loop.call_later(REST_SECONDS, self._rest_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            raise httptools.HttpParserError(_TOO_LARGE)  # refused by `send_400_response`

    def _is_answered(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _wait_for_head(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(HEAD_SECONDS, self._head_is_late)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _head_is_late(self) -> None:
        self._late = None
        if not self.transport.is_closing():
            self.transport.close()

    def _rest_is_late(self) -> None:
        self._late = None
        self.transport.abort()  # `close` would wait until the answer has been read, too


def server_config(app: ASGIApp, **more: Any) -> uvicorn.Config:  # noqa: ANN401 - uvicorn's options
    """The configuration under which the application is served, everywhere."""
    return uvicorn.Config(
        app,
        http=BoundedProtocol,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # uvicorn would believe X-Forwarded-For of every process on this machine: app.api.clients
        **more,
    )
