"""Real `catena` processes, to be killed without warning.

Importing the program takes seconds. An interpreter that has imported it once therefore waits for orders and forks a
process of its own, in its own session, for each command. New keys are protected by a fifth of the usual work; apart
from that the process is what `catena` starts.

A process may be told to pause at a named function of the program: it writes a mark when it gets there and goes on when
it is allowed to. So it can be killed at an exact moment.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from evidence_store.keys import file as key_file

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 60.0


def until(true: Callable[[], object], what: str, patience_s: float = PATIENCE_S, told: Callable[[], str] = str) -> None:
    """Wait until something is so; `told` gives what helps to see why it is not."""
    end = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < end, f"waited in vain until {what} {told()}"
        time.sleep(0.005)


@dataclass(frozen=True)
class Process:
    """One running command."""

    pid: int
    folder: Path
    _nursery: Nursery

    @property
    def stdout(self) -> str:
        """What it has printed so far."""
        return (self.folder / "stdout").read_text(encoding="utf-8")

    @property
    def stderr(self) -> str:
        """What it has complained about so far."""
        return (self.folder / "stderr").read_text(encoding="utf-8")

    def url(self) -> str:
        """The address of a server, once it listens."""
        until(lambda: self.stdout.endswith("}\n"), "the server says where it is", told=lambda: self.stderr)
        return str(json.loads(self.stdout)["url"])

    def paused(self) -> None:
        """Wait until it is at the function where it pauses."""
        until((self.folder / "mark").exists, "the process comes to its pause", told=lambda: self.stderr)

    def go_on(self) -> None:
        """Let it leave the pause."""
        (self.folder / "go").touch()

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it without warning, and see that nothing of it is left."""
        self.send(signal.SIGKILL)
        assert self.wait() == -signal.SIGKILL
        until(lambda: not _session(self.pid), "the children of the killed process have ended", 20)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to end; it must do so in good order."""
        self.send(how)
        assert self.wait() == 0, self.stderr
        assert "Traceback" not in self.stderr, self.stderr

    def wait(self) -> int:
        """Its exit code; minus the signal that ended it."""
        return int(self._nursery.ask({"wait": self.pid}))


@dataclass(frozen=True)
class Served:
    """A server over an archive.

    Attributes:
        process: the server.
        url: where it listens.
        data: the archive's folder.
    """

    process: Process
    url: str
    data: Path


class Nursery:
    """Starts processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[Process] = []
        self._started = 0
        self._parent = subprocess.Popen(
            [sys.executable, "-m", "tests.processes"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, order: dict[str, Any]) -> str:
        """Send an order, return the answer."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(json.dumps(order) + "\n")
        self._parent.stdin.flush()
        return self._parent.stdout.readline()

    def start(self, *arguments: str, pause_at: str | None = None, **environment: str) -> Process:
        """Run `catena` with these arguments.

        Args:
            arguments: the command line.
            pause_at: `module:function` or `module:Class.function` at which the process pauses, the first time.
            environment: added to this process's.
        """
        self._started += 1
        folder = self._folder / f"process-{self._started}"
        folder.mkdir()
        for name in ("stdout", "stderr"):
            (folder / name).touch()
        order = {"run": list(arguments), "folder": str(folder), "pause_at": pause_at, "environment": environment}
        process = Process(int(self.ask(order)), folder, self)
        self._running.append(process)
        return process

    def close(self) -> None:
        """End what still runs."""
        for process in self._running:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        assert self._parent.stdin is not None
        self._parent.stdin.close()
        self._parent.wait()
        assert self._parent.stdout is not None
        self._parent.stdout.close()


@contextmanager
def nursery(folder: Path) -> Iterator[Nursery]:
    """Start processes; none is left at the end."""
    made = Nursery(folder)
    try:
        yield made
    finally:
        made.close()


def living() -> dict[int, tuple[int, int]]:
    """Parent and session of every living process."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                state, parent, _group, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
                if state != "Z":
                    found[int(folder.name)] = int(parent), int(session)
    return found


def _session(leader: int) -> list[int]:
    return [pid for pid, (_, session) in living().items() if session == leader]


# -- inside the interpreter that waits for orders --------------------------------------------------


def _serve_orders() -> None:
    for name in ("app.cli.__main__", "app.cli.archive", "app.wiring", "app.api.app", "uvicorn", "httptools", "uvloop"):
        importlib.import_module(name)
    mock.patch.object(key_file, "SCRYPT_P", 1).start()
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            _, status = os.waitpid(order["wait"], 0)
            answer = os.waitstatus_to_exitcode(status)
        else:
            answer = os.fork()
            if answer == 0:
                _become(order)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


def _become(order: dict[str, Any]) -> None:
    code = 70
    try:
        os.setsid()
        folder = Path(order["folder"])
        for descriptor, name in ((0, os.devnull), (1, folder / "stdout"), (2, folder / "stderr")):
            opened = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
            os.dup2(opened, descriptor)
            os.close(opened)
        os.environ.update(order["environment"])
        if order["pause_at"]:
            _pause_at(order["pause_at"], folder)
        from app.cli.__main__ import main

        code = main(order["run"])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _pause_at(place: str, folder: Path) -> None:
    module, _, names = place.partition(":")
    owner: Any = importlib.import_module(module)
    *outer, name = names.split(".")
    for part in outer:
        owner = getattr(owner, part)
    original = getattr(owner, name)

    def paused(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - stands in for any function
        (folder / "mark").touch()
        while not (folder / "go").exists():
            time.sleep(0.005)
        return original(*args, **kwargs)

    setattr(owner, name, paused)


if __name__ == "__main__":
    _serve_orders()
