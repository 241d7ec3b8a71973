"""The HTTP interface under test: one archive with people in every role, reached as a client would.

The archive is made once per process and database kind, then copied: folder and database.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
from fastapi import FastAPI

from app.access.rules import Role
from app.api.app import create_app, serve
from app.api.services import Services
from app.custody.service import SYSTEM
from app.wiring import make_worker, open_archive
from evidence_store.keys.file import FileSigner, load_signer
from tests.archives import PASSPHRASE, make_archive, person, settings_of
from tests.databases import copy_of_postgres, fresh_postgres

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it would rather have httpx's successor; both speak to it
    from starlette.testclient import TestClient as TestClient  # noqa: PLC0414 - other tests take it from here

CASE, OTHER_CASE = "T1", "T2"
# Everybody but `outsider` is a member of T1; only `outsider` is a member of T2.
PEOPLE: dict[str, Role] = {
    "ana": "investigator",
    "leo": "legal",
    "liz": "legal",
    "outsider": "investigator",
    "outlaw": "legal",
    "aud": "auditor",
    "adm": "admin",
}
NOT_IN_THE_CASE = {"outsider", "outlaw"}


@dataclass(frozen=True)
class Template:
    """A finished archive to copy from."""

    data: Path
    database: str
    tokens: dict[str, str]


@dataclass(frozen=True)
class Api:
    """One archive behind its HTTP interface."""

    services: Services
    client: TestClient
    tokens: dict[str, str]

    def call(self, who: str | None, method: str, path: str, **kwargs: Any) -> httpx.Response:  # noqa: ANN401
        """A request under /api/v1 as somebody; None for the anonymous caller."""
        headers = dict(kwargs.pop("headers", {}))
        if who is not None:
            headers["Authorization"] = f"Bearer {self.tokens[who]}"
        answer: httpx.Response = self.client.request(method, f"/api/v1{path}", headers=headers, **kwargs)
        return answer

    def get(self, who: str | None, path: str, **kwargs: Any) -> httpx.Response:  # noqa: ANN401
        """A GET."""
        return self.call(who, "GET", path, **kwargs)

    def post(self, who: str | None, path: str, **kwargs: Any) -> httpx.Response:  # noqa: ANN401
        """A POST."""
        return self.call(who, "POST", path, **kwargs)

    def be_served(self) -> None:
        """Have the one application serve this archive; of several open ones it serves the one that was opened last."""
        app = self.client.app
        assert isinstance(app, FastAPI)
        serve(app, self.services)

    def client_that_raises(self) -> TestClient:
        """A client to which an error of the server after the first byte shows as such."""
        return TestClient(self.client.app)

    def deposit(self, data: bytes, who: str = "ana", case: str = CASE, **headers: str) -> dict[str, Any]:
        """Deposit bytes; returns the answer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.post(who, f"/items?case={case}", content=data, headers=named)
        assert answer.status_code == 201, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def events(self, item: str) -> list[dict[str, Any]]:
        """The events of an item."""
        answer = self.get("aud", f"/items/{item}/custody?limit=500")
        assert answer.status_code == 200, answer.text
        return [row["event"] for row in answer.json()["events"]]

    def work(self) -> None:
        """Let the worker finish everything."""
        make_worker(self.services).drain(wait_s=20)

    def stream(
        self, who: str, path: str, chunks: Sequence[bytes | None], headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """POST a body chunk by chunk, as it comes off the wire; None: the client goes away. Returns status and body."""
        fields = {"authorization": f"Bearer {self.tokens[who]}", **(headers or {})}
        url, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": f"/api/v1{url}",
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in fields.items()],
            "server": ("test", 80),
        }
        incoming = list(chunks)
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            chunk = incoming.pop(0) if incoming else None
            if chunk is None:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": chunk, "more_body": bool(incoming)}

        async def send(message: Any) -> None:  # noqa: ANN401 - any ASGI message
            sent.append(dict(message))

        async def run() -> None:
            await self.client.app(scope, receive, send)

        asyncio.run(run())
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check that an answer is this problem document, and return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["code"] == code, body
    assert body["status"] == status
    assert body["type"] == f"urn:catena:problem:{code}"
    assert body["instance"] == f"urn:catena:request:{answer.headers['x-request-id']}"
    assert body["title"]
    assert body["detail"]
    assert "Traceback" not in answer.text
    return body


@contextmanager
def opened(tmp_path: Path, backend: str, *, max_upload_bytes: int | None = None, **limits: Any) -> Iterator[Api]:  # noqa: ANN401 - settings
    """A copy of the archive behind a client, under other limits where they are given; closed at the end."""
    template = _template(backend)
    data = tmp_path / "archive"
    shutil.copytree(template.data, data)
    url = None if backend == "sqlite" else copy_of_postgres(template.database)
    settings = replace(settings_of(data, url), **limits)
    if max_upload_bytes is not None:
        settings = replace(settings, max_upload_bytes=max_upload_bytes)
    with (
        patch("app.keyring.signing.load_signer", _cached_signer),
        patch("evidence_store.keys.cosigner.load_signer", _cached_signer),
    ):
        services = open_archive(settings, lambda: PASSPHRASE)
        try:
            with _serving(services) as app, TestClient(app, raise_server_exceptions=False) as client:
                yield Api(services, client, template.tokens)
        finally:
            services.archive.db.close()


_APPS: list[FastAPI] = []


@contextmanager
def _serving(services: Services) -> Iterator[FastAPI]:
    """Putting the application together takes as long as a dozen requests: once per process is enough."""
    if not _APPS:
        _APPS.append(create_app(services))
    app = _APPS[0]
    before = dict(app.state._state)
    serve(app, services)
    yield app
    app.state._state.update(before)


def _cached_signer(path: Path, passphrase: bytes) -> FileSigner:
    """Opening a key costs a third of a second on purpose; the tests need that once."""
    return _signer_of(path.read_bytes(), passphrase, lambda: load_signer(path, passphrase))


_SIGNERS: dict[tuple[bytes, bytes], FileSigner] = {}


def _signer_of(data: bytes, passphrase: bytes, load: Callable[[], FileSigner]) -> FileSigner:
    if (data, passphrase) not in _SIGNERS:
        _SIGNERS[(data, passphrase)] = load()
    return _SIGNERS[(data, passphrase)]


@cache
def _template(backend: str) -> Template:
    folder = Path(tempfile.mkdtemp(prefix=f"catena-api-{backend}-"))
    services = make_archive(folder, fresh_postgres() if backend == "postgresql" else None)
    admin = services.access.local_operator()
    cases = {ref: services.evidence.create_case(admin, ref) for ref in (CASE, OTHER_CASE)}
    tokens = {}
    for name, role in PEOPLE.items():
        if name == "outlaw":
            person(services, name, role)
        else:
            person(services, name, role, cases[OTHER_CASE if name in NOT_IN_THE_CASE else CASE])
        tokens[name] = services.access.create_token(SYSTEM, name)[1]
    services.archive.db.close()
    settings = services.archive.settings
    return Template(settings.data, settings.database_url, tokens)
