"""`catena ingest --watch`: a folder into which files come, and from which each is taken once it is complete.

1. A file is complete when size and time of the last write have stayed the same for some seconds. Polling is plain and
   works on every file system, network shares included.
2. Nothing in the folder is moved, changed or deleted.
3. The journal of a watched folder does not end with the command: what was taken before a restart is not offered again.
4. What failed for a reason of its own is tried again when the file changes; what the environment refused, at each look.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.cli.common import ENVIRONMENT, Context, exit_code_of
from app.cli.destination import Destination, Wish, destination
from app.cli.outcome import Outcome, Refused
from app.intake.collections.entries import Entry

if TYPE_CHECKING:
    from pathlib import Path

LOOK_SECONDS = 2.0
SETTLE_SECONDS = 3.0

State = tuple[tuple[str, int, int], ...]


def watch_folders(context: Context, wish: Wish, stop: threading.Event) -> Outcome:
    """Take what comes, until told to stop.

    Returns:
        What became of all files since the start.
    """
    watch = Watch()
    with destination(context, wish, stop) as place:
        context.say(f"ingest: watching {', '.join(str(path) for path in wish.paths)}; Ctrl-C ends")
        while not stop.is_set():
            _look(context, wish, place, watch, stop)
            stop.wait(LOOK_SECONDS)
    return watch.total()


@dataclass
class Watch:
    """What is known of the files of a watched folder.

    Attributes:
        clock: seconds; the tests' own.
        done: state in which each entry was dealt with.
        all: what became of the files so far; of failures only the last one of each file.
    """

    clock: Callable[[], float] = time.monotonic
    done: dict[Path, State] = field(default_factory=dict)
    all: Outcome = field(default_factory=Outcome)
    _seen: dict[Path, tuple[State, float]] = field(default_factory=dict)
    _failed: dict[str, Refused] = field(default_factory=dict)
    _left_out: dict[str, Refused] = field(default_factory=dict)
    _problems: dict[str, Refused] = field(default_factory=dict)

    def ready(self, entries: Sequence[Entry]) -> list[tuple[Entry, State]]:
        """Entries that are complete and not dealt with."""
        now = self.clock()
        found = []
        for entry in entries:
            state = state_of(entry)
            before = self._seen.get(entry.path)
            if before is None or before[0] != state:
                self._seen[entry.path] = (state, now)
            elif now - before[1] >= SETTLE_SECONDS and self.done.get(entry.path) != state:
                found.append((entry, state))
        return found

    def note(self, batch: list[tuple[Entry, State]], outcome: Outcome) -> None:
        """What became of a batch."""
        failed: dict[str, Refused] = {}
        for one in outcome.refused:
            if one.path not in failed or failed[one.path].exit_code <= one.exit_code:
                failed[one.path] = one
        environment = {path for path, one in failed.items() if one.exit_code >= ENVIRONMENT}
        for entry, state in batch:
            paths = {str(entry.path), *(str(one.path) for one in entry.sidecars)}
            for path in paths:
                self._failed.pop(path, None)
            if not paths & environment:
                self.done[entry.path] = state
        self._failed |= failed
        self.all.taken += outcome.taken
        self.all.skipped += [one for one in outcome.skipped if one.reason == "known"]
        self.all.sidecars += [one for one in outcome.sidecars if one not in self.all.sidecars]

    def leave_out(self, left_out: list[Refused]) -> list[Refused]:
        """Note what is left out; returns what is new of it."""
        new = [one for one in left_out if one.path not in self._left_out]
        self._left_out |= {one.path: one for one in new}
        return new

    def problems(self, found: list[Refused]) -> list[Refused]:
        """Note what the last look could not read; returns what is new of it."""
        new = [one for one in found if self._problems.get(one.path) != one]
        self._problems = {one.path: one for one in found}
        return new

    def total(self) -> Outcome:
        """What became of all files; the exit code is that of the worst that was not made good, or of what followed."""
        self.all.refused = list({**self._problems, **self._failed}.values())
        self.all.exit_code = max([self.all.exit_code, *(one.exit_code for one in self.all.refused)])
        self.all.left_out = list(self._left_out.values())
        return self.all


def state_of(entry: Entry) -> State:
    """Path, size and time of the last write of an entry's files; what cannot be looked at counts as empty."""
    states = []
    for path in (entry.path, *(one.path for one in entry.sidecars)):
        try:
            told = path.stat()
            states.append((str(path), told.st_size, told.st_mtime_ns))
        except OSError:
            states.append((str(path), -1, -1))
    return tuple(states)


def _look(context: Context, wish: Wish, place: Destination, watch: Watch, stop: threading.Event) -> None:
    try:
        with wish.read(context) as found:
            pass
    except OSError as error:
        unread = Refused(str(error.filename), "unreadable", str(error.strerror), exit_code_of(error))
        for one in watch.problems([unread]):
            context.say(f"ingest: {one.path}: {one.detail}; looking again")
        return
    for one in watch.problems([Refused(p.where, p.code, p.detail) for p in found.problems]):
        context.say(f"ingest: {one.path}: {one.code}: {one.detail}")
    left_out = [Refused(str(one.path), one.code, one.detail) for one in found.left_out]
    for one in watch.leave_out(left_out):
        context.say(f"ingest: left out: {one.path}: {one.code}: {one.detail}")
    batch = watch.ready(found.entries)
    if not batch or stop.is_set():
        return
    outcome = place.take(place.taking(), [entry for entry, _ in batch])
    watch.note(batch, outcome)
    if outcome.taken:
        place.after(watch.all)
    for taken in outcome.taken:
        context.say(f"ingest: taken: {taken.path}: item {taken.id}")
    for skipped in outcome.skipped:
        context.say(f"ingest: skipped: {skipped.path}: is item {skipped.item}")
    for refused in outcome.refused:
        context.say(f"ingest: not taken: {refused.path}: {refused.code}: {refused.detail}")
