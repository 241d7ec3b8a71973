"""The four-eyes rules, pure.

1. A link begins as proposed; only another person than its author moves it.
2. Each reviewer has one standing decision: the last one. Earlier ones stay on record.
3. Standing decisions that agree decide; those that do not make the link disputed. No majority overrules a dissent.
4. What an author says of his own link never counts, even if it should stand in the database.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol, TypeVar, get_args

from app.errors import InvalidInputError
from app.law.rules import clean_text
from schemas.records.v1.review import MAX_COMMENT, Decision

DECISIONS: tuple[Decision, ...] = get_args(Decision)

LinkState = Literal["proposed", "approved", "rejected", "disputed"]


class Decided(Protocol):
    """What the rules need to know of a review."""

    id: str
    number: int
    reviewer_id: str
    decision: str


R = TypeVar("R", bound=Decided)


def parse_decision(text: str) -> Decision:
    """A decision.

    Raises:
        InvalidInputError: `bad_decision`.
    """
    if text not in DECISIONS:
        raise InvalidInputError("bad_decision", f"a decision is one of {', '.join(DECISIONS)}")
    return text


def parse_comment(text: str, decision: Decision) -> str:
    """The reviewer's reasons; a rejection needs some.

    Raises:
        InvalidInputError: `comment_required`, `text_too_long`, `bad_text`.
    """
    comment = clean_text(text, MAX_COMMENT, "comment")
    if decision == "reject" and not comment:
        raise InvalidInputError("comment_required", "a rejection needs a comment: say why the link does not hold")
    return comment


def may_review(author_id: str, reviewer_id: str) -> bool:
    """Whether this person may decide on that person's work."""
    return author_id != reviewer_id


def standing(author_id: str, reviews: Iterable[R]) -> list[R]:
    """The last review of each reviewer, by number; the author's own left out."""
    last: dict[str, R] = {}
    for review in sorted(reviews, key=lambda review: review.number):
        if may_review(author_id, review.reviewer_id):
            last[review.reviewer_id] = review
    return sorted(last.values(), key=lambda review: review.number)


def superseded(reviewer_id: str, reviews: Iterable[R]) -> R | None:
    """The review that a new one by this person would replace."""
    own = [review for review in reviews if review.reviewer_id == reviewer_id]
    return max(own, key=lambda review: review.number, default=None)


def state_of(author_id: str, reviews: Iterable[Decided]) -> LinkState:
    """Where a link stands."""
    decisions = {review.decision for review in standing(author_id, reviews)}
    if not decisions:
        return "proposed"
    if decisions == {"approve"}:
        return "approved"
    return "rejected" if decisions == {"reject"} else "disputed"
