"""What people decide about suggested matches: confirmed, rejected, or the same scene in different pictures.

1. A decision is about two items that a comparison has related, and is made by a person who may read both.
2. Decisions are added, never changed: the last one stands, by whomever it is; the earlier ones stay on record.
3. Nothing is merged. What is confirmed makes clusters, whose members stay items of their own.
4. Both items get an event. Each names the decision, not the other item, whose case the reader may not know of.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from pydantic import JsonValue
from sqlmodel import Session, col, func, or_, select

from app.access.service import Access, Principal, clean_line
from app.archive import Archive
from app.errors import InvalidInputError, NotFoundError
from app.evidence.models import Blob, Item
from app.evidence.service import permitted_item
from app.matching.models import FingerprintRow, MatchDecision, MatchRow

Decision = Literal["confirm", "reject", "same_scene"]
DECISIONS: Final[tuple[Decision, ...]] = get_args(Decision)
MAX_REASON: Final = 2_000
MAX_MEMBERS: Final = 1_000
_HEAD_BYTES: Final = 128  # of a fingerprint: kind, recipe and sizes lie before


@dataclass(frozen=True, slots=True)
class Member:
    """An item of a cluster.

    Attributes:
        item: its id.
        received_at: when it came into this archive, RFC 3339 UTC.
        size: bytes of the original.
        pixels: width times height of the picture; None while that is not known.
    """

    item: str
    received_at: str
    size: int
    pixels: int | None


@dataclass(frozen=True, slots=True)
class Cluster:
    """Items that people have confirmed to show the same, directly or through others.

    Attributes:
        members: those that the asker may read, earliest first; an item that nothing is confirmed of is alone.
        earliest: the one that this archive received first: says nothing of who published first.
        best: the one with most pixels, then most bytes: the one to look at, not the one that is genuine.
    """

    members: list[Member]
    earliest: str
    best: str


class Decisions:
    """Decisions of people about the matches of one archive."""

    def __init__(self, archive: Archive, access: Access) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._access = access

    def decide(self, who: Principal, item_id: str, other_id: str, decision: str, reason: str) -> MatchDecision:
        """Confirm or reject that two items show the same; the newest decision on a pair stands.

        Args:
            who: the person.
            item_id: one of both.
            other_id: the other one.
            decision: `confirm`, `reject`, or `same_scene`: the same place or event, but different pictures.
            reason: one line of 1 to 2,000 characters.

        Raises:
            NotFoundError: `unknown_item`, or `unknown_match` when no comparison has related the two.
            DeniedError: `not_allowed`, which is recorded.
            InvalidInputError: `bad_match_decision`, `reason_required`, `bad_text`, `text_too_long`.
        """
        item, other = self._permitted(who, item_id), self._permitted(who, other_id)
        verdict = parse_decision(decision)
        because = clean_line(reason.strip(), MAX_REASON, "reason")
        if not because:
            raise InvalidInputError("reason_required", "say why: whoever reads this later has nothing else to go by")
        custody = self._archive.custody
        with self._archive.db.write() as session:
            custody.lock(session)  # numbers have no gaps, whoever else decides now
            if not _related(session, item.id, other.id):
                raise NotFoundError("unknown_match", "no comparison has related these two items")
            first, second = sorted((item.id, other.id))
            row = MatchDecision(
                id=str(uuid.uuid4()),
                item_id=first,
                other_id=second,
                number=1 + _count(session, first, second),
                decision=verdict,
                reason=because,
                created_at=custody.now(),
                created_by=who.user_id,
            )
            details: dict[str, JsonValue] = {"match_decision": row.id, "decision": verdict, "reason": because}
            custody.record(session, f"item:{item.id}", "annotation", who.actor, details=details, rows=[row])
            custody.record(session, f"item:{other.id}", "annotation", who.actor, details=details)
            return row

    def of(self, who: Principal, item_id: str, other_id: str) -> list[MatchDecision]:
        """All decisions on a pair, oldest first.

        Raises:
            NotFoundError: `unknown_item`.
        """
        item, other = self._readable(who, item_id), self._readable(who, other_id)
        first, second = sorted((item.id, other.id))
        pair = select(MatchDecision).where(MatchDecision.item_id == first, MatchDecision.other_id == second)
        with self._archive.db.read() as session:
            return list(session.exec(pair.order_by(col(MatchDecision.number))))

    def cluster(self, who: Principal, item_id: str) -> Cluster:
        """What people have confirmed to show the same as an item, as far as the asker may read it.

        Raises:
            NotFoundError: `unknown_item`.
        """
        item = self._readable(who, item_id)
        cases = self._access.visible_cases(who)
        members = {item.id}
        with self._archive.db.read() as session:
            edge = [item.id]
            while edge and len(members) < MAX_MEMBERS:
                near = {
                    other
                    for one in edge
                    for other, row in standing(session, one).items()
                    if row.decision == "confirm" and other not in members
                }
                # Through an item that he may not read, nobody learns that two others belong together.
                edge = sorted(_visible(session, near, cases))
                members |= set(edge)
            found = [_member(session, one) for one in sorted(members)]
        found.sort(key=lambda one: (one.received_at, one.item))
        best = max(found, key=lambda one: (one.pixels or 0, one.size))
        return Cluster(found, found[0].item, best.item)

    def _readable(self, who: Principal, item_id: str) -> Item:
        return permitted_item(self._archive, self._access, who, item_id, "item.read")[0]

    def _permitted(self, who: Principal, item_id: str) -> Item:
        return permitted_item(self._archive, self._access, who, item_id, "match.decide")[0]


def parse_decision(text: str) -> Decision:
    """A decision.

    Raises:
        InvalidInputError: `bad_match_decision`.
    """
    if text not in DECISIONS:
        raise InvalidInputError("bad_match_decision", f"a decision is one of {', '.join(DECISIONS)}")
    return text


def standing(session: Session, item_id: str) -> dict[str, MatchDecision]:
    """The decisions that stand about an item, by the other item."""
    either = or_(col(MatchDecision.item_id) == item_id, col(MatchDecision.other_id) == item_id)
    rows = session.exec(select(MatchDecision).where(either).order_by(col(MatchDecision.number)))
    return {row.other_id if row.item_id == item_id else row.item_id: row for row in rows}


def standing_among(session: Session, items: Sequence[str]) -> Iterator[tuple[str, str, MatchDecision]]:
    """Item, other item and decision, from both sides, of all decisions about some items; the last one of a pair stands.

    Args:
        session: an open snapshot.
        items: UUIDs, at most some hundreds.
    """
    either = or_(col(MatchDecision.item_id).in_(items), col(MatchDecision.other_id).in_(items))
    for row in session.exec(select(MatchDecision).where(either).order_by(col(MatchDecision.number))):
        yield row.item_id, row.other_id, row
        yield row.other_id, row.item_id, row


def as_json(row: MatchDecision) -> dict[str, Any]:
    """A decision for people."""
    return {
        "decision": row.decision,
        "reason": row.reason,
        "number": row.number,
        "by": row.created_by,
        "at": row.created_at,
    }


def _related(session: Session, left: str, right: str) -> bool:
    pairs = or_(
        (col(MatchRow.query_item) == left) & (col(MatchRow.item) == right),
        (col(MatchRow.query_item) == right) & (col(MatchRow.item) == left),
    )
    return session.exec(select(MatchRow.id).where(pairs)).first() is not None


def _count(session: Session, first: str, second: str) -> int:
    pair = select(func.count()).where(col(MatchDecision.item_id) == first, col(MatchDecision.other_id) == second)
    return session.exec(pair).one()


def _visible(session: Session, items: Iterable[str], cases: Iterable[str] | None) -> list[str]:
    ids = select(Item.id).where(col(Item.id).in_(list(items)))
    if cases is not None:
        ids = ids.where(col(Item.case_id).in_(list(cases)))
    return list(session.exec(ids))


def _member(session: Session, item_id: str) -> Member:
    from app.matching.format import picture_size

    one = select(Item, Blob.size).join(Blob, col(Blob.sha256) == col(Item.sha256)).where(Item.id == item_id)
    item, size = session.exec(one).one()
    starts = select(func.substr(col(FingerprintRow.data), 1, _HEAD_BYTES)).where(
        FingerprintRow.item_id == item_id, FingerprintRow.state == "done"
    )
    start = session.exec(starts.limit(1)).first()
    pixels = None
    if start is not None:
        width, height = picture_size(bytes(start))
        pixels = width * height
    return Member(item.id, item.received_at, size, pixels)
