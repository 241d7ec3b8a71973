"""Four eyes for verification, pure.

1. Nobody signs off what he wrote: who made any version of a record, or is named in one as translator or contributor,
   decides on no version of it. A reviewer who then writes a version himself is out, too.
2. A review is of one version. A new version begins as proposed, whatever was said of the one before.
3. Each reviewer has one standing decision on a version: his last one. Earlier ones stay on record.
4. Approved is what all approve, rejected what none approves and somebody rejects. All else is disputed: no majority
   overrules a dissent, and it stays to be seen.
5. What an author says of his own record never counts, even if it should stand in the database.
6. Who is named as an author in what came with a file (`elsewhere`) is one, too: an import gives nobody a second pair of
   eyes. That is a file's word, and only ever takes a right away.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, get_args

from pydantic import JsonValue

from app.errors import InvalidInputError
from app.incidents.bodies import storable
from schemas.records.v1.verification import (
    MAX_COMMENT,
    Verdict,
    VerificationRecord,
    VerificationReviewRecord,
)

VERDICTS: Final[tuple[Verdict, ...]] = get_args(Verdict)
State = Literal["proposed", "approved", "rejected", "disputed"]
STATES: Final[tuple[State, ...]] = get_args(State)


def parse_verdict(text: str) -> Verdict:
    """A decision.

    Raises:
        InvalidInputError: `bad_decision`.
    """
    if text not in VERDICTS:
        raise InvalidInputError("bad_decision", f"a decision is one of {', '.join(VERDICTS)}")
    return text


def parse_comment(text: str, verdict: Verdict) -> str:
    """The reasons; whoever does not approve gives some.

    Raises:
        InvalidInputError: `comment_required`, `text_too_long`, `bad_text`.
    """
    comment = text.strip()
    if not storable(comment):
        raise InvalidInputError("bad_text", "the comment is no Unicode text")
    if len(comment) > MAX_COMMENT:
        raise InvalidInputError("text_too_long", f"a comment may have {MAX_COMMENT} characters")
    if verdict != "approve" and not comment:
        raise InvalidInputError("comment_required", "say why: a rejection and a dissent need reasons")
    return comment


def authors_of(versions: Iterable[VerificationRecord]) -> set[str]:
    """Ids of all who wrote a version, here or, by the word of a file, elsewhere."""
    known = list(versions)
    there = {author["id"] for version in known for author, _ in _accounts(version.elsewhere) if "id" in author}
    return {version.author.id for version in known} | there


def named_in(versions: Iterable[VerificationRecord]) -> set[str]:
    """Names, folded, that the versions give as translator or contributor, and those of authors elsewhere."""
    found: set[str] = set()
    for version in versions:
        accounts = list(_accounts(version.elsewhere))
        names = [author["name"] for author, _ in accounts if "name" in author]
        for body in (version.body, *(body for _, body in accounts)):
            names += _names(body)
        found |= {text for name in names if (text := folded(name))}
    return found


def _names(body: JsonValue) -> list[str]:
    """Whom a body names as translator or contributor; one from a file may have any form."""
    if not isinstance(body, dict):
        return []
    others = body.get("contributors")
    names = [body.get("translator"), *(others if isinstance(others, list) else [])]
    return [name for name in names if isinstance(name, str)]


def _accounts(elsewhere: JsonValue) -> Iterator[tuple[dict[str, str], JsonValue]]:
    """What a file tells of authors (`id` and `name`, where they are texts) and bodies, and what a file in it did."""
    waiting = [elsewhere]
    while waiting:
        account = waiting.pop()
        if not isinstance(account, dict):
            continue
        author, versions = account.get("author"), account.get("versions")
        texts = author.items() if isinstance(author, dict) else ()
        yield {name: text for name, text in texts if isinstance(text, str)}, account.get("body")
        waiting += [account.get("elsewhere"), *(versions if isinstance(versions, list) else [])]


def folded(name: str) -> str:
    """A person's name as names are compared."""
    return " ".join(name.casefold().split())


def may_review(versions: Sequence[VerificationRecord], reviewer_id: str, names: Iterable[str]) -> bool:
    """Whether a person of this id and these names may decide on a record."""
    return reviewer_id not in authors_of(versions) and not named_in(versions) & {folded(name) for name in names if name}


def standing(
    versions: Sequence[VerificationRecord], reviews: Iterable[VerificationReviewRecord]
) -> list[VerificationReviewRecord]:
    """The last review of each person on the newest version, by number; those of authors are left out."""
    newest, authors = versions[-1].number, authors_of(versions)
    last: dict[str, VerificationReviewRecord] = {}
    for review in sorted(reviews, key=lambda one: one.number):
        if review.version == newest and review.reviewer.id not in authors:
            last[review.reviewer.id] = review
    return sorted(last.values(), key=lambda one: one.number)


def superseded(
    reviewer_id: str, version: int, reviews: Iterable[VerificationReviewRecord]
) -> VerificationReviewRecord | None:
    """The review that a new one by this person on this version would replace."""
    own = [one for one in reviews if one.reviewer.id == reviewer_id and one.version == version]
    return max(own, key=lambda one: one.number, default=None)


def state_of(versions: Sequence[VerificationRecord], reviews: Iterable[VerificationReviewRecord]) -> State:
    """Where a record stands."""
    verdicts = {one.decision for one in standing(versions, reviews)}
    if not verdicts:
        return "proposed"
    if verdicts == {"approve"}:
        return "approved"
    return "rejected" if "reject" in verdicts and "approve" not in verdicts else "disputed"
