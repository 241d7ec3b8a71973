"""The outermost layer: request ids, security headers, the access log, and errors nobody foresaw.

1. Every response carries a request id and headers that let no browser run or embed it.
2. The access log holds method, route template, status, time and user: no query, no header, no body.
3. An unforeseen error is logged with its traceback under the request id; the client learns only the id.
"""

from __future__ import annotations

import logging
import time
import uuid

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.gate import API
from app.api.metrics import Metrics
from app.api.problems import internal_problem

log = logging.getLogger("catena.http")

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
UNKNOWN_ROUTE = "(none)"


class Envelope:
    """ASGI middleware around everything."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        """Wrap an application.

        Args:
            app: the application.
            metrics: counts what is answered.
        """
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        started, status = time.perf_counter(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            elif scope["method"] == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception:
            log.exception("request %s failed", request_id)
            if status:
                raise  # half an answer is out: only a broken connection tells the client
            await internal_problem(scope)(scope, receive, sending)
        finally:
            self._note(scope, request_id, status, time.perf_counter() - started)

    def _note(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        route = _template(scope)
        method = scope["method"] if scope["method"] in _METHODS else "(other)"
        self._metrics.request_done(method, route, status, seconds)
        who = scope["state"].get("principal")
        log.info(
            "%s %s %s %.1f ms user=%s request=%s",
            method,
            route,
            status,
            seconds * 1000,
            who.user_id if who is not None else "-",
            request_id,
        )


def _template(scope: Scope) -> str:
    """The route's template in full: FastAPI leaves out the prefix under which a router was included."""
    template = getattr(scope.get("route"), "path", None)
    if template is None:
        return UNKNOWN_ROUTE
    inside = scope["path"].startswith(f"{API}/") and not template.startswith(API)
    return f"{API}{template}" if inside else str(template)


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
