"""The disclosure register, what an export would come to, and opening what a bundle kept back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from app.api.deps import PageCursor, PageLimit, Serv, Who, checked_ref, known_id
from app.api.described import sent_as
from app.api.disclosures_given import wishes_of
from app.api.guards import GuardedRoute, needs, role_for
from app.api.paging import page_of
from app.api.slots import EXPORTS
from app.disclosure.rules import parse_recipient
from app.errors import NotFoundError
from app.export.choose import Asked
from app.export.encrypted import parse_recipients
from app.export.register import as_csv
from app.export.rules import Options
from schemas.api.disclosures import DisclosureList, DisclosureShown, EncryptionAsked, OpeningCreate, WeighedExport
from schemas.api.exports import ExportCreate

router = APIRouter(tags=["disclosures"], route_class=GuardedRoute)
CaseAsked = Annotated[str | None, Query(max_length=100, description="Reference or id of a case.", examples=["T1"])]
ItemAsked = Annotated[str | None, Query(max_length=100, description="Id of an item.")]
_CSV = "text/csv; charset=utf-8"


@router.get("/disclosures")
def list_disclosures(
    who: Who, services: Serv, cursor: PageCursor, limit: PageLimit = 50, case: CaseAsked = None, item: ItemAsked = None
) -> DisclosureList:
    """Who got what, newest first; of one case or one item where that is asked."""
    services.access.require_role(who, "export.read")
    entries = services.register.entries(
        who, None if case is None else checked_ref(case), None if item is None else known_id(item, "item")
    )
    page, after = page_of(entries, lambda one: one.id, cursor, limit)
    return DisclosureList(disclosures=[DisclosureShown.model_validate(one.as_json()) for one in page], cursor=after)


@router.get(
    "/disclosures.csv", response_class=Response, responses=sent_as(_CSV, "The register as a table.", "id,kind\n")
)
def register_table(who: Who, services: Serv, case: CaseAsked = None, item: ItemAsked = None) -> Response:
    """The same as a table."""
    services.access.require_role(who, "export.read")
    entries = services.register.entries(
        who, None if case is None else checked_ref(case), None if item is None else known_id(item, "item")
    )
    return Response(as_csv(entries), media_type=_CSV)


@router.get("/disclosures/{disclosure}")
def show_disclosure(disclosure: str, who: Who, services: Serv) -> DisclosureShown:
    """One line of the register."""
    services.access.require_role(who, "export.read")
    found = services.register.get(who, known_id(disclosure, "export"))
    if found is None:
        raise NotFoundError("unknown_disclosure", "there is no such disclosure, or you are not a member of its cases")
    return DisclosureShown.model_validate(found.as_json())


@router.post("/exports/preview")
@needs(role_for("export.create"))
def weigh_export(body: ExportCreate, who: Who, services: Serv) -> WeighedExport:
    """What an export would keep back, and what speaks against and would not be in it. Nothing is made or recorded."""
    case = None if body.case is None else checked_ref(body.case)
    items = None if body.items is None else [known_id(item, "item") for item in body.items]
    asked = Asked(case, items, body.incident, Options(body.derivatives, body.analyses, body.incidents))
    weighed = services.exports.weigh(who, asked, wishes_of(body.disclosure))
    return WeighedExport.model_validate(weighed)


@router.post(
    "/exports/{export}/openings",
    status_code=201,
    response_class=Response,
    responses={201: sent_as("application/json", "The opening file.", {"v": 1})[200]},
)
@needs(role_for("export.create"))
async def open_withheld(export: str, body: OpeningCreate, who: Who, services: Serv) -> Response:
    """Disclose what a bundle kept back: an opening file, which `catena verify --opening` checks. Recorded first."""
    opened = await EXPORTS.run(
        services.openings.disclose,
        who,
        known_id(export, "export"),
        parse_recipient(body.recipient.name, body.recipient.kind),
        body.purpose,
        [known_id(item, "item") for item in body.items],
        body.names,
        body.release,
    )
    headers = {"Location": f"/api/v1/disclosures/{opened.id}"}
    return Response(opened.data, 201, headers, media_type="application/json")


@router.post(
    "/exports/{export}/encrypted",
    response_class=StreamingResponse,
    responses=sent_as("application/pkcs7-mime", "The bundle, encrypted to the recipients."),
)
@needs(role_for("export.read"))
def encrypted_bundle(export: str, body: EncryptionAsked, who: Who, services: Serv) -> StreamingResponse:
    """A bundle as CMS AuthEnvelopedData for X.509 certificates, as `openssl cms -decrypt` reads it. Recorded first."""
    identity = known_id(export, "export")
    certificates = parse_recipients([one.encode() for one in body.certificates])
    stream = services.encrypted.stream(who, identity, certificates)
    headers = {"Content-Disposition": f'attachment; filename="catena-{identity}.zip.p7m"', "Cache-Control": "no-store"}
    return StreamingResponse(stream, headers=headers, media_type="application/pkcs7-mime")
