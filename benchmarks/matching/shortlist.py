"""Which copies the index of hashes puts on the short list: `python -m benchmarks.matching.shortlist [--photos 60]`.

Each source is edited in all ways, and in some and then flipped or turned; each copy is looked for where its original
is held, and the other way round, among photos whose hashes are drawn. A pair counts when a scan of all their hashes
finds two within the radius. In turns: the keys that the query's picture chooses (`probes.likeliest`), and any two bits
of each turned over (`probes.blindly`).
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from app.matching.bands import BandedHashIndex
from app.matching.format import Fingerprint
from app.matching.index import hamming
from app.matching.probes import BANDS, Turned, blindly, likeliest
from app.matching.shelves import PHOTO_RADIUS
from benchmarks.matching import peers
from benchmarks.matching.attacks import ATTACKS
from benchmarks.matching.media import Photos, Picture
from benchmarks.matching.photos import attacked, sources

ROWS = 21  # hashes of a drawn photo
EDITED_TOO = (
    "caption",
    "meme",
    "sticker",
    "perspective",
    "crop to 80 %",
    "blurred-side story",
)  # and flipped or turned
TURNED = ("mirror", "rotate 90")
Pair = tuple[str, Fingerprint, Fingerprint]


def _edited(name: str, picture: Picture, seed: int) -> Iterator[tuple[str, Picture]]:
    """All edits, and some with a flip or turn after them."""
    for attack in ATTACKS:
        yield attack, attacked({name: picture}, name, attack, seed)
    for turn in TURNED:
        for attack in EDITED_TOO:
            once = attacked({name: picture}, name, attack, seed)
            yield f"{attack} + {turn}", attacked({name: once}, name, turn, seed)


def pairs(photos: Photos, count: int, seed: int) -> list[Pair]:
    """Query and held, both ways round, of all that a scan would find."""
    items = sources(photos, count)
    found: list[Pair] = []
    for name, picture in items.items():
        original = peers.fingerprint(picture)
        for attack, edited in _edited(name, picture, seed):
            copy = peers.fingerprint(edited)
            for query, held in ((copy, original), (original, copy)):
                ours, theirs = peers.words_of(query, turned=True), peers.words_of(held, turned=False)
                if len(ours) and len(theirs) and hamming(ours, theirs).min() <= PHOTO_RADIUS:
                    found.append((attack, query, held))
    return found


def measure(asked: list[Pair], held: int, seed: int) -> dict[str, Any]:
    """Look for each among the drawn ones."""
    rng = np.random.default_rng(seed)
    index = BandedHashIndex()
    for start in range(0, held, 10_000):
        some = min(10_000, held - start)
        index.add(start + np.repeat(np.arange(some), ROWS), rng.integers(0, 1 << 64, (some * ROWS, 4), np.uint64))
    for number, (_, _, one) in enumerate(asked):
        index.add(held + number, peers.words_of(one, turned=False))
    index.file_when_due()
    figures: dict[str, Any] = {"pairs": len(asked)}
    for name in ("chosen", "blind"):
        reached, strangers, probes, started = set(), 0, 0, time.process_time()
        for number, (_, query, _) in enumerate(asked):
            turned = _turned(name, query)
            probes += BANDS * len(turned.row)
            near = index.nearest([row.value for row in query.hashes], PHOTO_RADIUS, turned)
            strangers += sum(item < held for item in near)
            if held + number in near:
                reached.add(number)
        each = (time.process_time() - started) / len(asked)
        figures[name] = {
            "reached": len(reached),
            "missed": dict(Counter(pair[0] for number, pair in enumerate(asked) if number not in reached)),
            "keys a query": probes // len(asked),
            "strangers a query": round(strangers / len(asked), 1),
            "ms CPU a query": round(each * 1e3, 2),
        }
    return figures


def _turned(name: str, query: Fingerprint) -> Turned:
    return likeliest(query.hashes, query.views) if name == "chosen" else blindly(len(query.hashes))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.matching.shortlist", description=__doc__)
    parser.add_argument("--photos", type=int, default=60, help="sources: real photos first, then generated scenes")
    parser.add_argument("--held", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "catena-benchmark")
    asked = parser.parse_args()
    found = measure(pairs(Photos(asked.cache), asked.photos, asked.seed), asked.held, asked.seed)
    print(f"{found['pairs']} pairs of a photo and its copy within {PHOTO_RADIUS} bits, {asked.held} photos held")
    for name in ("chosen", "blind"):
        print(name, found[name])
    print(f"CPU, chosen to blind: {found['chosen']['ms CPU a query'] / found['blind']['ms CPU a query']:.2f}")


if __name__ == "__main__":
    main()
