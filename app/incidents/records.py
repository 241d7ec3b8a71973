"""Building records of entries and claims, and their rows: the records' canonical bytes are authoritative."""

from __future__ import annotations

import hashlib
import uuid
from typing import cast

from pydantic import ValidationError

from app.access.service import Principal
from app.errors import EnvironmentFailedError
from app.incidents.bodies import Body
from app.incidents.models import IncidentClaim, IncidentEntry, IncidentVersion
from app.incidents.standing import standing_of
from evidence_store.canonical import JsonInput, canonical_bytes
from schemas.records.v1.incident import EntryKind, IncidentClaimRecord, IncidentEntryRecord
from schemas.records.v1.link import Person


def person(who: Principal) -> Person:
    """A user as records name him."""
    return Person(id=who.user_id, name=who.name, auth=who.auth)


def body_digest(body: Body) -> str:
    """SHA-256 of a body's canonical form, hex."""
    return hashlib.sha256(canonical_bytes(cast("JsonInput", body))).hexdigest()  # checked: no floats


def new_entry(who: Principal, case_id: str, kind: EntryKind, ref: str, place: int, now: str) -> IncidentEntry:
    """The row of a new entry."""
    return IncidentEntry(
        id=str(uuid.uuid4()),
        case_id=case_id,
        kind=kind,
        ref=ref,
        place=place,
        created_at=now,
        created_by=who.user_id,
    )


def version_row(
    who: Principal,
    entry: IncidentEntry,
    kind: EntryKind,
    body: Body,
    now: str,
    *,
    before: IncidentVersion | None = None,
    reason: str | None = None,
) -> IncidentVersion:
    """The row of an entry's next version; `before` is the newest so far."""
    record = IncidentEntryRecord(
        entry=entry.id,
        case=entry.case_id,
        kind=kind,
        ref=entry.ref,
        number=1 if before is None else before.number + 1,
        body=body,
        standing=standing_of(kind, entry.ref, body, now),
        reason=reason,
        supersedes=None if before is None else hashlib.sha256(before.record).hexdigest(),
        author=person(who),
        created_at=now,
    )
    return IncidentVersion(
        id=str(uuid.uuid4()),
        entry_id=entry.id,
        number=record.number,
        body_sha256=body_digest(body),
        record=canonical_bytes(record.model_dump(mode="json")),
        created_at=now,
        created_by=who.user_id,
    )


def claim_row(record: IncidentClaimRecord) -> IncidentClaim:
    """The row of a claim."""
    return IncidentClaim(
        id=record.claim,
        incident_id=record.incident,
        ref=record.ref,
        supersedes=record.supersedes,
        record=canonical_bytes(record.model_dump(mode="json")),
        created_at=record.created_at,
        created_by=record.author.id,
    )


def entry_record(row: IncidentVersion) -> IncidentEntryRecord:
    """The record of a version.

    Raises:
        EnvironmentFailedError: `incident_damaged` when its bytes were changed in the database.
    """
    if not isinstance(row.record, bytes):  # text in its place, as somebody's edit leaves it
        raise _damaged(row.entry_id)
    try:
        return IncidentEntryRecord.model_validate_json(row.record)
    except (ValidationError, TypeError):
        raise _damaged(row.entry_id) from None


def claim_record(row: IncidentClaim) -> IncidentClaimRecord:
    """The record of a claim.

    Raises:
        EnvironmentFailedError: `incident_damaged`.
    """
    return read_claim(row.record, row.incident_id)


def read_claim(record: bytes, incident_id: str) -> IncidentClaimRecord:
    """The record of a claim about an incident from its bytes.

    Raises:
        EnvironmentFailedError: `incident_damaged`.
    """
    try:
        return IncidentClaimRecord.model_validate_json(record)
    except (ValidationError, TypeError):
        raise _damaged(incident_id) from None


def _damaged(entry_id: str) -> EnvironmentFailedError:
    return EnvironmentFailedError(
        "incident_damaged", f"entry {entry_id} is not as it was written: run 'catena audit'", status=500
    )
