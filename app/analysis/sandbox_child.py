"""The confined side: take the limits on, run one function, write one frame, be gone.

Runs in a child of the fork server. Nothing here trusts the file that is parsed; the parent trusts
nothing that comes back.
"""

from __future__ import annotations

import fcntl
import importlib
import os
import resource
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import forkserver
from typing import cast

from app.analysis.confinement import Confinement, confine
from app.analysis.errors import AnalysisError
from app.analysis.limits import Limits
from app.analysis.sandbox_frames import CONFINED, MAX_HEADER, PREFIX, encode_frame, encode_part

_FIRST_FREE_FD = 3
_HIGHEST_FD = 4096
_MOST_THREADS = 8192
_applied: Confinement | None = None
_answer_fd: int | None = None


@dataclass(frozen=True)
class Job:
    """One run; sent to the fork server's child, which calls `_bootstrap`.

    `required` names the parts of the confinement (`rlimits`, `landlock`, `seccomp`) without which nothing is parsed.
    """

    target: str
    args: tuple[object, ...]
    limits: Limits
    readable: tuple[str, ...]
    required: tuple[str, ...] = ()

    def _bootstrap(self, parent_sentinel: int) -> int:
        """Entry point that `multiprocessing.spawn` calls in the child; never returns."""
        del parent_sentinel
        status = 1
        try:
            result_fd = _own_session()
            status = _serve(self, result_fd)
        finally:
            os._exit(status)


def _own_session() -> int:
    """Lead an own process group, drop every inherited descriptor but the result pipe; returns it."""
    inherited = forkserver.get_inherited_fds()
    if not inherited:
        raise OSError("no result pipe was handed over")
    result_fd = inherited[0]
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.closerange(_FIRST_FREE_FD, result_fd)
    os.closerange(result_fd + 1, _HIGHEST_FD)
    return result_fd


def _take_limits(limits: Limits) -> None:
    with suppress(OSError, ValueError):  # a user who has more already keeps them; root has no such limit
        resource.setrlimit(resource.RLIMIT_NPROC, (_MOST_THREADS, _MOST_THREADS))
    for which, most in _ceilings(limits).items():
        hard = most + 1 if which == resource.RLIMIT_CPU else most
        resource.setrlimit(which, (most, hard))


def _ceilings(limits: Limits) -> dict[int, int]:
    return {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_CPU: limits.cpu_s,
        resource.RLIMIT_AS: limits.memory_bytes,
    }


def _resolve(target: str) -> Callable[..., object]:
    module_name, _, name = target.partition(":")
    return cast("Callable[..., object]", getattr(importlib.import_module(module_name), name))


def _serve(job: Job, result_fd: int) -> int:
    global _applied, _answer_fd  # noqa: PLW0603 (one child serves one job)
    _answer_fd = result_fd
    function = _resolve(job.target)
    _applied = confine(job.readable)
    _take_limits(job.limits)
    missing = [part for part in job.required if not _holds(part, job.limits, _applied)]
    if missing:
        detail = "; ".join([f"without {' and '.join(missing)} nothing is parsed here", *_applied.reasons])
        _write(result_fd, _refusal("sandbox_insufficient", detail))
        return 0
    _write(result_fd, CONFINED)  # from here on a hostile file may speak, and cannot say that it was not confined
    try:
        frame = _answer(function(*job.args), job.limits)
    except MemoryError:
        frame = _refusal("parser_memory", "the parser asked for more memory than it may have")
    except AnalysisError as error:
        frame = _refusal("parser_error", error.detail, error.code)
    except Exception as error:  # noqa: BLE001 (parsers of hostile input raise anything; all of it is one answer)
        frame = _refusal("parser_error", f"{type(error).__name__}: {error}"[:500])
    _write(result_fd, frame)
    return 0


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def send_part(header: dict[str, object], body: bytes = b"") -> None:
    """Send a part of a long answer ahead of its end; waits while the parent has not taken the ones before.

    Args:
        header: a small JSON object.
        body: at most 1 MiB.

    Raises:
        OSError: not in a child of the sandbox, or its parent has gone.
    """
    if _answer_fd is None:
        raise OSError("no pipe to answer through")
    _write(_answer_fd, encode_part(header, body))


def send_progress(done: int, total: int) -> None:
    """Send how far a long answer is, as a part `progress`; raises as `send_part`."""
    send_part({"part": "progress", "done": done, "total": total})


def _holds(part: str, limits: Limits, applied: Confinement) -> bool:
    """Whether a part of the confinement is really there: tried, not believed."""
    if part == "landlock":
        return applied.landlock_abi > 0 and _refused(lambda: os.close(os.open("/", os.O_RDONLY | os.O_DIRECTORY)))
    if part == "seccomp":
        tried: tuple[Callable[[], object], ...] = (lambda: socket.socket().close(), _owns_the_signals_of_a_descriptor)
        return applied.seccomp and all(map(_refused, tried))
    return all(resource.getrlimit(which)[0] == most for which, most in _ceilings(limits).items())


def _owns_the_signals_of_a_descriptor() -> None:
    """Of its own, nobody's: harmless where it is let through."""
    fcntl.fcntl(0, fcntl.F_SETOWN, 0)


def _refused(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except PermissionError:
        return True
    return False


def _refusal(code: str, detail: str, reason: str | None = None) -> bytes:
    return encode_frame({"ok": False, "code": code, "detail": detail, "reason": reason}, b"")


def _answer(result: object, limits: Limits) -> bytes:
    """Frame a result: bytes, a JSON value, or a pair (JSON value, bytes)."""
    if isinstance(result, bytes):
        frame = encode_frame({"ok": True, "shape": "bytes"}, result)
    elif isinstance(result, tuple):
        value, body = result
        frame = encode_frame({"ok": True, "shape": "pair", "value": value}, body)
    else:
        frame = encode_frame({"ok": True, "shape": "json", "value": result}, b"")
    header_length = PREFIX.unpack_from(frame)[1]
    if len(frame) > limits.output_bytes or header_length > MAX_HEADER:
        return _refusal("output_too_large", f"the answer has {len(frame)} bytes")
    return frame


def report_level() -> dict[str, object]:
    """What this child could and could not do: asked through the sandbox itself."""
    try:
        socket.socket().close()
    except OSError:
        network = "denied"
    else:
        network = "allowed"
    applied = _applied or Confinement(landlock_abi=0, seccomp=False, reasons=())
    return {
        "rlimits": resource.getrlimit(resource.RLIMIT_FSIZE) == (0, 0),
        "landlock": applied.landlock_abi,
        "seccomp": applied.seccomp,
        "network": network,
        "reasons": list(applied.reasons),
    }
