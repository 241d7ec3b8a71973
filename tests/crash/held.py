"""Runs a piece of the archive's work in a child whose steps are named, and places one fault at one of them.

A step is a disk call below the run's folder, or a statement of a unit of work (SQLite writes nothing before the commit:
its statements are steps because a crash must be survived there too). A `Place` names it by the function whose unit of
work is open and by what is done to which kind of file, so that the same step has the same name in every run.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, event

from app.db import Database
from tests.crash.syscalls import ERRORS, GO_ON, WRITES, Call, Verdict, mark, run_held

_VERBS: Final = {
    "write": "write",
    "pwrite64": "write",
    "writev": "write",
    "pwritev": "write",
    "sendfile": "write",
    "copy_file_range": "write",
    "fsync": "sync",
    "fdatasync": "sync",
    "sync_file_range": "sync",
    "ftruncate": "truncate",
    "truncate": "truncate",
    "fallocate": "truncate",
    "fchmod": "chmod",
    "fchmodat": "chmod",
    "chmod": "chmod",
    "link": "link",
    "linkat": "link",
    "symlink": "symlink",
    "symlinkat": "symlink",
    "rename": "rename",
    "renameat": "rename",
    "renameat2": "rename",
    "unlink": "remove",
    "unlinkat": "remove",
    "rmdir": "remove",
    "mkdir": "make",
    "mkdirat": "make",
    "open": "create",
    "openat": "create",
    "creat": "create",
}
_NAMES: Final = (
    (re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r"/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{64}"), "/ab/cd/SHA256"),
    (re.compile(r"sha256/[0-9a-f]{2}/[0-9a-f]{2}$"), "sha256/ab/cd"),
    (re.compile(r"sha256/[0-9a-f]{2}$"), "sha256/ab"),
    (re.compile(r"\.[0-9a-f]{32}$"), ".HEX"),
    (re.compile(r"(?<=/)[0-9a-f]{32}"), "HEX"),
    (re.compile(r"(?<=/)(?:etilqs_[0-9a-f]+|#[0-9]+)"), "TEMP"),
    (re.compile(r"-[0-9a-f]{16}(?=[.])"), "-KEY"),
)
_TILE: Final = re.compile(r"(?<=[/.])x?[0-9]+(?=[/.]|$)")
FAULTS: Final = ("kill", "torn", "ENOSPC", "EIO", "short", "full")
"""Killed before the step; killed half-way through a write; the step fails (no room, I/O error); a write takes half of
its bytes; there is no room from this step on."""
_GROWS: Final = frozenset({"write", "create", "make", "link", "rename", "truncate"})


@dataclass(frozen=True, order=True, slots=True)
class Place:
    """A kind of step.

    Attributes:
        unit: the function whose unit of work is open, "" outside.
        step: what is done, such as `link blobs/staging/HEX.part`.
    """

    unit: str
    step: str

    def __str__(self) -> str:
        return f"{self.unit or '-'}: {self.step}"


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong.

    Attributes:
        kind: one of FAULTS.
        place: at which kind of step.
        time: at which occurrence of it, from 0.
    """

    kind: str
    place: Place
    time: int = 0


@dataclass
class Record:
    """What was seen of a run.

    Attributes:
        places: every step, in order, up to the fault.
        struck: whether the fault's place was reached.
        code: exit code of the child, or minus the signal.
    """

    places: list[Place] = field(default_factory=list)
    struck: bool = False
    code: int = 0


def applies(kind: str, place: Place) -> bool:
    """Whether a fault of this kind makes sense at a place."""
    verb, _, path = place.step.partition(" ")
    if kind == "kill":
        return True
    if verb == "sql":  # no call of the system
        return False
    if kind in {"torn", "short"}:
        return verb == "write"
    if kind == "ENOSPC":
        return verb in _GROWS or verb == "sync"
    if kind == "full":
        return verb in _GROWS
    return verb != "chmod" and not path.endswith("-shm")


def run(work: Callable[[], None], folder: Path, fault: Fault | None = None) -> Record:
    """Do the work in a child.

    Args:
        work: what to do; whatever it raises ends the child with a code other than 0.
        folder: calls on files elsewhere are not looked at.
        fault: what goes wrong, None for nothing.
    """
    record = Record()
    observer = _Observer(str(folder.resolve()), fault, record)

    def labelled() -> None:
        with _labels():
            work()

    record.code = run_held(labelled, observer.judge)
    return record


class _Observer:
    """Names the steps, counts them and lets the fault strike."""

    def __init__(self, folder: str, fault: Fault | None, record: Record) -> None:
        self._folder = folder + "/"
        self._fault = fault
        self._record = record
        self._seen = Counter[Place]()
        self._units: dict[int, str] = {}

    def judge(self, call: Call) -> Verdict:
        """What becomes of a call."""
        place = self._place(call)
        if place is None:
            return GO_ON
        self._record.places.append(place)
        time, self._seen[place] = self._seen[place], self._seen[place] + 1
        fault = self._fault
        if fault is None:
            return GO_ON
        if self._record.struck:
            no_room = fault.kind == "full" and place.step.partition(" ")[0] in _GROWS and not call.data
            return Verdict(error=ERRORS["ENOSPC"]) if no_room else GO_ON
        if place != fault.place or time != fault.time:
            return GO_ON
        self._record.struck = True
        return _verdict(fault.kind, call)

    def _place(self, call: Call) -> Place | None:
        unit = self._units.get(call.thread, "")
        if call.data:
            word, _, rest = call.data.decode().partition(" ")
            if word == "unit":
                self._units[call.thread] = rest
                return None
            return Place(unit, f"{word} {rest}".strip())
        shown = [self._shown(path) for path in call.paths]
        if not any(shown):
            return None
        verb = _VERBS[call.name]
        if verb in {"write", "sync", "truncate"} and not shown[0]:
            return None
        return Place(unit, f"{verb} {' to '.join(name or '?' for name in shown)}")

    def _shown(self, path: str) -> str:
        path = path.removesuffix(" (deleted)")
        if not (path + "/").startswith(self._folder):
            return ""
        name = "/" + path[len(self._folder) :]
        for pattern, word in _NAMES:
            name = pattern.sub(word, name)
        if "/tile/" in name:
            name = _TILE.sub("N", name)
        return name.removeprefix("/") or "."


def _verdict(kind: str, call: Call) -> Verdict:
    if kind == "kill":
        return Verdict(kill=True)
    part = max(1, call.size // 2) if call.name in WRITES else None
    if kind == "torn":
        return Verdict(kill=True, part=part)
    if kind == "short":
        return Verdict(part=part)
    return Verdict(error=ERRORS["ENOSPC" if kind == "full" else kind])


# -- in the child ----------------------------------------------------------------------------------


@contextmanager
def _labels() -> Iterator[None]:
    """Have units of work and their statements tell where they are."""
    original = Database.write

    @contextmanager
    def write(self: Database) -> Iterator[Any]:
        caller = sys._getframe(2)
        mark(f"unit {caller.f_code.co_qualname}")
        try:
            with original(self) as session:
                if self.is_sqlite:
                    mark("sql begin")  # done, and nothing asked yet
                yield session
        finally:
            mark("unit")

    Database.write = write  # type: ignore[method-assign]
    event.listen(Engine, "before_cursor_execute", _statement)
    event.listen(Engine, "commit", _commit)
    yield


def _statement(*arguments: Any) -> None:  # noqa: ANN401 - SQLAlchemy's own
    words = str(arguments[2]).split()
    verb = words[0].upper()
    if verb in {"INSERT", "DELETE", "CREATE", "ALTER", "DROP"}:
        mark(f"sql {verb.lower()} {words[2]}")
    elif verb == "UPDATE":
        mark(f"sql update {words[1]}")


def _commit(connection: Connection) -> None:
    if connection.get_execution_options().get("catena_write", False):
        mark("sql commit")
