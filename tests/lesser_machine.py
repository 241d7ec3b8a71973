"""This process made to run as on an older kernel: for good, its children included."""

from __future__ import annotations

import ctypes
import errno
import struct

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _FILTER = 38, 22, 2
_LOAD, _JUMP_AT_LEAST, _RETURN = 0x20, 0x35, 0x06
_LANDLOCK, _AFTER_LANDLOCK = 444, 447


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def without_landlock() -> None:
    """Landlock's three system calls are answered ENOSYS from now on."""
    instructions = [
        struct.pack("HBBI", _LOAD, 0, 0, 0),
        struct.pack("HBBI", _JUMP_AT_LEAST, 0, 2, _LANDLOCK),
        struct.pack("HBBI", _JUMP_AT_LEAST, 1, 0, _AFTER_LANDLOCK),
        struct.pack("HBBI", _RETURN, 0, 0, 0x00050000 | errno.ENOSYS),
        struct.pack("HBBI", _RETURN, 0, 0, 0x7FFF0000),
    ]
    code = ctypes.create_string_buffer(b"".join(instructions))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    program = _Program(len(instructions), ctypes.addressof(code))
    assert libc.prctl(_PR_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0) == 0
