"""Provisions of the catalogue, links of items to them, and the second person's review."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from app.api.deps import ItemRef, PageCursor, PageLimit, Serv, Who, known_id
from app.api.guards import GuardedRoute, needs, on_item, on_link
from app.api.paging import page_of
from app.api.views import link_shown, provision_summary, review_shown
from schemas.api.law import (
    LinkCreate,
    LinkList,
    LinkShown,
    ProvisionList,
    ProvisionShown,
    ReviewCreate,
    ReviewShown,
)

router = APIRouter(tags=["law"], route_class=GuardedRoute)
ProvisionId = Annotated[str, Path(max_length=64)]


@router.get("/provisions")
def list_provisions(
    who: Who,
    services: Serv,
    cursor: PageCursor,
    q: Annotated[str | None, Query(max_length=300, description="Words that must all occur.")] = None,
    instrument: Annotated[str | None, Query(max_length=300, description="Part of an instrument's name.")] = None,
    limit: PageLimit = 50,
) -> ProvisionList:
    """Provisions in the catalogue's order; best first when searched. All are drafts: see `status`."""
    views = services.law.list_provisions(who, q=q, instrument=instrument)
    page, after = page_of(views, lambda view: view.provision.id, cursor, limit)
    return ProvisionList(provisions=[provision_summary(view) for view in page], cursor=after)


@router.get("/provisions/{provision}", response_model=ProvisionShown)
def show_provision(
    provision: ProvisionId,
    who: Who,
    services: Serv,
    version: Annotated[int | None, Query(ge=1, le=1_000_000, description="Of the catalogue; else the newest.")] = None,
) -> dict[str, Any]:
    """A provision with its elements and how far it was checked."""
    return services.law.get_provision(who, provision, version).as_json()


@router.post("/items/{item}/links", status_code=201)
@needs(on_item("link.create"))
def create_link(item: ItemRef, body: LinkCreate, who: Who, services: Serv) -> LinkShown:
    """State that the item may bear on a provision: in which direction, and why."""
    item_id = known_id(item, "item")
    link = services.law.create_link(who, item_id, body.provision, body.direction, body.rationale, body.element)
    return link_shown(link, services.reviews.state_of(link), [])


@router.get("/items/{item}/links")
def list_links(item: ItemRef, who: Who, services: Serv) -> LinkList:
    """All links of the item with their reviews, for and against, oldest first."""
    item_id = known_id(item, "item")
    links = services.law.links_of(who, item_id)
    states, reviews = services.reviews.states_of(links), services.reviews.reviews_of_item(who, item_id)
    return LinkList(item=item_id, links=[link_shown(link, states[link.id], reviews) for link in links])


@router.get("/links/{link}")
def show_link(link: str, who: Who, services: Serv) -> LinkShown:
    """One link with its reviews."""
    found, _ = services.law.get_link(who, known_id(link, "link"))
    return link_shown(found, services.reviews.state_of(found), services.reviews.reviews_of(who, found.id))


@router.post("/links/{link}/review", status_code=201)
@needs(on_link("link.review"))
def review_link(link: str, body: ReviewCreate, who: Who, services: Serv) -> ReviewShown:
    """Approve or reject a link that somebody else made."""
    return review_shown(services.reviews.review_link(who, known_id(link, "link"), body.decision, body.comment))
