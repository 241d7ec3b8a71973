"""Rows of verification inside a unit of work; who may do so has been asked before."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from sqlmodel import Session, col, func, select

from app.access.service import Principal
from app.custody.outputs import output
from app.custody.service import Custody
from app.errors import EnvironmentFailedError
from app.verification import rules
from app.verification.models import Verification, VerificationReview, VerificationSubject, VerificationVersion
from app.verification.rules import State
from evidence_store.canonical import canonical_bytes
from schemas.records.v1.verification import Subject, VerificationRecord, VerificationReviewRecord

VERSION_ROLE, REVIEW_ROLE = "verification", "verification review"
_CHUNK = 500  # ids of one query
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class View:
    """A record with all its versions and reviews.

    Attributes:
        row: what it is for ever.
        versions: oldest first, at least one.
        digests: SHA-256 of each version's canonical bytes.
        reviews: of all versions, by number.
    """

    row: Verification
    versions: list[VerificationRecord] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    reviews: list[VerificationReviewRecord] = field(default_factory=list)

    @property
    def newest(self) -> VerificationRecord:
        """The newest version."""
        return self.versions[-1]

    @property
    def state(self) -> State:
        """Where it stands; see `rules.state_of`."""
        return rules.state_of(self.versions, self.reviews)


def load(session: Session, rows: Sequence[Verification]) -> list[View]:
    """Records with their versions and reviews, in the same order, in few queries.

    Raises:
        EnvironmentFailedError: `verification_damaged`.
    """
    found = {row.id: View(row) for row in rows}
    for ids in _chunks(list(found)):
        versions = select(VerificationVersion).where(col(VerificationVersion.verification_id).in_(ids))
        for version in session.exec(versions.order_by(col(VerificationVersion.number))):
            view = found[version.verification_id]
            view.versions.append(_read(VerificationRecord, version.record, version.verification_id))
            view.digests.append(hashlib.sha256(version.record).hexdigest())
        reviews = select(VerificationReview).where(col(VerificationReview.verification_id).in_(ids))
        for review in session.exec(reviews.order_by(col(VerificationReview.number))):
            read = _read(VerificationReviewRecord, review.record, review.verification_id)
            found[review.verification_id].reviews.append(read)
    for view in found.values():
        if not view.versions:
            raise _damaged(view.row.id)
    return list(found.values())


def about(session: Session, subject_id: str, kinds: Iterable[str] | None = None) -> list[View]:
    """The records about an item or entry, in the order in which they were entered."""
    wanted = select(Verification).join(
        VerificationSubject, col(VerificationSubject.verification_id) == col(Verification.id)
    )
    wanted = wanted.where(VerificationSubject.subject_id == subject_id)
    if kinds is not None:
        wanted = wanted.where(col(Verification.kind).in_(list(kinds)))
    return load(session, list(session.exec(wanted.order_by(col(Verification.place)))))


def about_any(session: Session, subject_ids: Sequence[str]) -> list[View]:
    """The records about any of these items and entries, by id."""
    found: set[str] = set()
    for ids in _chunks(list(subject_ids)):
        named = col(VerificationSubject.subject_id).in_(ids)
        found.update(session.exec(select(VerificationSubject.verification_id).where(named)))
    rows: list[Verification] = []
    for ids in _chunks(sorted(found)):
        rows += session.exec(select(Verification).where(col(Verification.id).in_(ids)).order_by(col(Verification.id)))
    return load(session, rows)


def signed_off(session: Session, subject_id: str, kind: str) -> list[View]:
    """The records of a kind about an item or entry that a second person approved and nobody disputes."""
    return [view for view in about(session, subject_id, [kind]) if view.state == "approved"]


def named(session: Session, case_id: str, ref: str) -> Verification | None:
    """A record of a case by its id for people."""
    wanted = select(Verification).where(Verification.case_id == case_id, Verification.ref == ref)
    return session.exec(wanted).one_or_none()


def put_new(session: Session, custody: Custody, who: Principal, record: VerificationRecord) -> None:
    """A new record with its first version; the log is locked. Items that it is about get an event, too."""
    newest = session.exec(select(func.max(Verification.place)).where(Verification.case_id == record.case)).one()
    row = Verification(
        id=record.verification,
        case_id=record.case,
        kind=record.kind,
        ref=record.ref,
        place=(newest or 0) + 1,
        created_at=record.created_at,
        created_by=who.user_id,
    )
    session.add(row)
    session.flush()  # the others refer to it
    subjects = [
        VerificationSubject(id=str(uuid.uuid4()), verification_id=row.id, subject_kind=one.kind, subject_id=one.id)
        for one in record.subjects
    ]
    version = _version_row(record)
    custody.record(
        session,
        f"verification:{row.id}",
        "annotation",
        who.actor,
        details={
            "kind": record.kind,
            "number": 1,
            "outputs": [output(VERSION_ROLE, version.record, version=version.id)],
        },
        rows=[row, *subjects, version],
    )
    for one in record.subjects:
        if one.kind == "item":
            details = {"verification": row.id, "kind": record.kind}
            custody.record(session, f"item:{one.id}", "annotation", who.actor, details={**details})


def put_version(session: Session, custody: Custody, who: Principal, record: VerificationRecord) -> None:
    """A further version; the log is locked."""
    version = _version_row(record)
    custody.record(
        session,
        f"verification:{record.verification}",
        "metadata modification",
        who.actor,
        details={
            "kind": record.kind,
            "number": record.number,
            "reason": record.reason,
            "outputs": [output(VERSION_ROLE, version.record, version=version.id)],
        },
        rows=[version],
    )


def put_review(session: Session, custody: Custody, who: Principal, record: VerificationReviewRecord) -> None:
    """A review; the log is locked."""
    row = VerificationReview(
        id=record.review,
        verification_id=record.verification,
        number=record.number,
        decision=record.decision,
        reviewer_id=record.reviewer.id,
        record=canonical_bytes(record.model_dump(mode="json")),
        created_at=record.created_at,
    )
    custody.record(
        session,
        f"verification:{record.verification}",
        "review",
        who.actor,
        details={
            "version": record.version,
            "decision": record.decision,
            "outputs": [output(REVIEW_ROLE, row.record, review=row.id)],
        },
        rows=[row],
    )


def subjects_of(session: Session, verification_id: str) -> list[Subject]:
    """What a record is about."""
    wanted = select(VerificationSubject).where(VerificationSubject.verification_id == verification_id)
    return [Subject(kind=one.subject_kind, id=one.subject_id) for one in session.exec(wanted)]


def _version_row(record: VerificationRecord) -> VerificationVersion:
    return VerificationVersion(
        id=str(uuid.uuid4()),
        verification_id=record.verification,
        number=record.number,
        record=canonical_bytes(record.model_dump(mode="json")),
        created_at=record.created_at,
        created_by=record.author.id,
    )


def _read(model: type[M], data: bytes, verification_id: str) -> M:
    try:
        return model.model_validate_json(data)
    except (ValidationError, TypeError):
        raise _damaged(verification_id) from None


def _chunks(ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]


def _damaged(verification_id: str) -> EnvironmentFailedError:
    detail = f"verification {verification_id} is not as it was written: run 'catena audit'"
    return EnvironmentFailedError("verification_damaged", detail, status=500)
