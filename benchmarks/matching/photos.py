"""The photo half: attacked queries against all items, hard negatives apart."""

from __future__ import annotations

import time
import zlib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from app.matching.format import Fingerprint
from benchmarks.matching import peers as held
from benchmarks.matching.attacks import ATTACKS, collage
from benchmarks.matching.media import Photos, Picture, Scene
from benchmarks.matching.stats import limit_at, wilson

CURVE_STEP = 4  # bits
QUALITY = 85  # every item and query passes through a JPEG of this quality or worse


@dataclass
class Figures:
    """What was counted; `found[method][attack]` are hits, `trials[attack]` queries."""

    trials: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    found: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    hints: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    negatives: int = 0
    false: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    false_pairs: list[str] = field(default_factory=list)
    limits: dict[str, int] = field(default_factory=dict)
    curves: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)
    hard: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    misses: list[str] = field(default_factory=list)
    costs: dict[str, float] = field(default_factory=dict)


def sources(photos: Photos, count: int) -> dict[str, Picture]:
    """Real photos first, generated scenes to fill up."""
    found = dict(list(photos.real().items())[:count])
    textures = photos.textures()
    for number in range(count - len(found)):
        found[f"scene {number}"] = Scene(1000 + number, textures).view()
    return found


def measure(photos: Photos, count: int, chosen: list[str], seed: int, *, ablate: bool) -> Figures:
    """Attack every source and compare with all items."""
    items = sources(photos, count)
    made = Figures()
    started = time.process_time()
    prints = {name: held.fingerprint(picture) for name, picture in items.items()}
    made.costs["fingerprint, ms CPU"] = (time.process_time() - started) / len(items) * 1e3
    made.costs["bytes per photo"] = float(np.mean([len(p.to_bytes()) for p in prints.values()]))
    tables = {peer.name: {n: peer.bits(p) for n, p in items.items()} for peer in held.peers()}
    distances: dict[str, list[tuple[str | None, int]]] = defaultdict(list)
    names = list(items)
    pair_cpu = pairs = 0.0
    for name in names:
        for attack in chosen:
            query = attacked(items, name, attack, seed)
            own = held.fingerprint(query)
            made.trials[attack] += 1
            _by_hash(tables, prints, distances, (name, attack), query, own)
            started = time.process_time()
            _by_archive(made, prints, (name, attack), own, ablate=ablate)
            pair_cpu, pairs = pair_cpu + time.process_time() - started, pairs + len(items)
    made.costs["comparison, ms CPU per pair"] = pair_cpu / pairs * 1e3
    _tune(made, distances)
    return made


def attacked(items: dict[str, Picture], name: str, attack: str, seed: int) -> Picture:
    """An edited copy of an item, the same one for the same seed."""
    rng = np.random.default_rng((seed, zlib.crc32(f"{name}/{attack}".encode())))
    if attack == "collage of two":
        # The other half is no item: a match with it would be a true one.
        return collage(items[name], rng.integers(0, 256, (64, 64, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1))
    from benchmarks.matching.attacks import jpeg

    return jpeg(ATTACKS[attack](items[name], rng), QUALITY)


def _by_hash(
    tables: dict[str, dict[str, held.Hash]],
    prints: dict[str, Fingerprint],
    distances: dict[str, list[tuple[str | None, int]]],
    about: tuple[str, str],
    query: Picture,
    own: Fingerprint,
) -> None:
    for peer in held.peers():
        bits = peer.bits(query)
        for item, theirs in tables[peer.name].items():
            positive = about[1] if item == about[0] else None
            distances[peer.name].append((positive, int((bits != theirs).sum())))
    for part in held.PARTS:
        bits = held.parts(own, part, turned=True)
        for item, theirs in prints.items():
            positive = about[1] if item == about[0] else None
            distances[part].append((positive, held.nearest(bits, held.parts(theirs, part, turned=False))))


def _by_archive(
    made: Figures, prints: dict[str, Fingerprint], about: tuple[str, str], own: Fingerprint, *, ablate: bool
) -> None:
    name, attack = about
    for item, theirs in prints.items():
        said = held.verdict(own, theirs)
        if item == name:
            made.found["catena"][attack] += said in held.STRONG
            made.hints[attack] += said == "possibly_related"
            if said not in held.STRONG:
                made.misses.append(f"{name} / {attack}: {said}")
            if ablate:
                made.found["points alone"][attack] += held.verdict_by(own, theirs, points=True) in held.STRONG
                made.found["hashes, confirmed"][attack] += held.verdict_by(own, theirs, points=False) in held.STRONG
        else:
            made.negatives += 1
            if said is not None:
                kind = "catena" if said in held.STRONG else "catena, hint"
                made.false[kind] += 1
                made.false_pairs.append(f"{name} / {attack} with {item}: {said}")


def _tune(made: Figures, distances: dict[str, list[tuple[str | None, int]]]) -> None:
    """Each peer at its default, and at the limit that gives as few false positives as the archive's matching."""
    defaults = {peer.name: peer.default for peer in held.peers()}
    for method, pairs in distances.items():
        strangers = [far for attack, far in pairs if attack is None]
        made.curves[method] = _curve(strangers, [far for attack, far in pairs if attack is not None])
        tuned = limit_at(strangers, made.false["catena"])
        plans = {f"{method}, tuned": tuned}
        if method in defaults:
            plans[f"{method}, default"] = defaults[method]
        for label, limit in plans.items():
            made.limits[label] = limit
            made.false[label] = sum(far <= limit for far in strangers)
            for attack, far in pairs:
                if attack is not None:
                    made.found[label][attack] += far <= limit


def _curve(strangers: list[int], copies: list[int]) -> list[tuple[int, int, int]]:
    """(limit, copies found, strangers taken for copies) for limits up to the half of all bits."""
    return [
        (limit, sum(far <= limit for far in copies), sum(far <= limit for far in strangers))
        for limit in range(0, 129, CURVE_STEP)
    ]


def hard_negatives(photos: Photos, made: Figures, count: int) -> None:
    """The same scene from elsewhere or later: no copies. A strong verdict is counted as such, and so is a hint."""
    textures = photos.textures()
    plans: dict[str, tuple[tuple[float, float, float], int]] = {
        "another place, nearly the same view": ((0.53, 0.5, 0.6), 0),
        "overlap of about half": ((0.95, 0.5, 0.6), 0),
        "the same place, later": ((0.5, 0.5, 0.6), 7),
        "another place and later": ((0.6, 0.55, 0.6), 7),
    }
    for number in range(count):
        scene = Scene(5000 + number, textures)
        first = held.fingerprint(scene.view())
        for label, (camera, moved) in plans.items():
            _note(made, label, held.verdict(held.fingerprint(scene.view(camera=camera, moved=moved)), first))
    left, right = photos.stereo()
    _note(made, "stereo pair (real)", held.verdict(held.fingerprint(left), held.fingerprint(right)))


def _note(made: Figures, label: str, said: str | None) -> None:
    made.hard[label]["pairs"] += 1
    made.hard[label][said or "nothing"] += 1


def summary(made: Figures) -> dict[str, Any]:
    """All figures as plain data."""
    total = sum(made.trials.values())
    return {
        "queries": total,
        "negative_pairs": made.negatives,
        "methods": {
            method: {
                "recall": sum(hits.values()) / total,
                "interval": wilson(sum(hits.values()), total),
                "false_positives": made.false.get(method, 0),
                "limit": made.limits.get(method),
                "by_attack": {attack: hits[attack] / made.trials[attack] for attack in made.trials},
            }
            for method, hits in made.found.items()
        },
        "curves": made.curves,
        "false_pairs": made.false_pairs,
        "hints": {attack: made.hints[attack] for attack in made.trials},
        "trials": dict(made.trials),
        "hard_negatives": {label: dict(counts) for label, counts in made.hard.items()},
        "misses": made.misses,
        "costs": made.costs,
    }
