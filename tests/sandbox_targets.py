"""What hostile content might make a parser do; each runs inside the sandbox only."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import threading
import time
from pathlib import Path

from app.analysis.errors import AnalysisError


def double(number: int) -> int:
    return 2 * number


def some_bytes(length: int) -> bytes:
    return b"\xff" * length


def pair() -> tuple[dict[str, int], bytes]:
    return {"width": 3}, b"\x00\x01"


def coded() -> None:
    raise AnalysisError("image_too_large", "it says so")


def raises() -> None:
    raise AssertionError("as exifread does")


def eats_memory() -> int:
    return len(bytearray(3_000_000_000))


def reads_null() -> bytes:
    return ctypes.string_at(0)


def burns() -> None:
    while True:
        pass


def sleeps(seconds: float) -> None:
    time.sleep(seconds)


def writes(folder: str) -> None:
    (Path(folder) / "planted").write_text("x")


def reads(path: str) -> str:
    return Path(path).read_text()


def reads_given(path: Path) -> str:
    return path.read_text()


def connects(port: int) -> None:
    socket.create_connection(("127.0.0.1", port), timeout=2)


def forks() -> int:
    return os.fork()


def executes() -> None:
    os.execv("/bin/sh", ["sh", "-c", "true"])  # noqa: S606


def kills_parent() -> None:
    os.kill(os.getppid(), signal.SIGKILL)


def makes_thread() -> list[int]:
    done: list[int] = []
    thread = threading.Thread(target=done.append, args=(1,))
    thread.start()
    thread.join()
    return done


def lies() -> None:
    """Writes what is no frame to every descriptor there is, as a taken-over parser might."""
    for descriptor in range(3, 32):
        try:
            os.write(descriptor, b"\x80\x04cos\nsystem\n")
        except OSError:
            continue
    os._exit(0)


def secrets_within_reach() -> list[str]:
    """Where a passphrase could be read: this process's environment, now and as it was started."""
    try:
        started_with = Path("/proc/self/environ").read_bytes()
    except OSError:
        started_with = b""  # the confinement does not even let it look
    names = ("CATENA_PASSPHRASE", "CATENA_TOKEN")
    return [name for name in names if name in os.environ or name.encode() in started_with]
