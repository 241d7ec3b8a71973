"""Four eyes over links, states, panel answers and assessments: one door, whoever asks and for however many entries.

The decision on an assessment is signed: the archive seals the canonical bytes of its record, as it seals a receipt.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from sqlmodel import Session, col, select

from app.access.service import Principal
from app.assessment.desk import DECIDE, Desk, must_stand
from app.assessment.judgements import require_panels, rested_on
from app.assessment.ledger import Ledger
from app.assessment.models import AssessmentEntry, AssessmentReview
from app.assessment.records import REVIEW_ROLE, SEAL_ROLE, digest, entry_record
from app.custody.outputs import output
from app.errors import CatenaError, ConflictError, DeniedError, EnvironmentFailedError, InvalidInputError
from app.incidents.records import person
from app.review import rules
from evidence_store.canonical import canonical_bytes
from schemas.records.v1.assessment import AssessmentRecord, AssessmentReviewRecord
from schemas.records.v1.review import Decision

MAX_BULK = 500
_TRIES = 5  # another reviewer may take the number that was sealed


@dataclass(frozen=True, slots=True)
class ReviewGiven:
    """A decision as a reviewer gives it: on a version by its UUID."""

    entry: str
    decision: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of one of many: the UUID that was made, or why nothing was."""

    made: str | None
    code: str | None = None
    detail: str | None = None


class AssessmentReviews:
    """Reviews of one archive's entries."""

    def __init__(self, desk: Desk) -> None:
        """Bind to an archive."""
        self._desk = desk

    def review(self, who: Principal, entry_id: str, decision: str, comment: str = "") -> AssessmentReview:
        """Approve or reject the newest version of somebody else's entry; dissent stays on record.

        Args:
            who: the reviewer.
            entry_id: UUID of the version that he has read.
            decision: `approve` or `reject`.
            comment: reasons, at most 8,000 characters; a rejection needs some.

        Raises:
            NotFoundError: `unknown_entry`.
            DeniedError: `not_allowed`, or `own_work` when he is its author; both are recorded.
            ConflictError: `entry_changed` when there is a newer version, `entry_withdrawn`; for an assessment
                `panel_unanswered`, and `basis_changed` when it is approved after that on which it rests has changed.
            InvalidInputError: `bad_decision`, `comment_required`, `text_too_long`, `bad_text`.
            EnvironmentFailedError: those of the seal key, for an assessment.
        """
        desk = self._desk
        row = desk.entry(who, entry_id, DECIDE)
        if not rules.may_review(row.author_id, who.user_id):
            desk.access.record_denial(who.actor, f"incident:{row.incident_id}", "review of the own entry")
            raise DeniedError("own_work", "a second person must review this: you are its author")
        verdict = rules.parse_decision(decision)
        reasons = rules.parse_comment(comment, verdict)
        for _ in range(_TRIES):
            with desk.archive.db.read() as session:
                self._require_open(session, row, entry_id, verdict)
                earlier = reviews_of(session, row.id)
            review = self._signed(_record(who, row, earlier, verdict, reasons, desk.archive.custody.now()))
            with desk.archive.db.write() as session:
                desk.archive.custody.lock(session)
                self._require_open(session, row, entry_id, verdict)
                if len(reviews_of(session, row.id)) == len(earlier):
                    self._put(session, who, row, review)
                    return review
        raise EnvironmentFailedError("busy", "others review this at the same moment; try again")

    def review_many(self, who: Principal, given: Sequence[ReviewGiven]) -> list[Done]:
        """Decide on many entries, each by itself and through the same door: what fails for one stops no other.

        Raises:
            DeniedError: `not_allowed` when the role may review nothing.
            InvalidInputError: `too_many` over 500.
        """
        self._desk.access.require_role(who, DECIDE)
        check_number(given)
        return each(partial(self._review_id, who, one) for one in given)

    def _review_id(self, who: Principal, one: ReviewGiven) -> str:
        return self.review(who, one.entry, one.decision, one.comment).id

    def of(self, who: Principal, entry_id: str) -> list[AssessmentReview]:
        """All reviews of a version, superseded ones included, oldest first.

        Raises:
            NotFoundError: `unknown_entry`.
        """
        row = self._desk.entry(who, entry_id, "incident.read")
        with self._desk.archive.db.read() as session:
            return reviews_of(session, row.id)

    def _require_open(self, session: Session, row: AssessmentEntry, entry_id: str, verdict: Decision) -> None:
        newest = must_stand(session, row.thread_id)
        if newest.id != entry_id:
            raise ConflictError("entry_changed", f"version {newest.number} ({newest.id}) is the newest: read that one")
        record = entry_record(newest)
        if verdict == "approve" and isinstance(record, AssessmentRecord):
            ledger = Ledger.read(session, newest.incident_id)
            require_panels(self._desk, ledger, newest.provision_id)
            if list(record.rests_on) != rested_on(ledger, newest.provision_id):
                raise ConflictError(
                    "basis_changed", "links, states or answers have changed since: its author must state it anew"
                )

    def _signed(self, record: AssessmentReviewRecord) -> AssessmentReview:
        text = canonical_bytes(record.model_dump(mode="json"))
        archive = self._desk.archive
        seal = archive.seal_key().seal(text, archive.clock()) if record.entry_type == "assessment" else None
        return AssessmentReview(
            id=record.review,
            entry_id=record.entry,
            number=record.number,
            decision=record.decision,
            comment=record.comment,
            reviewer_id=record.reviewer.id,
            record=text,
            seal=seal,
            created_at=record.created_at,
        )

    def _put(self, session: Session, who: Principal, row: AssessmentEntry, review: AssessmentReview) -> None:
        outputs = [output(REVIEW_ROLE, review.record, review=review.id)]
        if review.seal is not None:
            outputs.append(output(SEAL_ROLE, review.seal, review=review.id))
        self._desk.archive.custody.record(
            session,
            f"incident:{row.incident_id}",
            "review",
            who.actor,
            details={"entry": row.id, "kind": row.kind, "decision": review.decision, "outputs": outputs},
            rows=[review],
        )


def reviews_of(session: Session, entry_id: str) -> list[AssessmentReview]:
    """All reviews of a version, oldest first."""
    found = select(AssessmentReview).where(AssessmentReview.entry_id == entry_id)
    return list(session.exec(found.order_by(col(AssessmentReview.number))))


def _record(
    who: Principal,
    row: AssessmentEntry,
    earlier: Sequence[AssessmentReview],
    decision: Decision,
    comment: str,
    now: str,
) -> AssessmentReviewRecord:
    replaced = rules.superseded(who.user_id, earlier)
    return AssessmentReviewRecord.model_validate(
        {
            "review": str(uuid.uuid4()),
            "incident": row.incident_id,
            "entry": row.id,
            "entry_type": row.kind,
            "entry_sha256": digest(row),
            "number": 1 + max((review.number for review in earlier), default=0),
            "decision": decision,
            "comment": comment,
            "supersedes": None if replaced is None else replaced.id,
            "reviewer": person(who),
            "created_at": now,
        }
    )


def check_number(given: Sequence[object]) -> None:
    """Refuse more than fit into one request.

    Raises:
        InvalidInputError: `too_many`.
    """
    if len(given) > MAX_BULK:
        raise InvalidInputError("too_many", f"one request may hold {MAX_BULK} entries; this has {len(given)}")


def each(makers: Iterable[Callable[[], str]]) -> list[Done]:
    """Do one after the other; a refusal is told in its place and stops no other. Failures of the machine do stop."""
    done: list[Done] = []
    for make in makers:
        try:
            done.append(Done(make()))
        except CatenaError as error:
            if isinstance(error, EnvironmentFailedError):
                raise
            done.append(Done(None, error.code, error.detail))
    return done
