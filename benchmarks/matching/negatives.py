"""Pairs of strangers in great number: `python -m benchmarks.matching.negatives --items 1415 --minutes 40 --out FILE`.

Every query is an edited copy of one of the items and a stranger to all others. Fingerprints are kept in the cache, so
that a run that reaches its time goes on where it stopped; it reports the pairs it has seen. Two ways of looking:

1. `archive`: `app.matching.known` as an archive of so many photos uses it, unchanged: the index leaves all but the
   nearest 16 out, the count of shared points more of these, and the rest are compared. Each pair counts, with the stage
   that it came to.
2. `in full`: no index, as in an archive of at most 300 photos: each pair's nearest hashes, its shared points, and where
   either speaks for it the comparison. A part of the pairs, as many as the time allows.

Runs of several seeds add up (`--merge`).
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np

from app.db import Database
from app.matching import known
from app.matching.compare import compare
from app.matching.format import Fingerprint
from app.matching.index import hamming
from app.matching.known import UNKNOWN_DISTANCE, Known, worth_comparing
from app.matching.recipe import ALGORITHM_ID
from benchmarks.matching.media import PACKAGES, Photos
from benchmarks.matching.prints import EDITS, OUT_OF_FOCUS, Prints
from benchmarks.matching.stats import wilson

SHARE: Final = 0.4  # of the time for comparing, at most for the archive's way


class Stages:
    """The archive's way, with a count of how far each pair came."""

    def __init__(self, prints: Prints) -> None:
        """Open the fingerprints as an archive."""
        self._known = Known(Database(f"sqlite:///{prints.path}"), ALGORITHM_ID)
        self.counts: Counter[str] = Counter()
        known.worth_comparing = self._gate

    def _gate(self, query: Fingerprint, candidate: Fingerprint, distance: int) -> tuple[bool, ...]:
        ways = worth_comparing(query, candidate, distance)
        self.counts["compared" if ways else "left out for their points"] += 1
        return ways

    def search(self, query: Fingerprint) -> dict[str, str]:
        """Verdicts by item."""
        return {found.item: found.verdict for found in self._known.search(query, without=set())}


def _words(made: Fingerprint, *, turned: bool) -> np.ndarray[Any, np.dtype[np.uint64]]:
    rows = [row.value for row in made.hashes if turned or row.dihedral == 0]
    return np.frombuffer(b"".join(rows), np.uint64).reshape(-1, 4)


class InFull:
    """Each pair by itself, without an index."""

    def __init__(self, items: dict[str, Fingerprint]) -> None:
        """Lay all hashes side by side."""
        self.names, self._prints = list(items), list(items.values())
        words = [_words(made, turned=False) for made in self._prints]
        self._owner = np.repeat(np.arange(len(words)), [len(part) for part in words])
        self._table = np.concatenate(words)

    def search(self, query: Fingerprint) -> dict[str, str]:
        """Verdicts by item."""
        far = np.full(len(self.names), UNKNOWN_DISTANCE)
        if query.hashes:
            np.minimum.at(far, self._owner, hamming(_words(query, turned=True), self._table).min(axis=0))
        said = {}
        for number, item in enumerate(self._prints):
            ways = worth_comparing(query, item, int(far[number]))
            found = compare(query, item, mirrored=ways) if ways else None
            if found is not None:
                said[self.names[number]] = found.verdict
        return said


def measure(photos: Photos, cache: Path, count: int, seed: int, minutes: float) -> dict[str, Any]:
    """Fingerprints first, then both ways until the time is over or every copy had its turn."""
    ends = time.monotonic() + 60 * minutes
    prints = Prints(photos, cache, seed)
    prints.make(count, ends)
    items = prints.items()
    stages, full = Stages(prints), InFull(items)
    seen: Counter[str] = Counter()
    said: dict[str, Counter[str]] = {"archive": Counter(), "in full": Counter(), "own": Counter()}
    false: list[str] = []
    begun = time.monotonic()
    for way, search, until in (
        ("archive", stages.search, max(ends, begun + 60 * minutes * SHARE)),
        ("in full", full.search, ends),
    ):
        for name, edit, query in prints.copies():
            if time.monotonic() > until:
                break
            seen[way] += len(items) - 1
            seen["queries"] += way == "archive"
            for item, verdict in search(query).items():
                if item == name:
                    said["own"][verdict] += way == "archive"
                else:
                    said[way][verdict] += 1
                    false.append(f"{verdict}, {way}: {edit} of {name} with {item}")
    stages.counts["left out by the index"] = seen["archive"] + seen["queries"] - sum(stages.counts.values())
    return {
        "recipe": ALGORITHM_ID,
        "items": len(items),
        "real": len(photos.real()),
        "out_of_focus": sum(n % OUT_OF_FOCUS == 0 for n in range(len(photos.real()), len(items))),
        "seeds": [seed],
        "packages": list(PACKAGES),
        "edits": list(EDITS),
        "seen": dict(seen),
        "stages": dict(stages.counts),
        "said": {name: dict(counts) for name, counts in said.items()},
        "false": false,
    }


def merged(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Several runs as one."""
    total = dict(runs[0])
    for run in runs[1:]:
        total["seeds"] = total["seeds"] + run["seeds"]
        total["false"] = total["false"] + run["false"]
        for name in ("seen", "stages"):
            total[name] = dict(Counter(total[name]) + Counter(run[name]))
        total["said"] = {
            name: dict(Counter(total["said"][name]) + Counter(run["said"][name])) for name in total["said"]
        }
    return total


def shown(found: dict[str, Any]) -> str:
    """A line for each way of looking."""
    lines = [f"{found['items']} items, {found['seen'].get('queries', 0)} queries; own: {found['said']['own']}"]
    for name in ("archive", "in full"):
        pairs, false = found["seen"].get(name, 0), sum(found["said"][name].values())
        low, high = wilson(false, pairs)
        lines.append(f"{name}: {false} of {pairs} pairs of strangers ({low:.1e} to {high:.1e}) {found['said'][name]}")
    return "\n".join([*lines, f"stages, own copies included: {found['stages']}", *found["false"]])


def main() -> None:
    """Measure or merge, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.matching.negatives", description=__doc__)
    parser.add_argument("--items", type=int, default=501)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "catena-benchmark")
    parser.add_argument("--merge", type=Path, nargs="+", help="files of earlier runs, instead of measuring")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    if asked.merge:
        found = merged([json.loads(path.read_text(encoding="utf-8")) for path in asked.merge])
    else:
        found = measure(Photos(asked.cache), asked.cache, asked.items, asked.seed, asked.minutes)
    print(shown(found))
    if asked.out is not None:
        asked.out.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
