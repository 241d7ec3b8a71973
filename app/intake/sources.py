"""What is stated of an item's source, version by version.

1. The first version stands in the item and never changes. A later one is a row of its own with reason and author.
2. A version is whole: what it does not state is no longer stated. Nothing is merged when it is read.
3. Numbers have no gaps. Who states a version names the one he had before him; if there is a newer one, he is refused.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from sqlmodel import Session, col, select

from app.access.service import Access, Principal
from app.archive import Archive
from app.custody.outputs import output
from app.errors import ConflictError, EnvironmentFailedError, InvalidInputError
from app.evidence.models import Item, SourceVersion
from app.evidence.service import Evidence, permitted_item
from app.intake.statements import ROLE, changed_fields, check_reason, first_version, parse_source
from evidence_store.canonical import canonical_bytes
from schemas.records.v1.source import SourceRecord
from schemas.records.v1.source_version import SourceVersionRecord

_CHUNK = 500  # ids of one query


@dataclass(frozen=True, slots=True)
class SourceShown:
    """One version.

    Attributes:
        number: 1 is what the depositor stated.
        record: what is stated.
        reason: why it was changed; None for the first.
        author: user id.
        created_at: RFC 3339 UTC.
    """

    number: int
    record: SourceRecord
    reason: str | None
    author: str
    created_at: str

    def as_json(self) -> dict[str, object]:
        """For interfaces."""
        return {
            "version": self.number,
            "source": self.record,
            "reason": self.reason,
            "author": self.author,
            "created_at": self.created_at,
        }


class Sources:
    """Sources of the items of one archive."""

    def __init__(self, archive: Archive, access: Access, evidence: Evidence) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._access = access
        self._evidence = evidence

    def history(self, who: Principal, item_id: str) -> list[SourceShown]:
        """Every version, the first first; the read is recorded.

        Raises:
            NotFoundError: `unknown_item`.
        """
        item, _ = self._evidence.find_item(who, item_id)
        versions = self.versions_of(item)
        self._evidence.record_access(who, item, "source")
        return versions

    def versions_of(self, item: Item) -> list[SourceShown]:
        """Every version, the first first, for a caller that has asked for the right."""
        with self._archive.db.read() as session:
            return [_first(item), *(_shown(row) for row in _rows(session, item.id))]

    def current_of(self, items: Iterable[Item]) -> dict[str, SourceShown]:
        """The newest version of each item, by item id."""
        known = {item.id: _first(item) for item in items}
        ids = list(known)
        with self._archive.db.read() as session:
            for start in range(0, len(ids), _CHUNK):
                wanted = select(SourceVersion).where(col(SourceVersion.item_id).in_(ids[start : start + _CHUNK]))
                for row in session.exec(wanted.order_by(col(SourceVersion.number))):
                    known[row.item_id] = _shown(row)
        return known

    def records_of(self, item: Item) -> list[bytes]:
        """The version records that events name, oldest first: version 1 only when its event does not state it whole."""
        with self._archive.db.read() as session:
            return [first_version(item), *(row.record.encode() for row in _rows(session, item.id))]

    def revise(self, who: Principal, item_id: str, record: object, reason: str, expected: int) -> SourceShown:
        """State the source anew.

        Args:
            who: the author.
            item_id: UUID text.
            record: the whole new record.
            reason: why, 1 to 2,000 characters.
            expected: number of the version that the author had before him.

        Raises:
            NotFoundError: `unknown_item`.
            DeniedError: `not_allowed`.
            InvalidInputError: `bad_source`, `reason_required`, `text_too_long`, `bad_text`, `source_unchanged`.
            ConflictError: `source_changed` when there is a newer version than the expected one.
        """
        item, _ = permitted_item(self._archive, self._access, who, item_id, "item.ingest")
        stated, because = parse_source(record).as_record(), check_reason(reason)
        custody = self._archive.custody
        with self._archive.db.write() as session:
            custody.lock(session)  # the number that is read now is the newest until the commit
            rows = _rows(session, item.id)
            newest = _shown(rows[-1]) if rows else _first(item)
            if newest.number != expected:
                raise ConflictError(
                    "source_changed", f"version {newest.number} is the newest, not {expected}: look at it and try again"
                )
            if not (changed := changed_fields(newest.record, stated)):
                raise InvalidInputError("source_unchanged", f"that is what version {newest.number} states")
            row = _row(who, item, newest.number + 1, stated, because, custody.now())
            custody.record(
                session,
                f"item:{item.id}",
                "metadata modification",
                who.actor,
                details={
                    "outputs": [output(ROLE, row.record.encode(), version=row.id)],
                    "number": row.number,
                    "reason": because,
                    "changed": [*changed],
                },
                rows=[row],
            )
            return _shown(row)


def captions_in(session: Session, item: Item) -> set[str]:
    """Every caption that any version of an item's source states."""
    versions = [_first(item), *(_shown(row) for row in _rows(session, item.id))]
    return {caption for one in versions if isinstance(caption := one.record.get("caption"), str)}


def _rows(session: Session, item_id: str) -> list[SourceVersion]:
    versions = select(SourceVersion).where(SourceVersion.item_id == item_id)
    return list(session.exec(versions.order_by(col(SourceVersion.number))))


def _row(who: Principal, item: Item, number: int, stated: SourceRecord, reason: str, now: str) -> SourceVersion:
    record = SourceVersionRecord(
        item=item.id, number=number, source=stated, reason=reason, author=who.user_id, created_at=now
    )
    return SourceVersion(
        id=str(uuid.uuid4()),
        item_id=item.id,
        number=number,
        record=canonical_bytes(record.model_dump(mode="json")).decode(),
        reason=reason,
        created_at=now,
        created_by=who.user_id,
    )


def _first(item: Item) -> SourceShown:
    return SourceShown(1, _object(item.source, item.id), None, item.received_by, item.received_at)


def _shown(row: SourceVersion) -> SourceShown:
    source = _object(row.record, row.item_id).get("source")
    if not isinstance(source, dict):
        raise _damaged(row.item_id)
    return SourceShown(row.number, source, row.reason, row.created_by, row.created_at)


def _object(text: str, item_id: str) -> SourceRecord:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise _damaged(item_id) from None
    if not isinstance(value, dict):
        raise _damaged(item_id)
    return value


def _damaged(item_id: str) -> EnvironmentFailedError:
    return EnvironmentFailedError(
        "source_damaged", f"item {item_id}: its source is not as it was written: run 'catena audit'", status=500
    )
