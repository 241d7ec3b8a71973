"""From records to rows and back: the records' canonical bytes are authoritative."""

from __future__ import annotations

import hashlib
from typing import Final

from pydantic import BaseModel, ValidationError

from app.assessment.models import AssessmentEntry, AssessmentReview
from app.errors import EnvironmentFailedError
from evidence_store.canonical import canonical_bytes
from schemas.records.v1.assessment import (
    AssessmentRecord,
    AssessmentReviewRecord,
    ElementLinkRecord,
    ElementStateRecord,
    EntryType,
    PanelRecord,
)

Record = ElementLinkRecord | ElementStateRecord | PanelRecord | AssessmentRecord
_MODELS: Final[dict[EntryType, type[BaseModel]]] = {
    "link": ElementLinkRecord,
    "state": ElementStateRecord,
    "panel": PanelRecord,
    "assessment": AssessmentRecord,
}

ROLES: Final[dict[str, str]] = {
    "link": "element link",
    "state": "element state",
    "panel": "panel answer",
    "assessment": "assessment",
}
"""How events name the records of entries (`outputs`)."""
REVIEW_ROLE, SEAL_ROLE = "assessment review", "assessment review signature"


def kind_of(record: Record) -> EntryType:
    """Which kind of entry a record is."""
    return next(kind for kind, model in _MODELS.items() if isinstance(record, model))


def part_of(record: Record) -> str:
    """The element, the panel, or nothing where it is of the whole provision."""
    if isinstance(record, PanelRecord):
        return record.panel
    return "" if isinstance(record, AssessmentRecord) else record.element.id


def entry_row(record: Record) -> AssessmentEntry:
    """The row of an entry's version."""
    return AssessmentEntry(
        id=record.entry,
        thread_id=record.thread,
        number=record.number,
        kind=kind_of(record),
        incident_id=record.incident,
        provision_id=record.provision.id,
        part=part_of(record),
        author_id=record.author.id,
        record=canonical_bytes(record.model_dump(mode="json")),
        created_at=record.created_at,
    )


def entry_record(row: AssessmentEntry) -> Record:
    """The record of a version.

    Raises:
        EnvironmentFailedError: `assessment_damaged` when its bytes were changed in the database.
    """
    model = _MODELS.get(row.kind)  # type: ignore[call-overload]
    try:
        record = None if model is None else model.model_validate_json(row.record)
    except (ValidationError, TypeError):
        record = None
    if not isinstance(record, ElementLinkRecord | ElementStateRecord | PanelRecord | AssessmentRecord):
        raise _damaged(row.id)
    return record


def review_record(row: AssessmentReview) -> AssessmentReviewRecord:
    """The record of a review.

    Raises:
        EnvironmentFailedError: `assessment_damaged`.
    """
    try:
        return AssessmentReviewRecord.model_validate_json(row.record)
    except (ValidationError, TypeError):
        raise _damaged(row.entry_id) from None


def digest(row: AssessmentEntry | AssessmentReview) -> str:
    """SHA-256 of a record's canonical bytes, hex."""
    return hashlib.sha256(row.record).hexdigest()


def _damaged(entry: str) -> EnvironmentFailedError:
    return EnvironmentFailedError(
        "assessment_damaged", f"entry {entry} is not as it was written: run 'catena audit'", status=500
    )
