"""A `catena` program for scripts of shells: every command is a process of its own that need not load the program first.

Loading it takes longer than most commands do. One process therefore loads it, listens at a socket and forks for each
command; the program on the PATH hands over its arguments, its environment, its folder and its three open files, waits,
and ends as the command ended. New keys are protected by a fifth of the usual work.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NoReturn
from unittest import mock

from evidence_store.keys import file as key_file

ROOT: Final = Path(__file__).resolve().parent.parent
_KILLED: Final = 137
_PROGRAM: Final = """#!{python} -IS
import json, os, socket, sys
line = socket.socket(socket.AF_UNIX)
line.connect({address!r})
order = json.dumps({{"run": sys.argv[1:], "environment": dict(os.environ), "folder": os.getcwd()}}).encode()
socket.send_fds(line, [len(order).to_bytes(8, "big")], [0, 1, 2])
line.sendall(order)
code = line.recv(16)
sys.exit(int(code) if code else {killed})
"""


@contextmanager
def launcher(folder: Path) -> Iterator[None]:
    """Put the program `catena` into a folder; it works until the block ends."""
    with tempfile.TemporaryDirectory(prefix="catena-launcher-") as place:  # a socket's address is short
        address = f"{place}/socket"
        program = folder / "catena"
        program.write_text(_PROGRAM.format(python=sys.executable, address=address, killed=_KILLED), encoding="utf-8")
        program.chmod(0o755)
        with subprocess.Popen(
            [sys.executable, "-m", "tests.launcher", address], cwd=ROOT, stdout=subprocess.PIPE
        ) as listening:
            assert listening.stdout is not None
            assert listening.stdout.readline() == b"ready\n"
            try:
                yield
            finally:
                listening.terminate()


# -- inside the process that listens ---------------------------------------------------------------


def _listen(address: str) -> None:
    for name in ("app.cli.__main__", "app.cli.archive", "app.wiring", "app.api.app"):
        importlib.import_module(name)
    mock.patch.object(key_file, "SCRYPT_P", 1).start()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks for the children's ends: they tell it themselves
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(address)
        door.listen()
        print("ready", flush=True)  # noqa: T201
        while True:
            line, _ = door.accept()
            with line:
                if os.fork() == 0:
                    door.close()
                    _become(line)


def _become(line: socket.socket) -> NoReturn:
    code = 70
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        size, descriptors, _, _ = socket.recv_fds(line, 8, 3)
        order = _order(line, int.from_bytes(size, "big"))
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(n, mode, closefd=False) for n, mode in enumerate("rww"))
        os.chdir(order["folder"])
        os.environ.clear()
        os.environ.update(order["environment"])
        from app.cli.__main__ import main

        code = main(order["run"])
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        line.sendall(str(code).encode())
        os._exit(code)


def _order(line: socket.socket, size: int) -> dict[str, Any]:
    data = b""
    while len(data) < size:
        part = line.recv(size - len(data))
        assert part, "the program has ended"
        data += part
    order: dict[str, Any] = json.loads(data)
    return order


if __name__ == "__main__":
    _listen(sys.argv[1])
