"""A large body is read from its socket by a thread, past the event loop, while its client sends fast.

The event loop makes an object of every few kilobytes that arrive, the parser copies them, a task is woken, batches are
joined: more CPU than three digests. A body whose length is announced needs none of that: so many bytes, then comes what
the parser is for.

1. A request offers its body in the scope's `extensions`, if it may be taken at all: an announced length, no TLS.
2. Taking it pauses the loop's reading. What had arrived before is not lost: nothing is taken while any of it is unread.
3. The thread takes no byte more than the body has. It stops by itself when the client is slow, silent or gone.
4. Giving back sets a new parser to what is left, by a head of our own. From then on all is as if nobody had taken it:
   silence, a broken link, the end of the body and the next request are noticed where they always are. So there is one
   way in which a body ends, whoever has read it.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, cast

import httptools
from starlette.types import Scope
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.api.pieces import PIECE_BYTES, Pieces
from evidence_store.digests import Piece

EXTENSION = "catena.body"
LARGE_BYTES = 4 << 20
"""So much must still be to come: handing a socket over costs less than a millisecond."""
PIECE_SECONDS = 0.5
"""A piece that takes longer to come is the last: who sends no more than a MiB in a second needs no thread."""
_STOP_SECONDS = 0.1
PLACES, FEW = 8, 2
"""Bodies that are read by threads at once, in this process; others come through the event loop. Beyond a few, pieces
are smaller: at most a tenth more processor time, and half the memory."""


class _Places:
    """How many bodies are taken."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.used = 0

    def enter(self) -> bool:
        """Take a place, if there is one."""
        with self._lock:
            found = self.used < PLACES
            self.used += found
        return found

    def leave(self) -> None:
        """Give it back."""
        with self._lock:
            self.used -= 1


_places = _Places()


class DirectProtocol(HttpToolsProtocol):
    """HTTP/1.1 as uvicorn speaks it; a large body may be taken over."""

    _offered: Offer | None = None
    _setting = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Nobody resumes the reading of a body that is taken."""
        super().connection_made(transport)
        self.flow = _Flow(transport)

    def on_message_begin(self) -> None:
        """A request begins."""
        if not self._setting:
            self._offered = None
            super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A part of the address."""
        if not self._setting:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A whole header or trailer field."""
        if not self._setting:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole: the body may be offered."""
        if self._setting:
            self._setting = False  # what follows is the request's own
            return
        length = _length_of(self.headers)
        if length is not None and self.scheme == "http" and not self.parser.should_upgrade():
            self._offered = Offer(self, length)
            self.scope["extensions"] = {EXTENSION: self._offered}  # type: ignore[dict-item]
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body; one that finds nothing waiting is handed on as it is, where uvicorn copies it twice."""
        if self._offered is not None:
            self._offered.left -= len(body)
        cycle = self.cycle
        if cycle.body or cycle.response_complete or self.parser.should_upgrade():
            super().on_body(body)
            return
        cycle.body = cast("bytearray", body)  # `receive` makes bytes of it, which it is, and begins anew
        if len(body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._offered = None
        super().connection_lost(exc)

    def hold(self) -> socket.socket | None:
        """Stop reading; the connection's socket under another descriptor, which stays good if this one is closed."""
        flow, found = self.flow, self.transport.get_extra_info("socket")
        if self.transport.is_closing() or not isinstance(flow, _Flow) or found is None:
            return None
        try:
            held = socket.socket(fileno=os.dup(found.fileno()))
        except OSError:  # no descriptor is left
            return None
        held.settimeout(0)  # it never blocks, whatever the loop has made of it
        flow.pause_reading()
        flow.held = True
        return held

    def go_on(self, left: int) -> None:
        """Read on by the event loop as soon as somebody asks for more; so many bytes of the body are still to come."""
        if isinstance(self.flow, _Flow):
            self.flow.held = False
        if self.parser is None or self.transport.is_closing():
            return
        self.parser = httptools.HttpRequestParser(self)
        with suppress(AttributeError):  # as uvicorn does with the first one
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._setting = True
        self.parser.feed_data(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % left)


class _Flow(FlowControl):
    """Flow control that cannot be talked into reading what a thread is reading."""

    held = False

    def resume_reading(self) -> None:
        if not self.held:
            super().resume_reading()


def _length_of(headers: list[tuple[bytes, bytes]]) -> int | None:
    """The announced length, when there is one and it is all there is to know about the body's end."""
    named = [(name, value) for name, value in headers if name in {b"content-length", b"transfer-encoding"}]
    if len(named) != 1 or named[0][0] != b"content-length" or not named[0][1].isdigit():
        return None
    return int(named[0][1])


class Offer:
    """The body of one request; for the event loop's thread."""

    def __init__(self, protocol: DirectProtocol, length: int) -> None:
        self._protocol = protocol
        self._length = length
        self.left = length

    def take(self, received: int) -> Taken | None:
        """Take the body over; give it back whatever happens.

        Args:
            received: bytes of it that the caller has got so far.

        Returns:
            None when it is not worth it, not possible now, or some of what has arrived is still on its way.
        """
        if self.left < LARGE_BYTES or received + self.left != self._length or not _places.enter():
            return None
        held = None
        try:
            held = self._protocol.hold()
        finally:
            if held is None:
                _places.leave()
        return None if held is None else Taken(self, held)

    def give_back(self) -> None:
        """Let the event loop go on with what is left."""
        self._protocol.go_on(self.left)


def offered(scope: Scope) -> Offer | None:
    """The offer of a request, if its server makes one."""
    offer: Any = (scope.get("extensions") or {}).get(EXTENSION)
    return offer if isinstance(offer, Offer) else None


class Taken:
    """A body that was taken over."""

    def __init__(self, offer: Offer, held: socket.socket) -> None:
        self._offer = offer
        self._socket = held
        self._left = offer.left
        self._stopped = False

    def begin(self, write: Callable[[Piece], None], heard: Callable[[float], None]) -> Future[int] | None:
        """`pass_on` in a thread of its own, which may be at work for minutes; None when the system has none to give."""
        reading = Future[int]()

        def read() -> None:
            try:
                count = self.pass_on(write, heard)
            except BaseException as error:  # noqa: BLE001 - told to whoever waits
                reading.set_exception(error)
            else:
                reading.set_result(count)

        try:
            threading.Thread(target=read, name="catena-body", daemon=True).start()
        except RuntimeError:
            return None
        return reading

    def pass_on(self, write: Callable[[Piece], None], heard: Callable[[float], None]) -> int:
        """In a thread: pass the bytes on until all have come, or the client does not keep up, or this is stopped.

        Args:
            write: takes each piece; a piece is good as long as there is a view of it (`app.api.pieces`).
            heard: told when something came (`time.monotonic`).

        Returns:
            Number of bytes.

        Raises:
            Exception: what `write` raises.
        """
        pieces = Pieces(PIECE_BYTES if _places.used <= FEW else PIECE_BYTES // 2)
        begun, whole = self._left, True
        ready = select.poll()
        ready.register(self._socket, select.POLLIN)
        while self._left and whole:
            buffer = pieces.free()
            size = min(len(buffer), self._left)
            with memoryview(buffer) as view:
                filled = self._fill(view[:size], ready, heard)
                if filled:
                    write(view[:filled].toreadonly())
            whole = filled == size
        return begun - self._left

    def _fill(self, view: memoryview, ready: select.poll, heard: Callable[[float], None]) -> int:
        """Read until a piece is full; less of it when the client does not keep up."""
        filled, until = 0, time.monotonic() + PIECE_SECONDS
        while filled < len(view) and not self._stopped:
            try:
                got = self._socket.recv_into(view[filled:])
            except (BlockingIOError, InterruptedError):
                got = -1
            except OSError:  # the event loop will find the connection broken, too
                break
            now = time.monotonic()
            if got > 0:
                filled += got
                self._left -= got
                heard(now)
            elif got == 0:
                break
            if now > until:
                break
            if got < 0:
                ready.poll(_STOP_SECONDS * 1000)
        return filled

    def stop(self) -> None:
        """Have the thread end soon: before the next bytes, or when they do not come."""
        self._stopped = True

    def give_back(self) -> None:
        """To the event loop. No thread may be at it any more."""
        self._offer.left = self._left
        self._socket.close()
        _places.leave()
        self._offer.give_back()
