"""Items: lists, facts and the files that belong to them."""

from __future__ import annotations

from typing import Annotated, BinaryIO

from fastapi import APIRouter, Query, Request, Response

from app.analysis.proxies import ProxyView
from app.analysis.proxy_facts import PROXY_TYPE
from app.api.deps import ItemRef, PageCursor, PageLimit, Serv, Who, known_id, readable_case
from app.api.described import DOWNLOAD_FIELDS, METADATA_EXAMPLE, download
from app.api.files import StoredFile, hand_out
from app.api.views import item_shown, item_summary
from app.errors import InvalidInputError, NotFoundError
from schemas.api.items import ItemList, ItemShown
from schemas.records.v1.media_metadata import MediaMetadata

router = APIRouter(prefix="/items", tags=["items"])


@router.get("")
def list_items(
    who: Who,
    services: Serv,
    cursor: PageCursor,
    case: Annotated[str | None, Query(max_length=100, description="Only of this case.")] = None,
    limit: PageLimit = 50,
) -> ItemList:
    """Items that you may read, oldest first."""
    services.access.require_role(who, "item.read")
    if cursor is not None and "~" not in cursor:
        raise InvalidInputError("bad_cursor", "this cursor was not made by this service")
    case_id = None if case is None else readable_case(services, who, case).id
    page = services.evidence.list_items(who, case_id, cursor=cursor, limit=limit)
    current = services.sources.current_of(item for item, _ in page.items)
    shown = [item_summary(item, blob, current[item.id]) for item, blob in page.items]
    return ItemList(items=shown, cursor=page.cursor)


@router.get("/{item}")
def show_item(item: ItemRef, who: Who, services: Serv) -> ItemShown:
    """One item, and how far its analysis has come. Once this says when and where it was taken, the read is recorded."""
    found, blob = services.evidence.find_item(who, known_id(item, "item"))
    shown = item_shown(services, who, found, blob)
    if shown.analysis.state != "pending":
        services.evidence.record_access(who, found, "summary")
    return shown


@router.head("/{item}/original", response_class=Response, include_in_schema=False)
@router.get(
    "/{item}/original",
    response_class=Response,
    responses=download("application/octet-stream"),
    openapi_extra=DOWNLOAD_FIELDS,
)
def original(item: ItemRef, who: Who, services: Serv, request: Request) -> Response:
    """The original's bytes, or one range of them. The read is recorded before the first byte leaves."""
    found, blob = services.evidence.find_item(who, known_id(item, "item"))
    services.access.require(who, "item.original", found.case_id)
    file = StoredFile(blob.sha256, blob.size, found.original_name)
    return hand_out(request, file, lambda: services.evidence.open_original(who, found.id)[2])


@router.head("/{item}/preview", response_class=Response, include_in_schema=False)
@router.get("/{item}/preview", response_class=Response, responses=download("image/jpeg"), openapi_extra=DOWNLOAD_FIELDS)
def preview(item: ItemRef, who: Who, services: Serv, request: Request) -> Response:
    """A small picture of the original: of a photo itself, of a video several frames. The read is recorded."""
    found, _ = services.evidence.find_item(who, known_id(item, "item"))
    made = [one for one in services.evidence.derivatives(found.id) if one.role == "preview"]
    if not made:
        raise _not_there(services.analysis.latest(found.id) is None, "preview_missing", "there is no preview")
    blobs, newest = services.archive.blobs, made[-1]

    def open_preview() -> BinaryIO:
        stream = blobs.open(newest.sha256)
        try:
            services.evidence.record_access(who, found, "preview")
        except BaseException:
            stream.close()
            raise
        return stream

    ending = "jpg" if newest.media_type == "image/jpeg" else "bin"
    file = StoredFile(newest.sha256, blobs.size(newest.sha256), f"{found.id}.{ending}", newest.media_type)
    return hand_out(request, file, open_preview)


@router.head("/{item}/proxy", response_class=Response, include_in_schema=False)
@router.get("/{item}/proxy", response_class=Response, responses=download(PROXY_TYPE), openapi_extra=DOWNLOAD_FIELDS)
def proxy(item: ItemRef, who: Who, services: Serv, request: Request) -> Response:
    """A web-playable copy of a recording, whole or one range.

    `proxy` of the item says whether it is all of the original. The read is recorded before the first byte leaves, once
    for all ranges of a quarter of an hour.
    """
    found, _ = services.evidence.find_item(who, known_id(item, "item"))
    view = services.proxies.view(found.id)
    if view is None or view.made is None:
        raise _no_proxy(view, analysed=services.analysis.latest(found.id) is not None)
    blobs, made = services.archive.blobs, view.made

    def open_proxy() -> BinaryIO:
        stream = blobs.open(made.sha256)
        try:
            services.evidence.record_playback(who, found, "proxy", made.sha256)
        except BaseException:
            stream.close()
            raise
        return stream

    file = StoredFile(made.sha256, blobs.size(made.sha256), f"{found.id}.proxy.mp4", made.media_type)
    return hand_out(request, file, open_proxy)


def _no_proxy(view: ProxyView | None, *, analysed: bool) -> NotFoundError:
    if view is None:
        return _not_there(not analysed, "proxy_missing", "there is no proxy: this is no recording")
    if view.state == "pending":
        return NotFoundError("proxy_pending", "the proxy is not made yet; see the progress of the item's jobs")
    if view.state == "failed":
        return NotFoundError("proxy_failed", f"no proxy could be made: {view.code}")
    return NotFoundError("proxy_missing", "there is no proxy: nobody has asked for one")


@router.get(
    "/{item}/metadata",
    response_class=Response,
    responses={
        200: {
            "model": MediaMetadata,
            "description": "The record, canonical JSON.",
            "content": {"application/json": {"example": METADATA_EXAMPLE}},
        }
    },
)
def metadata(
    item: ItemRef,
    who: Who,
    services: Serv,
    version: Annotated[int | None, Query(ge=1, le=1_000_000, description="Of this run; the newest otherwise.")] = None,
) -> Response:
    """A metadata record, byte for byte as its event hashed it: the newest, or of one run. The read is recorded."""
    found, _ = services.evidence.find_item(who, known_id(item, "item"))
    record = services.versions.record(found.id, version)
    services.evidence.record_access(who, found, "metadata")
    return Response(record, media_type="application/json")


def _not_there(pending: bool, code: str, detail: str) -> NotFoundError:  # noqa: FBT001 - a plain choice of two
    if pending:
        return NotFoundError("analysis_pending", "the item is not analysed yet; try again in a moment")
    return NotFoundError(code, detail)
