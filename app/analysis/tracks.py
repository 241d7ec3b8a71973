"""The tracks of items: which one an item offers, and its bytes, checked.

1. An item's track is that of its newest analysis that gave a record; an older analysis' track is no longer offered.
2. An item without a track of its own offers that of a file stated to belong to it, such as its sidecar, and says so.
3. What is handed out is made of stored bytes whose digest is the recorded one.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session, col, select

from app.access.service import Principal
from app.analysis.models import AnalysisRun
from app.analysis.newest import claimed_seconds, newest_analysis
from app.analysis.rules_track import length_against_video
from app.analysis.track_at import PositionAt, position_at
from app.analysis.track_facts import read_track
from app.analysis.track_parts import TRACK_ROLE
from app.archive import Archive
from app.errors import NotFoundError
from app.evidence.models import Derivative, Item
from app.evidence.relations import Relations
from app.evidence.service import Evidence, item_or_none
from evidence_store.digests import digest_stream
from evidence_store.errors import EvidenceStoreError
from schemas.records.v1.media_metadata import Finding
from schemas.records.v1.track import TrackRecord


@dataclass(frozen=True, slots=True)
class OfferedTrack:
    """A track that an item offers.

    Attributes:
        item: who was asked.
        owner: whose track it is: the item itself, or what belongs to it.
        basis: how it is known that the owner belongs to the item; None for its own.
        made: the stored file.
        findings: what the track says beside the video that it belongs to.
    """

    item: Item
    owner: Item
    basis: str | None
    made: Derivative
    record: TrackRecord
    findings: tuple[Finding, ...]

    def at(self, second: float) -> PositionAt:
        """The position at a second of the video."""
        return position_at(self.record, second)


class Tracks:
    """The tracks of one archive."""

    def __init__(self, archive: Archive, evidence: Evidence, relations: Relations) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._evidence = evidence
        self._relations = relations

    def read(self, who: Principal, item_id: str) -> OfferedTrack:
        """The track that an item offers; the read is recorded, with the owner and with the item that was asked.

        Raises:
            NotFoundError: `unknown_item`; `analysis_pending`; `track_missing`.
            EvidenceStoreError: `blob_missing`, `fixity_mismatch`.
        """
        item, _ = self._evidence.find_item(who, item_id)
        owner, basis, made = self._offered(who, item)
        with self._archive.blobs.open(made.sha256) as stream:
            data = stream.read()
        if digest_stream([data]).sha256 != made.sha256:
            raise EvidenceStoreError("fixity_mismatch", "the stored track is not as it was made: run 'catena audit'")
        try:
            record = read_track(data)
        except ValueError as error:
            raise EvidenceStoreError("fixity_mismatch", "the stored track is of no form that is known") from error
        for read in {owner.id: owner, item.id: item}.values():
            self._evidence.record_access(who, read, TRACK_ROLE)
        duration = None if owner.id == item.id else self._duration(item.id)
        return OfferedTrack(item, owner, basis, made, record, tuple(length_against_video(record.summary, duration)))

    def _offered(self, who: Principal, item: Item) -> tuple[Item, str | None, Derivative]:
        related = self._relations.of(who, item.id)
        with self._archive.db.read() as session:
            own = _track_of(session, item.id)
            if own is not None:
                return item, None, own
            for one in related:
                made = _track_of(session, one.item) if one.direction == "has" else None
                found = item_or_none(session, one.item) if made is not None else None
                if made is not None and found is not None:
                    return found[0], one.relation.basis, made
            analysed = newest_analysis(session, item.id) is not None
        if not analysed:
            raise NotFoundError("analysis_pending", "the item is not analysed yet; try again in a moment")
        raise NotFoundError("track_missing", "neither the item nor what belongs to it holds a track")

    def _duration(self, item_id: str) -> float | None:
        with self._archive.db.read() as session:
            return claimed_seconds(newest_analysis(session, item_id))


def _track_of(session: Session, item_id: str) -> Derivative | None:
    """The track that the newest analysis with a record made."""
    runs = select(AnalysisRun).where(AnalysisRun.item_id == item_id, col(AnalysisRun.record).is_not(None))
    run = session.exec(runs.order_by(col(AnalysisRun.number).desc()).limit(1)).one_or_none()
    if run is None:
        return None
    made = select(Derivative).where(
        Derivative.item_id == item_id, Derivative.role == TRACK_ROLE, Derivative.created_at == run.created_at
    )
    return session.exec(made).first()
