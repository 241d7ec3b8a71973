"""An MP4 whose index stands in front, written by somebody who can only send bytes away and never read them back.

FFmpeg's muxer writes `ftyp`, `mdat` with all pictures and sound, and at its end the index (`moov`). A player that
fetches parts of a file wants the index first. The confined encoder has no file, so the media bytes are sent as they
come, the index is held back, its chunk offsets are moved by what will stand in front of them, and it is sent last,
as the *front* that the receiver puts before the media. ISO/IEC 14496-12, sections 4.2 (boxes), 8.7.5 (stco, co64).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from app.analysis.errors import AnalysisError

MAX_INDEX_BYTES = 40 * 1024 * 1024
_HEADER = 8
_BRANDS_END = 4096
_SEEK_CUR, _SEEK_END = 1, 2
_PARENTS = {b"moov", b"trak", b"mdia", b"minf", b"stbl"}


class FrontIndex:
    """What the muxer writes to; a file object that PyAV takes."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        """Bind to a receiver.

        Args:
            send: takes the next media bytes.
        """
        self._send = send
        self._front = bytearray()
        self._media_at: int | None = None
        self._index: bytearray | None = None
        self._position = self._end = 0
        self.sent = 0

    # -- as a file ----------------------------------------------------------------------------

    def writable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """Within what is held back."""
        return True

    def tell(self) -> int:
        """The position."""
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move; going back ends the media part."""
        base = {_SEEK_CUR: self._position, _SEEK_END: self._end}.get(whence, 0)
        self._position = base + offset
        return self._position

    def write(self, data: bytes) -> int:
        """Take the next bytes, or a correction of the front or of the index."""
        at, length = self._position, len(data)
        if self._index is None and at < self._end:
            self._index = bytearray()
            self._media_end = self._end
        if self._index is not None:
            self._hold(at, bytes(data))
        elif self._media_at is not None:
            self._pass_on(bytes(data))
        else:
            self._front += data
            self._find_media()
        self._position = at + length
        self._end = max(self._end, self._position)
        return length

    def _hold(self, at: int, data: bytes) -> None:
        """The index; the muxer's own correction of the media's length is not needed."""
        place = at - self._media_end
        if place < 0 or self._index is None:
            return
        if place + len(data) > MAX_INDEX_BYTES:
            raise AnalysisError("proxy_too_large", f"the index passes {MAX_INDEX_BYTES} bytes")
        if place > len(self._index):
            self._index += bytes(place - len(self._index))
        self._index[place : place + len(data)] = data

    def _find_media(self) -> None:
        for kind, start, end in _boxes(self._front, 0, len(self._front)):
            if kind == b"mdat":
                self._media_at = start + _HEADER
                rest = bytes(self._front[self._media_at :])
                del self._front[self._media_at :]
                self._pass_on(rest)
                return
            if end > _BRANDS_END:
                break

    def _pass_on(self, data: bytes) -> None:
        self.sent += len(data)
        self._send(data)

    # -- the end ------------------------------------------------------------------------------

    def front(self) -> bytes:
        """What belongs before the media bytes that were sent: `ftyp`, `moov` and the head of `mdat`.

        Raises:
            AnalysisError: `proxy_unfinished` when the muxer gave no index.
        """
        brands = next((self._front[s:e] for kind, s, e in _boxes(self._front, 0, len(self._front)) if kind == b"ftyp"), b"")
        found = _boxes(self._index or b"", 0, len(self._index or b""))
        index = next((bytearray(self._index or b"")[s:e] for kind, s, e in found if kind == b"moov"), None)
        if not brands or index is None or self._media_at is None:
            raise AnalysisError("proxy_unfinished", "the writer of MP4 gave no index")
        move_chunks(index, len(brands) + len(index) + _HEADER - self._media_at)
        return bytes(brands) + bytes(index) + struct.pack(">I4s", self.sent + _HEADER, b"mdat")


def move_chunks(index: bytearray, by: int) -> None:
    """Add to every chunk offset of a `moov` box, in place.

    Raises:
        AnalysisError: `proxy_unfinished` for an offset that no longer fits its field.
    """
    for kind, start, end in _tables(index, 0, len(index)):
        width, code = (4, ">I") if kind == b"stco" else (8, ">Q")
        (count,) = struct.unpack_from(">I", index, start + 12)
        first = start + 16
        if first + count * width > end:
            raise AnalysisError("proxy_unfinished", "a table of chunks is cut off")
        for place in range(first, first + count * width, width):
            moved = struct.unpack_from(code, index, place)[0] + by
            if not 0 <= moved < 1 << (8 * width):
                raise AnalysisError("proxy_unfinished", "an offset does not fit its field")
            struct.pack_into(code, index, place, moved)


def _tables(data: bytearray, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    for kind, first, last in _boxes(data, start, end):
        if kind in _PARENTS:
            yield from _tables(data, first + _HEADER, last)
        elif kind in {b"stco", b"co64"}:
            yield kind, first, last


def _boxes(data: bytes | bytearray, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Type, start and end of each box that begins within a range; the last may end outside (`mdat` is open)."""
    while start + _HEADER <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        stop = end if size == 0 else start + size
        yield kind, start, stop
        if size < _HEADER:
            return
        start = stop
