"""Versions of metadata records: list them, have another made, see what differs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from app.api.deps import ItemRef, Serv, Who, known_id
from schemas.api.analyses import AnalysisAsked, AnalysisVersion, AnalysisVersions, RecordChange, RecordChanges

router = APIRouter(prefix="/items", tags=["items"])

VersionNumber = Annotated[int, Query(ge=1, le=1_000_000, description="Number of a run, from 1.")]


@router.get("/{item}/analyses")
def list_analyses(item: ItemRef, who: Who, services: Serv) -> AnalysisVersions:
    """All runs of the analysis over an item, oldest first. `/metadata?version=N` hands out the record of one."""
    item_id = known_id(item, "item")
    found = services.versions.list_versions(who, item_id)
    shown = [
        AnalysisVersion.model_validate(
            {"version": one.number}
            | {name: getattr(one, name) for name in AnalysisVersion.model_fields if name != "version"}
        )
        for one in found
    ]
    return AnalysisVersions(item=item_id, versions=shown)


@router.post("/{item}/analyses", status_code=202)
def analyse_again(item: ItemRef, who: Who, services: Serv) -> AnalysisAsked:
    """Have an item analysed again, for those who may deposit into its case; the record before stays as it is."""
    item_id = known_id(item, "item")
    return AnalysisAsked(item=item_id, version=services.versions.reanalyse(who, item_id))


@router.get("/{item}/analyses/changes")
def analysis_changes(
    item: ItemRef, who: Who, services: Serv, before: VersionNumber, after: VersionNumber
) -> RecordChanges:
    """What differs between two records of an item; the raw dumps are not compared. The read is recorded."""
    found, _ = services.evidence.find_item(who, known_id(item, "item"))
    changed = services.versions.changes(found.id, before, after)
    services.evidence.record_access(who, found, "metadata")
    shown = [RecordChange(field=one.field, before=one.before, after=one.after) for one in changed]
    return RecordChanges(item=found.id, before=before, after=after, changes=shown)
