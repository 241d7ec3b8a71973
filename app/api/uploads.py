"""Resumable uploads: tus 1.0 with creation, creation-with-upload, termination, checksum and expiration.

The gate has authenticated the request, and the role is asked, before a byte of the body is read.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from app.access.service import Principal
from app.api.deps import Serv, Who, case_for, known_id
from app.api.gate import API, BodyCutOffError
from app.api.guards import needs, role_for
from app.api.services import Services
from app.api.streams import announced_size, pour, refuse_wrapped_body
from app.api.tus import Body, TusRoute, require_version
from app.api.tus_fields import (
    CHUNK_TYPE,
    EXTENSIONS,
    VERSION,
    http_date,
    read_checksum,
    read_metadata,
    required_number,
)
from app.api.views import receipt_shown
from app.errors import CatenaError, NotFoundError
from app.intake.finishing import Finishing
from app.intake.models import Upload
from app.intake.service import parse_source
from app.intake.upload_rows import DONE, FAILED, FINISHING, OPEN, require_going_on
from app.intake.uploads import UploadOrder
from app.intake.writing import ALGORITHMS, CHECKED_BYTES, Checksum, Writing
from evidence_store.errors import EvidenceStoreError
from schemas.api.base import ITEM_ID
from schemas.api.uploads import UploadShown

router = APIRouter(prefix="/uploads", tags=["uploads"], route_class=TusRoute)
UploadRef = Annotated[str, Path(description="Upload id.", examples=[ITEM_ID])]
FINISH_SECONDS = 20.0
ASKED_SECONDS = 2.0
POLL_SECONDS = 0.02
MAX_CASE_LENGTH = 100
_ONCE = ("upload-length", "upload-offset", "upload-metadata", "upload-checksum", "upload-defer-length", "tus-resumable")


def _body(text: str, media_type: str) -> dict[str, object]:
    schema = {"schema": {"type": "string", "format": "binary"}}
    return {"requestBody": {"required": False, "description": text, "content": {media_type: schema}}}


def _fields(*named: tuple[str, str, str]) -> list[dict[str, object]]:
    return [
        {"name": name, "in": "header", "required": False, "description": text, "schema": {"type": "string"}}
        | {"example": example}
        for name, text, example in named
    ]


def _answer(status: str, text: str, *named: tuple[str, str, str]) -> dict[str, dict[str, object]]:
    """An answer that says everything in its header."""
    fields = {
        name: {"description": told, "schema": {"type": "string"}, "example": example} for name, told, example in named
    }
    return {"responses": {status: {"description": text, "headers": fields}}}


_VERSION_FIELD = ("Tus-Resumable", "Version of the protocol; must be 1.0.0.", "1.0.0")
_CHECKSUM_FIELD = (
    "Upload-Checksum",
    f"sha256 or sha1, space, base64; of this body, which then has at most {CHECKED_BYTES} bytes.",
    "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
)
_OFFSET = ("Upload-Offset", "Bytes that are kept.", "33554432")
_STATE = ("Catena-State", "open, finishing or done.", "open")
_CAPABILITIES = _answer(
    "204",
    "What is spoken here.",
    ("Tus-Version", "Versions of the protocol.", VERSION),
    ("Tus-Extension", "Extensions of it.", EXTENSIONS),
    ("Tus-Max-Size", "Bytes of the largest file.", "68719476736"),
    ("Tus-Checksum-Algorithm", "What Upload-Checksum may be.", ",".join(ALGORITHMS)),
    ("Catena-Checksum-Max-Size", "Bytes of the largest body with Upload-Checksum.", str(CHECKED_BYTES)),
)
_STANDING = _answer(
    "200", "Where to go on.", _OFFSET, ("Upload-Length", "Bytes of the whole file.", "1073741824"), _STATE
)
_CREATION = {
    **_answer("201", "Begun.", ("Location", "The upload.", f"{API}/uploads/{ITEM_ID}"), _OFFSET, _STATE),
    **_body("With creation-with-upload: the first bytes of the file.", CHUNK_TYPE),
    "parameters": _fields(
        _VERSION_FIELD,
        ("Upload-Length", "Bytes of the whole file.", "1073741824"),
        ("Upload-Metadata", "filename, case, source (JSON), sha256 (hex), idempotency-key; base64 each.", "case VDE="),
        _CHECKSUM_FIELD,
    ),
}
_CHUNK = {
    **_body("The next bytes of the file, as they are.", CHUNK_TYPE),
    "parameters": _fields(_VERSION_FIELD, ("Upload-Offset", "Where the bytes belong.", "33554432"), _CHECKSUM_FIELD),
}


@router.options("", status_code=204, response_class=Response, openapi_extra=_CAPABILITIES)
def capabilities(who: Who, services: Serv) -> Response:
    """What this server speaks: versions, extensions, checksums, the largest file and the largest checked body."""
    services.access.require_role(who, "item.ingest")
    fields = {
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(services.archive.settings.max_upload_bytes),
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
        "Catena-Checksum-Max-Size": str(CHECKED_BYTES),
    }
    return Response(status_code=204, headers=fields)


@router.post("", status_code=201, response_class=Response, openapi_extra=_CREATION)
@needs(role_for("item.ingest"))
async def create_upload(
    request: Request,
    who: Who,
    services: Serv,
    case: Annotated[str | None, Query(max_length=MAX_CASE_LENGTH, description="Reference or id.")] = None,
) -> Response:
    """Begin an upload (tus creation); a body of the protocol's own type is its first bytes."""
    _require_readable(request)
    order, ref = _order_of(request, case)
    found = await run_in_threadpool(case_for, services, who, ref, "item.ingest")
    checksum = read_checksum(request.headers.get("upload-checksum"))
    if _has_chunk(request):
        with request.app.state.bodies.place(who):  # asked first: a refusal leaves no upload behind
            upload = await run_in_threadpool(services.uploads.create, who, found, order)
            upload = await _first_bytes(request, services, who, upload.id, checksum)
    elif checksum is not None:
        raise CatenaError("bad_header", "Upload-Checksum: there is no body that it could be of")
    else:
        upload = await run_in_threadpool(services.uploads.create, who, found, order)
    fields = _state_fields(upload) | {"Location": f"{API}/uploads/{upload.id}"}
    return Response(status_code=201, headers=fields)


@router.patch("/{upload}", status_code=204, response_class=Response, openapi_extra=_CHUNK)
@needs(role_for("item.ingest"))
async def continue_upload(request: Request, upload: UploadRef, who: Who, services: Serv) -> Response:
    """Send the next bytes (tus core). With the last one the file becomes an item, which `Catena-Item` names."""
    _require_readable(request)
    upload_id = known_id(upload, "upload")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != CHUNK_TYPE:
        raise CatenaError("unsupported_media_type", f"a chunk's type is {CHUNK_TYPE}", status=415)
    refuse_wrapped_body(request)
    offset = required_number("Upload-Offset", request.headers.get("upload-offset"))
    checksum = read_checksum(request.headers.get("upload-checksum"))
    there = await run_in_threadpool(services.uploads.find, who, upload_id)
    if there.state in {FINISHING, DONE} and offset == there.size and announced_size(request) == 0:
        there = await _finished(services, who, there, FINISH_SECONDS)  # the last request, sent once more
    else:
        with request.app.state.bodies.place(who):
            there = await _receive(request, services, who, upload_id, offset, checksum)
    return Response(status_code=204, headers=_state_fields(there))


@router.head("/{upload}", response_class=Response, openapi_extra=_STANDING)
async def upload_offset(request: Request, upload: UploadRef, who: Who, services: Serv) -> Response:
    """Where to go on (tus core); for a finished upload, which item it is."""
    await run_in_threadpool(services.access.require_role, who, "item.ingest")
    require_version(request)
    found = await run_in_threadpool(services.uploads.offset, who, known_id(upload, "upload"))
    found = await _finished(services, who, found, ASKED_SECONDS)
    require_going_on(found)
    fields = _state_fields(found) | {"Upload-Length": str(found.size)}
    if found.metadata_header:
        fields["Upload-Metadata"] = found.metadata_header
    return Response(status_code=200, headers=fields)


@router.get("/{upload}")
async def show_upload(upload: UploadRef, who: Who, services: Serv) -> UploadShown:
    """How far an upload has come, which item it became, or why it did not. Interrupts no writing."""
    await run_in_threadpool(services.access.require_role, who, "item.ingest")
    found = await run_in_threadpool(services.uploads.find, who, known_id(upload, "upload"))
    found = await _finished(services, who, found, ASKED_SECONDS)
    return await run_in_threadpool(_shown, services, found)


@router.delete("/{upload}", status_code=204, response_class=Response)
@needs(role_for("item.ingest"))
def terminate_upload(request: Request, upload: UploadRef, who: Who, services: Serv) -> Response:
    """Give an unfinished upload up, with its bytes (tus termination)."""
    require_version(request)
    services.uploads.terminate(who, known_id(upload, "upload"))
    return Response(status_code=204)


@router.post("/{upload}", status_code=204, response_class=Response, include_in_schema=False)
@needs(role_for("item.ingest"))
async def overridden(request: Request, upload: UploadRef, who: Who, services: Serv) -> Response:
    """For clients that can only POST: X-HTTP-Method-Override is the method (tus core)."""
    method = request.headers.get("x-http-method-override", "").upper()
    if method == "PATCH":
        return await continue_upload(request, upload, who, services)
    if method == "HEAD":
        return await upload_offset(request, upload, who, services)
    if method == "DELETE":
        return await run_in_threadpool(terminate_upload, request, upload, who, services)
    raise CatenaError("method_not_allowed", "this address does not take this method", status=405)


def _require_readable(request: Request) -> None:
    """The version, and no field twice: of two values one would be lost in silence."""
    require_version(request)
    for name in _ONCE:
        if len(request.headers.getlist(name)) > 1:
            raise CatenaError("bad_header", f"{name}: given twice")
    if "upload-checksum" in ",".join(request.headers.getlist("trailer")).lower():
        detail = "Upload-Checksum: send it before the body; trailers are not read, it would not be checked"
        raise CatenaError("bad_header", detail)


def _has_chunk(request: Request) -> bool:
    """Whether a creation brings bytes along.

    Raises:
        CatenaError: `unsupported_media_type` (415) for bytes of another type: they would be lost.
    """
    if announced_size(request) == 0 or not {"content-length", "transfer-encoding"} & set(request.headers.keys()):
        return False
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != CHUNK_TYPE:
        raise CatenaError("unsupported_media_type", f"the type of an upload's bytes is {CHUNK_TYPE}", status=415)
    refuse_wrapped_body(request)
    return True


def _order_of(request: Request, case: str | None) -> tuple[UploadOrder, str]:
    """What the creation's header says, and in which case.

    Raises:
        CatenaError: `bad_header`, `length_required`, `bad_source`.
        NotFoundError: `unknown_case` when none is named.
    """
    headers = request.headers
    if "upload-defer-length" in headers:
        raise CatenaError("length_required", "say how long the file is (Upload-Length): its room is kept from then on")
    size = required_number("Upload-Length", headers.get("upload-length"))
    header = headers.get("upload-metadata", "")
    said = read_metadata(header)
    if case is not None and said.case is not None and case != said.case:
        raise CatenaError("bad_header", "Upload-Metadata: another case than in the address")
    ref = case if case is not None else said.case
    if not ref:
        raise NotFoundError("unknown_case", "say in which case: ?case= or the key `case` of Upload-Metadata")
    digests = {} if said.sha256 is None else {"sha256": said.sha256}
    return UploadOrder(size, said.filename, parse_source(said.source), header, digests, said.key), ref


async def _first_bytes(
    request: Request, services: Services, who: Principal, upload_id: str, checksum: Checksum | None
) -> Upload:
    """Take the bytes that came with a creation; when they are refused, the upload ends: nobody knows its address."""
    try:
        return await _receive(request, services, who, upload_id, 0, checksum)
    except (CatenaError, EvidenceStoreError):
        with suppress(CatenaError, EvidenceStoreError):
            await run_in_threadpool(services.uploads.terminate, who, upload_id)
        raise


async def _receive(
    request: Request, services: Services, who: Principal, upload_id: str, offset: int, checksum: Checksum | None
) -> Upload:
    """Take a body, which has its place; what has arrived is kept however it ends, unless a checksum says otherwise."""
    uploads = services.uploads
    coming = announced_size(request)
    begun = asyncio.ensure_future(run_in_threadpool(uploads.begin, who, upload_id, offset, coming, checksum))
    try:
        writing = await asyncio.shield(begun)
    except asyncio.CancelledError:
        begun.add_done_callback(_given_back)  # the thread goes on: what it holds, nobody would give back
        raise
    return await _receive_into(request, services, who, writing)


async def _receive_into(request: Request, services: Services, who: Principal, writing: Writing) -> Upload:
    uploads, upload_id = services.uploads, writing.upload.id

    def heard(moment: float) -> None:
        writing.heard = moment

    body = Body(request, lambda: uploads.is_wanted(writing), heard)
    failure: CatenaError | EvidenceStoreError | None = None
    try:
        request.app.state.metrics.received(await pour(body.request, writing.write, silence=None, heard=body.heard))
    except BodyCutOffError:
        body.whole = False
    except (CatenaError, EvidenceStoreError) as error:
        failure = error
    except BaseException:
        with suppress(CatenaError, EvidenceStoreError):
            await asyncio.shield(run_in_threadpool(_ended, services, writing, whole=False))
        raise
    whole = body.whole and failure is None
    complete, under_way = await asyncio.shield(run_in_threadpool(_ended, services, writing, whole=whole))
    if failure is not None:  # first: what was refused is never told to be done
        raise failure
    if complete:
        return await _awaited(services, who, upload_id, under_way)
    if not body.whole:
        detail = f"the body ended early; {writing.upload.committed} bytes are kept"
        raise CatenaError("body_cut_off", detail)
    return writing.upload


def _given_back(begun: asyncio.Future[Writing]) -> None:
    if not begun.cancelled() and begun.exception() is None:
        begun.result().leave()


def _ended(services: Services, writing: Writing, *, whole: bool) -> tuple[bool, Finishing | None]:
    """End a writing and begin to make the item, in one thread: no cancelled request leaves a file held in between.

    Returns:
        Whether the upload is complete; how far its item is.
    """
    held = writing.end(whole=whole)
    if held is None:
        return False, None
    return True, services.uploads.finish(writing.upload.id, held)


async def _awaited(services: Services, who: Principal, upload_id: str, under_way: Finishing | None) -> Upload:
    """Wait for an item a while; what takes longer goes on by itself, and the answer says `finishing`."""
    until = time.monotonic() + FINISH_SECONDS  # not a number of sleeps: under load each of them takes longer
    while under_way is not None and not under_way.ended.is_set():
        if time.monotonic() >= until:
            break
        await asyncio.sleep(POLL_SECONDS)
    upload = await run_in_threadpool(services.uploads.find, who, upload_id)
    if upload.state == FAILED and under_way is not None and under_way.error is not None:
        raise under_way.error
    return upload


async def _finished(services: Services, who: Principal, upload: Upload, seconds: float) -> Upload:
    """A complete upload whose item is not made yet: go on with it, whoever has left it, and wait a little."""
    if upload.state != FINISHING:
        return upload
    with suppress(CatenaError, EvidenceStoreError):
        await run_in_threadpool(services.uploads.finish, upload.id)
    until = time.monotonic() + seconds
    while upload.state == FINISHING and time.monotonic() < until:
        await asyncio.sleep(POLL_SECONDS)
        upload = await run_in_threadpool(services.uploads.find, who, upload.id)
    return upload


def _state_fields(upload: Upload) -> dict[str, str]:
    fields = {"Upload-Offset": str(upload.committed), "Catena-State": upload.state}
    if upload.state == OPEN:
        fields["Upload-Expires"] = http_date(upload.expires_at)
    if upload.item_id is not None:
        fields["Catena-Item"] = f"{API}/items/{upload.item_id}"
    return fields


def _shown(services: Services, upload: Upload) -> UploadShown:
    receipt = None if upload.item_id is None else services.evidence.receipt(upload.item_id)
    return UploadShown.model_validate(
        {
            "id": upload.id,
            "case": upload.case_id,
            "state": upload.state,
            "offset": upload.committed,
            "size": upload.size,
            "original_name": upload.original_name,
            "created_at": upload.created_at,
            "expires_at": upload.expires_at,
            "item": upload.item_id,
            "failure_code": upload.failure_code,
            "receipt": None if receipt is None else receipt_shown(services, receipt),
        }
    )
