"""What hostile content might make a parser do; each runs inside the sandbox only."""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import resource
import signal
import socket
import struct
import threading
import time
from contextlib import suppress
from pathlib import Path

from app.analysis import credentials
from app.analysis.asked import Asked
from app.analysis.errors import AnalysisError
from app.analysis.sandbox_child import send_part
from app.analysis.sandbox_frames import encode_frame
from app.analysis.tasks import metadata_task, whole_task


def double(number: int) -> int:
    return 2 * number


def dies_on_a_photo(_path: Path, _kind: str) -> bytes:
    os.kill(os.getpid(), signal.SIGKILL)
    return b""


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


_LIBC = ctypes.CDLL(None, use_errno=True)


def _called(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def signals_a_thread_of_its_parent() -> int:
    return _called(_LIBC.tgkill(os.getppid(), os.getppid(), signal.SIGKILL))


def limits_its_parent() -> None:
    resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (3, 3))


def lowers_its_own_limit() -> int:
    resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def names_an_owner_of_signals() -> None:
    fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, os.getppid())


def names_an_owner_by_the_newer_command() -> None:
    fcntl.fcntl(os.pipe()[0], 15, struct.pack("ii", 1, os.getppid()))  # F_SETOWN_EX, F_OWNER_PID


def chooses_the_signal() -> None:
    fcntl.fcntl(os.pipe()[0], 10, signal.SIGKILL)  # F_SETSIG


def names_an_owner_as_sockets_do() -> None:
    fcntl.ioctl(os.pipe()[0], 0x8901, struct.pack("i", os.getppid()))  # FIOSETOWN


def names_a_group_as_sockets_do() -> None:
    fcntl.ioctl(os.pipe()[0], 0x8902, struct.pack("i", os.getppid()))  # SIOCSPGRP


def outlives_its_parent() -> int:
    return _called(_LIBC.prctl(1, 0, 0, 0, 0))  # PR_SET_PDEATHSIG, none


def outlives_its_parent_with_bits_that_the_kernel_drops() -> int:
    number = 167 if platform.machine() == "aarch64" else 157
    return _called(_LIBC.syscall(number, ctypes.c_ulong(1 | 1 << 32), 0, 0, 0, 0))


def outlives_its_parent_as_another_user() -> int:
    number = 147 if platform.machine() == "aarch64" else 117
    return _called(_LIBC.syscall(number, 65534, 65534, 65534))


def flushes_the_disks() -> int:
    return _called(_LIBC.syscall(81 if platform.machine() == "aarch64" else 162))


def flushes_one_disk(path: Path) -> int:
    with path.open() as own:
        return _called(_LIBC.syncfs(own.fileno()))


def flushes_a_part_of_a_file(path: Path) -> int:
    with path.open() as own:
        return _called(_LIBC.sync_file_range(own.fileno(), ctypes.c_int64(0), ctypes.c_int64(0), 7))


def flushes_its_file(path: Path) -> None:
    with path.open() as own:
        os.fsync(own.fileno())


def locks_its_file(path: Path) -> None:
    with path.open() as own:
        fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the file of an upload that is being finished is held so


def leases(path: Path) -> None:
    with path.open() as own:
        fcntl.fcntl(own, 1024, fcntl.F_WRLCK)  # F_SETLEASE: others wait in open() until it is given back


def leases_for_reading(path: Path) -> None:
    with path.open() as own:
        fcntl.fcntl(own, 1024, fcntl.F_RDLCK)


def asks_to_be_told_of_a_folder() -> None:
    folder = os.open(Path(__file__).parents[1] / "app", os.O_RDONLY | os.O_DIRECTORY)
    fcntl.fcntl(folder, 1026, 1)  # F_NOTIFY, DN_ACCESS


def makes_a_timer() -> int:
    if platform.machine() == "aarch64":
        return _called(_LIBC.syscall(107, time.CLOCK_MONOTONIC, None, ctypes.byref(ctypes.c_int())))
    return _called(_LIBC.syscall(222, time.CLOCK_MONOTONIC, None, ctypes.byref(ctypes.c_int())))


def binds_its_parent_to_one_processor() -> None:
    os.sched_setaffinity(os.getppid(), os.sched_getaffinity(os.getppid()))


def asks_for_the_time_slice_of_its_parent() -> None:
    os.sched_rr_get_interval(os.getppid())


def asks_for_the_locks_of_its_parent() -> int:
    number = 100 if platform.machine() == "aarch64" else 274
    where, size = ctypes.c_void_p(), ctypes.c_size_t()
    return _called(_LIBC.syscall(number, os.getppid(), ctypes.byref(where), ctypes.byref(size)))


def asks_for_the_disk_priority_of_its_parent() -> int:
    return _called(_LIBC.syscall(31 if platform.machine() == "aarch64" else 252, 1, os.getppid()))


def binds_itself_and_reads_flags() -> bool:
    """What stays allowed of the calls that are looked into."""
    os.sched_setaffinity(0, os.sched_getaffinity(0))
    os.sched_setaffinity(os.getpid(), os.sched_getaffinity(0))
    end = os.pipe()[0]
    fcntl.fcntl(end, fcntl.F_SETFL, fcntl.fcntl(end, fcntl.F_GETFL) | os.O_NONBLOCK)
    waiting = bytearray(4)
    fcntl.ioctl(end, 0x541B, waiting)  # FIONREAD
    return bool(fcntl.fcntl(end, fcntl.F_GETFL) & os.O_NONBLOCK)


def leaves_its_group() -> None:
    os.setsid()


def changes_rights(path: Path) -> None:
    path.chmod(0o777)


def changes_times(path: Path) -> None:
    os.utime(path, (0, 0))


def leaves_memory_behind() -> int:
    return _called(_LIBC.shmget(0, 1 << 20, 0o600 | 0o1000))


def makes_a_file_in_memory() -> int:
    return os.memfd_create("x")


def sets_the_clock() -> None:
    time.clock_settime(time.CLOCK_REALTIME, time.time())


def writes_to_shared_memory() -> None:
    Path("/dev/shm/planted").write_text("x")  # noqa: S108 - the attack


def eats_memory_in_threads() -> int:
    kept: list[bytearray] = []
    all_there = threading.Event()

    def eat() -> None:
        all_there.wait()
        while True:
            kept.append(bytearray(b"x" * 20_000_000))

    failures: list[type[BaseException]] = []

    def note(told: threading.ExceptHookArgs) -> None:
        failures.append(told.exc_type)

    threading.excepthook = note
    threading.stack_size(256 * 1024)  # stacks of 8 MiB, and an arena of 64 for each, would leave no room for the last
    threads = [threading.Thread(target=eat) for _ in range(20)]
    for thread in threads:
        thread.start()
    all_there.set()
    for thread in threads:
        thread.join()
    assert set(failures) == {MemoryError}
    return sum(map(len, kept))


def open_descriptors() -> list[int]:
    found = []
    for descriptor in range(4096):
        try:
            os.fstat(descriptor)
        except OSError:
            continue
        found.append(descriptor)
    return found


def environment() -> list[str]:
    return sorted(os.environ)


def claims_that_it_was_not_confined() -> None:
    frame = encode_frame({"ok": False, "code": "sandbox_insufficient", "detail": "let me wait"}, b"")
    for descriptor in open_descriptors()[3:]:
        with suppress(OSError):
            os.write(descriptor, frame)
    os._exit(0)


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


def whole_whose_credentials_kill(path: Path, original_name: str, asked: Asked, further: str | None) -> bytes:
    """The reader of content credentials takes the process with it, as native code can."""

    def dies(*_: object) -> None:
        os.abort()

    vars(credentials)["read_c2pa"] = dies
    return whole_task(path, original_name, asked, further)


_FORGED: dict[str, tuple[str, bytes, dict[str, object]]] = {
    "record that is none": ("record", b"{}", {}),
    "preview of no size": ("preview", b"<html>", {"media_type": "image/jpeg", "width": "wide", "height": None}),
    "preview that is a page": ("preview", b"<script>", {"media_type": "text/html", "width": 2, "height": 2}),
    "preview beyond a column": ("preview", b"x", {"media_type": "image/jpeg", "width": 2**70, "height": 2}),
    "part of no known name": ("extra", b"x", {}),
}


def whole_that_is_forged(path: Path, original_name: str, _asked: Asked, further: str | None) -> bytes:
    """Parts as a parser sends them that is in an attacker's hands; `original_name` says which."""
    part, body, facts = _FORGED[original_name]
    if part != "record":
        send_part({"part": "record", "last": True}, metadata_task(path, "a.jpg"))
    send_part({"part": part, "last": True, **facts}, body)
    return further.encode() if further else b""


def whole_in_parts_without_end(path: Path, original_name: str, _asked: Asked, _further: str | None) -> bytes:
    """Parts of no bytes, each with a long header."""
    send_part({"part": "record", "last": True}, metadata_task(path, original_name))
    while True:
        send_part({"part": "preview", "padding": "x" * 4000})


def no_fingerprint(_path: Path, _kind: str) -> bytes:
    return b"CFP1 and then something else"
