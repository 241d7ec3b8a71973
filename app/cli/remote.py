"""Depositing through a server: streamed, repeated safely under one idempotency key."""

from __future__ import annotations

import base64
import hashlib
import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from app.cli.ingest import Taken, keep_receipt
from app.errors import CatenaError, EnvironmentFailedError, InvalidInputError
from schemas.records.v1.source import SourceContext

CHUNK = 1 << 20
TRIES = 4


class Remote:
    """One case on one server."""

    def __init__(self, server: str, token: str, case_ref: str, source: SourceContext, receipts: Path | None) -> None:
        """Find the case, or make it.

        Raises:
            InvalidInputError: `token_missing`.
            CatenaError: what the server said.
        """
        if not token:
            raise InvalidInputError("token_missing", "put your access token into CATENA_TOKEN")
        self._client = httpx.Client(
            base_url=server.rstrip("/") + "/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(60.0, read=600.0),
        )
        self._case = case_ref
        self._source = source.as_record()
        self._receipts = receipts
        if self._request("GET", f"/cases/{quote(case_ref, safe='')}").status_code == httpx.codes.NOT_FOUND:
            _checked(self._request("POST", "/cases", json={"ref": case_ref}))

    def deposit(self, path: Path) -> Taken:
        """Send one file; a broken connection is tried again, and makes no second item."""
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").digest()
        headers = {
            "X-Filename": quote(path.name),
            "X-Source": quote(json.dumps(self._source)),
            "Idempotency-Key": str(uuid.uuid4()),
            "Repr-Digest": f"sha-256=:{base64.b64encode(digest).decode()}:",
            "Content-Length": str(path.stat().st_size),
            "Content-Type": "application/octet-stream",
        }
        answer = _checked(self._send(path, headers))
        item, receipt = answer["item"], answer["receipt"]
        kept = None
        if self._receipts is not None:
            statement = base64.b64decode(receipt["statement_base64"])
            kept = str(keep_receipt(self._receipts, item["id"], statement, base64.b64decode(receipt["p7s_base64"])))
        return Taken(item["id"], str(path), item["sha256"], item["size"], list(answer["duplicate_of"]), kept)

    def _send(self, path: Path, headers: dict[str, str]) -> httpx.Response:
        for attempt in range(1, TRIES + 1):
            try:
                return self._client.post("/items", params={"case": self._case}, headers=headers, content=_chunks(path))
            except httpx.TransportError as error:
                if attempt == TRIES:
                    raise EnvironmentFailedError("server_unreachable", f"the server does not answer: {error}") from None
                time.sleep(0.5 * 2**attempt)
        raise AssertionError("unreachable")

    def _request(self, method: str, url: str, **kwargs: Any) -> httpx.Response:  # noqa: ANN401 - passed through
        try:
            return self._client.request(method, url, **kwargs)
        except httpx.TransportError as error:
            raise EnvironmentFailedError("server_unreachable", f"the server does not answer: {error}") from None


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def _checked(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        body = {}
    if response.is_success and isinstance(body, dict):
        return body
    code = str(body.get("code", "server_error")) if isinstance(body, dict) else "server_error"
    detail = str(body.get("detail", response.reason_phrase)) if isinstance(body, dict) else response.reason_phrase
    raise CatenaError(code, detail, status=response.status_code)
