"""Which stretch of one video is which stretch of the other: offset voting with a speed factor.

Pure functions over pairs of times. Each pair of look-alike frames votes for an offset
(item time - speed * query time); a stretch is a run of votes for one offset that covers enough
distinct seconds of both videos without a long gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

MIN_SECONDS: Final = 3  # distinct seconds, in both videos (MATCHING.md: 0 of 2,265 false)
MAX_GAP_S: Final = 3.0
BIN_S: Final = 0.5  # two neighbouring bins vote together: +- half a second
SPEEDS: Final = (1.0, 0.9, 1.1, 0.8, 1.25, 2 / 3, 1.5, 0.5, 2.0)
SPEED_GAIN: Final = 1.1  # another speed must explain so many times as much
MAX_SEGMENTS: Final = 16
# Bits beyond the best pair of the same query frame at which a pair weighs next to nothing. A hovering camera's frames
# all look alike; the right moment differs from its neighbours by what moves in it, a few bits.
WORSE_BITS: Final = 20.0
LEAST_WEIGHT: Final = 0.1
AGAIN_WEIGHT: Final = 0.6  # of pairs that say the item shows a moment again: at most 8 bits worse than the best
STILL_FRAMES: Final = 5  # of the item that resemble one of the query; a moving picture has its neighbours
STILL_SHARE: Final = 0.4  # of the stretch's frames


@dataclass(frozen=True)
class Segment:
    """A stretch of the query that is a stretch of the item; seconds from each start.

    Attributes:
        query_start_s: first moment in the query.
        query_end_s: last moment in the query.
        item_start_s: first moment in the item.
        item_end_s: last moment in the item.
    """

    query_start_s: float
    query_end_s: float
    item_start_s: float
    item_end_s: float


@dataclass(frozen=True)
class Pairs:
    """Look-alike frames: seconds in the query, seconds in the item, distance in bits (three equal lengths)."""

    query_s: NDArray[np.float64]
    item_s: NDArray[np.float64]
    distance: NDArray[np.float64]

    def select(self, mask: NDArray[np.bool_]) -> Pairs:
        """Only the pairs of a mask."""
        return Pairs(self.query_s[mask], self.item_s[mask], self.distance[mask])

    def __len__(self) -> int:
        return len(self.query_s)


def distinct_seconds(times: NDArray[np.float64]) -> int:
    """How many different whole seconds are among the times."""
    return len(np.unique(np.floor(times)))


def enough(pairs: Pairs) -> bool:
    """Whether the pairs cover enough distinct seconds of both videos."""
    return min(distinct_seconds(pairs.query_s), distinct_seconds(pairs.item_s)) >= MIN_SECONDS


def align(pairs: Pairs, step_s: float) -> tuple[list[Segment], Pairs]:
    """Find the stretches that the pairs speak for, longest first taken, in order of the query.

    Args:
        pairs: look-alike frames, in any order (at most about a million).
        step_s: time between sampled frames; a stretch ends one step after its last frame.

    Returns:
        The segments (perhaps none) and the pairs that explain moments of the query; a stretch that the item shows
        again has a segment of its own and adds no pairs.
    """
    segments, used = _explain(pairs, step_s)
    first = list(segments)
    for run in _shown_again(pairs, used, first):
        if len(segments) < MAX_SEGMENTS:
            segments.append(_segment(run, step_s))
    segments.sort(key=lambda s: (s.query_start_s, s.item_start_s))
    return segments, _join(used)


def _explain(pairs: Pairs, step_s: float) -> tuple[list[Segment], list[Pairs]]:
    """Stretches that explain each moment of the query once; what it also resembles elsewhere is repetition."""
    left = pairs
    segments: list[Segment] = []
    used: list[Pairs] = []
    while len(segments) < MAX_SEGMENTS and enough(left):
        run = _best_run(left)
        if run is None:
            break
        segments.append(_segment(run, step_s))
        used.append(run)
        left = left.select((left.query_s < run.query_s.min()) | (left.query_s > run.query_s.max()))
    return segments, used


def _shown_again(pairs: Pairs, used: list[Pairs], segments: list[Segment]) -> list[Pairs]:
    """Other stretches of the item that show the same moments of the query as well as the first ones do.

    Not of a still or hovering picture, every moment of which resembles every other.
    """
    near = _weights(pairs) >= AGAIN_WEIGHT
    for run, segment in zip(used, segments, strict=True):
        in_query = (pairs.query_s >= run.query_s.min()) & (pairs.query_s <= run.query_s.max())
        in_item = (pairs.item_s >= segment.item_start_s) & (pairs.item_s < segment.item_end_s)
        frames = max(1, len(np.unique(pairs.item_s[in_query & in_item])))
        alike = int((near & in_query & in_item).sum()) / max(1, len(np.unique(pairs.query_s[in_query])))
        if alike > max(STILL_FRAMES, STILL_SHARE * frames):
            near &= ~in_query
        near &= ~in_item
    left = pairs.select(near)
    found: list[Pairs] = []
    while len(found) < MAX_SEGMENTS and enough(left):
        again = _best_run(left)
        if again is None:
            break
        found.append(again)
        left = left.select((left.item_s < again.item_s.min()) | (left.item_s > again.item_s.max()))
    return found


def _best_run(pairs: Pairs) -> Pairs | None:
    weights = _weights(pairs)
    best: Pairs | None = None
    score = 0.0
    for speed in SPEEDS:
        found = _run_at(pairs, weights, speed)
        if found is None:
            continue
        run, explained = found
        if explained * (SPEED_GAIN if speed == 1 else 1) > score:
            best, score = run, explained * (SPEED_GAIN if speed == 1 else 1)
    return best


def _weights(pairs: Pairs) -> NDArray[np.float64]:
    """1 for the best pair of each query frame, less for those that are more bits apart than it."""
    order = np.lexsort((pairs.distance, pairs.query_s))
    first = np.ones(len(order), bool)
    first[1:] = np.diff(pairs.query_s[order]) > 0
    least = pairs.distance[order][first][np.cumsum(first) - 1]
    weights = np.empty(len(order))
    weights[order] = np.maximum(1 - (pairs.distance[order] - least) / WORSE_BITS, LEAST_WEIGHT)
    return weights


def _run_at(pairs: Pairs, weights: NDArray[np.float64], speed: float) -> tuple[Pairs, float] | None:
    """The best stretch at a speed, and the weight of the seconds it explains."""
    offsets = pairs.item_s - speed * pairs.query_s
    bins = np.floor(offsets / BIN_S).astype(np.int64)
    tally = _votes(bins, pairs, weights)
    # Equal votes (a still picture agrees with every offset): the least shift.
    ranked = sorted(tally, key=lambda b: (-tally[b] - tally.get(b + 1, 0.0), abs(b), b))
    for chosen in ranked[:3]:
        mask = (bins == chosen) | (bins == chosen + 1)
        run = _longest_run(_one_per_query(pairs.select(mask), speed))
        if run is not None and enough(run):
            within = mask & (pairs.query_s >= run.query_s.min()) & (pairs.query_s <= run.query_s.max())
            one = np.zeros(int(within.sum()), np.int64)
            return run, sum(_votes(one, pairs.select(within), weights[within]).values())
    return None


def _votes(bins: NDArray[np.int64], pairs: Pairs, weights: NDArray[np.float64]) -> dict[int, float]:
    """Weight of each offset bin: one vote per query second, that of its best pair.

    One per second, so that a still picture does not outvote a moving one; by weight,
    because in a slow pan the neighbours of the right frame are look-alikes too.
    """
    seconds = np.floor(pairs.query_s).astype(np.int64)
    order = np.lexsort((-weights, seconds, bins))
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(bins[order]) != 0) | (np.diff(seconds[order]) != 0)
    best = order[first]
    numbers, at = np.unique(bins[best], return_inverse=True)
    sums = np.bincount(at, weights=weights[best], minlength=len(numbers))
    # Rounded: equal votes have to read as equal, whatever order they were added in.
    return dict(zip(numbers.tolist(), np.round(sums, 6).tolist(), strict=True))


def _one_per_query(band: Pairs, speed: float) -> Pairs:
    """The best pair of each query frame: nearest in bits, then nearest to the middle offset."""
    offsets = band.item_s - speed * band.query_s
    order = np.lexsort((np.abs(offsets - np.median(offsets)), band.distance, band.query_s))
    first = np.ones(len(order), bool)
    first[1:] = np.diff(band.query_s[order]) > 0
    return Pairs(band.query_s[order][first], band.item_s[order][first], band.distance[order][first])


def _longest_run(pairs: Pairs) -> Pairs | None:
    if not len(pairs):
        return None
    breaks = np.flatnonzero(np.diff(pairs.query_s) > MAX_GAP_S) + 1
    parts = np.split(np.arange(len(pairs)), breaks)
    longest = max(parts, key=len)
    mask = np.zeros(len(pairs), bool)
    mask[longest] = True
    return pairs.select(mask)


def _segment(run: Pairs, step_s: float) -> Segment:
    return Segment(
        round(float(run.query_s.min()), 2),
        round(float(run.query_s.max()) + step_s, 2),
        round(float(run.item_s.min()), 2),
        round(float(run.item_s.max()) + step_s, 2),
    )


def _join(parts: list[Pairs]) -> Pairs:
    if not parts:
        return Pairs(np.zeros(0), np.zeros(0), np.zeros(0))
    return Pairs(
        np.concatenate([p.query_s for p in parts]),
        np.concatenate([p.item_s for p in parts]),
        np.concatenate([p.distance for p in parts]),
    )
