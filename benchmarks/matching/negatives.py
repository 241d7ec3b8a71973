"""Pairs of strangers in great number: `python -m benchmarks.matching.negatives --items 1416 --minutes 40 --out F`.

Half of the pictures are edited copies of the other half; each is looked for among all, and all but its original or its
copy are strangers to it. Fingerprints are kept in the cache, so that a run which reaches its time goes on where it
stopped; it reports the pairs it has seen. Two ways of looking:

1. `archive`: `app.matching.known` as an archive of so many photos uses it, unchanged: the index leaves out all but
   the nearest 16, the count of shared points more of these, and the rest are compared. Each pair counts once, though
   each of the two is looked for; `stages` says how far they came, and counts both ways.
2. `in full`: no index, as in an archive of at most 300 photos: each pair's nearest hashes, its shared points, and where
   either speaks for it the comparison, one of the two being looked for. As many of the pairs as the time allows.

Runs of several seeds add up (`--merge`).
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from app.db import Database
from app.matching import known
from app.matching.compare import compare
from app.matching.format import Fingerprint
from app.matching.index import hamming
from app.matching.known import UNKNOWN_DISTANCE, Candidate, Known, worth_comparing
from app.matching.recipe import ALGORITHM_ID
from app.matching.rules import VERDICTS, Verdict
from benchmarks.matching.media import PACKAGES, Photos
from benchmarks.matching.peers import words_of
from benchmarks.matching.prints import EDITS, OUT_OF_FOCUS, Prints, source
from benchmarks.matching.stats import wilson


class Stages:
    """The archive's way, with a count of how far each pair came."""

    def __init__(self, prints: Prints) -> None:
        """Open the fingerprints as an archive."""
        self._known = Known(Database(f"sqlite:///{prints.path}"), ALGORITHM_ID)
        self.counts: Counter[str] = Counter()
        vars(known).update(worth_comparing=self._gate, compare=self._compare)

    def _gate(self, query: Fingerprint, candidates: Sequence[tuple[Candidate, int]]) -> list[tuple[bool, ...]]:
        found = worth_comparing(query, candidates)
        self.counts["left out for their points"] += sum(not ways for ways in found)
        return found

    def _compare(self, query: Fingerprint, candidate: Fingerprint, *, mirrored: tuple[bool, ...]) -> Verdict | None:
        self.counts["compared"] += 1
        return compare(query, candidate, mirrored=mirrored)

    def search(self, name: str, query: Fingerprint) -> dict[str, str]:
        """Verdicts of all others."""
        return {found.item: found.verdict for found in self._known.search(query, without={name})}


class InFull:
    """Each pair by itself, without an index."""

    def __init__(self, items: dict[str, Fingerprint]) -> None:
        """Lay all hashes side by side."""
        self.names, self._prints = list(items), list(items.values())
        words = [words_of(made, turned=False) for made in self._prints]
        self._owner = np.repeat(np.arange(len(words)), [len(part) for part in words])
        self._table = np.concatenate(words)

    def search(self, query: Fingerprint, before: int) -> dict[str, str]:
        """Verdicts of the first so many pictures."""
        far = np.full(len(self.names), UNKNOWN_DISTANCE)
        if query.hashes:
            np.minimum.at(far, self._owner, hamming(words_of(query, turned=True), self._table).min(axis=0))
        said: dict[str, str] = {}
        asked = [(item, int(far[number])) for number, item in enumerate(self._prints[:before])]
        for number, ((item, _), ways) in enumerate(zip(asked, worth_comparing(query, asked), strict=True)):
            found = compare(query, item, mirrored=ways) if ways else None
            if found is not None:
                said[self.names[number]] = found.verdict
        return said


class Count:
    """Pairs seen and what was said of them, each once."""

    def __init__(self) -> None:
        self.pairs = 0
        self.strangers: dict[frozenset[str], str] = {}
        self.own: dict[frozenset[str], str] = {}

    def note(self, query: str, said: dict[str, str]) -> None:
        """Keep the strongest verdict of a pair, whichever of the two was looked for."""
        for item, verdict in said.items():
            pairs = self.own if source(item) == source(query) else self.strangers
            pair = frozenset((query, item))
            pairs[pair] = min(verdict, pairs.get(pair, verdict), key=VERDICTS.index)


def measure(photos: Photos, cache: Path, count: int, seed: int, minutes: float) -> dict[str, Any]:
    """Fingerprints first, then both ways until the time is over or every picture had its turn."""
    ends = time.monotonic() + 60 * minutes
    prints = Prints(photos, cache, seed)
    prints.make(count, ends)
    items = prints.items()
    stages, full = Stages(prints), InFull(items)
    archive, in_full = Count(), Count()
    for name, query in items.items():  # all of them: half of a look from both sides would be of other pairs
        archive.note(name, stages.search(name, query))
    archive.pairs = len(items) * (len(items) - 1) // 2 - len(items) // 2
    stages.counts["left out by the index"] = len(items) * (len(items) - 1) - sum(stages.counts.values())
    for number in np.random.default_rng(seed).permutation(len(items)).tolist():
        if time.monotonic() > ends:
            break
        name = full.names[number]
        in_full.note(name, full.search(items[name], number))
        in_full.pairs += number - number % 2
    false = [
        f"{verdict}, {way}: {' with '.join(sorted(pair))}"
        for way, counted in (("archive", archive), ("in full", in_full))
        for pair, verdict in counted.strangers.items()
    ]
    return {
        "recipe": ALGORITHM_ID,
        "items": len(items),
        "real": len(photos.real()),
        "out_of_focus": sum(n % OUT_OF_FOCUS == 0 for n in range(len(photos.real()), len(items) // 2)),
        "seeds": [seed],
        "packages": list(PACKAGES),
        "edits": list(EDITS),
        "seen": {"archive": archive.pairs, "in full": in_full.pairs},
        "stages": dict(stages.counts),
        "said": {
            "archive": dict(Counter(archive.strangers.values())),
            "in full": dict(Counter(in_full.strangers.values())),
            "own": dict(Counter(archive.own.values())),
        },
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
    lines = [f"{found['items']} pictures; of originals with their copies: {found['said']['own']}"]
    for name in ("archive", "in full"):
        pairs, false = found["seen"].get(name, 0), sum(found["said"][name].values())
        low, high = wilson(false, pairs)
        share = f"{false} of {pairs} pairs of strangers ({low:.1e} to {high:.1e})"
        lines.append(f"{name}: {share} {found['said'][name]}")
    return "\n".join([*lines, f"stages, both ways, copies included: {found['stages']}", *found["false"]])


def main() -> None:
    """Measure or merge, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.matching.negatives", description=__doc__)
    parser.add_argument("--items", type=int, default=1416)
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
