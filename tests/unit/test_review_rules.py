"""The four-eyes rules as claims over any history of reviews."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidInputError
from app.review.rules import parse_comment, parse_decision, standing, state_of, superseded

AUTHOR = "author"


@dataclass
class Given:
    id: str
    number: int
    reviewer_id: str
    decision: str


def history(*steps: tuple[str, str]) -> list[Given]:
    return [Given(f"r{number}", number, who, decision) for number, (who, decision) in enumerate(steps, 1)]


HISTORIES = st.lists(
    st.tuples(st.sampled_from([AUTHOR, "ann", "bob", "eve"]), st.sampled_from(["approve", "reject"])), max_size=8
).map(lambda steps: history(*steps))


def test_link_nobody_reviewed_is_proposed() -> None:
    assert state_of(AUTHOR, []) == "proposed"


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        ([("ann", "approve")], "approved"),
        ([("ann", "reject")], "rejected"),
        ([("ann", "approve"), ("bob", "approve")], "approved"),
        ([("ann", "approve"), ("bob", "approve"), ("eve", "reject")], "disputed"),
        ([("ann", "approve"), ("bob", "reject"), ("bob", "approve")], "approved"),
        ([("ann", "approve"), ("ann", "reject")], "rejected"),
        ([(AUTHOR, "approve")], "proposed"),
        ([(AUTHOR, "approve"), ("ann", "reject")], "rejected"),
    ],
)
def test_state_follows_from_the_standing_decisions(steps: list[tuple[str, str]], state: str) -> None:
    assert state_of(AUTHOR, history(*steps)) == state


@given(HISTORIES)
def test_what_an_author_says_of_his_own_link_never_counts(reviews: list[Given]) -> None:
    others = [review for review in reviews if review.reviewer_id != AUTHOR]
    assert state_of(AUTHOR, reviews) == state_of(AUTHOR, others)


@given(HISTORIES, st.randoms())
def test_state_does_not_depend_on_the_order_of_reading(reviews: list[Given], random: object) -> None:
    shuffled = list(reviews)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert state_of(AUTHOR, shuffled) == state_of(AUTHOR, reviews)


@given(HISTORIES)
def test_one_dissent_is_never_outvoted(reviews: list[Given]) -> None:
    decisions = {review.decision for review in standing(AUTHOR, reviews)}
    if decisions == {"approve", "reject"}:
        assert state_of(AUTHOR, reviews) == "disputed"
    else:
        assert state_of(AUTHOR, reviews) in {"proposed", "approved", "rejected"}


@given(HISTORIES)
def test_each_reviewer_stands_once_with_his_last_word(reviews: list[Given]) -> None:
    for review in standing(AUTHOR, reviews):
        later = [other for other in reviews if other.reviewer_id == review.reviewer_id]
        assert review is later[-1]
        assert superseded(review.reviewer_id, reviews) is review


def test_first_review_supersedes_nothing() -> None:
    assert superseded("bob", history(("ann", "approve"))) is None


@pytest.mark.parametrize("text", ["", "Approve", "approved", "violation"])
def test_unknown_decision_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_decision(text)
    assert refused.value.code == "bad_decision"


def test_rejection_without_a_reason_is_refused() -> None:
    assert not parse_comment("  ", "approve")
    with pytest.raises(InvalidInputError) as refused:
        parse_comment("  ", "reject")
    assert refused.value.code == "comment_required"
