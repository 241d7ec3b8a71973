"""The demo's own Catena: commands, a server on a free port, and requests to it. Loopback only."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import httpx

ROOT: Final = Path(__file__).resolve().parent.parent
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 20.0
COMMAND_SECONDS: Final = 300.0
REQUEST_SECONDS: Final = 120.0


class DemoError(Exception):
    """A step did not do what it should; the text says which and how."""


@dataclass(frozen=True)
class Ran:
    """What a command gave back."""

    code: int
    out: str
    err: str


def run_catena(data: Path, *arguments: str) -> Ran:
    """Run one `catena` command on an archive, whatever its exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        cwd=ROOT,
        env=os.environ | {"CATENA_DATA": str(data)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def catena(data: Path, *arguments: str) -> Any:  # noqa: ANN401 - any JSON document
    """Run a command that must succeed, with `--json`.

    Returns:
        The parsed JSON.

    Raises:
        DemoError: when it fails or prints no JSON.
    """
    ran = run_catena(data, *arguments, "--json")
    if ran.code:
        raise DemoError(f"`catena {' '.join(arguments)}` ended with code {ran.code}: {(ran.err or ran.out).strip()}")
    try:
        return json.loads(ran.out)
    except ValueError:
        raise DemoError(f"`catena {' '.join(arguments)}` printed no JSON document") from None


def free_port() -> int:
    """A port of the loopback address that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """`catena serve` as a child process."""

    def __init__(self, data: Path, log: Path) -> None:
        """Start it; `ready` waits until it answers."""
        self.address = f"http://127.0.0.1:{free_port()}"
        self.log = log
        self._file: IO[bytes] = log.open("wb")
        port = self.address.rpartition(":")[2]
        # A session of its own, so that Ctrl-C reaches the demo first and the server is ended in order.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "serve", "--port", port],
            cwd=ROOT,
            env=os.environ | {"CATENA_DATA": str(data)},
            stdin=subprocess.DEVNULL,
            stdout=self._file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def ready(self) -> None:
        """Wait until it is ready.

        Raises:
            DemoError: when it ends, or is not ready in time.
        """
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise DemoError(f"the service ended at once with code {self._process.returncode}")
            try:
                if httpx.get(f"{self.address}/readyz", timeout=5.0, trust_env=False).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise DemoError(f"the service was not ready after {START_SECONDS:.0f} seconds")

    def wait(self) -> None:
        """Wait until it ends."""
        self._process.wait()

    def stop(self) -> None:
        """End it and all that it started."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        self._file.close()


class Api:
    """Requests under /api/v1 as one person."""

    def __init__(self, server: Server, token: str) -> None:
        """Speak for the owner of the token."""
        # trust_env=False: a proxy of the environment must not get to see loopback requests.
        self._client = httpx.Client(
            base_url=f"{server.address}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            timeout=REQUEST_SECONDS,
            trust_env=False,
        )

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401 - passed through
        """One request, whatever the answer.

        Raises:
            DemoError: when the service cannot be reached.
        """
        try:
            return self._client.request(method, path, **options)
        except httpx.TransportError as error:
            raise DemoError(f"{method} {path} got no answer: {error!r}") from error

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401 - passed through
        """One request that must succeed.

        Raises:
            DemoError: with the problem document's code and detail.
        """
        answer = self.send(method, path, **options)
        if not answer.is_success:
            raise DemoError(f"{method} {path} was answered with {answer.status_code}: {answer.text[:500]}")
        return answer

    def get(self, path: str) -> Any:  # noqa: ANN401 - any JSON document
        """GET; the parsed JSON."""
        return self.ask("GET", path).json()

    def post(self, path: str, body: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON document
        """POST; the parsed JSON."""
        return self.ask("POST", path, json=body).json()
