"""All fingerprints of the archive, searchable in this process; rebuilt from SQL, then kept current.

1. Rows are read in the order of their events in the log, so what was read before is never read again.
2. Only hashes stay in memory, and only they are read for that, of a table of their own (`app/matching/kept_hashes.py`).
3. A candidate's full fingerprint is read when its turn comes. Unless its hash is near enough to speak for itself, a
   hundredth of the comparison comes first: whether the two photos have points in common, and these lie alike.
4. The short list only saves time: in a small archive everything of the same kind is looked at. What is the same picture
   within 31 bits is on it in any archive.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

import numpy as np
from sqlmodel import Session

from app.db import Database
from app.jobs.service import NotYetError
from app.matching import error_rates
from app.matching.beginnings import beginnings_of
from app.matching.compare import EITHER_WAY, compare
from app.matching.format import Fingerprint, Kind
from app.matching.kept_hashes import newer_hashes, unpacked
from app.matching.leads import Lead, leads
from app.matching.points_alike import HasPoints, points_alike
from app.matching.recipe import Found
from app.matching.rules import DERIVED_DISTANCE
from app.matching.shelves import Photos, Videos

COMPARE_ALL_UP_TO = 300
# Among 100,000 items 3 of 775 copies had so many strangers nearer than their original, all beyond 80 bits (ADR 60).
MAX_PHOTO_CANDIDATES = 16
MAX_VIDEO_CANDIDATES = 300
COMPARE_OTHERS_UP_TO = 24  # recordings with a photo, photos with a recording: else only those with a near frame
MAX_OTHERS = 24
POINTS_ALIKE = 6
UNKNOWN_DISTANCE = 256
BATCH = 200
HASHES_AT_ONCE = 1_000  # fingerprints whose hashes are added together
BATCH_BYTES = 4 << 20
KEPT_READ = 320  # fingerprints of 75 kB, and their points by themselves, that are not read again when soon asked for

_Hashes = tuple[str, str, int, bytes | None]


class Candidate(Protocol):
    """What is asked of one before the comparison."""

    @property
    def kind(self) -> Kind:
        """Of which kind it is."""
        ...

    @property
    def views(self) -> Sequence[HasPoints]:
        """What it shows."""
        ...


C = TypeVar("C", bound=Candidate)


class Known:
    """Fingerprints by one algorithm version."""

    def __init__(self, db: Database, algorithm: str) -> None:
        """Bind to the fingerprint table; nothing is read yet."""
        self._db = db
        self._algorithm = algorithm
        self._lock = threading.Lock()
        self._is_read = False
        self._read_up_to = -1
        self._photos, self._videos = Photos(), Videos()
        self._asked, self._read = _Kept[Lead | Fingerprint](), _Kept[Fingerprint]()

    def is_being_read(self) -> bool:
        """Whether the first reading is under way, for which searches wait: in a large archive that takes seconds."""
        return self._lock.locked() and not self._is_read

    def search(self, query: Fingerprint, *, without: set[str], patient: bool = True) -> list[Found]:
        """Items that show the same content as the query, or a part of it, best first.

        Args:
            query: of the file asked about.
            without: items that are not looked at.
            patient: wait while another thread does the first reading.

        Raises:
            NotYetError: it does, and one is not.
        """
        if not self._lock.acquire(blocking=patient or self._is_read):
            raise NotYetError("the hashes of the archive are being read for the first time")
        try:
            self._refresh()
            photos, videos = self._photos.view(), self._videos.view()
            self._is_read = True
        finally:
            self._lock.release()
        alike, others = (
            {item: far for item, far in listed.items() if item not in without}
            for listed in _shortlist(query, photos, videos)
        )
        found = []
        for part in _in_parts([*alike, *others]):
            for item, fingerprint, ways in self._worth_comparing(query, part, alike):
                verdict = compare(query, fingerprint, mirrored=ways)
                if verdict is not None:
                    media = query.kind if query.kind == fingerprint.kind else "still"
                    text = f"{verdict.explanation} {error_rates.sentence(media, verdict.verdict)}"
                    found.append(Found(item, verdict.verdict, verdict.distance, text, verdict.segments_as_text()))
        return found

    def _worth_comparing(
        self, query: Fingerprint, items: list[str], alike: dict[str, int]
    ) -> list[tuple[str, Fingerprint, tuple[bool, ...]]]:
        """Of some candidates those that are compared in full, and which ways round.

        Args:
            query: of the file asked about.
            items: the candidates.
            alike: of those of the query's kind, the distance of the nearest hash.
        """
        far = [item for item in items if item in alike and _is_asked(query, query.kind, alike[item])]
        asked = self._leads(far) if query.views else {}  # without any there is nothing to ask about
        said = worth_comparing(query, [(lead, alike[item]) for item, lead in asked.items()])
        ways: dict[str, tuple[bool, ...]] = dict.fromkeys(items, EITHER_WAY) | dict.fromkeys(far, ())
        ways.update(zip(asked, said, strict=True))
        worth = [item for item in items if ways[item]]
        return [(item, fingerprint, ways[item]) for item, fingerprint in self._load(worth).items()]

    def _refresh(self) -> None:
        with self._db.read() as session:
            for read in _batches(newer_hashes(session, self._algorithm, self._read_up_to)):
                photos = {item: kept for item, kind, _, kept in read if kind == "photo" and kept is not None}
                videos = {item: kept for item, kind, _, kept in read if kind != "photo" and kept is not None}
                found = unpacked(list(photos.values())), unpacked(list(videos.values()))
                self._photos.add(list(photos), *found[0])
                self._videos.add(list(videos), *found[1])
                self._read_up_to = read[-1][2]

    def _load(self, items: list[str]) -> dict[str, Fingerprint]:
        """Full fingerprints, in the order asked for."""

        def read(session: Session, missing: list[str]) -> dict[str, Fingerprint]:
            stored = beginnings_of(session, self._algorithm, missing)
            return {item: Fingerprint.from_bytes(whole) for item, whole, _ in stored}

        return self._through(self._read, items, read)

    def _leads(self, photos: list[str]) -> dict[str, Lead | Fingerprint]:
        """What photos are asked first, in the order asked for."""
        return self._through(self._asked, photos, lambda session, missing: leads(session, self._algorithm, missing))

    def _through(
        self, kept: _Kept[C], items: list[str], read: Callable[[Session, list[str]], dict[str, C]]
    ) -> dict[str, C]:
        """What is kept of items, and the rest as it is read; in their order, without those that are nowhere."""
        there = kept.of(items)
        missing = [item for item in items if item not in there]
        if missing:
            with self._db.read() as session:
                made = read(session, missing)
            # A video's may be large, and photos are what small archives compare again and again.
            kept.keep({item: one for item, one in made.items() if one.kind == "photo"})
            there |= made
        return {item: there[item] for item in items if item in there}


class _Kept(Generic[C]):
    """What was read last, by item."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, C] = OrderedDict()

    def of(self, items: list[str]) -> dict[str, C]:
        with self._lock:
            return {item: self._kept[item] for item in items if item in self._kept}

    def keep(self, read: dict[str, C]) -> None:
        with self._lock:
            self._kept.update(read)
            while len(self._kept) > KEPT_READ:
                self._kept.popitem(last=False)


def _in_parts(items: list[str]) -> list[list[str]]:
    return [items[start : start + BATCH] for start in range(0, len(items), BATCH)]


def _batches(read: Iterable[_Hashes]) -> Iterator[list[_Hashes]]:
    """Some of them at a time; of recordings, which have more hashes, fewer."""
    batch: list[_Hashes] = []
    size = 0
    for one in read:
        batch.append(one)
        size += len(one[3] or b"")
        if len(batch) >= HASHES_AT_ONCE or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _shortlist(query: Fingerprint, photos: Photos, videos: Videos) -> tuple[dict[str, int], dict[str, int]]:
    """Items and the distance of their nearest hash, nearest first; those of the other kind apart, and fewer."""
    same, other = (photos, videos) if query.kind == "photo" else (videos, photos)
    most = MAX_PHOTO_CANDIDATES if query.kind == "photo" else MAX_VIDEO_CANDIDATES
    return _listed(same, query, COMPARE_ALL_UP_TO, most), _listed(other, query, COMPARE_OTHERS_UP_TO, MAX_OTHERS)


def _listed(shelf: Photos | Videos, query: Fingerprint, all_up_to: int, most: int) -> dict[str, int]:
    nearest = shelf.nearest(query)
    if len(shelf.items) <= all_up_to:
        nearest = {item: nearest.get(item, UNKNOWN_DISTANCE) for item in shelf.items}
        most = len(nearest)
    return dict(sorted(nearest.items(), key=lambda hit: (hit[1], hit[0]))[:most])


def worth_comparing(query: Fingerprint, candidates: Sequence[tuple[Candidate, int]]) -> list[tuple[bool, ...]]:
    """Which ways round (as it is, mirrored) the dear comparison can find anything.

    Args:
        query: of the file asked about.
        candidates: fingerprints, or what is read of them first, and the distance of their nearest hash: by hash both
            ways, up to its radius; beyond it only where enough points lie alike.

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


def _by_hash_alone(query: Fingerprint, candidate: Candidate, distance: int) -> tuple[bool, ...] | None:
    """None where points have to be asked."""
    if not _is_asked(query, candidate.kind, distance):
        return EITHER_WAY
    return None if query.views and candidate.views else ()


def _is_asked(query: Fingerprint, kind: Kind, distance: int) -> bool:
    """Whether a candidate's points decide: of photos, where no hash is near enough to speak for itself."""
    return "video" not in (query.kind, kind) and distance > DERIVED_DISTANCE
