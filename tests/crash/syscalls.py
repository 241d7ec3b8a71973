"""Stops a process at each call that changes a disk, and decides what becomes of the call.

A child puts a filter on itself (seccomp with user notification, Linux 5.6): from then on the kernel holds each call of
the list below, whoever made it: Python, SQLite or any other library, in any thread. The supervisor looks at the call
and lets it go on, refuses it with an error, has only a part of a write done, or kills the process. So a test can place
a fault at any step of the write order without a hook in the program, and no step can be forgotten.

Sources: Linux `Documentation/userspace-api/seccomp_filter.rst`, seccomp_unotify(2), pidfd_getfd(2).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import select
import signal
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

# name: (x86-64, AArch64); None where the architecture has no such call.
CALLS: Final[dict[str, tuple[int | None, int]]] = {
    "write": (1, 64),
    "pwrite64": (18, 68),
    "writev": (20, 66),
    "pwritev": (296, 70),
    "sendfile": (40, 71),
    "copy_file_range": (326, 285),
    "fsync": (74, 82),
    "fdatasync": (75, 83),
    "sync_file_range": (277, 84),
    "truncate": (76, 45),
    "ftruncate": (77, 46),
    "fallocate": (285, 47),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "linkat": (265, 37),
    "symlinkat": (266, 36),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "unlinkat": (263, 35),
    "mkdirat": (258, 34),
    "chmod": (90, -1),
    "creat": (85, -1),
    "link": (86, -1),
    "symlink": (88, -1),
    "rename": (82, -1),
    "unlink": (87, -1),
    "rmdir": (84, -1),
    "mkdir": (83, -1),
}
OPENS: Final[dict[str, tuple[int | None, int, int]]] = {"open": (2, -1, 1), "openat": (257, 56, 2)}
"""Calls that change a disk only with some flags; the last number is where the flags are."""

ON_DESCRIPTOR: Final = frozenset(
    {"write", "pwrite64", "writev", "pwritev", "fsync", "fdatasync", "sync_file_range", "ftruncate", "fallocate"}
    | {"fchmod", "sendfile"}
)
AT_FOLDER: Final = frozenset(
    {"openat", "unlinkat", "mkdirat", "fchmodat", "linkat", "symlinkat", "renameat", "renameat2"}
)
WRITES: Final = frozenset({"write", "pwrite64"})
MARK_DESCRIPTOR: Final = 0xFFFFFFFF
"""A write to this descriptor is no write: the child says where in its work it is."""

_PR_SET_NO_NEW_PRIVS, _SET_MODE_FILTER, _NEW_LISTENER = 38, 1, 8
_SECCOMP: Final = (317, 277)
_PIDFD_OPEN, _PIDFD_GETFD = 434, 438
_ARCHITECTURES: Final = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_LOAD, _EQUAL, _SET, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _NOTIFY = 0x7FFF0000, 0x7FC00000
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_NOTIFICATION, _ANSWER = struct.Struct("<QIIiIQ6Q"), struct.Struct("<QqiI")
_CONTINUE = 1
_O_CREATES = os.O_CREAT | os.O_TRUNC
_MAX_PATH = 4096


class UnsupportedError(Exception):
    """This machine cannot hold calls."""


@dataclass(frozen=True, slots=True)
class Call:
    """One held call.

    Attributes:
        name: of the call.
        paths: what it is about, absolute; one or two.
        size: bytes of a write, else 0.
        data: the bytes of a mark, else empty.
        thread: which thread calls.
    """

    name: str
    paths: tuple[str, ...]
    size: int = 0
    data: bytes = b""
    thread: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a call: by default it goes on.

    Attributes:
        kill: the process dies: before the call, or after `part` of a write.
        error: the call fails with this errno.
        part: only so many bytes of a write are written.
    """

    kill: bool = False
    error: int = 0
    part: int | None = None


GO_ON: Final = Verdict()
Judge = Callable[[Call], Verdict]


def mark(text: str) -> None:
    """Tell the supervisor where in its work this process is."""
    with suppress(OSError):
        _libc().write(ctypes.c_int(-1), text.encode(), len(text.encode()))


def supported() -> bool:
    """Whether this machine can hold calls."""
    return sys.platform == "linux" and platform.machine() in _ARCHITECTURES


def run_held(work: Callable[[], None], judge: Judge) -> int:
    """Run `work` in a forked child whose disk calls are judged one by one.

    Returns:
        The child's exit code (0 when `work` returned), or minus the signal that ended it.
    """
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            ours.close()
            _hold_calls(theirs)
            work()
            code = 0
        finally:
            sys.stderr.flush()
            os._exit(code)
    theirs.close()
    with ours:
        _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
    if not descriptors:
        os.waitpid(pid, 0)
        raise UnsupportedError("the kernel does not hold calls for us")
    listener = descriptors[0]
    try:
        _supervise(pid, listener, judge)
    finally:
        os.close(listener)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL) if sys.exc_info()[0] else None
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


# -- in the child ----------------------------------------------------------------------------------


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)


def _filter() -> bytes:
    column, architecture = _ARCHITECTURES[platform.machine()]
    program = [
        _instruction(_LOAD, 4),
        _instruction(_EQUAL, architecture, 1, 0),
        _instruction(_RETURN, _ALLOW),
        _instruction(_LOAD, 0),
    ]
    for pair in CALLS.values():
        number = pair[column]
        if number is not None and number >= 0:
            program += [_instruction(_EQUAL, number, 0, 1), _instruction(_RETURN, _NOTIFY)]
    for x86, arm, flags in OPENS.values():
        number = (x86, arm)[column]
        if number is not None and number >= 0:
            program += [
                _instruction(_EQUAL, number, 0, 4),
                _instruction(_LOAD, 16 + 8 * flags),
                _instruction(_SET, _O_CREATES, 0, 1),
                _instruction(_RETURN, _NOTIFY),
                _instruction(_RETURN, _ALLOW),
            ]
    return b"".join([*program, _instruction(_RETURN, _ALLOW)])


class _FilterProgram(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _hold_calls(channel: socket.socket) -> None:
    """From here on each call of the list waits for the supervisor."""
    libc = _libc()
    number = _SECCOMP[_ARCHITECTURES[platform.machine()][0]]
    code = _filter()
    buffer = ctypes.create_string_buffer(code)
    program = _FilterProgram(len(code) // 8, ctypes.addressof(buffer))
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return
    listener = libc.syscall(number, _SET_MODE_FILTER, _NEW_LISTENER, ctypes.byref(program))
    if listener >= 0:
        socket.send_fds(channel, [b"x"], [listener])
        os.close(listener)
    channel.close()


# -- in the supervisor -----------------------------------------------------------------------------


def _supervise(pid: int, listener: int, judge: Judge) -> None:
    column = _ARCHITECTURES[platform.machine()][0]
    known: dict[str, tuple[int | None, ...]] = {**CALLS, **OPENS}
    names = {numbers[column]: name for name, numbers in known.items()}
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    while True:
        (_, what), *_ = poll.poll()
        if what & select.POLLHUP and not what & select.POLLIN:
            return
        buffer = bytearray(_NOTIFICATION.size)
        try:
            fcntl.ioctl(listener, _RECEIVE, buffer)
        except FileNotFoundError:  # it was killed meanwhile
            continue
        identifier, thread, _flags, number, _arch, _ip, *arguments = _NOTIFICATION.unpack(buffer)
        memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
        try:
            if not _answer(pid, listener, identifier, _Held(pid, thread, memory, names[number], arguments), judge):
                return
        finally:
            os.close(memory)


def _answer(pid: int, listener: int, identifier: int, held: _Held, judge: Judge) -> bool:
    """Do what the judge says; False when the process was killed."""
    call = held.call()
    verdict = judge(call)
    value, error, flags = 0, -verdict.error, 0
    if verdict.part is not None:
        value = held.write_part(verdict.part)
    elif call.data:
        value = len(call.data)
    elif not error:
        flags = _CONTINUE
    if verdict.kill:
        os.kill(pid, signal.SIGKILL)
        return False
    with suppress(FileNotFoundError):  # ended by a signal meanwhile
        fcntl.ioctl(listener, _SEND, _ANSWER.pack(identifier, value, error, flags))
    return True


@dataclass(frozen=True, slots=True)
class _Held:
    """A call as the kernel shows it."""

    process: int
    thread: int
    memory: int
    name: str
    arguments: list[int]

    def call(self) -> Call:
        """What a judge needs to know of it."""
        arguments = self.arguments
        if self.name in WRITES and arguments[0] & 0xFFFFFFFF == MARK_DESCRIPTOR:
            return Call("mark", (), 0, os.pread(self.memory, arguments[2], arguments[1]), self.thread)
        size = arguments[2] if self.name in WRITES else 0
        return Call(self.name, self._paths(), size, thread=self.thread)

    def _paths(self) -> tuple[str, ...]:
        name, arguments = self.name, self.arguments
        if name in ON_DESCRIPTOR:
            return (self._descriptor(arguments[0]),)
        if name == "copy_file_range":
            return (self._descriptor(arguments[2]),)
        if name in {"link", "rename", "symlink"}:
            return self._path(arguments[0]), self._path(arguments[1])
        if name in {"linkat", "renameat", "renameat2"}:
            return self._path(arguments[1], arguments[0]), self._path(arguments[3], arguments[2])
        if name == "symlinkat":
            return (self._path(arguments[2], arguments[1]),)
        return (self._path(arguments[1], arguments[0]) if name in AT_FOLDER else self._path(arguments[0]),)

    def write_part(self, size: int) -> int:
        """Write the first bytes of a held write as the process would; returns how many."""
        data = os.pread(self.memory, size, self.arguments[1])
        descriptor = _descriptor_of(self.process, self.arguments[0])
        try:
            if self.name == "pwrite64":
                return os.pwrite(descriptor, data, self.arguments[3])
            return os.write(descriptor, data)
        finally:
            os.close(descriptor)

    def _descriptor(self, number: int) -> str:
        try:
            return os.readlink(f"/proc/{self.thread}/fd/{number & 0xFFFFFFFF}")  # noqa: PTH115 - pipes have no path
        except OSError:
            return ""

    def _path(self, address: int, folder: int | None = None) -> str:
        text = os.pread(self.memory, _MAX_PATH - address % _MAX_PATH, address)
        if b"\0" not in text:
            text += os.pread(self.memory, _MAX_PATH, address + len(text))
        path = os.fsdecode(text.partition(b"\0")[0])
        if os.path.isabs(path):  # noqa: PTH117 - text, never resolved
            return path
        base = folder is not None and folder & 0xFFFFFFFF != 0xFFFFFF9C  # AT_FDCWD
        place = self._descriptor(folder or 0) if base else os.readlink(f"/proc/{self.thread}/cwd")  # noqa: PTH115
        return f"{place}/{path}"


def _descriptor_of(process: int, number: int) -> int:
    """A copy of another process's descriptor: same file, same position. The kernel takes no single thread here."""
    libc = _libc()
    handle = libc.syscall(_PIDFD_OPEN, process, 0)
    if handle < 0:
        raise OSError(ctypes.get_errno(), "pidfd_open")
    try:
        copy = libc.syscall(_PIDFD_GETFD, handle, number, 0)
        if copy < 0:
            raise OSError(ctypes.get_errno(), "pidfd_getfd")
        return int(copy)
    finally:
        os.close(handle)


ERRORS: Final = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO}
