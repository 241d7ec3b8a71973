"""What every answer of tus 1.0 has in common, and a body that may end before its end.

1. Each answer names the protocol's version, problems too; a request of another version is answered 412.
2. X-HTTP-Method-Override is the request's method, whatever the request line says (tus, core protocol).
3. A body that breaks off, falls silent for too long, or whose upload somebody else waits for while it is silent, ends
   there: what has arrived is passed on, and kept.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.types import Message

from app.api.guards import GuardedRoute
from app.api.problems import coded_problem
from app.api.streams import SILENCE_SECONDS
from app.api.tus_fields import VERSION
from app.errors import CatenaError
from evidence_store.errors import EvidenceStoreError

POLL_SECONDS = 0.5
PRECONDITION_FAILED = 412
BAD = 400
WORTH_READING_BYTES = 8 << 20
FIELDS = {"Tus-Resumable": VERSION}


class TusRoute(GuardedRoute):
    """A route whose answers name the protocol's version, whatever comes out."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of one request."""
        handle = super().get_route_handler()

        async def versioned(request: Request) -> Response:
            try:
                answer = await handle(request)
            except (CatenaError, EvidenceStoreError) as error:
                answer = coded_problem(request.scope, error)
            if answer.status_code == PRECONDITION_FAILED:
                answer.headers["Tus-Version"] = VERSION
            answer.headers.update(FIELDS)
            if answer.status_code >= BAD and _much_is_left(request):
                answer.headers["Connection"] = "close"  # else what was refused would be read to its end
            return answer

        return versioned


def _much_is_left(request: Request) -> bool:
    """Whether the body may be larger than is worth reading for nothing; a small one leaves the connection usable."""
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit():
        return int(announced[:20]) > WORTH_READING_BYTES
    return "transfer-encoding" in request.headers


def require_version(request: Request) -> None:
    """Refuse another version of the protocol.

    Raises:
        CatenaError: `tus_version` (412).
    """
    if request.headers.get("tus-resumable") != VERSION:
        detail = f"say which version of tus this is: Tus-Resumable: {VERSION}"
        raise CatenaError("tus_version", detail, status=PRECONDITION_FAILED)


class Body:
    """The body of a request as `pour` reads it; it ends where the client stops, and `whole` tells whether that was all.

    The server's `receive` loses nothing when the wait for it is cancelled.
    """

    def __init__(self, request: Request, wanted: Callable[[], bool], heard: Callable[[float], None]) -> None:
        """Bind to a request whose body has not been read.

        Args:
            request: the request.
            wanted: asked in a thread while the client is silent: whether it must give way.
            heard: told when something came (`time.monotonic`).
        """
        self.whole = True
        self._receive = request.receive
        self._wanted = wanted
        self._heard = heard
        self._since = time.monotonic()
        self.request = Request(request.scope, self._next)

    async def _next(self) -> Message:
        while True:
            try:
                async with asyncio.timeout(POLL_SECONDS):
                    message = await self._receive()
            except TimeoutError:
                late = time.monotonic() - self._since > SILENCE_SECONDS
                if late or await run_in_threadpool(self._wanted):
                    return self._broken()
                continue
            if message["type"] == "http.disconnect":
                return self._broken()
            self.heard(time.monotonic())
            return message

    def heard(self, moment: float) -> None:
        """Something came, here or past the event loop (`pour`)."""
        self._since = moment
        self._heard(moment)

    def _broken(self) -> Message:
        self.whole = False
        return {"type": "http.request", "body": b"", "more_body": False}
