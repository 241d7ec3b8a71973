"""From entries of assessments to response bodies; nothing here decides who may see them."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from app.assessment.ledger import Line
from app.assessment.models import AssessmentReview
from app.assessment.reviews import Done
from schemas.api.assessment import EntryReviewShown, EntryShown, EntryVersionShown, ManyShown, OneOfMany


def entry_review_shown(row: AssessmentReview) -> EntryReviewShown:
    """A decision, with the exact bytes that the archive sealed."""
    return EntryReviewShown(
        id=row.id,
        entry=row.entry_id,
        number=row.number,
        decision=row.decision,
        comment=row.comment,
        reviewer=row.reviewer_id,
        created_at=row.created_at,
        record_base64=base64.b64encode(row.record).decode(),
        seal_base64=None if row.seal is None else base64.b64encode(row.seal).decode(),
    )


def version_shown(shown: tuple[Line, bool | None]) -> EntryVersionShown:
    """One version of an entry, with whether the basis of an assessment has changed since."""
    line, basis_changed = shown
    return EntryVersionShown.model_validate(
        {
            "entry": line.row.id,
            "thread": line.row.thread_id,
            "number": line.row.number,
            "kind": line.row.kind,
            "sha256": line.sha256,
            "review": line.state,
            "basis_changed": basis_changed,
            "newest": line.newest,
            "record": line.record.model_dump(mode="json"),
            "reviews": [entry_review_shown(review) for review in line.reviews],
        }
    )


def entry_shown(lines: Sequence[tuple[Line, bool | None]]) -> EntryShown:
    """An entry in all its versions."""
    return EntryShown(thread=lines[0][0].row.thread_id, versions=[version_shown(line) for line in lines])


def many_shown(done: Sequence[Done]) -> ManyShown:
    """What came of each of many."""
    made = sum(one.made is not None for one in done)
    results = [OneOfMany(id=one.made, code=one.code, detail=one.detail) for one in done]
    return ManyShown(made=made, refused=len(done) - made, results=results)
