"""Before files are sent: which of them the case holds already."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from app.access.service import Principal
from app.api.deps import Serv, Who, case_for
from app.api.guards import GuardedRoute, needs
from app.api.services import Services
from app.intake.offers import Offer
from app.intake.service import parse_source
from schemas.api.items import FileKnown, FilesKnown, FilesOffered

router = APIRouter(prefix="/items", tags=["items"], route_class=GuardedRoute)
MAX_CASE_LENGTH = 100


def _case_or_role(services: Services, who: Principal, request: Request) -> None:
    """Asked before the body is read, in the very case that the query names."""
    case = request.query_params.get("case", "")
    if 0 < len(case) <= MAX_CASE_LENGTH:
        case_for(services, who, case, "item.ingest")
    else:
        services.access.require_role(who, "item.ingest")


@router.post("/known")
@needs(_case_or_role)
def known_files(
    body: FilesOffered,
    who: Who,
    services: Serv,
    case: Annotated[
        str, Query(max_length=MAX_CASE_LENGTH, description="Reference or id of the case.", examples=["T1"])
    ],
) -> FilesKnown:
    """Which of these files the case holds already; those are recorded as offered again, with name and source."""
    found = case_for(services, who, case, "item.ingest")
    offers = [Offer(one.sha256, one.name, parse_source(one.source), one.key) for one in body.files]
    answers = services.offers.look_up(who, found, offers, again=body.again, record=body.record)
    return FilesKnown(files=[FileKnown(state=one.state, item=one.item, same_name=one.same_name) for one in answers])
