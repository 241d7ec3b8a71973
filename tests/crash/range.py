"""Where crashes are tried: one interpreter that has imported everything, and forks a child for each run.

`Range` is its client: tests and the full run ask it for one run after the other.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final
from unittest import mock

from tests.crash.held import FAULTS, Place, applies
from tests.crash.points import POINTS, Point
from tests.crash.runs import PLAYS, Result, Theatre
from tests.crash.syscalls import GO_ON, UnsupportedError, run_held, supported

ROOT: Final = Path(__file__).resolve().parents[2]
_IN_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - folders of our own in it; a killed process loses no page of memory


class Range:
    """The client of one such interpreter."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.range"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **order: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        """Send an order, wait for the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the range has ended"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def trace(self, play: str) -> set[Place]:
        """Every step of an undisturbed run, in all its ways."""
        return {Place(*pair) for pair in self.ask(trace=play)["places"]}

    def kinds(self, point: Point) -> list[str]:
        """The faults that can be placed at a row's steps."""
        kinds: list[str] = self.ask(kinds=point.name)["kinds"]
        return kinds

    def run(self, point: Point, kind: str, seed: int) -> Result:
        """One run of a row of the table."""
        return Result(**self.ask(point=point.name, kind=kind, seed=seed))

    def close(self) -> None:
        """End it."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.wait()


@contextmanager
def crash_range() -> Iterator[Range]:
    """A range that ends with the block."""
    made = Range()
    try:
        yield made
    finally:
        made.close()


# -- inside the interpreter ------------------------------------------------------------------------


def _serve() -> None:
    from app.analysis.sandbox import preload, sandbox_level
    from app.matching.parsers import PARSERS
    from evidence_store.keys import file as key_file

    # What protects a test's keys may be cheap.
    mock.patch.multiple(key_file, SCRYPT_N=2**10, SCRYPT_P=1).start()
    preload(*PARSERS)
    sandbox_level()  # starts the parsers' fork server, which all children share
    for name in ("av", "cv2", "app.matching.tasks"):
        importlib.import_module(name)  # each child would, on first use
    points = {point.name: point for point in POINTS}
    with tempfile.TemporaryDirectory(dir=_IN_MEMORY if _IN_MEMORY.is_dir() else None) as folder:
        theatre = Theatre(Path(folder))
        places = cache(lambda play: _places(theatre, play))
        for line in sys.stdin:
            print(json.dumps(_answer(json.loads(line), theatre, points, places)), flush=True)  # noqa: T201


def _answer(order: dict[str, Any], theatre: Theatre, points: dict[str, Point], places: Any) -> dict[str, Any]:  # noqa: ANN401
    if "probe" in order:
        return {"supported": _probe()}
    if "trace" in order:
        return {"places": [[place.unit, place.step] for place in places(order["trace"])]}
    point = points[order["kinds"] if "kinds" in order else order["point"]]
    covered = [place for place in places(point.play) if point.covers(place)]
    if "kinds" in order:
        return {"kinds": [kind for kind in FAULTS if any(applies(kind, place) for place in covered)]}
    chosen = [place for place in covered if applies(order["kind"], place)]
    return theatre.perform(point.play, order["kind"], chosen, order["seed"]).as_json()


def _places(theatre: Theatre, play: str) -> list[Place]:
    return sorted({place for variant in range(PLAYS[play].variants) for place in theatre.trace(play, variant)})


def _probe() -> bool:
    """Whether this machine lets us hold calls."""
    try:
        return supported() and run_held(lambda: None, lambda _: GO_ON) == 0
    except (OSError, UnsupportedError):
        return False


if __name__ == "__main__":
    _serve()
