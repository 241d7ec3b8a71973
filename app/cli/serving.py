"""What commands that serve HTTP share: the socket, and running until told to stop."""

from __future__ import annotations

import ctypes
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from app.errors import EnvironmentFailedError

if TYPE_CHECKING:
    import uvicorn

_M_MMAP_THRESHOLD = -3  # <malloc.h> of the GNU C library
_LARGE_BLOCK = 128 * 1024  # where the C library's own bound begins; pieces of uploads are larger


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections.

    Raises:
        EnvironmentFailedError: `address_unusable`.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise EnvironmentFailedError("address_unusable", f"cannot listen on {host}:{port}: {error.strerror}") from None
    listener.set_inheritable(True)
    return listener


def url_of(host: str, listener: socket.socket) -> str:
    """Where the socket is reached."""
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


def give_back_memory() -> None:
    """What the start has freed goes back to the system, and so will all larger blocks.

    Deriving the keys of two files needs 16 MiB for a moment, which the C library would keep; with a fixed bound, blocks
    from there on are the system's own, and go back to it when they are freed. What the start has made and keeps is set
    apart once the server is up (app.api.memory).
    """
    with suppress(OSError, AttributeError):  # a C library that has neither
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)
        libc.malloc_trim(0)


def run_until_stopped(config: uvicorn.Config, listener: socket.socket, say: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM."""
    import uvicorn

    # The server hands a signal on after it has ended its requests: SIGTERM must not skip what comes then.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with suppress(KeyboardInterrupt):  # none comes of a signal that our parent had us ignore, as shells do with "&"
            uvicorn.Server(config).run(sockets=[listener])
        say("stopped")
    finally:
        signal.signal(signal.SIGTERM, before)
