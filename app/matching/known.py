"""All fingerprints of the archive, searchable in this process; rebuilt from SQL, then kept current.

1. Rows are read in the order of their events in the log, so what was read before is never read again.
2. Only hashes stay in memory, and they are the only part of the fingerprints that is read for that.
3. A candidate's full fingerprint is read when its turn comes. Unless its hash is near enough to speak for itself, a
   hundredth of the comparison comes first: whether the two photos have points in common, and these lie alike.
4. The short list only saves time: in a small archive everything of the same kind is looked at. What is the same picture
   within 31 bits is on it in any archive.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from copy import copy

import numpy as np
from numpy.typing import NDArray
from sqlmodel import col, select

from app.db import Database
from app.matching import error_rates
from app.matching.bands import BandedHashIndex
from app.matching.beginnings import beginnings
from app.matching.compare import EITHER_WAY, compare
from app.matching.format import Fingerprint, HashRow, plain_hashes
from app.matching.hash_rows import Hit, Words
from app.matching.models import FingerprintRow
from app.matching.multi_index import EXACT_RADIUS, MultiIndex
from app.matching.points_alike import points_alike
from app.matching.recipe import Found
from app.matching.rules import DERIVED_DISTANCE

# Unrelated 256-bit hashes differ by 128 +- 8 bits; up to here a candidate is worth the dear comparison.
PHOTO_RADIUS = 90
VIDEO_RADIUS = 50
MAX_QUERY_ROWS = 240  # of a long recording, evenly spaced
COMPARE_ALL_UP_TO = 300
# Among 100,000 items at most three strangers lay nearer to a copy than its original (docs/benchmarks.md).
MAX_PHOTO_CANDIDATES = 16
MAX_VIDEO_CANDIDATES = 300
MAX_BANDED_ROWS = 4_800
COMPARE_OTHERS_UP_TO = 24  # recordings with a photo, photos with a recording: else only those with a near frame
MAX_OTHERS = 24
POINTS_ALIKE = 6
UNKNOWN_DISTANCE = 256
BATCH = 200
KEPT_READ = 320  # fingerprints of 75 kB that are not read again when they are soon asked for


class _Photos:
    """The hashes of photos, by the number of their item."""

    def __init__(self, items: list[str], index: BandedHashIndex, whole: MultiIndex) -> None:
        self.items, self._index = items, index
        self._whole = whole  # exact up to 31 bits, for what may be the same picture

    def add(self, item: str, rows: Words, crops: NDArray[np.bool_]) -> None:
        self._index.add(len(self.items), rows)
        self._whole.add_words(item, rows[~crops])
        self.items.append(item)

    def view(self) -> _Photos:
        """What is here now, for searching while more is added: to the end of the same list, behind the same rows."""
        self._index.file_when_due()
        self._whole.file_when_due()
        return _Photos(self.items, copy(self._index), copy(self._whole))

    def nearest(self, query: Fingerprint) -> dict[str, int]:
        rows = _evenly(list(query.hashes), MAX_QUERY_ROWS)
        far = DERIVED_DISTANCE if query.kind == "video" else PHOTO_RADIUS
        found = self._index.nearest([row.value for row in rows], far)
        nearest = {self.items[number]: distance for number, distance in found.items()}
        for row in rows:
            if row.role != "crop":
                _note(nearest, self._whole.search(row.value, EXACT_RADIUS))
        return nearest


class _Videos:
    """The hashes of frames of videos: exact up to 31 bits, then up to 50 with a part of the query's rows."""

    def __init__(self, items: list[str], index: MultiIndex) -> None:
        self.items, self._index = items, index

    def add(self, item: str, rows: Words, _crops: NDArray[np.bool_]) -> None:
        self._index.add_words(item, rows)
        self.items.append(item)

    def view(self) -> _Videos:
        """As of photos."""
        self._index.file_when_due()
        return _Videos(self.items, copy(self._index))

    def nearest(self, query: Fingerprint) -> dict[str, int]:
        nearest: dict[str, int] = {}
        rows = list(query.hashes)
        for row in _evenly(rows, MAX_BANDED_ROWS):
            _note(nearest, self._index.search(row.value, EXACT_RADIUS))
        for row in _evenly(rows, MAX_QUERY_ROWS):
            _note(nearest, self._index.search(row.value, VIDEO_RADIUS))
        return nearest


def _evenly(rows: list[HashRow], most: int) -> list[HashRow]:
    return rows[:: -(-len(rows) // most)] if rows else []


def _note(nearest: dict[str, int], hits: list[Hit]) -> None:
    for item, _, distance in hits:
        nearest[item] = min(distance, nearest.get(item, distance))


class Known:
    """Fingerprints by one algorithm version."""

    def __init__(self, db: Database, algorithm: str) -> None:
        """Bind to the fingerprint table; nothing is read yet."""
        self._db = db
        self._algorithm = algorithm
        self._lock = threading.Lock()
        self._read_up_to = -1
        self._photos, self._videos = _Photos([], BandedHashIndex(), MultiIndex()), _Videos([], MultiIndex())
        self._read: OrderedDict[str, Fingerprint] = OrderedDict()

    def search(self, query: Fingerprint, *, without: set[str]) -> list[Found]:
        """Items that show the same content as the query, or a part of it, best first."""
        with self._lock:
            self._refresh()
            photos, videos = self._photos.view(), self._videos.view()
        listed = {item: far for item, far in _shortlist(query, photos, videos).items() if item not in without}
        candidates = list(listed)
        found = []
        for start in range(0, len(candidates), BATCH):
            loaded = self._load(candidates[start : start + BATCH])
            asked = [(fingerprint, listed[item]) for item, fingerprint in loaded]
            for (item, fingerprint), ways in zip(loaded, worth_comparing(query, asked), strict=True):
                if not ways:
                    continue
                verdict = compare(query, fingerprint, mirrored=ways)
                if verdict is not None:
                    media = query.kind if query.kind == fingerprint.kind else "still"
                    text = f"{verdict.explanation} {error_rates.sentence(media, verdict.verdict)}"
                    found.append(Found(item, verdict.verdict, verdict.distance, text, verdict.segments_as_text()))
        return found

    def _refresh(self) -> None:
        with self._db.read() as session:
            for item, kind, leaf_index, start in beginnings(session, self._algorithm, self._read_up_to):
                if start is not None:
                    shelf = self._photos if kind == "photo" else self._videos
                    shelf.add(item, *plain_hashes(start))
                self._read_up_to = leaf_index

    def _load(self, items: list[str]) -> list[tuple[str, Fingerprint]]:
        """Full fingerprints, in the order asked for."""
        with self._lock:
            there = {item: self._read[item] for item in items if item in self._read}
        missing = [item for item in items if item not in there]
        if missing:
            with self._db.read() as session:
                rows = select(FingerprintRow.item_id, FingerprintRow.data).where(
                    col(FingerprintRow.item_id).in_(missing), FingerprintRow.algorithm == self._algorithm
                )
                read = {item: Fingerprint.from_bytes(data) for item, data in session.exec(rows) if data is not None}
            there |= read
            with self._lock:
                # A video's may be large, and photos are what small archives compare again and again.
                self._read.update((item, made) for item, made in read.items() if made.kind == "photo")
                while len(self._read) > KEPT_READ:
                    self._read.popitem(last=False)
        return [(item, there[item]) for item in items if item in there]


def _shortlist(query: Fingerprint, photos: _Photos, videos: _Videos) -> dict[str, int]:
    """Items and the distance of their nearest hash, nearest first; of the other kind as well, but fewer."""
    same, other = (photos, videos) if query.kind == "photo" else (videos, photos)
    most = MAX_PHOTO_CANDIDATES if query.kind == "photo" else MAX_VIDEO_CANDIDATES
    listed = _listed(same, query, COMPARE_ALL_UP_TO, most)
    return listed | _listed(other, query, COMPARE_OTHERS_UP_TO, MAX_OTHERS)


def _listed(shelf: _Photos | _Videos, query: Fingerprint, all_up_to: int, most: int) -> dict[str, int]:
    nearest = shelf.nearest(query)
    if len(shelf.items) <= all_up_to:
        nearest = {item: nearest.get(item, UNKNOWN_DISTANCE) for item in shelf.items}
        most = len(nearest)
    return dict(sorted(nearest.items(), key=lambda hit: (hit[1], hit[0]))[:most])


def worth_comparing(query: Fingerprint, candidates: Sequence[tuple[Fingerprint, int]]) -> list[tuple[bool, ...]]:
    """Which ways round (as it is, mirrored) the dear comparison can find anything.

    Args:
        query: of the file asked about.
        candidates: fingerprints, and the distance of their nearest hash: by hash both ways, up to its radius; beyond it
            only where enough points lie alike.

    Returns:
        Of each candidate, in their order.
    """
    ways = [_by_hash_alone(query, candidate, distance) for candidate, distance in candidates]
    asked = [number for number, known in enumerate(ways) if known is None]
    views = [view for number in asked for view in candidates[number][0].views]
    owner = np.repeat(asked, [len(candidates[number][0].views) for number in asked])
    alike = np.zeros((len(candidates), len(EITHER_WAY)), np.intp)
    for view in query.views if views else ():
        np.maximum.at(alike, owner, points_alike(view, views))
    return [
        tuple(way for way, most in zip(EITHER_WAY, alike[number], strict=True) if most >= POINTS_ALIKE)
        if known is None
        else known
        for number, known in enumerate(ways)
    ]


def _by_hash_alone(query: Fingerprint, candidate: Fingerprint, distance: int) -> tuple[bool, ...] | None:
    """None where points have to be asked."""
    if "video" in (query.kind, candidate.kind) or distance <= DERIVED_DISTANCE:
        return EITHER_WAY
    return None if query.views and candidate.views else ()
