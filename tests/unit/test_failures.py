"""Refused tokens of an address are few, and memory of them is bounded."""

from __future__ import annotations

import pytest

from app.api import failures
from app.api.failures import Failures
from app.errors import LimitError


class Time:
    """A clock that is moved by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def guess(book: Failures, client: str, bearer: str = "guess") -> None:
    book.settle(client, bearer, charged=book.enter(client, bearer), good=False)


def test_an_address_has_so_many_failures_and_they_come_back_evenly() -> None:
    time = Time()
    book = Failures(6, time)
    for _ in range(6):
        guess(book, "a")
    with pytest.raises(LimitError) as refused:
        guess(book, "a")
    assert (refused.value.code, refused.value.status) == ("too_many_failures", 429)
    assert (refused.value.limit, refused.value.used, refused.value.retry_after) == (6, None, 10)
    guess(book, "b")  # another address is another matter
    for _ in range(50):
        with pytest.raises(LimitError):
            guess(book, "a")
    assert book.turned_away == 51
    time.now += 10
    guess(book, "a")  # what was turned away cost none
    with pytest.raises(LimitError):
        guess(book, "a")


def test_many_at_once_are_not_all_looked_up_before_the_first_has_failed() -> None:
    book = Failures(3, Time())
    for _ in range(3):
        assert book.enter("a", "guess")
    with pytest.raises(LimitError):
        book.enter("a", "guess")


def test_a_token_that_was_good_passes_and_one_that_was_revoked_passes_once() -> None:
    book = Failures(2, Time())
    book.settle("a", "good", charged=book.enter("a", "good"), good=True)
    for _ in range(2):
        guess(book, "a")
    for _ in range(100):
        charged = book.enter("a", "good")
        assert not charged
        book.settle("a", "good", charged=charged, good=True)
    with pytest.raises(LimitError):
        book.enter("a", "never seen")
    book.settle("a", "good", charged=book.enter("a", "good"), good=False)
    with pytest.raises(LimitError):
        book.enter("a", "good")


def test_good_tokens_and_failures_of_ours_cost_nothing() -> None:
    book = Failures(2, Time())
    for number in range(50):
        bearer = f"good {number}"
        book.settle("a", bearer, charged=book.enter("a", bearer), good=True if number % 2 else None)
    assert book.addresses == 0


def test_a_flood_from_many_addresses_takes_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "MOST_ADDRESSES", 50)
    monkeypatch.setattr(failures, "MOST_TOKENS", 10)
    book = Failures(1, Time())
    for number in range(500):
        guess(book, str(number))
        book.settle("x", f"good {number}", charged=False, good=True)
    assert book.addresses == 50
    assert len(book._good) == 10
    with pytest.raises(LimitError):
        guess(book, "499")


def test_no_limit_is_no_limit() -> None:
    book = Failures(0, Time())
    for _ in range(1000):
        guess(book, "a")
    assert book.addresses == 0
