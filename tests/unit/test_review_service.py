"""Four eyes over a real archive: no author approves his own link, by any route, and dissent is kept."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from app.access.service import Principal
from app.api.services import Services
from app.custody.rows import binding
from app.custody.service import SYSTEM
from app.errors import CatenaError, DeniedError, InvalidInputError, NotFoundError
from app.evidence.models import Case
from app.law.models import ProvisionLink
from app.review.models import LinkReview
from evidence_store.canonical import parse_canonical
from schemas.records.v1.review import LinkReviewRecord
from tests.archives import close_archive, deposit, events_of, make_archive, person


@dataclass
class Stage:
    services: Services
    case: Case
    item: str
    author: Principal
    link: ProvisionLink

    def types(self) -> list[str]:
        return [event.type for event in events_of(self.services, f"item:{self.item}")]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    services = make_archive(tmp_path)
    admin = services.access.local_operator()
    case = services.evidence.create_case(admin, "T1")
    author = person(services, "author", "legal", case)
    item = deposit(services, admin, case, b"a photo").item.id
    link = services.law.create_link(author, item, "ap1-art62", "supports", "civil defence sign on the door")
    yield Stage(services, case, item, author, link)
    close_archive(services)


def test_author_cannot_approve_his_own_link(stage: Stage) -> None:
    with pytest.raises(DeniedError) as refused:
        stage.services.reviews.review_link(stage.author, stage.link.id, "approve")
    assert refused.value.code == "own_work"
    assert stage.services.reviews.state_of(stage.link) == "proposed"
    denied = events_of(stage.services, f"item:{stage.item}")[-1]
    assert (denied.type, denied.actor.id) == ("access denied", stage.author.user_id)
    assert stage.types().count("review") == 0


def test_author_cannot_approve_through_the_local_command_line_or_another_token(stage: Stage) -> None:
    _, secret = stage.services.access.create_token(SYSTEM, "author")
    for route in (
        stage.services.access.authenticate(secret),
        stage.services.access.local_operator("author"),
        replace(stage.author, name="Somebody Else", role="admin"),
    ):
        with pytest.raises(DeniedError) as refused:
            stage.services.reviews.review_link(route, stage.link.id, "approve")
        assert refused.value.code == "own_work"
    assert stage.services.reviews.state_of(stage.link) == "proposed"


def test_administrator_cannot_approve_his_own_link_either(stage: Stage) -> None:
    admin = stage.services.access.local_operator()
    link = stage.services.law.create_link(admin, stage.item, "ap1-art61", "neutral", "a note")
    with pytest.raises(DeniedError) as refused:
        stage.services.reviews.review_link(admin, link.id, "approve")
    assert refused.value.code == "own_work"


def test_approval_that_an_author_smuggled_into_the_database_does_not_count(stage: Stage) -> None:
    with stage.services.archive.db.write() as session:
        session.add(
            LinkReview(
                id="smuggled",
                link_id=stage.link.id,
                number=1,
                decision="approve",
                comment="",
                reviewer_id=stage.author.user_id,
                record=b"{}",
                created_at="2026-11-22T10:31:00.123456Z",
            )
        )
    assert stage.services.reviews.state_of(stage.link) == "proposed"


def test_second_person_approves_and_the_log_names_the_review_byte_for_byte(stage: Stage) -> None:
    bob = person(stage.services, "bob", "legal", stage.case)
    review = stage.services.reviews.review_link(bob, stage.link.id, "approve", "The sign is legible.")
    assert stage.services.reviews.state_of(stage.link) == "approved"
    event = events_of(stage.services, f"item:{stage.item}")[-1]
    assert event.type == "review"
    assert event.details["outputs"] == [
        {
            "role": "review",
            "review": review.id,
            "sha256": hashlib.sha256(review.record).hexdigest(),
            "sha512": hashlib.sha512(review.record).hexdigest(),
            "size": len(review.record),
        }
    ]
    assert event.details["rows"] == [binding(review)]
    parse_canonical(review.record)
    record = LinkReviewRecord.model_validate_json(review.record)
    assert record.link_sha256 == hashlib.sha256(stage.link.record).hexdigest()
    assert (record.reviewer.id, record.number, record.supersedes) == (bob.user_id, 1, None)


def test_dissent_makes_a_link_disputed_and_is_kept(stage: Stage) -> None:
    reviews = stage.services.reviews
    bob, eve = (person(stage.services, name, "legal", stage.case) for name in ("bob", "eve"))
    first = reviews.review_link(bob, stage.link.id, "approve")
    reviews.review_link(eve, stage.link.id, "reject", "A fire engine is not assigned by that alone.")
    assert reviews.state_of(stage.link) == "disputed"
    again = reviews.review_link(bob, stage.link.id, "reject", "Eve is right.")
    assert reviews.state_of(stage.link) == "rejected"
    assert LinkReviewRecord.model_validate_json(again.record).supersedes == first.id
    kept = reviews.reviews_of(bob, stage.link.id)
    assert [(review.number, review.decision) for review in kept] == [(1, "approve"), (2, "reject"), (3, "reject")]
    assert [review.id for review in reviews.reviews_of_item(bob, stage.item)] == [review.id for review in kept]
    assert stage.types().count("review") == 3


def test_states_of_many_links_do_not_mix(stage: Stage) -> None:
    other = stage.services.law.create_link(stage.author, stage.item, "ap1-art52", "contradicts", "crates of shells")
    bob = person(stage.services, "bob", "legal", stage.case)
    stage.services.reviews.review_link(bob, other.id, "reject", "not legible")
    assert stage.services.reviews.states_of([stage.link, other]) == {stage.link.id: "proposed", other.id: "rejected"}
    assert stage.services.reviews.states_of([]) == {}


@pytest.mark.parametrize(
    ("decision", "comment", "code"),
    [
        ("violation", "", "bad_decision"),
        ("reject", " ", "comment_required"),
        ("approve", "x" * 8_001, "text_too_long"),
        ("approve", "a\x07", "bad_text"),
    ],
)
def test_refused_review_leaves_no_trace(stage: Stage, decision: str, comment: str, code: str) -> None:
    bob = person(stage.services, "bob", "legal", stage.case)
    before = stage.types()
    with pytest.raises(InvalidInputError) as refused:
        stage.services.reviews.review_link(bob, stage.link.id, decision, comment)
    assert refused.value.code == code
    assert stage.types() == before


def test_wrong_role_wrong_case_and_unknown_link_are_refused(stage: Stage) -> None:
    investigator = person(stage.services, "investigator", "investigator", stage.case)
    stranger = person(stage.services, "stranger", "legal")
    expected: list[tuple[Principal, str, type[CatenaError], str]] = [
        (investigator, stage.link.id, DeniedError, "not_allowed"),
        (stranger, stage.link.id, NotFoundError, "unknown_link"),
        (stage.author, "no-such-link", NotFoundError, "unknown_link"),
    ]
    for who, link_id, error, code in expected:
        with pytest.raises(error) as refused:
            stage.services.reviews.review_link(who, link_id, "approve")
        assert refused.value.code == code
    with pytest.raises(NotFoundError):
        stage.services.reviews.reviews_of(stranger, stage.link.id)
    assert stage.services.reviews.state_of(stage.link) == "proposed"


def test_reviews_at_the_same_moment_get_numbers_without_gaps(stage: Stage) -> None:
    people = [person(stage.services, f"lawyer{n}", "legal", stage.case) for n in range(6)]
    start = threading.Barrier(len(people))

    def review(who: Principal) -> None:
        start.wait()
        stage.services.reviews.review_link(who, stage.link.id, "approve")

    threads = [threading.Thread(target=review, args=(who,)) for who in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [review.number for review in stage.services.reviews.reviews_of(stage.author, stage.link.id)]
    assert numbers == [1, 2, 3, 4, 5, 6]
