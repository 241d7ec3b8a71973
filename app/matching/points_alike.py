"""Which of many pictures have points in common with one that lie alike: asked of all at once, before any is compared.

1. Near points are found by their keys: a descriptor is cut into sixteen of 16 bits, and two points are looked at when
   one of these is the same in both. Next to no others have one in common: it takes an eighth of what looking at all
   takes. Where a picture's points are as like each other as bricks, all are looked at, which is faster then.
2. Of these, how many lie alike: two pairs fix a similarity (scale, turn, shift), and others are where it says, or not.
   Made-up scenes of one kind reach six in .6 pairs of 100; of 1,153 edited copies that the comparison finds by their
   points 1,151 do (docs/adr/0057).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from app.matching.common_points import MAX_SCALE, STRONG_DISTANCE, STRONG_PART_DISTANCE, near
from app.matching.format import FeatureSet, View
from app.matching.hash_rows import bits_of, runs

POINTS: Final = 60  # the nearest pairs, of which any two propose
APART: Final = 24.0  # pixels between two pairs that propose
PIXELS: Final = 12.0  # from where a similarity puts a point; a moderate change of perspective is within

KEYS: Final = 16
KEY_VALUES: Final = 1 << 16
MOST_SHARED_KEYS: Final = 24_000  # of one picture; with more, looking at all pairs of points takes no longer
AT_ONCE: Final = 64  # pictures
CELLS_AT_ONCE: Final = 1 << 19  # similarities x pairs

Numbers = NDArray[np.intp]
Reals = NDArray[np.float32]


class HasPoints(Protocol):
    """A view of a candidate, of which no more is asked."""

    @property
    def features(self) -> FeatureSet:
        """Its points as it is."""
        ...


@dataclass(frozen=True)
class _Points:
    """Points of several pictures, one after another.

    Attributes:
        words: (n, 4) descriptors.
        parts: (n): the first 32 bits.
        keys: (16, n) the whole in sixteenths.
        places: (n, 2) pixels.
        owner: (n): which picture each belongs to.
    """

    words: NDArray[np.uint64]
    parts: NDArray[np.uint32]
    keys: NDArray[np.uint16]
    places: Reals
    owner: Numbers

    @classmethod
    def of(cls, sets: Sequence[FeatureSet]) -> _Points:
        words = np.concatenate([one.words() for one in sets])
        keys = np.ascontiguousarray(words.view(np.uint16).reshape(len(words), KEYS).T)
        places = np.concatenate([one.positions() for one in sets])
        owner = np.repeat(np.arange(len(sets)), [len(one) for one in sets])
        return cls(words, words.view(np.uint32)[:, 0].copy(), keys, places, owner)


class _Near(NamedTuple):
    """Pairs of near points: their numbers on the query's and the candidates' side, and the bits that differ."""

    ours: Numbers
    theirs: Numbers
    bits: NDArray[np.uint16]


def points_alike(query: View, candidates: Sequence[HasPoints]) -> NDArray[np.intp]:
    """Pairs of near points, each point once, that lie alike in both pictures.

    Returns:
        (n, 2): of each candidate with the query as it is, and with the query mirrored.
    """
    asked = _Points.of((query.features, query.mirrored))
    tables = [_Table(keys) for keys in asked.keys]
    counts = np.zeros((len(candidates), 2), np.intp)
    for start in range(0, len(candidates), AT_ONCE):
        part = candidates[start : start + AT_ONCE]
        counts[start : start + AT_ONCE] = _alike(asked, tables, _Points.of([view.features for view in part]), len(part))
    return counts


def _alike(asked: _Points, tables: list[_Table], held: _Points, count: int) -> Numbers:
    ours, theirs, _ = _each_once(asked, held, _near(asked, tables, held, count))
    which = held.owner[theirs] * 2 + asked.owner[ours]
    starts = np.flatnonzero(np.diff(which, prepend=-1))
    sizes = np.minimum(np.diff(starts, append=len(which)), POINTS)
    best = np.zeros(2 * count, np.intp)
    enough = np.flatnonzero(sizes >= 2)  # noqa: PLR2004 - that fix a similarity
    for some in _of_like_size(enough[np.argsort(sizes[enough], kind="stable")], sizes):
        place = np.arange(int(sizes[some].max()))
        there = place < sizes[some, None]
        rows = np.where(there, starts[some, None] + place, starts[some, None])
        target = np.where(there[..., None], held.places[theirs[rows]], np.float32(np.nan))
        best[which[starts[some]]] = _most_agreeing(asked.places[ours[rows]], target)
    return best.reshape(-1, 2)


def _each_once(asked: _Points, held: _Points, pairs: _Near) -> _Near:
    """Of each point, in each picture and either way round, the nearest pair; by pictures, and the nearest first."""
    which = held.owner[pairs.theirs] * 2 + asked.owner[pairs.ours]
    order = np.lexsort((pairs.theirs, pairs.ours, pairs.bits, which))
    for side, most in ((pairs.ours, len(asked.words)), (pairs.theirs, len(held.words))):
        order = order[np.sort(np.unique(which[order] * most + side[order], return_index=True)[1])]
    return _Near(pairs.ours[order], pairs.theirs[order], pairs.bits[order])


def _of_like_size(order: Numbers, sizes: Numbers) -> list[Numbers]:
    """The smallest first, in portions of bounded work."""
    portions: list[Numbers] = []
    start = 0
    while start < len(order):
        end = start + 1
        while end < len(order) and (end - start + 1) * int(sizes[order[end]]) ** 3 // 2 <= CELLS_AT_ONCE:
            end += 1
        portions.append(order[start:end])
        start = end
    return portions


def _most_agreeing(source: Reals, target: Reals) -> Numbers:
    """Of several pictures, the most pairs that agree with one similarity.

    Args:
        source: (m, n, 2) pixels.
        target: (m, n, 2), of the same points in the other picture; NaN where a picture has fewer pairs.
    """
    ours, theirs = (points[..., 0] + 1j * points[..., 1] for points in (source, target))
    one, other = np.triu_indices(source.shape[1], 1)
    here, there = ours[:, other] - ours[:, one], theirs[:, other] - theirs[:, one]
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = _square(there) / _square(here)
        far = (_square(here) >= APART**2) & (_square(there) >= APART**2)
        whose, proposed = np.nonzero(far & (scale <= MAX_SCALE**2) & (scale >= 1 / MAX_SCALE**2))
    best = np.zeros(len(source), np.intp)
    turn = there[whose, proposed] / here[whose, proposed]
    first = one[proposed]
    shift = theirs[whose, first] - turn * ours[whose, first]
    allowed = PIXELS**2 * np.maximum(1, np.sqrt(scale[whose, proposed]))
    misses = turn[:, None] * ours[whose] + shift[:, None] - theirs[whose]
    np.maximum.at(best, whose, (_square(misses) <= allowed[:, None]).sum(axis=1))
    return best


def _square(numbers: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(numbers.real**2 + numbers.imag**2)


# -- near points ------------------------------------------------------------------------------


class _Table:
    """One sixteenth of the query's descriptors, to be looked up by its value."""

    def __init__(self, keys: NDArray[np.uint16]) -> None:
        self._order = np.argsort(keys, kind="stable")
        ordered = keys[self._order]
        first = np.flatnonzero(np.diff(ordered.astype(np.int32), prepend=-1))
        self._first, self._count = np.zeros((2, KEY_VALUES), np.int16)  # two sets of at most 600 points
        self._first[ordered[first]] = first
        self._count[ordered[first]] = np.diff(first, append=len(ordered))
        self._known = self._count > 0

    def known(self, keys: NDArray[np.uint16]) -> Numbers:
        """Which of these are keys of the query."""
        found: Numbers = np.flatnonzero(self._known.take(keys))
        return found

    def counts(self, keys: NDArray[np.uint16]) -> NDArray[np.int16]:
        """How many of the query's points have each."""
        counts: NDArray[np.int16] = self._count.take(keys)
        return counts

    def pairs(self, points: Numbers, keys: NDArray[np.uint16]) -> tuple[Numbers, Numbers]:
        """The query's points that have the keys of these, and these, side by side."""
        counts = self.counts(keys)
        return self._order.take(runs(self._first.take(keys), counts)), np.repeat(points, counts)


def _near(asked: _Points, tables: list[_Table], held: _Points, count: int) -> _Near:
    """Pairs that share a key, once for each; of a picture with very many such pairs, all that are near."""
    found = [table.known(keys) for table, keys in zip(tables, held.keys, strict=True)]
    shared = np.zeros(count)
    for table, keys, points in zip(tables, held.keys, found, strict=True):
        shared += np.bincount(held.owner[points], table.counts(keys[points]), count)
    crowded = shared > MOST_SHARED_KEYS
    parts = [_all_near(asked, held, number) for number in np.flatnonzero(crowded).tolist()]
    for number, (table, points) in enumerate(zip(tables, found, strict=True)):
        kept = points[~crowded[held.owner[points]]] if crowded.any() else points
        ours, theirs = table.pairs(kept, held.keys[number][kept])
        part = asked.parts.take(ours) ^ held.parts.take(theirs)
        close = np.flatnonzero(np.bitwise_count(part) <= STRONG_PART_DISTANCE)
        ours, theirs = ours[close], theirs[close]
        bits = bits_of(asked.words.take(ours, axis=0) ^ held.words.take(theirs, axis=0))
        close = np.flatnonzero(bits <= STRONG_DISTANCE)
        parts.append(_Near(ours[close], theirs[close], bits[close]))
    ours, theirs, bits = (np.concatenate(side) for side in zip(*parts, strict=True))
    return _Near(ours, theirs, bits)


def _all_near(asked: _Points, held: _Points, number: int) -> _Near:
    """Of one picture, each point once: there may be as many pairs as there are points times points."""
    mine = np.flatnonzero(held.owner == number)
    ours, theirs, bits = near(asked.words, held.words[mine])
    return _each_once(asked, held, _Near(ours, mine[theirs], bits))
