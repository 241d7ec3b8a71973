"""Pairs of strangers in great number: `python -m benchmarks.matching.negatives --items 501 --minutes 9 --out FILE`.

Every query is an edited copy of one of the items and a stranger to all others. All pairs go through what an archive
with so many photos does: the distance of the nearest hashes first, of the nearest 16 the comparison in full. Apart from
that each query is compared in full, points included, with a few strangers drawn by chance, as in an archive of at most
300 photos. A run that reaches its time reports the pairs it has seen. Runs of several seeds add up (`--merge`).
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np

from app.matching.compare import compare
from app.matching.format import Fingerprint
from app.matching.index import hamming
from app.matching.known import MAX_PHOTO_CANDIDATES, PHOTO_RADIUS, UNKNOWN_DISTANCE, worth_comparing
from app.matching.recipe import ALGORITHM_ID
from benchmarks.matching import peers as held
from benchmarks.matching.attacks import ATTACKS, jpeg
from benchmarks.matching.media import PACKAGES, Photos
from benchmarks.matching.photos import QUALITY, sources
from benchmarks.matching.stats import wilson

EDITS: Final = ("recompress q40", "crop to 80 %", "caption + logo + crop", "letterbox", "screenshot", "recolour")
IN_FULL: Final = 20  # strangers of each query


def _words(made: Fingerprint, *, turned: bool) -> np.ndarray[Any, np.dtype[np.uint64]]:
    rows = [row.value for row in made.hashes if turned or row.dihedral == 0]
    return np.frombuffer(b"".join(rows), np.uint64).reshape(-1, 4)


def _say(query: Fingerprint, item: Fingerprint, far: int) -> str | None:
    ways = worth_comparing(query, item, far)
    found = compare(query, item, mirrored=ways) if ways else None
    return None if found is None else found.verdict


def measure(photos: Photos, count: int, seed: int, minutes: float) -> dict[str, Any]:
    """Queries until the time is over or every item had each edit."""
    ends = time.monotonic() + 60 * minutes
    pictures = sources(photos, count)
    names = list(pictures)
    prints = [held.fingerprint(jpeg(picture, QUALITY)) for picture in pictures.values()]
    words = [_words(made, turned=False) for made in prints]
    owner = np.repeat(np.arange(count), [len(part) for part in words])
    table = np.concatenate(words)
    rng = np.random.default_rng(seed)
    seen: Counter[str] = Counter()
    said: dict[str, Counter[str]] = {"archive": Counter(), "in full": Counter(), "own": Counter()}
    false: list[str] = []
    for edit in EDITS:
        for number in rng.permutation(count).tolist():
            if time.monotonic() > ends:
                break
            query = held.fingerprint(jpeg(ATTACKS[edit](pictures[names[number]], rng), QUALITY))
            far = np.full(count, UNKNOWN_DISTANCE)
            if query.hashes:
                np.minimum.at(far, owner, hamming(_words(query, turned=True), table).min(axis=0))
            near = [n for n in np.argsort(far, kind="stable").tolist() if far[n] <= PHOTO_RADIUS]
            for other in near[:MAX_PHOTO_CANDIDATES]:
                verdict = _say(query, prints[other], int(far[other]))
                if verdict is not None:
                    said["own" if other == number else "archive"][verdict] += 1
                    false += [] if other == number else [f"{verdict}: {edit} of {names[number]} with {names[other]}"]
            for other in rng.integers(0, count, IN_FULL).tolist():
                if other != number:
                    seen["in full"] += 1
                    verdict = _say(query, prints[other], UNKNOWN_DISTANCE)
                    if verdict is not None:
                        said["in full"][verdict] += 1
                        false.append(f"{verdict}, in full: {edit} of {names[number]} with {names[other]}")
            seen["archive"] += count - 1
            seen["queries"] += 1
    return {
        "recipe": ALGORITHM_ID,
        "items": count,
        "real": len(photos.real()),
        "seeds": [seed],
        "packages": list(PACKAGES),
        "edits": list(EDITS),
        "seen": dict(seen),
        "said": {name: dict(counts) for name, counts in said.items()},
        "false": false,
    }


def merged(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Several runs as one."""
    total = dict(runs[0])
    for run in runs[1:]:
        total["seeds"] = total["seeds"] + run["seeds"]
        total["false"] = total["false"] + run["false"]
        total["seen"] = dict(Counter(total["seen"]) + Counter(run["seen"]))
        total["said"] = {
            name: dict(Counter(total["said"][name]) + Counter(run["said"][name])) for name in total["said"]
        }
    return total


def shown(found: dict[str, Any]) -> str:
    """A line for each way of looking."""
    lines = []
    for name in ("archive", "in full"):
        pairs, false = found["seen"].get(name, 0), sum(found["said"][name].values())
        low, high = wilson(false, pairs)
        lines.append(f"{name}: {false} of {pairs} pairs of strangers ({low:.1e} to {high:.1e}) {found['said'][name]}")
    return "\n".join([*lines, *found["false"]])


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
        found = measure(Photos(asked.cache), asked.items, asked.seed, asked.minutes)
    print(shown(found))
    if asked.out is not None:
        asked.out.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
