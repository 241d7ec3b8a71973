"""The gate: who is there is settled before a byte of the body is read.

1. Everything needs a token, except reading the few addresses listed here; an address that is added
   and forgotten here is therefore closed, not open.
2. An address that presented too many refused tokens is turned away before the database is asked (429).
3. Small bodies (JSON) are taken whole, at most 1 MiB, after the token is known to be good. Files are
   streamed by their own endpoints.
"""

from __future__ import annotations

import asyncio
import logging
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access.service import Access, Principal
from app.api.clients import client_of
from app.api.denials import TokenDenials
from app.api.failures import Failures
from app.api.problems import coded_problem
from app.errors import CatenaError, LimitError, UnauthenticatedError
from evidence_store.errors import EvidenceStoreError

log = logging.getLogger("catena.http")

API = "/api/v1"
MAX_JSON_BYTES = 1 << 20
BODY_SECONDS = 60.0
PUBLIC = {
    "/",
    "/docs",
    "/healthz",
    "/readyz",
    f"{API}/healthz",
    f"{API}/readyz",
    f"{API}/openapi.json",
    f"{API}/keys",
    f"{API}/log/checkpoint",
    f"{API}/log/checkpoint.cosigned",
    f"{API}/log/vkey",
    f"{API}/log/witnesses",
    "/log/checkpoint",
    "/log/checkpoint.cosigned",
    "/log/vkey",
    "/log/witnesses",
}
PUBLIC_BELOW = (f"{API}/log/tile/", "/log/tile/")
STREAMED = {f"{API}/bundles", f"{API}/items", f"{API}/match", f"{API}/uploads"}
STREAMED_BELOW = (f"{API}/uploads/",)
_READING = {"GET", "HEAD", "OPTIONS"}
_MAX_SHOWN_PATH = 200


class BodyCutOffError(CatenaError):
    """The client went away before the body was whole."""

    def __init__(self) -> None:
        super().__init__("body_cut_off", "the body ended early; nothing was kept")


class Gate:
    """ASGI middleware that authenticates and bounds small bodies."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application, whose state holds `services` and `denials`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            if not is_public(scope["method"], scope["path"]):
                scope["state"]["principal"] = await _authenticate(scope)
            if scope["method"] not in _READING and not is_streamed(scope["path"]):
                async with asyncio.timeout(BODY_SECONDS):
                    receive = await _whole_body(scope, receive)
        except TimeoutError:
            late = CatenaError("body_timeout", "the body did not come in time", status=408)
            await coded_problem(scope, late)(scope, receive, send)
            return
        except (CatenaError, EvidenceStoreError) as error:
            await coded_problem(scope, error)(scope, receive, send)
            return
        await self._app(scope, receive, send)


async def _authenticate(scope: Scope) -> Principal:
    given = Headers(scope=scope).getlist("authorization")
    scheme, _, bearer = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not bearer.strip():
        raise UnauthenticatedError
    bearer = bearer.strip()
    state = scope["app"].state
    access: Access = state.services.access
    denials: TokenDenials = state.denials
    failures: Failures = state.failures
    client = _client(scope)
    try:
        charged = failures.enter(client, bearer)
    except LimitError:
        denials.leave_out()
        raise
    good: bool | None = None
    try:
        who = await run_in_threadpool(access.authenticate, bearer)
    except UnauthenticatedError as error:
        good = False
        attempted = f"{scope['method'][:20]} {quote(scope['path'])[:_MAX_SHOWN_PATH]}"
        try:
            await run_in_threadpool(denials.record, bearer, error.code, attempted)
        except (CatenaError, EvidenceStoreError) as failure:
            log.warning("a refused token could not be recorded: %s", failure.code)
        raise
    else:
        good = True
        return who
    finally:
        failures.settle(client, bearer, charged=charged, good=good)


def _client(scope: Scope) -> str:
    peer = scope.get("client")
    forwarded = Headers(scope=scope).getlist("x-forwarded-for")
    trusted = scope["app"].state.services.archive.settings.trusted_proxies
    return client_of(None if peer is None else peer[0], forwarded, trusted)


def is_streamed(path: str) -> bool:
    """Whether the endpoint itself takes a body of bytes, of any size, as it comes."""
    return path in STREAMED or path.startswith(STREAMED_BELOW)


def is_public(method: str, path: str) -> bool:
    """Whether an address may be read without a token."""
    return method in _READING and (path in PUBLIC or path.startswith(PUBLIC_BELOW))


async def _whole_body(scope: Scope, receive: Receive) -> Receive:
    """Read a small body and hand it on in one piece.

    Raises:
        CatenaError: `too_large` (413).
        BodyCutOffError: the client went away.
    """
    announced = Headers(scope=scope).get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > MAX_JSON_BYTES:
        raise _too_large()
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BodyCutOffError
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MAX_JSON_BYTES:
            raise _too_large()
    handed_on = False

    async def replay() -> Message:
        nonlocal handed_on
        if handed_on:
            return await receive()
        handed_on = True
        return {"type": "http.request", "body": bytes(body), "more_body": False}

    return replay


def _too_large() -> CatenaError:
    return CatenaError("too_large", f"a JSON body may have at most {MAX_JSON_BYTES} bytes", status=413)
