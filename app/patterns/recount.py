"""Counting a release again, from the very versions and claims that it names, to the very bytes that were sealed.

What comes out otherwise has one of three reasons, and they are told apart: a member is not here as it was; the release
was counted by another program or method than this one; neither, and then the release is not what was counted.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from app.errors import CatenaError, EnvironmentFailedError, NotFoundError
from app.patterns.counting import METHOD, METHODS, Counted, count
from app.patterns.population import MemberGoneError, require_entries, seen_then
from app.patterns.service import RuleView, parsed, rule_named
from app.version import version
from evidence_store.canonical import canonical_bytes
from evidence_store.errors import EvidenceStoreError
from schemas.records.v1.pattern import FrozenReleaseRecord

DIFFERS, OTHERWISE, GONE = "release_differs", "release_counted_otherwise", "member_gone"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a release did not come out the same: a stable code, and a sentence."""

    code: str
    detail: str


def statement_bytes(release: FrozenReleaseRecord) -> bytes:
    """What is sealed: RFC 8785. Releases made before the program was named do not have the member."""
    left_out = {"program"} if release.program is None else None
    return canonical_bytes(release.model_dump(mode="json", exclude=left_out))


def recount(session: Session, release: FrozenReleaseRecord, statement: bytes) -> Trouble | None:
    """Count a release again.

    Args:
        session: of one state of the database.
        release: as `statement` tells it.
        statement: the sealed bytes.

    Returns:
        None when the very same bytes come out, else why not: `member_gone`, `release_counted_otherwise`,
        `release_differs`.
    """
    if release.method not in METHODS:
        return Trouble(OTHERWISE, f"{_made_by(release)} counted it; {_this()} cannot repeat that")
    try:
        require_entries(session, release.aggregates)
        if _rule(session, release).cited != release.rule:
            return Trouble(DIFFERS, f"version {release.rule.number} of rule {release.rule.ref} is not as it states it")
        again = _made_anew(release, count(parsed(release.rule), seen_then(session, release), release.method))
    except (MemberGoneError, EnvironmentFailedError) as error:  # gone, or no record any more
        return Trouble(GONE, error.detail)
    except (CatenaError, EvidenceStoreError) as error:  # a rule, or a record, that this program does not read any more
        return _otherwise(release, f"{error.code}: {error.detail}")
    return None if again == statement else _otherwise(release, "other bytes come out")


def _rule(session: Session, release: FrozenReleaseRecord) -> RuleView:
    name = f"{release.rule.ref}@{release.rule.number}"
    try:
        return rule_named(session, release.case, name)
    except NotFoundError:
        raise MemberGoneError(f"rule {name} is not here any more") from None


def _made_anew(release: FrozenReleaseRecord, done: Counted) -> bytes:
    return statement_bytes(release.model_copy(update={"members": done.members, "numbers": done.numbers}))


def _otherwise(release: FrozenReleaseRecord, what: str) -> Trouble:
    """Every member is here as it was: the program counts otherwise, or the statement was never its count."""
    if release.program is None:
        return Trouble(DIFFERS, f"counted again from its members: {what}; it does not say which program counted it")
    if release.program.version != version():
        return Trouble(
            OTHERWISE, f"its members are as they were; {_made_by(release)} counted it, now {_this()}: {what}"
        )
    return Trouble(DIFFERS, f"counted again from its members by the same program: {what}")


def _made_by(release: FrozenReleaseRecord) -> str:
    named = "a program that it does not name" if release.program is None else f"catena {release.program.version}"
    return f"{named} (method {release.method})"


def _this() -> str:
    return f"catena {version()} (method {METHOD})"
