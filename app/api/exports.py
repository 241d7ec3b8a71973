"""Exports: making a signed bundle, and handing it out."""

from __future__ import annotations

import json
from typing import BinaryIO

from fastapi import APIRouter, Request, Response

from app.access.service import Principal
from app.api.deps import PageCursor, PageLimit, Serv, Who, checked_ref, known_id
from app.api.described import DOWNLOAD_FIELDS, download
from app.api.files import StoredFile, hand_out
from app.api.guards import GuardedRoute, needs, role_for
from app.api.paging import page_of
from app.api.services import Services
from app.api.slots import EXPORTS
from app.api.views import stamps_shown
from app.errors import ConflictError
from app.export.models import ExportRow
from app.export.rules import Options
from evidence_store.durable import coded_errors
from schemas.api.exports import ExportCreate, ExportList, ExportShown, InBundle

router = APIRouter(prefix="/exports", tags=["exports"], route_class=GuardedRoute)
BUNDLE_TYPE = "application/vnd.etsi.asic-e+zip"


@router.post("", status_code=201)
@needs(role_for("export.create"))
async def create_export(body: ExportCreate, who: Who, services: Serv, response: Response) -> ExportShown:
    """Make a signed bundle of a case, of an incident or of single items. The answer comes when it is made."""
    case = None if body.case is None else checked_ref(body.case)
    items = None if body.items is None else [known_id(item, "item") for item in body.items]
    options = Options(body.derivatives, body.analyses, body.incidents)
    row = await EXPORTS.run(
        services.exports.create,
        who,
        case_ref=case,
        item_ids=items,
        incident=body.incident,
        options=options,
        purpose=body.purpose,
    )
    response.headers["Location"] = f"/api/v1/exports/{row.id}"
    return export_shown(services, row)


@router.get("")
def list_exports(who: Who, services: Serv, cursor: PageCursor, limit: PageLimit = 50) -> ExportList:
    """The exports that you may see."""
    services.access.require_role(who, "export.read")
    page, after = page_of(services.exports.list(who), lambda row: row.id, cursor, limit)
    return ExportList(exports=[export_shown(services, row) for row in page], cursor=after)


@router.get("/{export}")
def show_export(export: str, who: Who, services: Serv) -> ExportShown:
    """One export."""
    return export_shown(services, services.exports.get(who, known_id(export, "export")))


@router.head("/{export}/bundle", response_class=Response, include_in_schema=False)
@router.get("/{export}/bundle", response_class=Response, responses=download(BUNDLE_TYPE), openapi_extra=DOWNLOAD_FIELDS)
def bundle(export: str, who: Who, services: Serv, request: Request) -> Response:
    """The bundle's bytes, or one range of them. The read is recorded before the first byte leaves."""
    row = services.exports.get(who, known_id(export, "export"))
    if row.sha256 is None or row.size is None:
        code = "export_not_ready" if row.state == "building" else "export_failed"
        raise ConflictError(code, f"this export is {row.state}; there is no bundle to hand out")
    file = StoredFile(row.sha256, row.size, f"catena-{row.id}.zip", BUNDLE_TYPE)
    return hand_out(request, file, lambda: _open(services, who, row.id))


def _open(services: Services, who: Principal, export_id: str) -> BinaryIO:
    _, path = services.exports.open_bundle(who, export_id)
    with coded_errors("open the bundle"):
        return path.open("rb")


def export_shown(services: Services, row: ExportRow) -> ExportShown:
    """An export as clients see it."""
    return ExportShown(
        id=row.id,
        state=row.state,
        scope=json.loads(row.scope),
        cases=json.loads(row.cases),
        items=json.loads(row.items),
        purpose=row.purpose,
        requested_by=row.requested_by,
        created_at=row.created_at,
        finished_at=row.finished_at,
        tree_size=row.tree_size,
        sha256=row.sha256,
        size=row.size,
        files=row.files,
        failure_code=row.failure_code,
        failure_detail=row.failure_detail,
        in_bundle=_in_bundle(services, row),
        timestamps=stamps_shown(services.timestamps.states(f"bundle:{row.id}")),
    )


def _in_bundle(services: Services, row: ExportRow) -> InBundle | None:
    told = services.exports.stamps_in_bundle(row)
    return None if told is None else InBundle.model_validate(told)
