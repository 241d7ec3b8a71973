"""The hashes that stay in memory, by kind: which items have one near a query's.

Each is added to under its owner's lock, and searched beside it through a view.
"""

from __future__ import annotations

from copy import copy
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.matching.bands import BandedHashIndex
from app.matching.format import Fingerprint
from app.matching.hash_rows import Words
from app.matching.multi_index import EXACT_RADIUS, MultiIndex
from app.matching.probes import likeliest
from app.matching.rules import DERIVED_DISTANCE

# Unrelated 256-bit hashes differ by 128 +- 8 bits; up to here a candidate is worth the dear comparison.
PHOTO_RADIUS: Final = 90
VIDEO_RADIUS: Final = 50
MAX_QUERY_ROWS: Final = 240  # of a long recording, evenly spaced
MAX_BANDED_ROWS: Final = 4_800

Whose = NDArray[np.intp]
Row = TypeVar("Row")


class Photos:
    """The hashes of photos, by the number of their item.

    Attributes:
        items: their ids.
    """

    def __init__(
        self, items: list[str] | None = None, index: BandedHashIndex | None = None, whole: MultiIndex | None = None
    ) -> None:
        """Without any, unless what they are seen through is given."""
        self.items = [] if items is None else items
        self._index = BandedHashIndex() if index is None else index
        self._whole = MultiIndex() if whole is None else whole  # exact up to 31 bits, for what may be the same picture

    def add(self, items: list[str], rows: Words, crops: NDArray[np.bool_], whose: Whose) -> None:
        """Add the hashes of items that are not here yet, as `app.matching.kept_hashes.unpacked` gives them."""
        self._index.add(len(self.items) + whose, rows)
        self._whole.add_new(items, rows[~crops], whose[~crops])
        self.items += items

    def view(self) -> Photos:
        """What is here now, for searching while more is added: to the end of the same list, behind the same rows."""
        self._index.file_when_due()
        self._whole.file_when_due()
        return Photos(self.items, copy(self._index), copy(self._whole))

    def nearest(self, query: Fingerprint) -> dict[str, int]:
        """Items with a hash near one of the query's, and the least distance (bits)."""
        rows = _evenly(list(query.hashes), MAX_QUERY_ROWS)
        far = DERIVED_DISTANCE if query.kind == "video" else PHOTO_RADIUS
        turned = likeliest(rows, query.views) if query.kind == "photo" else None
        found = self._index.nearest([row.value for row in rows], far, turned)
        nearest = {self.items[number]: distance for number, distance in found.items()}
        same = self._whole.nearest([row.value for row in rows if row.role != "crop"], EXACT_RADIUS)
        return _least(nearest, same)


class Videos:
    """The hashes of frames of videos: exact up to 31 bits, then up to 50 with a part of the query's rows."""

    def __init__(self, items: list[str] | None = None, index: MultiIndex | None = None) -> None:
        """As of photos."""
        self.items = [] if items is None else items
        self._index = MultiIndex() if index is None else index

    def add(self, items: list[str], rows: Words, _crops: NDArray[np.bool_], whose: Whose) -> None:
        """As of photos."""
        self._index.add_new(items, rows, whose)
        self.items += items

    def view(self) -> Videos:
        """As of photos."""
        self._index.file_when_due()
        return Videos(self.items, copy(self._index))

    def nearest(self, query: Fingerprint) -> dict[str, int]:
        """As of photos."""
        values = [row.value for row in query.hashes]
        near = self._index.nearest(_evenly(values, MAX_BANDED_ROWS), EXACT_RADIUS)
        return _least(near, self._index.nearest(_evenly(values, MAX_QUERY_ROWS), VIDEO_RADIUS))


def _evenly(rows: list[Row], most: int) -> list[Row]:
    return rows[:: -(-len(rows) // most)] if rows else []


def _least(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {item: min(one.get(item, far), other.get(item, far)) for item, far in (one | other).items()}
