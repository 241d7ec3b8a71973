"""Buffers that are filled again and again, and never while anybody still reads what they hold.

Fresh memory for each piece of a large body costs a page fault for every 4 KiB of it. A buffer that is used again costs
none, but whoever hashes a piece in another thread would hash what came after it, and a wrong digest is the worst that
can happen to an archive. So nobody is trusted here to have finished: the interpreter is asked. It counts the views of a
buffer, and refuses to change the size of one that has any.
"""

from __future__ import annotations

PIECE_BYTES = 1 << 19
KEPT = 3
"""The piece that is written, the one that is hashed meanwhile, and one for a reader that is late."""


class Pieces:
    """The buffers of one body. Not for several threads at once; what reads the pieces may be in any thread."""

    def __init__(self, size: int) -> None:
        """Begin without any; they are made as they are needed.

        Args:
            size: of a piece, in bytes.
        """
        self._size = size
        self._buffers: list[bytearray] = []

    def free(self) -> bytearray:
        """A buffer that nobody has a view of, of the size of a piece; what it holds is of no meaning.

        While all are in use a new one is made, and the oldest is left to its readers.
        """
        for buffer in self._buffers:
            if _is_free(buffer):
                return buffer
        if len(self._buffers) == KEPT:
            del self._buffers[0]
        self._buffers.append(bytearray(self._size))
        return self._buffers[-1]


def _is_free(buffer: bytearray) -> bool:
    try:
        buffer.pop()
    except BufferError:  # "Existing exports of data: object cannot be re-sized"
        return False
    buffer.append(0)
    return True
