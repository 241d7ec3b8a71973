"""What belongs together: a sidecar to its recording."""

from __future__ import annotations

from fastapi import APIRouter, Response

from app.api.deps import ItemRef, Serv, Who, known_id
from app.api.guards import GuardedRoute, needs, on_item
from app.api.views import relation_shown
from app.evidence.relations import Related
from schemas.api.items import RelationCreate, RelationShown

router = APIRouter(prefix="/items", tags=["items"], route_class=GuardedRoute)


@router.post(
    "/{item}/relations",
    status_code=201,
    responses={200: {"model": RelationShown, "description": "It was stated before."}},
)
@needs(on_item("item.ingest"))
def relate(item: ItemRef, body: RelationCreate, who: Who, services: Serv, response: Response) -> RelationShown:
    """State that the item belongs to another of its case; recorded with both, and once however often it is said."""
    item_id, related = known_id(item, "item"), known_id(body.related, "item")
    row, new = services.relations.add(who, item_id, related, body.kind, body.basis)
    if not new:
        response.status_code = 200
    return relation_shown(Related(row, row.related_id, "belongs_to"))
