"""Exports: making a signed bundle, and handing it out."""

from __future__ import annotations

import json
from hashlib import sha256
from io import BytesIO
from typing import BinaryIO

from fastapi import APIRouter, Request, Response

from app.access.service import Principal
from app.api.deps import PageCursor, PageLimit, Serv, Who, checked_ref, known_id
from app.api.described import DOWNLOAD_FIELDS, download, field
from app.api.disclosures_given import wishes_of
from app.api.fields import idempotency_key
from app.api.files import StoredFile, hand_out
from app.api.guards import GuardedRoute, needs, role_for
from app.api.paging import page_of
from app.api.services import Services
from app.api.slots import EXPORTS
from app.api.views import stamps_shown
from app.disclosure.rules import Wishes
from app.errors import ConflictError, NotFoundError
from app.export.choose import Asked
from app.export.models import ExportRow, ExportSetRow
from app.export.rules import Options, is_long
from app.export.service import BUILDING, QUEUED
from evidence_store.bundle.sets import ENDING, SEAL_ENDING, part_name
from evidence_store.durable import coded_errors
from schemas.api.exports import ExportCreate, ExportList, ExportShown, InBundle, PartShown, Progress

router = APIRouter(prefix="/exports", tags=["exports"], route_class=GuardedRoute)
BUNDLE_TYPE = "application/vnd.etsi.asic-e+zip"
SIGNATURE_TYPE = "application/pkcs7-signature"


_REQUEST_FIELDS = {
    "parameters": [
        field(
            "Prefer",
            "`respond-async`: a worker makes it (202). `wait`: the answer comes when it is made, however large it is.",
            "respond-async",
        ),
        field("Idempotency-Key", "1 to 100 printable characters: repeats make no second export.", "f3a1..."),
    ]
}


@router.post("", status_code=201, responses={202: {"model": ExportShown}}, openapi_extra=_REQUEST_FIELDS)
@needs(role_for("export.create"))
async def create_export(
    body: ExportCreate, who: Who, services: Serv, request: Request, response: Response
) -> ExportShown:
    """Make a signed bundle of a case, of an incident or of single items, or a set of them.

    The answer comes when it is made (201), or at once where a worker makes it (202): of large selections, and where
    `Prefer: respond-async` asks for it. Then `GET` tells how far it is.
    """
    case = None if body.case is None else checked_ref(body.case)
    items = None if body.items is None else [known_id(item, "item") for item in body.items]
    key = idempotency_key(request.headers.get("idempotency-key"))
    later = preference(request.headers.getlist("prefer"))
    asked = Asked(case, items, body.incident, Options(body.derivatives, body.analyses, body.incidents))
    wishes = wishes_of(body.disclosure)
    row = await EXPORTS.run(_make, services, who, asked, body.purpose, key, wishes, later)
    response.headers["Location"] = f"/api/v1/exports/{row.id}"
    if row.state in {QUEUED, BUILDING}:
        response.status_code = 202
        if later:
            response.headers["Preference-Applied"] = "respond-async"
    return export_shown(services, row)


def preference(fields: list[str]) -> bool | None:
    """What `Prefer` says (RFC 7240): True to be answered at once, False to wait, None where it says nothing of it."""
    wanted = {each.split(";")[0].split("=")[0].strip().lower() for line in fields for each in line.split(",")}
    return True if "respond-async" in wanted else False if "wait" in wanted else None


def _make(
    services: Services,
    who: Principal,
    asked: Asked,
    purpose: str,
    key: str | None,
    wishes: Wishes,
    later: bool | None,  # noqa: FBT001
) -> ExportRow:
    order = services.exports.order(who, asked=asked, purpose=purpose, key=key, wishes=wishes)
    if later is None:
        later = is_long(len(order.choice.items), order.choice.size)
    return services.exports.request(order) if later else services.exports.fulfil(order)


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
    """The bundle's bytes, or one range of them. The read is recorded before the first byte leaves.

    A file that the archive no longer has is made again, byte for byte.
    """
    row = services.exports.get(who, known_id(export, "export"))
    if len(parts := services.exports.parts(row)) > 1:
        raise ConflictError("export_is_a_set", f"this export has {len(parts)} parts: ask for one of them")
    if row.sha256 is None or row.size is None:
        raise _nothing(row)
    file = StoredFile(row.sha256, row.size, f"catena-{row.id}.zip", BUNDLE_TYPE)
    return hand_out(request, file, lambda: _open(services, who, row.id, None))


@router.head("/{export}/parts/{part}", response_class=Response, include_in_schema=False)
@router.get(
    "/{export}/parts/{part}", response_class=Response, responses=download(BUNDLE_TYPE), openapi_extra=DOWNLOAD_FIELDS
)
def part_of_set(export: str, part: int, who: Who, services: Serv, request: Request) -> Response:
    """The bytes of one bundle of an export, or one range of them, as those of the only one."""
    row = services.exports.get(who, known_id(export, "export"))
    if not (parts := services.exports.parts(row)):
        raise _nothing(row)
    found = next((each for each in parts if each.part == part), None)
    if found is None:
        raise NotFoundError("unknown_part", f"this export has {len(parts)} part(s)")
    name = f"catena-{row.id}.zip" if len(parts) == 1 else part_name(f"catena-{row.id}", part, len(parts))
    file = StoredFile(found.sha256, found.size, name, BUNDLE_TYPE)
    return hand_out(request, file, lambda: _open(services, who, row.id, part))


@router.get("/{export}/set", response_class=Response, responses=download("application/json"))
def set_list(export: str, who: Who, services: Serv, request: Request) -> Response:
    """The list of a set: every part with its place and digests. Canonical JSON; the signature is over its bytes."""
    row, whole = _whole(services, who, export)
    return _small(request, whole.statement, f"catena-{row.id}{ENDING}", "application/json")


@router.get("/{export}/set/signature", response_class=Response, responses=download(SIGNATURE_TYPE))
def set_signature(export: str, who: Who, services: Serv, request: Request) -> Response:
    """The signature over the list of a set: CAdES, detached, DER."""
    row, whole = _whole(services, who, export)
    return _small(request, whole.seal, f"catena-{row.id}{ENDING}{SEAL_ENDING}", SIGNATURE_TYPE)


def _whole(services: Services, who: Principal, export: str) -> tuple[ExportRow, ExportSetRow]:
    row = services.exports.get(who, known_id(export, "export"))
    whole = services.exports.list_of(row)
    if whole is None:
        raise NotFoundError("no_set", "this export is one bundle, or is not done")
    return row, whole


def _small(request: Request, data: bytes, name: str, media_type: str) -> Response:
    return hand_out(request, StoredFile(sha256(data).hexdigest(), len(data), name, media_type), lambda: BytesIO(data))


def _nothing(row: ExportRow) -> ConflictError:
    code = "export_not_ready" if row.state in {QUEUED, BUILDING} else "export_failed"
    return ConflictError(code, f"this export is {row.state}; there is no bundle to hand out")


def _open(services: Services, who: Principal, export_id: str, part: int | None) -> BinaryIO:
    _, path = services.exports.open_bundle(who, export_id, part)
    with coded_errors("open the bundle"):
        return path.open("rb")


def export_shown(services: Services, row: ExportRow) -> ExportShown:
    """An export as clients see it."""
    here = f"/api/v1/exports/{row.id}"
    parts = services.exports.parts(row)
    told = services.exports.progress_of(row)
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
        parts=[
            PartShown(
                part=part.part,
                bundle_id=part.id,
                items=part.items,
                files=part.files,
                size=part.size,
                sha256=part.sha256,
                sealed_list_sha256=part.sealed_list_sha256,
                href=f"{here}/parts/{part.part}",
            )
            for part in parts
        ],
        set=f"{here}/set" if len(parts) > 1 else None,
        progress=None if told is None else Progress(done=told[0], total=told[1]),
        failure_code=row.failure_code,
        failure_detail=row.failure_detail,
        in_bundle=_in_bundle(services, row),
        timestamps=stamps_shown(services.timestamps.states(f"bundle:{row.id}")),
    )


def _in_bundle(services: Services, row: ExportRow) -> InBundle | None:
    told = services.exports.stamps_in_bundle(row)
    return None if told is None else InBundle.model_validate(told)
