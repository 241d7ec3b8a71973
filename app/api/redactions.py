"""Redacted copies of originals: made, looked at, reviewed."""

from __future__ import annotations

from functools import partial
from typing import BinaryIO

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from app.api.deps import ItemRef, Serv, Who, known_id
from app.api.described import DOWNLOAD_FIELDS, download, field
from app.api.exports import preference
from app.api.files import StoredFile, hand_out
from app.api.guards import GuardedRoute, needs, on_item, role_for
from app.api.slots import EXPORTS
from app.disclosure.redact_making import ENDINGS
from app.evidence.work import job_record
from schemas.api.jobs import JobShown
from schemas.api.redactions import RedactionCreate, RedactionList, RedactionReviewCreate, RedactionShown

router = APIRouter(tags=["disclosures"], route_class=GuardedRoute)


_REQUEST_FIELDS = {
    "parameters": [
        field(
            "Prefer",
            "`respond-async`: a worker makes the copy of a recording (202). `wait`: the answer comes when it is made.",
            "respond-async",
        )
    ]
}


@router.post(
    "/items/{item}/redactions",
    status_code=201,
    response_model=RedactionShown,
    responses={202: {"model": JobShown, "description": "A worker makes it."}},
    openapi_extra=_REQUEST_FIELDS,
)
@needs(on_item("item.original"))
async def redact(
    item: ItemRef, body: RedactionCreate, who: Who, services: Serv, request: Request
) -> RedactionShown | Response:
    """Make a copy with regions hidden and without metadata. The original stays as it is.

    Of a recording of more than a minute a worker makes it (202, the job); of any one where `Prefer: respond-async` asks
    for it.
    """
    later = preference(request.headers.getlist("prefer"))
    asked = (who, item, body.regions, body.method, body.reason)
    job = None
    if later is not False:
        job = await EXPORTS.run(partial(services.redactions.redact_later, even_short=later is True), *asked)
    if job is None:
        return RedactionShown.model_validate((await EXPORTS.run(services.redactions.redact, *asked)).as_json())
    headers = {"Location": f"/api/v1/jobs/{job.id}"} | ({"Preference-Applied": "respond-async"} if later else {})
    return JSONResponse(JobShown.model_validate(job_record(job)).model_dump(mode="json"), 202, headers)


@router.get("/items/{item}/redactions")
def redactions_of(item: ItemRef, who: Who, services: Serv) -> RedactionList:
    """The redacted copies of an item, oldest first."""
    views = services.redactions.of_item(who, known_id(item, "item"))
    return RedactionList(redactions=[RedactionShown.model_validate(one.as_json()) for one in views])


@router.post("/redactions/{redaction}/review")
@needs(role_for("link.review"))
def review_redaction(redaction: str, body: RedactionReviewCreate, who: Who, services: Serv) -> RedactionShown:
    """Approve or reject somebody else's copy: only what a second person approved goes out."""
    view = services.redactions.review(who, known_id(redaction, "redaction"), body.decision, body.comment)
    return RedactionShown.model_validate(view.as_json())


@router.head("/redactions/{redaction}/file", response_class=Response, include_in_schema=False)
@router.get(
    "/redactions/{redaction}/file",
    response_class=Response,
    responses=download("image/jpeg", "video/mp4"),
    openapi_extra=DOWNLOAD_FIELDS,
)
def redacted_file(redaction: str, who: Who, services: Serv, request: Request) -> Response:
    """The copy's bytes. The read is recorded before the first byte leaves."""
    view = services.redactions.get(who, known_id(redaction, "redaction"))
    blobs = services.archive.blobs

    def open_copy() -> BinaryIO:
        services.redactions.record_access(who, view)
        return blobs.open(view.row.sha256)

    name = f"{view.row.item_id}.redacted.{ENDINGS[view.made.media_type]}"
    return hand_out(
        request, StoredFile(view.row.sha256, blobs.size(view.row.sha256), name, view.made.media_type), open_copy
    )
