"""Pictures of matches for people who may read both items; each look is recorded with both of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlmodel import Session, col, or_, select

from app.access.service import Access, Principal
from app.analysis.errors import SandboxFailure
from app.analysis.limits import SMALL
from app.analysis.sandbox import run_sandboxed
from app.archive import Archive
from app.errors import NotFoundError
from app.evidence.models import Derivative, Item
from app.evidence.service import permitted_item
from app.matching.errors import FingerprintError
from app.matching.models import FingerprintRow, MatchRow
from evidence_store.errors import EvidenceStoreError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from app.matching.align import Segment
    from app.matching.format import Fingerprint

PIXELS_TASK: Final = "app.matching.tasks:pixels_task"
MAX_SIDE: Final = 600  # pixels, of a photo as it is drawn
PART: Final = "match picture"


@dataclass(frozen=True, slots=True)
class _Stored:
    """A relation as it is stored, with the fingerprints of its query and of its item (None: not there)."""

    row: MatchRow
    fingerprints: tuple[bytes | None, bytes | None]


class MatchPictures:
    """Draws the matches of one archive."""

    def __init__(self, archive: Archive, access: Access) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._access = access

    def draw(self, who: Principal, item_id: str, other_id: str) -> bytes:
        """A PNG of why two items are related: the same bytes every time, whichever of the two is named first.

        It shows the newest relation, also one that a person has rejected: he may want to look again.

        Raises:
            NotFoundError: `unknown_item`, `unknown_match` when no comparison has related the two, or
                `picture_missing` when nothing is kept of them that could be drawn.
            DeniedError: `not_allowed`.
        """
        item, other = self._readable(who, item_id), self._readable(who, other_id)
        with self._archive.db.read() as session:
            stored = _stored(session, item.id, other.id)
        if stored is None:
            raise NotFoundError("unknown_match", "no comparison has related these two items")
        query, candidate = (_parsed(data) for data in stored.fingerprints)
        if query is None or candidate is None or not query.views or not candidate.views:
            raise NotFoundError("picture_missing", "nothing is kept of these two items that could be drawn")
        return self._drawn(stored.row, query, candidate)

    def record(self, who: Principal, item_id: str, other_id: str) -> None:
        """Write the look into the log: of both items, neither of which names the other.

        Raises:
            NotFoundError: `unknown_item`.
        """
        items = (self._readable(who, item_id), self._readable(who, other_id))
        custody = self._archive.custody
        with self._archive.db.write() as session:
            custody.lock(session)
            for item in items:
                custody.record(session, f"item:{item.id}", "access", who.actor, details={"part": PART})

    def _readable(self, who: Principal, item_id: str) -> Item:
        return permitted_item(self._archive, self._access, who, item_id, "item.read")[0]

    def _drawn(self, row: MatchRow, query: Fingerprint, candidate: Fingerprint) -> bytes:
        from app.matching.drawing import Shown, draw
        from app.matching.explain import explain

        segments = _segments(row.segments)
        sides = ((row.query_item, query), (row.item, candidate))
        left, right = (self._pixels(item) if made.kind == "photo" else None for item, made in sides)
        durations = tuple(made.duration_ms / 1000 if made.kind == "video" else None for _, made in sides)
        shown = Shown(
            (row.query_item, row.item),
            row.verdict,
            row.explanation,
            (durations[0], durations[1]),
            segments,
            (left, right),
        )
        return draw(explain(query, candidate, segments), shown)

    def _pixels(self, item_id: str) -> NDArray[np.uint8] | None:
        """The stored preview's pixels, (rows, columns, 3); None without one, or when it cannot be read.

        A preview was made from a hostile file by a process that it may have taken over: it is decoded in the sandbox.
        """
        made = select(Derivative).where(Derivative.item_id == item_id, Derivative.role == "preview")
        with self._archive.db.read() as session:
            newest = session.exec(made.order_by(col(Derivative.created_at).desc())).first()
        if newest is None:
            return None
        try:
            with self._archive.blobs.local_path(newest.sha256) as path:
                return _decoded(path)
        except (SandboxFailure, EvidenceStoreError):
            return None


def _decoded(path: Path) -> NDArray[np.uint8] | None:
    import numpy as np

    answer = run_sandboxed(PIXELS_TASK, (path, MAX_SIDE), SMALL)
    if not isinstance(answer, tuple) or not isinstance(answer[0], list) or not isinstance(answer[1], bytes):
        return None
    size, body = answer
    if len(size) != 2 or not all(isinstance(side, int) and 0 < side <= MAX_SIDE for side in size):  # noqa: PLR2004
        return None
    width, height = size
    if len(body) != width * height * 3:
        return None
    return np.frombuffer(body, np.uint8).reshape(height, width, 3)


def _parsed(data: bytes | None) -> Fingerprint | None:
    from app.matching.format import Fingerprint

    try:
        return None if data is None else Fingerprint.from_bytes(data)
    except FingerprintError:
        return None


def _segments(text: str) -> list[Segment]:
    from app.matching.align import Segment

    return [Segment(**{name: float(value) for name, value in one.items()}) for one in json.loads(text)]


def _stored(session: Session, first: str, second: str) -> _Stored | None:
    """The newest relation of two items, in the direction in which it was found."""
    ids = (first, second)
    pairs = or_(
        (col(MatchRow.query_item) == first) & (col(MatchRow.item) == second),
        (col(MatchRow.query_item) == second) & (col(MatchRow.item) == first),
    )
    newest = select(MatchRow).where(pairs).order_by(col(MatchRow.created_at).desc(), col(MatchRow.id))
    row = session.exec(newest).first()
    if row is None:
        return None
    made = select(FingerprintRow.item_id, FingerprintRow.data).where(
        col(FingerprintRow.item_id).in_(ids), FingerprintRow.algorithm == row.algorithm, FingerprintRow.state == "done"
    )
    data = dict(session.exec(made).all())
    return _Stored(row, (data.get(row.query_item), data.get(row.item)))
