"""exiftool as a second opinion, where it is installed and the settings ask for it.

It is another's parser on a hostile file: it runs in a process group of its own, under limits of memory, CPU, files and
wall-clock time, is killed with its group when one is passed, and only its text comes back. It never stays open between
files: one call, one file, one end.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from typing import Final

from app.analysis.limits import Limits
from app.analysis.probes.readings import clean
from app.errors import CatenaError

MAX_OUTPUT: Final = 8 * 1024 * 1024
MAX_TAGS: Final = 2_000
_CHUNK: Final = 1 << 16
_CHILD: Final = Path(__file__).with_name("opinion_child.py")
_VERSION: Final = "ExifTool:ExifToolVersion"
_NOT_OF_THE_FILE: Final = {"SourceFile", _VERSION}


@dataclass(frozen=True)
class Opinion:
    """What exiftool said: its version, and text by "group:tag" (families 1; numbers as exiftool -n writes them)."""

    version: str
    tags: dict[str, str]


@dataclass(frozen=True)
class NoOpinion:
    """Why there is none: `second_opinion_timeout`, `second_opinion_failed`, `second_opinion_unreadable`."""

    code: str
    detail: str


def find_program(setting: str) -> Path | None:
    """The program to ask.

    Args:
        setting: "off", "auto" (where one is on the PATH) or a path.

    Raises:
        CatenaError: `bad_setting` when a path names no program.
    """
    if setting == "off":
        return None
    if setting == "auto":
        found = shutil.which("exiftool")
        return Path(found) if found else None
    path = Path(setting)
    if not (path.is_file() and os.access(path, os.X_OK)):
        raise CatenaError("bad_setting", f"CATENA_EXIFTOOL names no program: {setting}")
    return path.absolute()


def ask(program: Path, file: Path, limits: Limits) -> Opinion | NoOpinion:
    """Have exiftool read one file.

    Args:
        program: exiftool.
        file: the file to read.
        limits: memory, CPU and wall-clock time.

    Returns:
        Its opinion, or why there is none: that is no fact about the file.
    """
    command = [
        sys.executable, "-I", "-S", str(_CHILD), str(limits.memory_bytes), str(limits.cpu_s), str(program),
        str(file.absolute()),
    ]  # fmt: skip
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}
    try:
        child = subprocess.Popen(  # noqa: S603 (no shell; the program is the settings', the file's path is absolute)
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=environment,
            cwd="/",
        )
    except OSError as error:
        return NoOpinion("second_opinion_failed", f"exiftool could not be started: {error.strerror}")
    try:
        answer = _collect(child, limits.wall_s)
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        if child.stdout is not None:
            child.stdout.close()
    if isinstance(answer, NoOpinion):
        return answer
    return _read(answer, child.returncode)


def _collect(child: subprocess.Popen[bytes], wall_s: float) -> bytes | NoOpinion:
    deadline = time.monotonic() + wall_s
    pending = bytearray()
    descriptor = child.stdout.fileno() if child.stdout is not None else -1
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not connection.wait([descriptor], left):
            return NoOpinion("second_opinion_timeout", f"exiftool gave no answer within {wall_s:g} s")
        part = os.read(descriptor, _CHUNK)
        if not part:
            break
        pending += part
        if len(pending) > MAX_OUTPUT:
            return NoOpinion("second_opinion_failed", f"exiftool's answer passed {MAX_OUTPUT} bytes")
    with suppress(subprocess.TimeoutExpired):  # it closed its output: what it still does is its end
        child.wait(1.0)
    return bytes(pending)


def _read(answer: bytes, status: int | None) -> Opinion | NoOpinion:
    """The one object of exiftool's list; numbers keep the digits that exiftool wrote."""
    try:
        found = json.loads(answer.decode("utf-8", "replace"), parse_int=str, parse_float=str, parse_constant=str)
        first = found[0]
        version = str(first[_VERSION])
        pairs = list(first.items())
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return NoOpinion("second_opinion_unreadable", f"exiftool ended with status {status} and no record")
    tags = {
        clean(name)[:200]: clean(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in pairs[:MAX_TAGS]
        if name not in _NOT_OF_THE_FILE and value not in ("", None)
    }
    return Opinion(clean(version)[:40], tags)
