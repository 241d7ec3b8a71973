"""Incidents as the database gives them, without a database."""

from __future__ import annotations

from typing import Any

from app.incidents.models import IncidentEntry
from app.incidents.standing import standing_of
from app.incidents.store import EntryView
from schemas.records.v1.incident import IncidentEntryRecord
from tests.incident_samples import REF, body

NOW = "2026-01-01T00:00:00Z"


def incident(ref: str = REF, **changed: object) -> EntryView:
    """The first version of an incident."""
    said: dict[str, Any] = body(**changed)
    entry = IncidentEntry(
        id="e" * 36, case_id="c" * 36, kind="incident", ref=ref, place=1, created_at=NOW, created_by="u"
    )
    record = IncidentEntryRecord.model_construct(
        entry=entry.id, kind="incident", ref=ref, number=1, body=said, standing=standing_of("incident", ref, said, NOW)
    )
    return EntryView(entry, record, "a" * 64)
