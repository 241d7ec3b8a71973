"""Tables of incidents; all append-only and bound to the custody log."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, UniqueConstraint
from sqlmodel import Field

from app.custody.rows import SaltedRow, register


class IncidentEntry(SaltedRow, table=True):
    """What an incident, a statement, an aggregate and their like are for ever: their id, case, kind and place."""

    __tablename__ = "incident_entry"
    __table_args__ = (
        UniqueConstraint("case_id", "kind", "ref", name="uq_incident_entry_ref"),
        UniqueConstraint("case_id", "place", name="uq_incident_entry_place"),
    )

    id: str = Field(primary_key=True, max_length=36)
    case_id: str = Field(foreign_key="evidence_case.id", max_length=36)
    kind: str = Field(max_length=20)
    ref: str = Field(index=True, max_length=200)
    place: int
    created_at: str = Field(max_length=27)
    created_by: str = Field(max_length=36)


class IncidentVersion(SaltedRow, table=True):
    """One version of an entry: the canonical bytes of its record (schemas.records.v1.incident)."""

    __tablename__ = "incident_version"
    __table_args__ = (UniqueConstraint("entry_id", "number", name="uq_incident_version_number"),)

    id: str = Field(primary_key=True, max_length=36)
    entry_id: str = Field(foreign_key="incident_entry.id", max_length=36)
    number: int
    body_sha256: str = Field(max_length=64)
    record: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: str = Field(max_length=27)
    created_by: str = Field(max_length=36)


class IncidentClaim(SaltedRow, table=True):
    """Who says what of an incident: the canonical bytes of the claim."""

    __tablename__ = "incident_claim"
    __table_args__ = (UniqueConstraint("incident_id", "ref", name="uq_incident_claim_ref"),)

    id: str = Field(primary_key=True, max_length=36)
    incident_id: str = Field(foreign_key="incident_entry.id", max_length=36)
    ref: str = Field(max_length=200)
    supersedes: str | None = Field(default=None, max_length=36)  # no foreign key: a recovery writes rows in any order
    record: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: str = Field(max_length=27)
    created_by: str = Field(max_length=36)


register(IncidentEntry, "case_id", "kind", "ref", "place", "created_at", "created_by")
register(IncidentVersion, "entry_id", "number", "body_sha256", "record", "created_at", "created_by")
register(IncidentClaim, "incident_id", "ref", "supersedes", "record", "created_at", "created_by")
