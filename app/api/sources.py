"""What is stated of an item's source, version by version; checks that the depositor's machine made."""

from __future__ import annotations

from fastapi import APIRouter, Response

from app.api.deps import ItemRef, Serv, Who, known_id
from app.api.guards import GuardedRoute, needs, on_item
from app.api.views import check_shown, version_shown
from app.intake.collections.entries import Check
from schemas.api.sources import (
    CheckList,
    ChecksSent,
    SourceRevise,
    SourceShown,
    SourceVersionList,
    SourceVersionShown,
)

router = APIRouter(prefix="/items/{item}", tags=["sources"], route_class=GuardedRoute)


@router.get("/source")
def show_source(item: ItemRef, who: Who, services: Serv) -> SourceShown:
    """What is stated now, beside what was stated at the deposit. The read is recorded."""
    item_id = known_id(item, "item")
    versions = services.sources.history(who, item_id)
    return SourceShown(
        item=item_id, current=version_shown(versions[-1]), first=version_shown(versions[0]), versions=len(versions)
    )


@router.get("/source/versions")
def list_source_versions(item: ItemRef, who: Who, services: Serv) -> SourceVersionList:
    """Every version with its author and reason, the first first. The read is recorded."""
    item_id = known_id(item, "item")
    versions = services.sources.history(who, item_id)
    return SourceVersionList(item=item_id, versions=[version_shown(each) for each in versions])


@router.post("/source", status_code=201)
@needs(on_item("item.ingest"))
def revise_source(
    item: ItemRef, body: SourceRevise, who: Who, services: Serv, response: Response
) -> SourceVersionShown:
    """State the source anew. 409 `source_changed` when somebody else was first; older versions stay as they are."""
    item_id = known_id(item, "item")
    made = services.sources.revise(who, item_id, body.source, body.reason, body.expected_version)
    response.headers["Location"] = f"/api/v1/items/{item_id}/source"
    return version_shown(made)


@router.post("/checks", status_code=201)
@needs(on_item("item.ingest"))
def add_checks(item: ItemRef, body: ChecksSent, who: Who, services: Serv) -> CheckList:
    """Record checks made on the depositor's machine, as such. Only who deposited the item may; repeats add nothing."""
    item_id = known_id(item, "item")
    checks = [Check(each.kind, each.verdict, each.record) for each in body.checks]
    return CheckList(item=item_id, checks=[check_shown(each) for each in services.checks.add(who, item_id, checks)])
