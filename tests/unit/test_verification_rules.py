"""The pure rules of verification: four eyes, segments of items, the ladder."""

from __future__ import annotations

from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import CatenaError
from app.incidents.segments import Segment, parse_segment
from app.verification import rules
from app.verification.bodies import parse_body
from app.verification.sun_check import repeated
from schemas.records.v1.link import Person
from schemas.records.v1.verification import Verdict, VerificationRecord, VerificationReviewRecord

NOW = "2026-11-28T20:00:00.000000Z"


def version(number: int, author: str, **body: Any) -> VerificationRecord:  # noqa: ANN401
    return VerificationRecord(
        verification="v",
        case="c",
        kind="geolocation",
        ref="GEO",
        number=number,
        subjects=(),
        body=body,
        computed={},
        reason=None,
        supersedes=None,
        author=Person(id=author, name=author, auth="token"),
        created_at=NOW,
    )


def review(number: int, who: str, decision: Verdict, of: int = 1) -> VerificationReviewRecord:
    return VerificationReviewRecord(
        review=f"r{number}",
        verification="v",
        version=of,
        version_sha256="0" * 64,
        number=number,
        decision=decision,
        comment="",
        supersedes=None,
        reviewer=Person(id=who, name=who, auth="token"),
        created_at=NOW,
    )


def test_review_by_an_author_counts_for_nothing_even_if_it_stands_in_the_database() -> None:
    versions = [version(1, "ana"), version(2, "leo")]
    for author in ("ana", "leo"):
        assert rules.state_of(versions, [review(1, author, "approve", 2)]) == "proposed"
        assert not rules.may_review(versions, author, ["somebody"])
    assert rules.state_of(versions, [review(1, "liz", "approve", 2)]) == "approved"
    assert rules.may_review(versions, "liz", ["Liz"])


def test_whom_a_version_names_as_translator_or_contributor_is_no_second_person() -> None:
    versions = [version(1, "ana", translator="Olha  Sample"), version(2, "ana", contributors=["Petro"])]
    for name in ("olha sample", "OLHA SAMPLE ", "petro"):
        assert not rules.may_review(versions, "liz", ["liz", name])
    assert rules.may_review(versions, "liz", ["liz", ""])


@pytest.mark.parametrize(
    ("verdicts", "state"),
    [
        ((), "proposed"),
        (("approve",), "approved"),
        (("approve", "approve"), "approved"),
        (("reject",), "rejected"),
        (("reject", "dissent"), "rejected"),
        (("dissent",), "disputed"),
        (("approve", "dissent"), "disputed"),
        (("approve", "approve", "approve", "reject"), "disputed"),
    ],
)
def test_no_majority_overrules_a_dissent(verdicts: tuple[Verdict, ...], state: str) -> None:
    given_reviews = [review(place, f"u{place}", verdict) for place, verdict in enumerate(verdicts, 1)]
    assert rules.state_of([version(1, "ana")], given_reviews) == state


@given(
    st.lists(
        st.tuples(st.sampled_from(["ana", "leo", "liz"]), st.sampled_from(rules.VERDICTS), st.sampled_from([1, 2]))
    )
)
def test_only_standing_reviews_of_others_on_the_newest_version_decide(made: list[tuple[str, Verdict, int]]) -> None:
    reviews = [review(number, who, verdict, of) for number, (who, verdict, of) in enumerate(made, 1)]
    last = {who: verdict for who, verdict, of in made if of == 2 and who != "ana"}
    state = rules.state_of([version(1, "ana"), version(2, "ana")], reviews)
    assert (state == "approved") == (bool(last) and set(last.values()) == {"approve"})
    assert (state == "proposed") == (not last)


@pytest.mark.parametrize(
    ("text", "found", "written"),
    [
        ("12.5", (Decimal("12.5"), Decimal("12.5"), None), "12.5"),
        ("12.50-19", (Decimal("12.5"), Decimal(19), None), "12.5-19"),
        ("0:12-1:02:03.5", (Decimal(12), Decimal("3723.5"), None), "12-3723.5"),
        ("10,20,300,200", (None, None, (10, 20, 300, 200)), "10,20,300,200"),
        ("1 - 2 @ 0,0,1,1", (Decimal(1), Decimal(2), (0, 0, 1, 1)), "1-2@0,0,1,1"),
    ],
)
def test_segment_is_read_and_written_in_one_form(text: str, found: tuple[Any, ...], written: str) -> None:
    assert parse_segment(text) == Segment(*found)
    assert str(parse_segment(text)) == written


@pytest.mark.parametrize(
    "text", ["", "@", "x", "9-1", "1-", "-1", "1,2,3", "1,2,0,4", "1,2,3,4@", "@1,2,3,4", "0:75", "1:75:00", "1" * 300]
)
def test_segment_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(CatenaError) as refused:
        parse_segment(text)
    assert refused.value.code == "bad_segment"


@given(st.text(alphabet="0123456789:.,-@ x", max_size=20))
def test_any_segment_is_refused_by_code_or_stays_the_same_when_read_again(text: str) -> None:
    try:
        found = parse_segment(text)
    except CatenaError as error:
        assert error.code == "bad_segment"  # noqa: PT017
        return
    assert parse_segment(str(found)) == found


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["about", "kind", "ref", "position", "sun", "at", "reasoning", "held"]), inner
        )
    ),
    max_leaves=8,
)


@given(st.sampled_from(["geolocation", "chronolocation", "decision", "translation"]), _ANYTHING)
def test_any_body_is_read_or_refused_by_code(kind: Any, anything: Any) -> None:  # noqa: ANN401
    with pytest.raises(CatenaError) as refused:
        parse_body(kind, "REF", anything)
    assert refused.value.code == "bad_verification"


def test_sun_that_was_changed_behind_ones_back_is_not_the_same_again() -> None:
    stored = {"lat": "46.635", "lon": "32.617", "at": "2025-07-06T06:30:00Z"}
    (now,) = repeated([{**stored, "altitude": "0.000", "altitude_geometric": "0.000", "azimuth": "0.000"}])
    assert isinstance(now, dict)
    assert now["same"] is False
    right = now["now"]
    (again,) = repeated([right])
    assert isinstance(again, dict)
    assert again["same"] is True
    assert list(product(repeated(None), repeated([1]))) == []
