"""Depositing through a server: streamed, repeated safely under one idempotency key."""

from __future__ import annotations

import base64
import hashlib
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import httpx

from app.cli.ingest import Taken, keep_receipt
from app.errors import CatenaError, EnvironmentFailedError, InvalidInputError
from app.evidence.service import check_case_ref
from app.intake.names import recorded_name
from schemas.records.v1.source import SourceContext

CHUNK = 1 << 20
TRIES = 4
PAUSE_S = 1.0  # before the second try, then twice as long each time


class Remote:
    """One case on one server."""

    def __init__(self, server: str, token: str, case_ref: str, source: SourceContext, receipts: Path | None) -> None:
        """Find the case, or make it.

        Raises:
            InvalidInputError: `bad_case_ref`, `token_missing`, `token_malformed`, `bad_server_url`.
            EnvironmentFailedError: `server_unreachable`, `not_a_catena_server`.
            CatenaError: what the server said.
        """
        check_case_ref(case_ref)
        self._client = httpx.Client(
            base_url=_address(server),
            headers={"Authorization": f"Bearer {_usable(token.strip())}"},
            timeout=httpx.Timeout(60.0, read=600.0),
        )
        self._case = case_ref
        self._source = source.as_record()
        self._receipts = receipts
        try:
            answer = self._request("GET", f"/cases/{case_ref}")
            if answer.status_code == httpx.codes.NOT_FOUND:
                answer = self._request("POST", "/cases", json={"ref": case_ref})
            _checked(answer)
        except BaseException:
            self._client.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def deposit(self, path: Path) -> Taken:
        """Send one file; a broken connection is tried again, and makes no second item."""
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").digest()
        headers = {
            "X-Filename": quote(recorded_name(path.name)),
            "X-Source": quote(json.dumps(self._source)),
            "Idempotency-Key": str(uuid.uuid4()),
            "Repr-Digest": f"sha-256=:{base64.b64encode(digest).decode()}:",
            "Content-Length": str(path.stat().st_size),
            "Content-Type": "application/octet-stream",
        }
        answer = _checked(self._send(path, headers))
        try:
            item, receipt = answer["item"], answer["receipt"] or {"statement_base64": "", "p7s_base64": ""}
            statement, seal = (base64.b64decode(receipt[name]) for name in ("statement_base64", "p7s_base64"))
            taken = Taken(item["id"], str(path), item["sha256"], item["size"], list(answer["duplicate_of"]), None)
        except (KeyError, TypeError, ValueError):
            raise _stranger() from None
        if self._receipts is None or not seal:
            return taken
        return replace(taken, receipt=keep_receipt(self._receipts, taken.id, statement, seal))

    def _send(self, path: Path, headers: dict[str, str]) -> httpx.Response:
        for attempt in range(1, TRIES + 1):
            try:
                return self._client.post("/items", params={"case": self._case}, headers=headers, content=_chunks(path))
            except httpx.TransportError as error:
                if attempt == TRIES:
                    raise EnvironmentFailedError("server_unreachable", f"the server does not answer: {error}") from None
                time.sleep(PAUSE_S * 2 ** (attempt - 1))
        raise AssertionError("unreachable")

    def _request(self, method: str, url: str, **kwargs: Any) -> httpx.Response:  # noqa: ANN401 - passed through
        try:
            return self._client.request(method, url, **kwargs)
        except httpx.TransportError as error:
            raise EnvironmentFailedError("server_unreachable", f"the server does not answer: {error}") from None


def _address(server: str) -> httpx.URL:
    try:
        url = httpx.URL(server.rstrip("/") + "/api/v1")
    except (httpx.InvalidURL, UnicodeError):
        url = httpx.URL()
    if url.scheme not in {"http", "https"} or not url.host:
        raise InvalidInputError("bad_server_url", "a server is named like https://archive.example.org")
    return url


def _usable(token: str) -> str:
    if not token:
        raise InvalidInputError("token_missing", "put your access token into CATENA_TOKEN")
    if not (token.isascii() and token.isprintable()):
        raise InvalidInputError("token_malformed", "CATENA_TOKEN does not hold an access token")
    return token


def _stranger() -> CatenaError:
    return EnvironmentFailedError("not_a_catena_server", "what answers there is not a Catena server", status=502)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def _checked(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or not (response.is_success or "code" in body):
        raise _stranger()
    if response.is_success:
        return body
    raise CatenaError(str(body["code"]), str(body.get("detail", "")), status=response.status_code)
