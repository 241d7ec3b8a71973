"""The video half: recordings over generated scenes with things that move, attacked; with the true times of each."""

from __future__ import annotations

import itertools
import tempfile
import time
import zlib
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from app.matching.align import Segment
from app.matching.compare import compare
from app.matching.video import fingerprint_video
from benchmarks.matching.media import Photos
from benchmarks.matching.recordings import ATTACKS, FPS, KINDS, Truth, recording, write
from benchmarks.matching.stats import wilson


def measure(photos: Photos, count: int, seed: int) -> dict[str, Any]:
    """Attack every recording and compare with all."""
    takes = [recording(seed * 1000 + n, photos, KINDS[n % len(KINDS)]) for n in range(count)]
    spare = recording(seed * 1000 + 999, photos, KINDS[0])  # what compilations are filled up with; no item
    rows: dict[str, dict[str, Any]] = defaultdict(lambda: {"found": 0, "trials": 0, "errors": []})
    misses: list[str] = []
    false: Counter[str] = Counter()
    negatives = 0
    spent: dict[str, float] = defaultdict(float)
    with tempfile.TemporaryDirectory() as folder:
        items = [fingerprint_video(write(Path(folder) / f"{n}.mp4", take, 23)) for n, take in enumerate(takes)]
        for (number, take), (name, attack) in itertools.product(enumerate(takes), ATTACKS.items()):
            frames, truth, speed = attack(take, spare, np.random.default_rng((seed, number, zlib.crc32(name.encode()))))
            path = write(Path(folder) / "query.mp4", frames, 32)
            started = time.process_time()
            query = fingerprint_video(path)
            spent["fingerprint, ms CPU per second"] += (time.process_time() - started) / (len(frames) / FPS) * 1e3
            started = time.process_time()
            said = [compare(query, item) for item in items]
            spent["comparison, ms CPU per pair"] += (time.process_time() - started) / len(items) * 1e3
            negatives += len(items) - 1
            for other, verdict in enumerate(said):
                if verdict is not None and other != number:
                    false[verdict.verdict] += 1
                    misses.append(f"FALSE {name}: {number} with {other}")
            rows[name]["trials"] += 1
            own = said[number]
            if own is None:
                misses.append(f"{name}: recording {number}")
                continue
            rows[name]["found"] += 1
            errors = segment_errors(list(own.segments), truth, speed)
            rows[name]["errors"] += errors
            if max(errors) > 1:
                misses.append(f"{name}: recording {number}: times {own.segments} for {truth} x {speed}")
    queries = sum(row["trials"] for row in rows.values())
    everything = [e for row in rows.values() for e in row["errors"]]
    return {
        "queries": queries,
        "negative_pairs": negatives,
        "recall": sum(row["found"] for row in rows.values()) / queries,
        "interval": wilson(sum(row["found"] for row in rows.values()), queries),
        "false_positives": sum(false.values()),
        "false_by_verdict": dict(false),
        "data_set": f"{len(ATTACKS)} attacks on {count} generated recordings, each with all the others, seed {seed}",
        "within_1_s": float(np.mean([e <= 1 for e in everything])) if everything else 0.0,
        "by_attack": {
            name: {
                "found": row["found"],
                "trials": row["trials"],
                "interval": wilson(row["found"], row["trials"]),
                "within": float(np.mean([e <= 1 for e in row["errors"]])) if row["errors"] else 0.0,
                "median_error": float(np.median(row["errors"])) if row["errors"] else float("nan"),
            }
            for name, row in rows.items()
        },
        "misses": misses,
        "costs": {name: value / queries for name, value in spent.items()},
    }


def segment_errors(found: list[Segment], truth: Truth, speed: float) -> list[float]:
    """How far off each true stretch's start and end are, in the item's time, by the segment that covers most of it.

    A stretch that no segment touches counts as its whole length off.
    """
    errors = []
    for begin, end, item in truth:
        touching = [s for s in found if min(s.query_end_s, end) > max(s.query_start_s, begin)]
        if not touching:
            errors += [end - begin] * 2
            continue
        first, last = min(touching, key=lambda s: s.query_start_s), max(touching, key=lambda s: s.query_end_s)
        errors.append(max(abs(first.query_start_s - begin), abs(first.item_start_s - item)))
        errors.append(max(abs(last.query_end_s - end), abs(last.item_end_s - item - (end - begin) * speed)))
    return errors
