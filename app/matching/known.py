"""All fingerprints of the archive, searchable in this process; rebuilt from SQL, then kept current.

1. Rows are read in the order of their events in the log, so what was read before is never read again.
2. Only hashes stay in memory; a candidate's full fingerprint is read when it is compared.
3. The short list only saves time: in a small archive everything of the same kind is compared.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from sqlmodel import col, select

from app.db import Database
from app.matching.compare import compare
from app.matching.format import Fingerprint
from app.matching.index import NumpyHashIndex
from app.matching.models import FingerprintRow

# Unrelated 256-bit hashes differ by 128 +- 8 bits; up to here a candidate is worth the dear comparison.
PHOTO_RADIUS = 90
VIDEO_RADIUS = 50
MAX_QUERY_ROWS = 240  # of a long recording, evenly spaced
COMPARE_ALL_UP_TO = 300
MAX_CANDIDATES = 300
BATCH = 200


@dataclass(frozen=True, slots=True)
class Found:
    """A relation of the query to an item; `segments` hold decimal texts of seconds."""

    item: str
    verdict: str
    distance: int | None
    explanation: str
    segments: list[dict[str, str]]


@dataclass
class _Shelf:
    """The items of one kind."""

    index: NumpyHashIndex = field(default_factory=NumpyHashIndex)
    items: list[str] = field(default_factory=list)


class Known:
    """Fingerprints by one algorithm version."""

    def __init__(self, db: Database, algorithm: str) -> None:
        """Bind to the fingerprint table; nothing is read yet."""
        self._db = db
        self._algorithm = algorithm
        self._lock = threading.Lock()
        self._read_up_to = -1
        self._shelves: dict[str, _Shelf] = {"photo": _Shelf(), "video": _Shelf()}

    def search(self, query: Fingerprint, *, without: set[str]) -> list[Found]:
        """Items that show the same content as the query, or a part of it, best first."""
        with self._lock:
            self._refresh()
            candidates = [item for item in self._shortlist(query) if item not in without]
        found = []
        for start in range(0, len(candidates), BATCH):
            for item, fingerprint in self._load(candidates[start : start + BATCH]):
                verdict = compare(query, fingerprint)
                if verdict is not None:
                    found.append(
                        Found(item, verdict.verdict, verdict.distance, verdict.explanation, verdict.segments_as_text())
                    )
        return found

    def _refresh(self) -> None:
        newer = (
            select(FingerprintRow)
            .where(FingerprintRow.algorithm == self._algorithm, col(FingerprintRow.leaf_index) > self._read_up_to)
            .order_by(col(FingerprintRow.leaf_index))
        )
        with self._db.read() as session:
            for row in session.exec(newer.execution_options(yield_per=BATCH)):
                if row.data is not None:
                    self._shelve(row.item_id, Fingerprint.from_bytes(row.data))
                self._read_up_to = row.leaf_index if row.leaf_index is not None else self._read_up_to
                session.expunge(row)

    def _shelve(self, item: str, fingerprint: Fingerprint) -> None:
        shelf = self._shelves[fingerprint.kind]
        shelf.items.append(item)
        shelf.index.add(item, [row.value for row in fingerprint.hashes if row.dihedral == 0])

    def _shortlist(self, query: Fingerprint) -> list[str]:
        shelf = self._shelves[query.kind]
        if len(shelf.items) <= COMPARE_ALL_UP_TO:
            return list(shelf.items)
        nearest: dict[str, int] = {}
        radius = PHOTO_RADIUS if query.kind == "photo" else VIDEO_RADIUS
        step = max(1, len(query.hashes) // MAX_QUERY_ROWS)
        for row in query.hashes[::step]:
            for item, _, distance in shelf.index.search(row.value, radius):
                nearest[item] = min(distance, nearest.get(item, distance))
        return sorted(nearest, key=lambda item: (nearest[item], item))[:MAX_CANDIDATES]

    def _load(self, items: list[str]) -> list[tuple[str, Fingerprint]]:
        with self._db.read() as session:
            rows = select(FingerprintRow.item_id, FingerprintRow.data).where(
                col(FingerprintRow.item_id).in_(items), FingerprintRow.algorithm == self._algorithm
            )
            return [(item, Fingerprint.from_bytes(data)) for item, data in session.exec(rows) if data is not None]
