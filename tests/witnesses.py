"""Witnesses for tests, over real HTTP on loopback: our honest one, and servers that answer whatever a test says."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest import mock

import uvicorn

from app.api.server import server_config
from app.api.witness_app import WitnessApp
from evidence_store.keys import file as key_file
from evidence_store.log.cosignature import format_cosigner_vkey
from evidence_store.witness.folder import ALGORITHMS, WitnessFolder
from evidence_store.witness.witness import Witness
from tests.processes import until

PASSPHRASE = b"a passphrase for tests only"


def make_witness(path: Path, name: str, *vkeys: str, algorithms: Sequence[str] = tuple(ALGORITHMS)) -> WitnessFolder:
    """A new witness that knows these logs."""
    folder = WitnessFolder(path)
    with mock.patch.object(key_file, "SCRYPT_P", 1):
        folder.create(name, algorithms, PASSPHRASE)
    for vkey in vkeys:
        folder.add_log(vkey)
    return folder


def vkeys_of(folder: WitnessFolder) -> list[str]:
    """Its verifier keys."""
    return [format_cosigner_vkey(key.name, key.algorithm, key.public_key) for key in folder.public_keys()]


@contextmanager
def listening(folder: WitnessFolder, port: int = 0) -> Iterator[str]:
    """Serve a witness; yields its address."""
    witness = Witness(folder, folder.cosigners(PASSPHRASE), lambda: int(time.time()))
    with socket.create_server(("127.0.0.1", port)) as listener:
        server = uvicorn.Server(server_config(WitnessApp(witness), lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        until(lambda: server.started, "the witness listens")
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client may go away."""


@dataclass
class Script:
    """What a hostile server answers, in turn; the last answer stands. Keeps the bodies that it was sent."""

    answers: list[tuple[int, bytes]]
    seen: list[bytes] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    before: Callable[[], None] | None = None


@contextmanager
def answering(script: Script) -> Iterator[str]:
    """A server that answers as it is told; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            script.seen.append(self.rfile.read(int(self.headers["Content-Length"])))
            if script.before is not None:
                script.before()
            status, body = script.answers[min(len(script.seen), len(script.answers)) - 1]
            self.send_response(status)
            for name, value in script.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST  # noqa: N815 - the library's name

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = _QuietServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def policy_text(*witnesses: tuple[str, str, str | None], quorum: str = "all") -> bytes:
    """A policy over (name, vkey, address); `quorum` is all, any, or a number of them."""
    lines = [f"witness {name} {vkey}{f' {url}' if url else ''}" for name, vkey, url in witnesses]
    lines += [f"group enough {quorum} {' '.join(name for name, _, _ in witnesses)}", "quorum enough", ""]
    return "\n".join(lines).encode()
