"""Matches of an item, and of a file that is compared and not kept."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import io
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from app.access.service import Principal
from app.analysis.limits import Limits
from app.api.bodies import noting
from app.api.deposits import RAW_BODY, ROOM_CHECK_BYTES
from app.api.deps import ItemRef, Serv, Who, known_id
from app.api.described import DOWNLOAD_FIELDS, download
from app.api.fields import text_of
from app.api.files import StoredFile, hand_out
from app.api.guards import GuardedRoute, needs, on_item
from app.api.services import Services
from app.api.slots import COMPARISONS
from app.api.streams import announced_size, pour, refuse_wrapped_body
from app.errors import InvalidInputError
from app.intake.names import recorded_name
from app.intake.room import Held
from app.intake.service import too_large
from app.matching.decisions import as_json
from evidence_store.digests import Piece
from evidence_store.durable import coded_errors
from evidence_store.errors import EvidenceStoreError
from schemas.api.matches import (
    ClusterShown,
    ComparedBy,
    Comparison,
    DecisionCreate,
    DecisionList,
    DecisionShown,
    FileMatches,
    MatchList,
    MatchShown,
)

router = APIRouter(tags=["matching"], route_class=GuardedRoute)
_FOLDER = "compare"
STALE_S = 86_400.0
# Sampling runs at several times real time: this is a recording of about ten minutes; deposit longer ones.
VIDEO_LIMITS = Limits(cpu_s=120, wall_s=150.0)


@router.get("/items/{item}/matches")
def matches(
    item: ItemRef,
    who: Who,
    services: Serv,
    rejected: Annotated[bool, Query(description="Also those that a person has rejected.")] = False,  # noqa: FBT002
) -> MatchList:
    """Items that show the same thing, best first, each with the reason; and whether the comparison was made at all."""
    found, _ = services.evidence.find_item(who, known_id(item, "item"))
    views = services.matching.matches_of(who, found.id, rejected=rejected)
    comparison = Comparison.model_validate(services.matching.state_of(found.id))
    return MatchList(item=found.id, comparison=comparison, matches=[MatchShown(**view.as_json()) for view in views])


@router.post("/items/{item}/matches/{other}/decisions", status_code=201)
@needs(on_item("match.decide"))
def decide(item: ItemRef, other: ItemRef, body: DecisionCreate, who: Who, services: Serv) -> DecisionShown:
    """Confirm or reject a match, or say that both show one scene in different pictures. The newest decision stands."""
    first, second = known_id(item, "item"), known_id(other, "item")
    made = services.decisions.decide(who, first, second, body.decision, body.reason)
    return DecisionShown.model_validate(as_json(made))


@router.get("/items/{item}/matches/{other}/decisions")
def decisions(item: ItemRef, other: ItemRef, who: Who, services: Serv) -> DecisionList:
    """All decisions on two items, oldest first."""
    first, second = known_id(item, "item"), known_id(other, "item")
    made = services.decisions.of(who, first, second)
    return DecisionList(
        item=first, other=second, decisions=[DecisionShown.model_validate(as_json(one)) for one in made]
    )


@router.head("/items/{item}/matches/{other}/picture.png", response_class=Response, include_in_schema=False)
@router.get(
    "/items/{item}/matches/{other}/picture.png",
    response_class=Response,
    responses=download("image/png"),
    openapi_extra=DOWNLOAD_FIELDS,
)
async def picture(item: ItemRef, other: ItemRef, who: Who, services: Serv, request: Request) -> Response:
    """Why two items are related, drawn: side by side, or a strip of frames with times. The read is recorded of both."""
    first, second = known_id(item, "item"), known_id(other, "item")
    drawn = await COMPARISONS.run(services.match_pictures.draw, who, first, second)

    def open_picture() -> BinaryIO:
        services.match_pictures.record(who, first, second)
        return io.BytesIO(drawn)

    name = f"{first}-{second}.match.png"
    file = StoredFile(hashlib.sha256(drawn).hexdigest(), len(drawn), name, "image/png")
    return await run_in_threadpool(hand_out, request, file, open_picture)


@router.get("/items/{item}/cluster")
def cluster(item: ItemRef, who: Who, services: Serv) -> ClusterShown:
    """What people have confirmed to show the same, directly or through others; its earliest and its best copy."""
    found = services.decisions.cluster(who, known_id(item, "item"))
    return ClusterShown.model_validate(dataclasses.asdict(found))


@router.post("/match", openapi_extra=RAW_BODY)
async def match_file(request: Request, who: Who, services: Serv) -> FileMatches:
    """Compare a file with the archive; the file is not kept. The name may be given as X-Filename."""
    refuse_wrapped_body(request)
    await run_in_threadpool(services.access.require, who, "match")
    name = request.headers.get("x-filename")
    shown = recorded_name(None if name is None else text_of("X-Filename", name))
    guest: _Guest | None = None
    try:
        with request.app.state.bodies.place(who):
            held = await run_in_threadpool(_room_for, services, announced_size(request))
            try:
                guest = await run_in_threadpool(_Guest, services)
                received = await pour(request, noting(guest.write, held))
            finally:
                held.release()
        if received == 0:
            raise InvalidInputError("empty_file", "the file has no bytes")
        answer = await COMPARISONS.run(guest.compare, who, shown)
        return FileMatches(**answer, compared_by=_compared_by(answer["query"]))
    finally:
        if guest is not None:
            await asyncio.shield(run_in_threadpool(guest.close))


def _compared_by(query: dict[str, Any]) -> ComparedBy:
    content = query["state"] == "done"
    why = f"only photos and videos are compared by what they show; this file's kind is {query['kind']!r}"
    return ComparedBy(content=content, reason=None if content else why)


def _room_for(services: Services, size: int | None) -> Held:
    limit = services.archive.settings.max_upload_bytes
    if size is not None and size > limit:
        raise too_large(limit)
    return services.intake.room.hold(size or 0)


def _sweep(folder: Path) -> None:
    """Remove what a server that was killed left behind; nothing here is ever evidence."""
    for left in folder.iterdir():
        if time.time() - left.stat().st_mtime > STALE_S:
            shutil.rmtree(left, ignore_errors=True)


class _Guest:
    """A file that is here only to be compared."""

    def __init__(self, services: Services) -> None:
        folder = services.archive.settings.data / _FOLDER
        with coded_errors("make room for a file to compare"):
            folder.mkdir(mode=0o700, exist_ok=True)
            _sweep(folder)
            self._folder = tempfile.TemporaryDirectory(dir=folder, prefix="file-")
            self._path = Path(self._folder.name) / "file"
            self._stream = self._path.open("xb", buffering=0)
        self._services = services
        self._lock = threading.Lock()
        self._size = self._since_check = 0

    def write(self, batch: Piece) -> None:
        """Take the next bytes."""
        self._size += len(batch)
        limit = self._services.archive.settings.max_upload_bytes
        if self._size > limit:
            raise too_large(limit)
        self._since_check += len(batch)
        if self._since_check >= ROOM_CHECK_BYTES:
            self._since_check = 0
            self._services.intake.check_room()
        with self._lock, coded_errors("write a file to compare"):
            if self._stream.closed:  # its request has ended
                raise EvidenceStoreError("stage_closed", "the file to compare was given up")
            rest = memoryview(batch)
            while rest:
                rest = rest[self._stream.write(rest) :]

    def compare(self, who: Principal, name: str) -> dict[str, Any]:
        """Ask for the matches."""
        self._stream.close()
        return self._services.matching.match_file(who, self._path, name, VIDEO_LIMITS)

    def close(self) -> None:
        """Remove the file; a thread that still writes is waited for."""
        with self._lock:
            self._stream.close()
        self._folder.cleanup()
