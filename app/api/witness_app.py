"""A witness over HTTP (C2SP tlog-witness): add-checkpoint, and a page that says how it is. No archive is needed.

Bounds that hold before anything is believed: 256 KiB of body, 15 seconds for it; the rest is `app.api.server`'s.
"""

from __future__ import annotations

import asyncio
import json
import logging
from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.version import version
from evidence_store.errors import EvidenceStoreError
from evidence_store.log.cosignature import format_cosigner_vkey
from evidence_store.witness.request import MAX_REQUEST_BYTES
from evidence_store.witness.rules import SIZE_TYPE, RefusalError
from evidence_store.witness.witness import Witness

log = logging.getLogger("catena.witness")

BODY_SECONDS = 15.0
ADD_CHECKPOINT = "/add-checkpoint"
_PAGES = {"/", "/healthz"}
_READING = ("GET", "HEAD")
_TEXT = "text/plain; charset=utf-8"


class WitnessApp:
    """The ASGI application of one witness."""

    def __init__(self, witness: Witness) -> None:
        """Serve a witness."""
        self._witness = witness

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        answer = await self._answer(scope, receive)
        answer.headers["Cache-Control"] = "no-store"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        await answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        path, method = scope["path"], scope["method"]
        if path in _PAGES:
            return await run_in_threadpool(self._health) if method in _READING else _not_allowed("GET, HEAD")
        if path != ADD_CHECKPOINT:
            return _problem(HTTPStatus.NOT_FOUND, "unknown_page", "there is no such page")
        if method != "POST":
            return _not_allowed("POST")
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _body(scope, receive)
        except TimeoutError:
            return _problem(HTTPStatus.REQUEST_TIMEOUT, "body_timeout", "the body did not come in time", close=True)
        if body is None:
            detail = f"a request has at most {MAX_REQUEST_BYTES} bytes"
            return _problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", detail, close=True)
        return await run_in_threadpool(self._add_checkpoint, body)

    def _add_checkpoint(self, body: bytes) -> Response:
        try:
            return Response(self._witness.add_checkpoint(body), media_type=_TEXT)
        except RefusalError as refusal:
            log.info("refused: %s", refusal)
            if refusal.known_size is not None:
                headers = {"Content-Type": SIZE_TYPE}  # exactly this: a media type would get a character set
                return Response(f"{refusal.known_size}\n", refusal.status, headers)
            return _problem(refusal.status, refusal.code, refusal.detail)
        except EvidenceStoreError as error:
            return _in_trouble(error)

    def _health(self) -> Response:
        folder = self._witness.folder
        try:
            keys = [format_cosigner_vkey(key.name, key.algorithm, key.public_key) for key in folder.public_keys()]
            origins = sorted({key.name for key in folder.logs()})
            state = folder.state.read()
            equivocations = len(folder.equivocations())
        except EvidenceStoreError as error:
            return _in_trouble(error)
        logs = [{"origin": origin, "size": state[origin].size if origin in state else None} for origin in origins]
        document = {
            "service": "catena witness",
            "version": version(),
            "keys": keys,
            "logs": logs,
            "equivocations": equivocations,
        }
        return Response(json.dumps(document, indent=1) + "\n", media_type="application/json")


def _in_trouble(error: EvidenceStoreError) -> Response:
    """The witness itself is at fault: the reason, which may hold paths, goes to its own log."""
    log.error("nothing is signed: %s", error)
    return _problem(HTTPStatus.SERVICE_UNAVAILABLE, error.code, "the witness cannot sign; its log says why")


def _problem(status: HTTPStatus, code: str, detail: str, *, close: bool = False) -> Response:
    headers = {"Connection": "close"} if close else None
    return Response(f"{code}: {detail}\n", status, headers, media_type=_TEXT)


def _not_allowed(methods: str) -> Response:
    answer = _problem(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", f"this page takes {methods}")
    answer.headers["Allow"] = methods
    return answer


async def _body(scope: Scope, receive: Receive) -> bytes | None:
    """The whole body; None when it is too large."""
    announced = Headers(scope=scope).get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > MAX_REQUEST_BYTES:
        return None
    body = bytearray()
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message["type"] == "http.request" and message.get("more_body", False)
        if len(body) > MAX_REQUEST_BYTES:
            return None
    return bytes(body)  # what was cut off is no request, and refused as such
