"""The whole crash-point table: `python -m tests.crash.full --times 20`.

Each row is run so many times with each kind of fault, with other payloads and moments each time, on as many ranges as
there are processors. Prints a table of results; the exit code is 1 when anything was lost, doubled, half or found.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.crash.held import FAULTS
from tests.crash.points import POINTS, Point
from tests.crash.range import Range, crash_range
from tests.crash.runs import KILLS, Result

WRONGS: Final = ("lost", "doubled", "half-file", "finding", "escaped")


@dataclass
class Tally:
    """What became of one row.

    Attributes:
        runs: number of runs by kind of fault.
        wrong: number of faults by the word that they begin with.
        unexpected: kills that left something else than the table says.
        missed: runs in which the step was not reached.
        examples: the first faults.
    """

    runs: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    unexpected: int = 0
    missed: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Nothing at all is wrong."""
        return not self.wrong and not self.unexpected and not self.missed

    def add(self, point: Point, kind: str, seed: int, result: Result) -> None:
        """Count one run."""
        self.runs[kind] += 1
        self.missed += not result.struck
        if kind == "kill" and result.struck and result.left not in point.left:
            self.unexpected += 1
            self.examples.append(f"{kind} {seed}: left {result.left!r}")
        for fault in result.wrong:
            self.wrong[fault.partition(":")[0]] += 1
            self.examples.append(f"{kind} {seed}: {fault}")


def main() -> int:
    """Run the table; 0 when all is clean."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.full", description="Run the whole crash-point table.")
    parser.add_argument("--times", type=int, default=20, help="kills for each point")
    parser.add_argument("--error-times", type=int, help="runs for each point and kind of error (default: a fifth)")
    parser.add_argument("--play", action="append", help="only this play; may be given again")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, help="write the tallies as JSON")
    options = parser.parse_args()
    points = [point for point in POINTS if not options.play or point.play in options.play]
    errors = max(1, options.times // 5) if options.error_times is None else options.error_times
    start = time.monotonic()
    shares = [points[worker :: options.workers] for worker in range(options.workers)]
    with ThreadPoolExecutor(options.workers) as pool:
        done = list(pool.map(lambda share: _share(share, options.times, errors), shares))
    tallies = {name: tally for share in done for name, tally in share.items()}
    _show(points, tallies, time.monotonic() - start)
    if options.out is not None:
        options.out.write_text(json.dumps({name: vars(tally) for name, tally in tallies.items()}, indent=1))
    return 0 if all(tally.clean for tally in tallies.values()) else 1


def _share(points: list[Point], times: int, errors: int) -> dict[str, Tally]:
    with crash_range() as shooting:
        return {point.name: _point(shooting, point, times, errors) for point in points}


def _point(shooting: Range, point: Point, times: int, errors: int) -> Tally:
    tally = Tally()
    possible = shooting.kinds(point)
    for kind in FAULTS:
        if kind in possible:
            for seed in range(times if kind == "kill" else errors):
                tally.add(point, kind, seed, shooting.run(point, kind, seed))
    mark = "ok" if tally.clean else "WRONG"
    print(f"{mark:6}{point.name} {dict(tally.runs)} {tally.examples[:3] or ''}", file=sys.stderr, flush=True)  # noqa: T201
    return tally


def _show(points: list[Point], tallies: dict[str, Tally], seconds: float) -> None:
    headings = ("play", "points", "kills", "torn writes", "errors", *WRONGS, "unexpected", "missed")
    print("| " + " | ".join(headings) + " |\n|" + "---|" * len(headings))  # noqa: T201
    for play in (*dict.fromkeys(point.play for point in points), "all"):
        mine = [tallies[point.name] for point in points if play in {point.play, "all"}]
        runs = sum((tally.runs for tally in mine), Counter[str]())
        wrong = sum((tally.wrong for tally in mine), Counter[str]())
        cells = [play, len(mine), runs["kill"], runs["torn"], runs.total() - sum(runs[kind] for kind in KILLS)]
        cells += [wrong[word] for word in WRONGS]
        cells += [sum(tally.unexpected for tally in mine), sum(tally.missed for tally in mine)]
        print("| " + " | ".join(map(str, cells)) + " |")  # noqa: T201
    print(f"{seconds:.0f} s")  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
