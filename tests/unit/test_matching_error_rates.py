"""The error rate beside a verdict is a counted one, of today's recipe, or is said not to have been counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from app.matching import error_rates, rules
from app.matching.agreement import Agreement
from app.matching.align import Pairs, align
from app.matching.recipe import ALGORITHM_ID
from benchmarks.matching.publish import row
from benchmarks.matching.stats import wilson

COUNTED = row(1_000_000, {"derived": 2}, "made-up pairs")


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    figures: dict[str, Any] = {"recipe": ALGORITHM_ID, "media": {"photo": COUNTED}}
    monkeypatch.setattr(error_rates, "_published", lambda: figures)
    return figures


@pytest.mark.usefixtures("published")
def test_the_sentence_holds_the_counts_their_bound_and_the_media() -> None:
    text = error_rates.sentence("photo", "derived")
    assert "2 of 1,000,000 pairs" in text
    assert "made-up pairs" in text
    bound = int(text.partition("less than 1 in ")[2].partition(")")[0].replace(",", ""))
    assert bound == pytest.approx(1 / wilson(2, 1_000_000)[1], rel=0.05)


@pytest.mark.usefixtures("published")
def test_no_errors_seen_is_not_said_to_be_none() -> None:
    text = error_rates.sentence("photo", "same_content")
    assert "0 of 1,000,000" in text
    assert "less than 1 in 26" in text  # 3.84 in a million (Wilson, no errors)


@pytest.mark.usefixtures("published")
def test_what_was_not_counted_is_said_so() -> None:
    for media, verdict in (("video", "derived"), ("photo", "identical")):
        assert error_rates.error_rate(media, verdict) is None
        assert "not been counted" in error_rates.sentence(media, verdict)


def test_figures_of_another_recipe_do_not_count(published: dict[str, Any]) -> None:
    published["recipe"] = "catena-phash256-orb/1"
    assert error_rates.error_rate("photo", "derived") is None


def test_the_figures_that_are_published_are_whole() -> None:
    for media in error_rates._published()["media"].values():
        assert media["data_set"]
        for verdict, false in media["false"].items():
            assert media["high"][verdict] == pytest.approx(wilson(false, media["pairs"])[1], rel=0.05)


def _agreement(ncc: float, share: float = 1.0, middle_ncc: float = 1.0) -> Agreement:
    return Agreement(ncc, 100, share, middle_ncc, share, 1.0, 1.0)


@pytest.mark.parametrize(
    ("distance", "inliers", "agreement", "verdict"),
    [
        (31, 15, _agreement(0.6), "derived"),
        (None, 15, _agreement(0.9, 0.95), "derived"),
        (32, 15, _agreement(0.89), "possibly_related"),
        (None, 15, _agreement(0.9, 0.94), "possibly_related"),
        (0, 14, _agreement(0.95), None),
        (0, 15, _agreement(0.49), None),
        (0, 15, _agreement(0.95, middle_ncc=0.5), "possibly_related"),
        (None, 30, _agreement(0.0), "possibly_related"),
    ],
)
def test_still_rule(distance: int | None, inliers: int, agreement: Agreement, verdict: str | None) -> None:
    found = rules.still_verdict(distance=distance, inliers=inliers, spread=0.5, reach=0.0, agreement=agreement)
    assert found == verdict


@pytest.mark.parametrize("speed", [1.0, 1.25])
def test_frames_that_all_look_alike_line_up_where_they_look_most_alike(speed: float) -> None:
    """A hovering camera: every pair is near, the right ones by five bits nearer."""
    query, item = np.meshgrid(np.arange(0, 12, 0.5), np.arange(0, 24, 0.5), indexing="ij")
    right = np.abs(item - speed * query - 4) <= 0.5
    pairs = Pairs(query.ravel(), item.ravel(), np.where(right, 4.0, 9.0).ravel())
    segments, _ = align(pairs, 0.5)
    assert segments[0].query_start_s == pytest.approx(0, abs=0.5)
    assert segments[0].item_start_s == pytest.approx(4, abs=1)
    assert segments[0].item_end_s == pytest.approx(4 + 12 * speed, abs=1)
