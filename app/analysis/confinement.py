"""Take rights away from the own process for good: Landlock for files, seccomp for system calls.

Both are Linux; each part that the kernel does not offer is reported and left out. Sources: Linux
`Documentation/userspace-api/landlock.rst` and `seccomp_filter.rst`; the system call numbers are
those of the kernel's tables for x86-64 and AArch64.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import platform
import signal
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.analysis.denied_calls import DENIED, DENIED_ARGUMENTS, OWN_ONLY

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_LANDLOCK_CREATE_RULESET, _LANDLOCK_ADD_RULE, _LANDLOCK_RESTRICT_SELF = 444, 445, 446
_LANDLOCK_CREATE_RULESET_VERSION = 1
_LANDLOCK_RULE_PATH_BENEATH = 1
_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3
# Access rights on files that each Landlock ABI knows: ABI 1 bits 0-12, 2 adds REFER, 3 TRUNCATE, 5 IOCTL_DEV.
_FS_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
_FS_RIGHTS_NEWEST = (1 << 16) - 1
_NET_RIGHTS = 0b11  # bind and connect of TCP, since ABI 4
_ABI_WITH_NETWORK = 4
_SCOPES = 0b11  # no abstract UNIX sockets and no signals out of the sandbox, since ABI 6
_ABI_WITH_SCOPES = 6

_INSTRUCTION = struct.Struct("HBBI")
_BPF_LOAD, _BPF_JUMP_EQUAL, _BPF_RETURN = 0x20, 0x15, 0x06
_SECCOMP_ALLOW, _SECCOMP_ERRNO = 0x7FFF0000, 0x00050000
_SECCOMP_KILL = 0x80000000
_X32_BIT = 0x40000000
_BPF_JUMP_SET = 0x45

_CLONE3 = 435  # answered ENOSYS, so that the C library falls back to clone for its threads
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


@dataclass(frozen=True)
class Confinement:
    """What was taken on: Landlock's ABI (0 for none), seccomp, and why a part is missing."""

    landlock_abi: int
    seccomp: bool
    reasons: tuple[str, ...]


class _RulesetAttributes(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


class _FilterProgram(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def prepare() -> None:
    """Make ahead, in the process that forks, what is the same for every child; none of it comes from a file."""
    if sys.platform == "linux":
        _libc()
        _interpreter_folders()
        _filter_around()


def confine(readable: tuple[str, ...]) -> Confinement:
    """Allow reading of the given files and of the interpreter's own folders, and nothing else.

    No writing, no network, no new program, no new process. It cannot be undone. The process also ends
    with the one that forked it: a killed server must not leave a parser at work for hours.
    """
    if sys.platform != "linux":
        return Confinement(landlock_abi=0, seccomp=False, reasons=("not Linux",))
    libc = _libc()
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return Confinement(landlock_abi=0, seccomp=False, reasons=("no_new_privs refused",))
    reasons: list[str] = []
    abi = 0
    try:
        abi = _landlock(libc, [*readable, *_interpreter_folders()])
    except OSError as error:
        reasons.append(f"landlock: {os.strerror(error.errno or 0)}")
    seccomp = False
    try:
        seccomp = _seccomp(libc)
    except OSError as error:
        reasons.append(f"seccomp: {os.strerror(error.errno or 0)}")
    return Confinement(landlock_abi=abi, seccomp=seccomp, reasons=tuple(reasons))


def confine_program(file: str, program: str) -> int:
    """For a process that is about to become another program: let it read one file and run what is installed.

    No writing, and no TCP where the kernel's Landlock knows it. Unlike `confine` without a filter of system calls: that
    one forbids new programs.

    Args:
        file: absolute path of what it may read.
        program: absolute path of what it becomes.

    Returns:
        Landlock's ABI; 0 where the kernel has none.
    """
    if sys.platform != "linux":
        return 0
    libc = _libc()
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return 0
    own = str(Path(program).resolve().parent)
    installed = [sys.base_prefix, "/usr", "/lib", "/lib64", "/bin", "/etc/perl", own, str(Path(program).parent)]
    try:
        return _landlock(libc, [file, "/etc/ld.so.cache", "/dev/null"], installed)
    except OSError:
        return 0


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


@functools.cache
def _interpreter_folders() -> tuple[str, ...]:
    """Where lazily imported modules, shared libraries and time zones are.

    Not all of `sys.path`: that may hold the working folder, and with it the archive's own data.
    """
    program = Path(__file__).resolve().parents[1]
    schemas = program.parent / "schemas"
    return (sys.prefix, sys.base_prefix, str(program), str(schemas), "/usr/lib", "/lib", "/usr/share/zoneinfo")


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), "system call refused")
    return result


def _landlock(libc: ctypes.CDLL, readable: list[str], runnable: Sequence[str] = ()) -> int:
    """Apply Landlock; returns the ABI version.

    Raises:
        OSError: the kernel has no Landlock (ENOSYS) or it is switched off (EOPNOTSUPP).
    """
    abi = _checked(libc.syscall(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_CREATE_RULESET_VERSION))
    if abi < 1:
        raise OSError(errno.ENOSYS, "no Landlock")
    attributes = _RulesetAttributes(_FS_RIGHTS.get(abi, _FS_RIGHTS_NEWEST), 0, 0)
    size = ctypes.sizeof(ctypes.c_uint64)
    if abi >= _ABI_WITH_NETWORK:
        attributes.handled_access_net = _NET_RIGHTS
        size *= 2
    if abi >= _ABI_WITH_SCOPES:
        attributes.scoped = _SCOPES
        size = ctypes.sizeof(attributes)
    ruleset = _checked(libc.syscall(_LANDLOCK_CREATE_RULESET, ctypes.byref(attributes), size, 0))
    try:
        for path in readable:
            _allow_reading(libc, ruleset, path)
        for path in runnable:
            _allow_reading(libc, ruleset, path, _EXECUTE)
        _checked(libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)
    return abi


def _allow_reading(libc: ctypes.CDLL, ruleset: int, path: str, more: int = 0) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no permission
    try:
        rights = _READ_FILE | _READ_DIR if os.path.isdir(path) else _READ_FILE  # noqa: PTH112 (plain text paths)
        rule = _PathBeneath(rights | more, handle)
        _checked(libc.syscall(_LANDLOCK_ADD_RULE, ruleset, _LANDLOCK_RULE_PATH_BENEATH, ctypes.byref(rule), 0))
    finally:
        os.close(handle)


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return _INSTRUCTION.pack(code, if_true, if_false, value)


def _seccomp(libc: ctypes.CDLL) -> bool:
    """Apply the system call filter.

    Raises:
        OSError: refused by the kernel, or an architecture without a table here (ENOSYS).
    """
    around = _filter_around()
    if around is None:
        raise OSError(errno.ENOSYS, "no table for this architecture")
    column, before, after = around
    own = [part for pair in OWN_ONLY.values() for part in _only_for_itself(pair[column] or 0, os.getpid())]
    program = b"".join((before, *own, after))
    code = ctypes.create_string_buffer(program, len(program))
    filter_program = _FilterProgram(len(program) // _INSTRUCTION.size, ctypes.addressof(code))
    _checked(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(filter_program), 0, 0))
    return True


@functools.cache
def _filter_around() -> tuple[int, bytes, bytes] | None:
    """The filter but for the calls that name the process itself: the tables' column, what comes before them, and after.

    Returns:
        None for an architecture without a table here.
    """
    known = _ARCHITECTURES.get(platform.machine())
    if known is None:
        return None
    column, audit_arch = known
    numbers = [pair[column] for pair in DENIED.values()]
    deny, allow = _SECCOMP_ERRNO | errno.EPERM, _SECCOMP_ALLOW
    before = [
        _instruction(_BPF_LOAD, 4),  # seccomp_data.arch
        _instruction(_BPF_JUMP_EQUAL, audit_arch, 1, 0),
        _instruction(_BPF_RETURN, _SECCOMP_KILL),
        _instruction(_BPF_LOAD, 0),  # seccomp_data.nr
        _instruction(_BPF_JUMP_SET, _X32_BIT, 0, 1),
        _instruction(_BPF_RETURN, deny),
        _instruction(_BPF_JUMP_EQUAL, _CLONE3, 0, 1),
        _instruction(_BPF_RETURN, _SECCOMP_ERRNO | errno.ENOSYS),
    ]
    for number in numbers:
        if number is not None:
            before += [_instruction(_BPF_JUMP_EQUAL, number, 0, 1), _instruction(_BPF_RETURN, deny)]
    after: list[bytes] = []
    for pair, position, refused in DENIED_ARGUMENTS.values():
        after += _not_with(pair[column] or 0, position, refused)
    after += _deny_new_processes(column)
    after.append(_instruction(_BPF_RETURN, allow))
    return column, b"".join(before), b"".join(after)


def _only_for_itself(number: int, own: int) -> list[bytes]:
    """A call whose first argument names a process may name this one (0 or its id) and no other."""
    first_argument = 16
    return [
        _instruction(_BPF_JUMP_EQUAL, number, 0, 5),
        _instruction(_BPF_LOAD, first_argument),
        _instruction(_BPF_JUMP_EQUAL, 0, 2, 0),
        _instruction(_BPF_JUMP_EQUAL, own, 1, 0),
        _instruction(_BPF_RETURN, _SECCOMP_ERRNO | errno.EPERM),
        _instruction(_BPF_RETURN, _SECCOMP_ALLOW),
    ]


def _not_with(number: int, position: int, refused: tuple[int, ...]) -> list[bytes]:
    """A call whose argument at a position from 0, of 32 bits in the kernel, may be anything but these."""
    first_argument, bytes_each = 16, 8
    compared = [
        part
        for value in refused
        for part in (
            _instruction(_BPF_JUMP_EQUAL, value, 0, 1),
            _instruction(_BPF_RETURN, _SECCOMP_ERRNO | errno.EPERM),
        )
    ]
    return [
        _instruction(_BPF_JUMP_EQUAL, number, 0, len(compared) + 2),
        _instruction(_BPF_LOAD, first_argument + bytes_each * position),
        *compared,
        _instruction(_BPF_RETURN, _SECCOMP_ALLOW),
    ]


def _deny_new_processes(column: int) -> list[bytes]:
    """`clone` may make threads (CLONE_THREAD set) and nothing else."""
    clone_number, clone_thread, flags_offset = (56, 220)[column], 0x00010000, 16
    return [
        _instruction(_BPF_JUMP_EQUAL, clone_number, 0, 3),
        _instruction(_BPF_LOAD, flags_offset),
        _instruction(_BPF_JUMP_SET, clone_thread, 1, 0),
        _instruction(_BPF_RETURN, _SECCOMP_ERRNO | errno.EPERM),
    ]
