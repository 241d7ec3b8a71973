"""Run one parser on one hostile file in a process of its own.

The fork server (of multiprocessing) holds the parsers loaded; each call forks one child from it,
which takes on resource limits and confinement, answers in one frame and dies. On an overrun the
child's whole process group is killed. Calls may come from any thread.

The fork server's own `Process` is not used: it would import the parent's `__main__` into every
child, and its bookkeeping loses exit codes when several threads start processes.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection, forkserver
from pathlib import Path
from typing import cast

from app.analysis.errors import SandboxFailure, SandboxUnfitError
from app.analysis.limits import Limits
from app.analysis.sandbox_child import Job
from app.analysis.sandbox_frames import CONFINED, Frame, decode_frame, take_part

__all__ = ["Limits", "SandboxFailure", "SandboxUnfitError", "demand", "preload", "run_sandboxed", "sandbox_level"]

PARTS = ("rlimits", "landlock", "seccomp")
# What the fork server, and so every parser, may know of our environment: nothing that could be a secret.
_HANDED_ON = ("PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
_HANDED_ON_KINDS = ("LC_", "PYTHON", "COVERAGE_", "OMP_", "OPENBLAS_")

_preloaded = [
    "app.analysis.extract",
    "app.analysis.preview",
    "app.analysis.sandbox_child",
    "app.analysis.tasks",
    "exifread",
    "defusedxml.ElementTree",
    "PIL.Image",
    "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin",
    "PIL.TiffImagePlugin",
    "PIL.WebPImagePlugin",
    "PIL.ImageDraw",
    "pillow_heif",
    "av",
    "cv2",
]
_launch_lock = threading.Lock()
_demanded: tuple[str, ...] | None = None
_READ_SIZE = 1 << 16
_REAP_S = 5.0


def preload(*modules: str) -> None:
    """Have the fork server import these too; only before the first run, later calls change nothing."""
    with _launch_lock:
        _preloaded.extend(name for name in modules if name not in _preloaded)


def demand(mode: str) -> None:
    """Say what a parser's confinement must hold; for the whole process.

    Args:
        mode: `require`: rlimits, Landlock and seccomp, or nothing is parsed; `prefer`: all that this machine offers.
    """
    global _demanded  # noqa: PLW0603 (as the fork server, it belongs to the process)
    _demanded = PARTS if mode == "require" else None


def shortcomings() -> list[str]:
    """The parts that are demanded and that this machine does not offer.

    Raises:
        SandboxUnfitError: no process could be started.
    """
    level = sandbox_level()
    return [part for part in _demanded or () if not level[part]]


def _required() -> tuple[str, ...]:
    if _demanded is not None:
        return _demanded
    level = sandbox_level()
    return tuple(part for part in PARTS if level[part])


@dataclass
class _Child:
    """A running child: its pid, the pipe that tells its exit status, the pipe of its answer."""

    pid: int
    status_fd: int
    result_fd: int

    def kill(self) -> None:
        for kill in (os.killpg, os.kill):
            with suppress(ProcessLookupError, PermissionError):
                kill(self.pid, signal.SIGKILL)

    def exit_code(self) -> int | None:
        """Exit status, negative for a signal; None when the fork server cannot tell."""
        if not connection.wait([self.status_fd], _REAP_S):
            return None
        try:
            return int(forkserver.read_signed(self.status_fd))
        except (OSError, EOFError):
            return None

    def close(self) -> None:
        os.close(self.status_fd)
        os.close(self.result_fd)


def _alive(pid: int | None) -> bool:
    """Whether the fork server, a child of this process, runs."""
    try:
        return pid is not None and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except OSError:
        return False


@contextlib.contextmanager
def _without_secrets() -> Iterator[None]:
    """The fork server is started with our environment: a hostile file must not find a passphrase there."""
    if _alive(getattr(forkserver._forkserver, "_forkserver_pid", None)):  # noqa: SLF001
        yield  # other threads read the environment: it is touched only when a fork server is to be started
        return
    kept = {
        name: os.environ.pop(name)
        for name in list(os.environ)
        if name not in _HANDED_ON and not name.startswith(_HANDED_ON_KINDS)
    }
    try:
        yield
    finally:
        os.environ.update(kept)


def _launch(job: Job) -> _Child:
    """Fork one child for the job; OSError or EOFError when the fork server is not there."""
    result_fd, child_end = os.pipe()
    try:
        with _launch_lock:
            forkserver.set_forkserver_preload(list(_preloaded))
            with _without_secrets():
                forkserver.ensure_running()
            status_fd, request_fd = forkserver.connect_to_new_process([child_end])
    except BaseException:
        os.close(result_fd)
        raise
    finally:
        os.close(child_end)
    try:
        with open(request_fd, "wb") as request:  # noqa: PTH123 (a descriptor, not a path)
            # Without `init_main_from_*` the child leaves the parent's __main__ alone.
            pickle.dump({"name": "catena-sandbox", "sys_path": list(sys.path)}, request)
            pickle.dump(job, request)
        return _Child(forkserver.read_signed(status_fd), status_fd, result_fd)
    except BaseException:
        os.close(status_fd)
        os.close(result_fd)
        raise


def _start(job: Job) -> _Child:
    """Launch, once more when the fork server had died (it is restarted by the second attempt)."""
    try:
        return _launch(job)
    except (OSError, EOFError):
        pass
    try:
        return _launch(job)
    except (OSError, EOFError) as error:
        raise SandboxUnfitError("sandbox_unavailable", f"no process could be started: {error!r}") from error


OnPart = Callable[[dict[str, object], bytes], None]


def _collect(child: _Child, limits: Limits, on_part: OnPart | None) -> tuple[bool, bytes]:
    """Read the answer until the child closes it; parts that come before it are handed on.

    Returns:
        Whether the child was confined before it looked at the file, and its answer.

    Raises:
        SandboxFailure: `parser_timeout` or `output_too_large`, `parser_error` for parts out of form.
    """
    deadline = time.monotonic() + limits.wall_s
    pending = bytearray()
    confined: bool | None = None
    while True:
        remaining = deadline - time.monotonic()
        if remaining <= 0 or not connection.wait([child.result_fd], remaining):
            raise SandboxFailure("parser_timeout", f"no answer within {limits.wall_s:g} s")
        part = os.read(child.result_fd, _READ_SIZE)
        if not part:
            return confined is True, bytes(pending)
        pending += part
        if confined is None:
            confined = pending.startswith(CONFINED)
            del pending[: len(CONFINED) if confined else 0]
        if confined and on_part is not None:
            _hand_on(pending, on_part)
        if len(pending) > limits.output_bytes + _READ_SIZE:
            raise SandboxFailure("output_too_large", f"the answer passed {limits.output_bytes} bytes")


def _hand_on(pending: bytearray, on_part: OnPart) -> None:
    while True:
        try:
            part = take_part(pending)
        except ValueError as error:
            raise SandboxFailure("parser_error", "the answer came in parts that have no form") from error
        if part is None:
            return
        on_part(part.header, part.body)


def _failure_of_exit(code: int | None) -> SandboxFailure:
    if code is None:
        return SandboxFailure("parser_crashed", "the process was lost")
    if code == -signal.SIGXCPU:
        return SandboxFailure("parser_cpu", "the parser used up its CPU time")
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return SandboxFailure("parser_crashed", f"the parser died by {name}")
    return SandboxFailure("parser_crashed", f"the parser ended with status {code} and no answer")


def _result_of(frame: Frame) -> object:
    header = frame.header
    if header.get("ok") is not True:
        code, detail, reason = header.get("code"), header.get("detail"), header.get("reason")
        known = code if code in {"parser_memory", "parser_error", "output_too_large"} else "parser_error"
        raise SandboxFailure(str(known), str(detail)[:1000], reason=None if reason is None else str(reason)[:100])
    if header.get("shape") == "bytes":
        return frame.body
    if header.get("shape") == "pair":
        return header.get("value"), frame.body
    return header.get("value")


def run_sandboxed(
    target: str,
    args: tuple[object, ...],
    limits: Limits | None = None,
    *,
    readable: Sequence[Path] = (),
    on_part: OnPart | None = None,
    required: tuple[str, ...] | None = None,
) -> object:
    """Call a function in a confined process.

    Args:
        target: "module:function"; it returns bytes, a JSON value, or a pair (JSON value, bytes).
        args: picklable arguments; each Path is made absolute and may be read in the child.
        limits: ceilings of the run.
        readable: more files or folders that the child may read.
        on_part: takes (header, body) of each part that the function sends ahead by `sandbox_child.send_part`. They
            are not counted into `output_bytes`; what it raises ends the run. Without it, parts are no answer.
        required: parts of the confinement that must hold, or nothing is parsed; else what is demanded here.

    Returns:
        What the function returned: bytes, the JSON value, or the pair.

    Raises:
        SandboxFailure: with one of its stable codes.
        SandboxUnfitError: `sandbox_unavailable` or `sandbox_insufficient`: the file was not looked at.
    """
    limits = limits or Limits()
    required = _required() if required is None else required
    absolute = tuple(arg.absolute() if isinstance(arg, Path) else arg for arg in args)
    may_read = tuple(
        str(path) for path in (*absolute, *(path.absolute() for path in readable)) if isinstance(path, Path)
    )
    child = _start(Job(target, absolute, limits, may_read, required))
    try:
        confined, data = _collect(child, limits, on_part)
    finally:
        # The group goes as a whole: a grandchild may outlive its leader. At once, for after the exit status was told
        # the number may be another's. A child that has ended by itself keeps the status it ended with.
        child.kill()
        code = child.exit_code()
        child.close()
    frame = decode_frame(data)
    if frame is None:
        raise _failure_of_exit(code)
    if not confined and frame.header.get("code") == "sandbox_insufficient":
        raise SandboxUnfitError("sandbox_insufficient", str(frame.header.get("detail"))[:500])
    return _result_of(frame)


@functools.cache
def sandbox_level() -> dict[str, object]:
    """What the confinement amounts to on this machine.

    Returns:
        `rlimits` (bool), `landlock` (ABI version, 0 for none), `seccomp` (bool), `network`
        ("denied" or "allowed", tried in a child), `reasons` (why a part is missing).
    """
    return cast("dict[str, object]", run_sandboxed("app.analysis.sandbox_child:report_level", (), required=()))
