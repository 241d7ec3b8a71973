"""Under which keys a row of a query is looked up: its own, and those with its least certain bits turned over.

A bit of a pHash says whether a frequency of the picture lies above the median of all. What turns over in a copy are the
faint ones, and which these are is worked out for the query alone, of the small picture that its view keeps. Half as
many keys that are turned over so find what blind ones do (Lv et al. 2007 probe so; docs/adr/0063).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, cycle
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.matching.area import shrink
from app.matching.canonical_image import Gray
from app.matching.format import HashRow, View, Window
from app.matching.hashes import FULL, cut

BANDS: Final = 5
KEY_BITS: Final = 16
LOW_SIDE: Final = 8
WHOLE_PROBES: Final = 80  # keys of the whole picture; also of one without its border, and of one inside a page
TURNED_PROBES: Final = 100  # of one that is flipped or turned; of its crops no others tell
CROP_PROBES: Final = 50
BLIND_BITS: Final = 2  # that are turned over, each with each, where nothing tells which are uncertain
MAX_TURNED: Final = 4
TURN_COST: Final = 2.5  # of any further bit, in ranks of certainty

BY_FREQUENCY: Final = sorted(((u, v) for u in range(16) for v in range(16)), key=lambda place: (sum(place), place))
LOW: Final = [(u, v) for u, v in BY_FREQUENCY if max(u, v) < LOW_SIDE]
_SMALL: Final = 64  # pixels of a side: of the picture, and of a part of it
_PART: Final = 32

Strengths = NDArray[np.float32]


def _dealt() -> NDArray[np.intp]:
    """Of each key the places of its bits; dealt in turn, so that each gets all frequencies.

    The lowest of all, brightness, is left out: its bit is set in any picture. After the others the lowest come again.
    """
    keys: list[list[int]] = [[] for _ in range(BANDS)]
    turn = cycle(LOW_SIDE * u + v for u, v in LOW[1:])
    for number in range(BANDS * KEY_BITS):
        key = keys[number % BANDS]
        key.append(next(place for place in turn if place not in key))
    return np.array(keys)


KEY_PLACES: Final = _dealt()
"""(bands, bits): where in the lowest 8 x 8 frequencies the bits of a key lie, the lowest bit first."""


def _likeliest(most: int) -> NDArray[np.intp]:
    """Which bits to turn over, by their rank from the faintest on: (most, 4), filled up with one beyond the last."""
    turned = (some for count in range(MAX_TURNED + 1) for some in combinations(range(KEY_BITS), count))
    ranked = sorted(turned, key=lambda some: (sum(some) + TURN_COST * len(some), some))[:most]
    return np.array([[*some, *[KEY_BITS] * (MAX_TURNED - len(some))] for some in ranked])


_LIKELIEST: Final = _likeliest(max(WHOLE_PROBES, TURNED_PROBES, CROP_PROBES))
_BLIND: Final = np.array(
    [sum(1 << bit for bit in some) for count in range(BLIND_BITS + 1) for some in combinations(range(KEY_BITS), count)],
    np.uint16,
)


class Turned(NamedTuple):
    """What to turn over in the keys of rows that are looked up.

    Attributes:
        row: (n) the row of each probe, ascending.
        bits: (bands, n) the bits to turn over in its key.
    """

    row: NDArray[np.intp]
    bits: NDArray[np.uint16]


def blindly(rows: int) -> Turned:
    """Any two bits of the keys of so many rows."""
    each = np.tile(_BLIND, rows)
    return Turned(np.repeat(np.arange(rows), len(_BLIND)), np.broadcast_to(each, (BANDS, len(each))))


def likeliest(rows: Sequence[HashRow], views: Sequence[View]) -> Turned:
    """The bits of a photo's rows that are likeliest to differ in a copy.

    Args:
        rows: of the photo.
        views: its own, and that of a picture inside it.
    """
    if not views:
        return blindly(len(rows))
    weak = np.argsort(_strengths(rows, views)[:, KEY_PLACES], axis=2, kind="stable")
    bit = np.zeros((*weak.shape[:2], KEY_BITS + 1), np.uint16)
    bit[..., :KEY_BITS] = np.left_shift(1, weak)
    turned = np.bitwise_or.reduce(bit[..., _LIKELIEST], axis=3)
    row, number = np.nonzero(np.arange(len(_LIKELIEST)) < np.array([_probes(row) for row in rows])[:, None])
    return Turned(row, np.ascontiguousarray(turned[row, :, number].T))


def _probes(row: HashRow) -> int:
    if row.dihedral:
        return TURNED_PROBES
    return CROP_PROBES if row.role == "crop" else WHOLE_PROBES


def _strengths(rows: Sequence[HashRow], views: Sequence[View]) -> Strengths:
    """(n, 64) how strong the lowest 8 x 8 frequencies are in the part of the picture that each row is a hash of."""
    smalls = [shrink(view.pixels(), _SMALL, _SMALL) for view in views]
    known: dict[tuple[int, Window], Strengths] = {}
    found = np.empty((len(rows), LOW_SIDE, LOW_SIDE), np.float32)
    for at, row in enumerate(rows):
        inside = row.role == "content"
        part = (len(smalls) - 1 if inside else 0, FULL if inside else row.window)
        if part not in known:
            known[part] = _lowest(cut(smalls[part[0]], part[1]))
        # Flips only change signs; quarter turns change rows and columns as well.
        found[at] = known[part].T if row.dihedral % 2 else known[part]
    return found.reshape(len(rows), LOW_SIDE**2)


def _lowest(part: Gray) -> Strengths:
    import cv2

    small = cv2.resize(part, (_PART, _PART), interpolation=cv2.INTER_LINEAR)  # by area it takes ten times as long
    return np.abs(cv2.dct(np.asarray(small, np.float32))[:LOW_SIDE, :LOW_SIDE])
