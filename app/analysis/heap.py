"""The C library's heap of the process that forks, laid out for children that live for one file.

By default each large picture is mapped by itself and given back when it is freed, so that every one faults its pages in
anew, 4 KiB at a time: a tenth of a child's CPU (docs/adr/0058). Here they come from one heap that keeps what is freed,
at whose end lies room that nobody has touched: there the kernel answers a fault with 2 MiB.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from typing import Final

_MEBIBYTE: Final = 1024 * 1024
ROOM: Final = 64 * _MEBIBYTE  # address space; what is not touched takes no memory
_HUGE_PAGE: Final = 2 * _MEBIBYTE
# glibc's malloc.h; the largest threshold that it takes is 32 MiB.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_LARGEST_MMAP_THRESHOLD: Final = 32 * _MEBIBYTE
_NO_GAP: Final = 16 * _MEBIBYTE  # longer than any gap that is left, shorter than what would be mapped by itself
_DEFAULT_TOP_PAD: Final = 128 * 1024


def lay_out() -> None:
    """Give back what is free, keep what will be freed, and put room at the end; where glibc is not, nothing is done."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    try:
        trim, tune, move_end = libc.malloc_trim, libc.mallopt, libc.sbrk
    except AttributeError:  # another C library has no such calls
        return
    move_end.restype = libc.malloc.restype = ctypes.c_void_p
    libc.free.argtypes = (ctypes.c_void_p,)
    trim(0)  # or a child would copy these pages before it writes to them
    tune(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
    tune(_TRIM_THRESHOLD, 8 * ROOM)
    start = move_end(0)
    tune(_TOP_PAD, ROOM)
    libc.free(libc.malloc(_NO_GAP))  # so that the end moves
    tune(_TOP_PAD, _DEFAULT_TOP_PAD)
    end = move_end(0)
    aligned = -(-start // _HUGE_PAGE) * _HUGE_PAGE
    if aligned < end:
        libc.madvise(ctypes.c_void_p(aligned), ctypes.c_size_t(end - aligned), mmap.MADV_HUGEPAGE)
