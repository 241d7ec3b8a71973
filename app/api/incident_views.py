"""From entries of incidents to response bodies; nothing here decides who may see them."""

from __future__ import annotations

from collections.abc import Sequence

from app.incidents.standing import masked
from app.incidents.store import EntryView
from app.incidents.unresolved import Unresolved
from schemas.api.incidents import ClaimShown, IncidentShown, IncidentSummary, UnresolvedShown
from schemas.records.v1.incident import IncidentClaimRecord


def incident_summary(view: EntryView) -> IncidentSummary:
    """An incident as lists show it."""
    record = view.record
    return IncidentSummary.model_validate(
        {
            "id": view.entry.id,
            "ref": view.entry.ref,
            "case": view.entry.case_id,
            "version": record.number,
            "sha256": view.sha256,
            "title": record.body.get("title", ""),
            "date": record.standing.get("date", {}),
            "strikes": record.standing.get("strikes", 0),
            "created_at": view.entry.created_at,
        }
    )


def incident_shown(
    view: EntryView,
    claims: list[tuple[IncidentClaimRecord, bool]],
    warnings: Sequence[Unresolved] = (),
    *,
    personal: bool = False,
) -> IncidentShown:
    """An incident in one version, with every claim about it and what it names that is not here."""
    record = view.record
    return IncidentShown(
        **incident_summary(view).model_dump(),
        body=record.body if personal else masked(record.body),
        standing=record.standing,
        reason=record.reason,
        author=record.author.id,
        claims=[claim_shown(claim, stands=stands) for claim, stands in claims],
        warnings=[UnresolvedShown.model_validate(one.as_json()) for one in warnings],
    )


def claim_shown(claim: IncidentClaimRecord, *, stands: bool) -> ClaimShown:
    """A claim."""
    fields = claim.model_dump(exclude={"v", "type", "incident", "author"})
    return ClaimShown.model_validate({**fields, "author": claim.author.id, "stands": stands})
