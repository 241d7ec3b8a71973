"""An archive under a real server in this process: for what only a socket can show."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn
from fastapi import FastAPI

from app.api import server as http_server
from app.api.app import create_app
from app.wiring import make_worker
from tests.apis import Api, opened


@dataclass(frozen=True)
class Served:
    """An archive behind a socket."""

    api: Api
    port: int

    def client(self, who: str = "ana") -> httpx.Client:
        """A client of the server."""
        bearer = {"Authorization": f"Bearer {self.api.tokens[who]}"}
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}/api/v1", headers=bearer, timeout=30)

    def raw(self, head: str, body: bytes = b"") -> socket.socket:
        """Send a request by hand."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n" + body)
        return connection

    def head(self, size: int, who: str = "ana", extra: str = "") -> str:
        """The head of a deposit."""
        return (
            f"POST /api/v1/items?case=T1 HTTP/1.1\nHost: localhost\n"
            f"Authorization: Bearer {self.api.tokens[who]}\nContent-Length: {size}\n{extra}"
        )

    def staging(self) -> list[Path]:
        """What lies in staging."""
        return list((self.api.services.archive.settings.blobs / "staging").iterdir())


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """A new archive, served until the end of the block."""
    with opened(folder, "sqlite") as api:
        app = create_app(api.services, worker=make_worker(api.services))
        with listening(api, app) as served:
            yield served


@contextmanager
def listening(api: Api, app: FastAPI, **more: str) -> Iterator[Served]:
    """A server of an application; the block may be left while requests are under way. `more`: options of uvicorn."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(http_server.server_config(app, **more))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            until(lambda: server.started)
            yield Served(api, listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait for something to come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.01)
