"""Bundles of other archives: bringing one in, and reading what came."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from app.access.service import Principal
from app.api.deposits import MAX_CASE_LENGTH
from app.api.deps import PageCursor, PageLimit, Serv, Who, case_for, known_id
from app.api.described import DOWNLOAD_FIELDS, download
from app.api.files import StoredFile, hand_out
from app.api.guards import GuardedRoute, needs
from app.api.paging import page_of
from app.api.services import Services
from app.api.slots import IMPORTS
from app.api.streams import pour, refuse_wrapped_body
from app.receiving.models import ReceivedBundle
from app.receiving.service import Received, told_of
from schemas.api.bundles import (
    PartnersDossier,
    PartnersWord,
    ReceivedBundleList,
    ReceivedBundleShown,
    ReceivedFinding,
    ReceivedItemShown,
)

router = APIRouter(prefix="/bundles", tags=["bundles"], route_class=GuardedRoute)

ZIP_TYPE = "application/zip"
_RAW_BODY = {
    "requestBody": {
        "required": True,
        "description": "The bundle's ZIP, as it is; never a form.",
        "content": {ZIP_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}


def _case_or_role(services: Services, who: Principal, request: Request) -> None:
    """With a case in the query the endpoint asks for the right in that very case, and records so."""
    if not 0 < len(request.query_params.get("case", "")) <= MAX_CASE_LENGTH:
        services.access.require_role(who, "item.ingest")


@router.post("", status_code=201, openapi_extra=_RAW_BODY)
@needs(_case_or_role)
async def receive_bundle(
    request: Request,
    response: Response,
    who: Who,
    services: Serv,
    case: Annotated[
        str, Query(max_length=MAX_CASE_LENGTH, description="Reference or id of the case.", examples=["T1"])
    ],
) -> ReceivedBundleShown:
    """Take a partner's bundle in: checked by the offline verifier first, refused whole when it finds an error."""
    refuse_wrapped_body(request)
    found = await run_in_threadpool(case_for, services, who, case, "item.ingest")
    with request.app.state.bodies.place(who), services.receiving.spool() as spool:
        request.app.state.metrics.received(await pour(request, spool.write))
        verdict = await IMPORTS.run(spool.check)
        received = await IMPORTS.run(services.receiving.receive, who, found, spool, verdict)
    response.headers["Location"] = f"/api/v1/bundles/{received.bundle.id}"
    if received.repeated:
        response.status_code = 200
    return bundle_shown(received)


@router.get("")
def list_bundles(who: Who, services: Serv, cursor: PageCursor, limit: PageLimit = 50) -> ReceivedBundleList:
    """The received bundles of the cases that you may see, newest first."""
    page, after = page_of(services.receiving.list(who), lambda row: row.id, cursor, limit)
    return ReceivedBundleList(bundles=[bundle_shown(Received(row, ())) for row in page], cursor=after)


@router.get("/{bundle}")
def show_bundle(bundle: str, who: Who, services: Serv) -> ReceivedBundleShown:
    """One received bundle, with its items."""
    return bundle_shown(services.receiving.get(who, known_id(bundle, "bundle")))


@router.get("/{bundle}/items/{partner_item}")
def partners_word(bundle: str, partner_item: str, who: Who, services: Serv) -> PartnersWord:
    """What the partner says of one of its items: custody events, links, reviews. None of it is work of this archive."""
    told = services.receiving.partners_word(who, known_id(bundle, "bundle"), known_id(partner_item, "item"))
    return PartnersWord.model_validate(told)


@router.get("/{bundle}/dossier")
def partners_dossier(bundle: str, who: Who, services: Serv) -> PartnersDossier:
    """What the partner's people say of incidents, for and against, as they wrote it.

    None of it is work of this archive. The look is recorded.
    """
    return PartnersDossier.model_validate(services.receiving.dossier(who, known_id(bundle, "bundle")))


@router.head("/{bundle}/file", response_class=Response, include_in_schema=False)
@router.get("/{bundle}/file", response_class=Response, responses=download(ZIP_TYPE), openapi_extra=DOWNLOAD_FIELDS)
def received_file(bundle: str, who: Who, services: Serv, request: Request) -> Response:
    """The bundle's ZIP as it came, or one range of it, for those who may export. The read is recorded."""
    bundle_id = known_id(bundle, "bundle")
    blob = services.receiving.file(who, bundle_id)
    file = StoredFile(blob.sha256, blob.size, f"received-{bundle_id}.zip", ZIP_TYPE)
    return hand_out(request, file, lambda: services.receiving.open_file(who, bundle_id))


def bundle_shown(received: Received) -> ReceivedBundleShown:
    """A received bundle as clients see it."""
    row: ReceivedBundle = received.bundle
    told = told_of(row)
    return ReceivedBundleShown(
        id=row.id,
        case=row.case_id,
        sha256=row.sha256,
        state=row.state,
        received_at=row.received_at,
        received_by=row.received_by,
        verdict=told["verdict"],
        not_proven=[ReceivedFinding(**each) for each in told["findings"] if each["severity"] == "warning"],
        partner=told["partner"],
        claims=told["claims"],
        items=[
            ReceivedItemShown(item=each.item_id, partner_item=each.partner_item, matched=bool(each.matched))
            for each in received.items
        ],
        repeated=received.repeated,
    )
