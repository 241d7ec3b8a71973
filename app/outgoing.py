"""Requests to others, each bounded as a whole: in time, from connecting to the last byte, and in size.

The time limits of an HTTP client bound each single step, so that an answer whose head comes byte by byte has no end,
and a name with many addresses that keep silent takes as many steps. So

1. connecting shares the time that is left among the addresses of the name (`_Connecting`);
2. then a watchdog ends the connection under a request when its time is over: the socket is shut down, whatever waits on
   it wakes up, and the caller is told so.

Resolving the name is the system's, with the system's limits (of resolv.conf: some 5 s, twice, for each name server); it
comes before all that and is not bounded here.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Self

import httpcore
import httpx

from app.errands import Answered, NoAnswerError, TooLargeError

MAX_ERROR_TEXT = 200


class _Connecting(httpcore.NetworkBackend):
    """Connects to one of a name's addresses before a deadline, however many keep silent.

    Each but the last may take half of the time that is left: one that works is found behind one that does not, and many
    together take no longer than one.
    """

    def __init__(self) -> None:
        self._plain = httpcore.SyncBackend()
        self.deadline = 0.0  # of `time.monotonic`

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """As the plain backend does, by the deadline; `httpcore.ConnectError` or `ConnectTimeout` if it cannot."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        addresses = [*dict.fromkeys(str(each[4][0]) for each in found)]
        trouble: Exception = httpcore.ConnectError("the name has no address")
        for address in addresses:
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise httpcore.ConnectTimeout("timed out") from trouble
            share = min(left if address == addresses[-1] else left / 2, left if timeout is None else timeout)
            try:
                return self._plain.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                trouble = error
        raise trouble


class Outgoing:
    """A client for a few requests, one at a time; redirects are not followed."""

    def __init__(self, seconds: float, headers: Mapping[str, str], verify: Any = True) -> None:  # noqa: ANN401, FBT002 - as httpx takes it
        """Make one; nothing is connected yet.

        Args:
            seconds: bounds each step of a request (connecting, sending, waiting for bytes).
            headers: of each request.
            verify: as httpx takes it.
        """
        self._http = httpx.Client(timeout=seconds, follow_redirects=False, headers=dict(headers), verify=verify)
        self._connecting = _Connecting()
        for transport in {self._http._transport, *self._http._mounts.values()}:  # noqa: SLF001 - to keep its proxies
            if transport is not None:
                transport._pool._network_backend = self._connecting  # type: ignore[attr-defined]  # noqa: SLF001
        self._lock = threading.Lock()
        self._sockets: dict[object, socket.socket] = {}
        self._late = False

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close all connections."""
        self._http.close()
        with self._lock:
            for each in self._sockets.values():
                each.close()
            self._sockets.clear()

    def post(self, url: str, content: bytes, seconds: float, max_bytes: int) -> Answered:
        """Send a request and read the answer.

        Args:
            url: where to.
            content: the body.
            seconds: how long all of it may take.
            max_bytes: how large the answer's body may be.

        Raises:
            NoAnswerError: there is no answer.
            TooLargeError: it is too large.
        """
        self._late = False
        self._connecting.deadline = time.monotonic() + seconds
        watchdog = threading.Timer(seconds, self._cut_off)
        watchdog.daemon = True
        watchdog.start()
        try:
            answer = self._exchange(url, content, max_bytes)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError) as error:
            if self._late or time.monotonic() >= self._connecting.deadline:
                raise NoAnswerError(f"the answer did not come within {seconds:g} s") from error
            text = "".join(each if each.isprintable() else "?" for each in str(error))[:MAX_ERROR_TEXT]
            raise NoAnswerError(f"{type(error).__name__}: {text}") from error
        finally:
            watchdog.cancel()
            watchdog.join()
        if self._late:  # an answer without a length ends where the connection was ended
            raise NoAnswerError(f"the answer did not come within {seconds:g} s")
        return answer

    def _exchange(self, url: str, content: bytes, max_bytes: int) -> Answered:
        body = bytearray()
        with self._http.stream("POST", url, content=content, extensions={"trace": self._traced}) as answer:
            for chunk in answer.iter_raw():
                body += chunk
                if len(body) > max_bytes:
                    raise TooLargeError
        return Answered(answer.status_code, bytes(body))

    def _traced(self, event: str, info: Mapping[str, Any]) -> None:
        """Called by httpcore at every step: keeps a handle of each connection, which stays good under TLS."""
        if not event.endswith(".connect_tcp.complete"):
            return
        connected = info["return_value"].get_extra_info("socket")
        with self._lock:
            peer = connected.getpeername()
            former = self._sockets.pop(peer, None)
            if former is not None:
                former.close()
            self._sockets[peer] = connected.dup()
            if self._late:
                _shut_down(self._sockets[peer])

    def _cut_off(self) -> None:
        with self._lock:
            self._late = True
            for each in self._sockets.values():
                _shut_down(each)


def _shut_down(connection: socket.socket) -> None:
    with suppress(OSError):  # it is not connected any more
        connection.shutdown(socket.SHUT_RDWR)
