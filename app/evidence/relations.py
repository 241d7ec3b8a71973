"""What belongs together: one item stated to belong to another, such as a sidecar to its recording.

1. A relation stays inside one case, so whoever may read one of both items may read the other.
2. Both items get an event. Each names the relation, not the other item: whoever receives both in a bundle sees that
   they belong together, and whoever receives one learns nothing of the other.
3. A relation is what somebody stated, with its basis; it is not shown by the files themselves.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue
from sqlmodel import Session, col, or_, select

from app.access.service import Access, Principal, clean_line
from app.archive import Archive
from app.errors import InvalidInputError
from app.evidence.models import Item, ItemRelation
from app.evidence.service import Evidence

MAX_BASIS = 200
_KIND = re.compile(r"[a-z][a-z0-9_-]{0,19}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Related:
    """A relation as one of its items sees it.

    Attributes:
        relation: the row.
        item: id of the other item.
        direction: `belongs_to` when this item belongs to the other one, `has` when the other belongs to this one.
    """

    relation: ItemRelation
    item: str
    direction: Literal["belongs_to", "has"]


class Relations:
    """Relations between the items of one archive."""

    def __init__(self, archive: Archive, access: Access, evidence: Evidence) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._access = access
        self._evidence = evidence

    def add(self, who: Principal, item_id: str, related_id: str, kind: str, basis: str) -> tuple[ItemRelation, bool]:
        """State that an item belongs to another; stated once more, it stays as it is.

        Args:
            who: who states it.
            item_id: what belongs to the other.
            related_id: what it belongs to.
            kind: such as `sidecar`: 1 to 20 lowercase letters, digits, dashes or underscores.
            basis: how this is known, one line of 1 to 200 characters.

        Returns:
            The relation, and whether it is new.

        Raises:
            NotFoundError: `unknown_item`.
            DeniedError: `not_allowed`.
            InvalidInputError: `bad_relation_kind`, `bad_text`, `text_too_long`, `basis_required`, `related_to_itself`,
                `related_across_cases`.
        """
        item, other = self._permitted(who, item_id), self._permitted(who, related_id)
        _check(item, other, kind)
        known_by = clean_line(basis.strip(), MAX_BASIS, "basis")
        if not known_by:
            raise InvalidInputError("basis_required", "say how it is known that these belong together")
        with self._archive.db.write() as session:
            self._archive.custody.lock(session)  # stated twice at once, it is still one
            known = _same(session, item.id, other.id, kind)
            if known is not None:
                return known, False
            return self._write(session, who, item, other, kind, known_by), True

    def of(self, who: Principal, item_id: str) -> list[Related]:
        """What an item belongs to, and what belongs to it, oldest first.

        Raises:
            NotFoundError: `unknown_item`.
        """
        item, _ = self._evidence.find_item(who, item_id)
        either = or_(col(ItemRelation.item_id) == item.id, col(ItemRelation.related_id) == item.id)
        with self._archive.db.read() as session:
            rows = session.exec(
                select(ItemRelation).where(either).order_by(col(ItemRelation.created_at), col(ItemRelation.id))
            ).all()
        return [
            Related(row, row.related_id, "belongs_to") if row.item_id == item.id else Related(row, row.item_id, "has")
            for row in rows
        ]

    def _permitted(self, who: Principal, item_id: str) -> Item:
        item, _ = self._evidence.find_item(who, item_id)
        self._access.require(who, "item.ingest", item.case_id)
        return item

    def _write(self, session: Session, who: Principal, item: Item, other: Item, kind: str, basis: str) -> ItemRelation:
        custody = self._archive.custody
        row = ItemRelation(
            id=str(uuid.uuid4()),
            item_id=item.id,
            related_id=other.id,
            kind=kind,
            basis=basis,
            created_at=custody.now(),
            created_by=who.user_id,
        )
        told: dict[str, JsonValue] = {"relation": row.id, "kind": kind, "basis": basis}
        belongs, has = {**told, "direction": "belongs_to"}, {**told, "direction": "has"}
        custody.record(session, f"item:{item.id}", "annotation", who.actor, details=belongs, rows=[row])
        custody.record(session, f"item:{other.id}", "annotation", who.actor, details=has)
        return row


def _check(item: Item, other: Item, kind: str) -> None:
    if item.id == other.id:
        raise InvalidInputError("related_to_itself", "an item does not belong to itself")
    if item.case_id != other.case_id:
        raise InvalidInputError("related_across_cases", "both items must be of one case")
    if not _KIND.fullmatch(kind):
        raise InvalidInputError(
            "bad_relation_kind", "a kind is 1 to 20 lowercase letters, digits, dashes or underscores"
        )


def _same(session: Session, item_id: str, related_id: str, kind: str) -> ItemRelation | None:
    return session.exec(
        select(ItemRelation).where(
            ItemRelation.item_id == item_id, ItemRelation.related_id == related_id, ItemRelation.kind == kind
        )
    ).one_or_none()
