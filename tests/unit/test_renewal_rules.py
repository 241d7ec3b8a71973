"""When something is to be renewed: dates and sizes at which the answer turns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.renewal.rules import MUCH, Covered, stamps_due, tree_due

NOW = datetime(2030, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
LONG_AGO = NOW - 4 * 365 * DAY


@pytest.mark.parametrize(
    ("left", "due"), [(181 * DAY, False), (180 * DAY, True), (DAY, True), (0 * DAY, True), (-DAY, False)]
)
def test_time_stamp_is_renewed_within_the_days_before_its_expiry_and_not_after(left: timedelta, due: bool) -> None:  # noqa: FBT001
    found = stamps_due(NOW, 180, [(7, NOW + left)])
    assert [each.renewal for each in found] == ([7] if due else [])


def test_each_tree_is_judged_by_itself() -> None:
    holds = [(1, NOW + DAY), (2, NOW + 300 * DAY), (3, NOW + 2 * DAY)]
    assert [each.renewal for each in stamps_due(NOW, 100, holds)] == [1, 3]


def test_young_archive_without_a_renewal_needs_none() -> None:
    assert tree_due(NOW, 180, 1_000_000, NOW - 300 * DAY, None, None) == []


def test_archive_of_a_year_without_a_renewal_needs_one() -> None:
    (due,) = tree_due(NOW, 180, 5, NOW - 365 * DAY, None, None)
    assert due.renewal is None
    assert "5 events" in due.why


def test_log_that_has_not_grown_needs_nothing_however_old() -> None:
    assert tree_due(NOW, 180, 70, LONG_AGO, Covered(70, LONG_AGO), NOW) == []


@pytest.mark.parametrize(("days", "due"), [(364, False), (365, True)])
def test_growing_log_is_renewed_each_year(days: int, due: bool) -> None:  # noqa: FBT001
    assert bool(tree_due(NOW, 180, 71, LONG_AGO, Covered(70, NOW - days * DAY), None)) is due


@pytest.mark.parametrize(
    ("covered", "size", "due"),
    [(1, MUCH, False), (1, MUCH + 1, True), (50_000, 99_999, False), (50_000, 100_000, True)],
)
def test_log_that_has_doubled_is_renewed_once_that_is_much(covered: int, size: int, due: bool) -> None:  # noqa: FBT001
    assert bool(tree_due(NOW, 180, size, LONG_AGO, Covered(covered, NOW - DAY), None)) is due


@pytest.mark.parametrize(("left", "due"), [(181 * DAY, False), (180 * DAY, True), (-5 * DAY, True)])
def test_certificate_behind_uncovered_checkpoints_makes_a_tree_due(left: timedelta, due: bool) -> None:  # noqa: FBT001
    for newest in (None, Covered(10, NOW - DAY)):
        assert bool(tree_due(NOW, 180, 20, NOW - DAY, newest, NOW + left)) is due


def test_every_reason_is_told() -> None:
    found = tree_due(NOW, 180, 100_000, LONG_AGO, Covered(10, NOW - 400 * DAY), NOW + DAY)
    assert len(found) == 3
