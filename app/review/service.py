"""Reviews of one archive as use-cases: authorise, decide, write, record."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence

from sqlmodel import Session, col, select

from app.access.service import Access, Principal
from app.archive import Archive
from app.custody.outputs import output
from app.errors import DeniedError
from app.evidence.service import permitted_item
from app.law.models import ProvisionLink
from app.law.service import permitted_link
from app.review import rules
from app.review.models import LinkReview
from app.review.rules import LinkState
from evidence_store.canonical import canonical_bytes
from schemas.records.v1.link import Person
from schemas.records.v1.review import Decision, LinkReviewRecord


class Reviews:
    """The reviews of one archive."""

    def __init__(self, archive: Archive, access: Access) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._access = access

    def review_link(self, who: Principal, link_id: str, decision: str, comment: str = "") -> LinkReview:
        """Approve or reject a link; a later review by the same person supersedes his earlier one.

        Args:
            who: the reviewer.
            link_id: UUID text.
            decision: `approve` or `reject`.
            comment: the reasons, at most 8,000 characters; a rejection needs some.

        Raises:
            NotFoundError: `unknown_link`.
            DeniedError: `not_allowed`, or `own_work` when the reviewer is the link's author; both are recorded.
            InvalidInputError: `bad_decision`, `comment_required`, `text_too_long`, `bad_text`.
        """
        link, item = permitted_link(self._archive, self._access, who, link_id, "link.review")
        if not rules.may_review(link.author_id, who.user_id):
            self._access.record_denial(who.actor, f"item:{item.id}", "link.review of the own link")
            raise DeniedError("own_work", "a second person must review this link: you are its author")
        verdict = rules.parse_decision(decision)
        reasons = rules.parse_comment(comment, verdict)
        custody = self._archive.custody
        with self._archive.db.write() as session:
            custody.lock(session)  # numbers have no gaps, whoever else reviews now
            review = _review_row(who, link, _reviews(session, [link.id]), verdict, reasons, custody.now())
            custody.record(
                session,
                f"item:{item.id}",
                "review",
                who.actor,
                details={
                    "outputs": [output("review", review.record, review=review.id)],
                    "link": link.id,
                    "decision": review.decision,
                },
                rows=[review],
            )
            return review

    def reviews_of(self, who: Principal, link_id: str) -> list[LinkReview]:
        """All reviews of a link, superseded ones included, oldest first.

        Raises:
            NotFoundError: `unknown_link`.
        """
        link, _ = permitted_link(self._archive, self._access, who, link_id, "item.read")
        with self._archive.db.read() as session:
            return _reviews(session, [link.id])

    def reviews_of_item(self, who: Principal, item_id: str) -> list[LinkReview]:
        """All reviews of all links of an item, by link and number.

        Raises:
            NotFoundError: `unknown_item`.
        """
        item, _ = permitted_item(self._archive, self._access, who, item_id, "item.read")
        with self._archive.db.read() as session:
            return item_reviews(session, item.id)

    def state_of(self, link: ProvisionLink) -> LinkState:
        """Where a link stands; see `rules.state_of`."""
        return self.states_of([link])[link.id]

    def states_of(self, links: Sequence[ProvisionLink]) -> dict[str, LinkState]:
        """Where each link stands, by link id, in one query."""
        with self._archive.db.read() as session:
            found = _reviews(session, [link.id for link in links])
        return {
            link.id: rules.state_of(link.author_id, [review for review in found if review.link_id == link.id])
            for link in links
        }


def item_reviews(session: Session, item_id: str) -> list[LinkReview]:
    """All reviews of all links of an item, by link and number."""
    reviews = select(LinkReview).join(ProvisionLink, col(ProvisionLink.id) == col(LinkReview.link_id))
    reviews = reviews.where(ProvisionLink.item_id == item_id)
    return list(session.exec(reviews.order_by(col(LinkReview.link_id), col(LinkReview.number))))


def _reviews(session: Session, link_ids: Sequence[str]) -> list[LinkReview]:
    reviews = select(LinkReview).where(col(LinkReview.link_id).in_(link_ids))
    return list(session.exec(reviews.order_by(col(LinkReview.link_id), col(LinkReview.number))))


def _review_row(
    who: Principal, link: ProvisionLink, earlier: Sequence[LinkReview], decision: Decision, comment: str, now: str
) -> LinkReview:
    replaced = rules.superseded(who.user_id, earlier)
    record = LinkReviewRecord(
        review=str(uuid.uuid4()),
        link=link.id,
        link_sha256=hashlib.sha256(link.record).hexdigest(),
        item=link.item_id,
        number=1 + max((review.number for review in earlier), default=0),
        decision=decision,
        comment=comment,
        supersedes=None if replaced is None else replaced.id,
        reviewer=Person(id=who.user_id, name=who.name, auth=who.auth),
        created_at=now,
    )
    return LinkReview(
        id=record.review,
        link_id=link.id,
        number=record.number,
        decision=record.decision,
        comment=record.comment,
        reviewer_id=record.reviewer.id,
        record=canonical_bytes(record.model_dump(mode="json")),
        created_at=record.created_at,
    )
