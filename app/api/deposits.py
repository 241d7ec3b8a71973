"""Deposit over HTTP: a file as the raw body becomes an item, or nothing happened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from app.access.service import Principal
from app.api.bodies import noting
from app.api.deps import Serv, Who, case_for
from app.api.fields import SOURCE_FIELDS, announced_digests, bad_header, idempotency_key, source_of, text_of
from app.api.guards import GuardedRoute, needs
from app.api.services import Services
from app.api.streams import announced_size, pour, refuse_wrapped_body
from app.api.views import item_summary, receipt_shown
from app.errors import CatenaError
from app.evidence.models import Case
from app.intake.room import Held
from app.intake.service import Deposit, parse_source, too_large
from evidence_store.blobs.base import StagedBlob
from evidence_store.digests import Piece
from schemas.api.items import DepositShown, ItemSummary
from schemas.records.v1.source import SourceContext

router = APIRouter(tags=["items"], route_class=GuardedRoute)
ROOM_CHECK_BYTES = 1 << 20
MAX_CASE_LENGTH = 100

RAW_BODY = {
    "requestBody": {
        "required": True,
        "description": "The file's bytes, as they are; never a form.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def _header(name: str, text: str, example: str) -> dict[str, object]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": text,
        "schema": {"type": "string"},
        "example": example,
    }


_HEADERS = [
    _header("X-Filename", "File name, percent-encoded UTF-8.", "%D0%B2%D0%B8%D0%B4%D0%B5%D0%BE.mp4"),
    _header(
        "X-Source",
        "JSON, a source context (docs/sources.md); percent-encoded, or as it stands in UTF-8.",
        '{"note": "seen"}',
    ),
    _header("X-Source-Url", "Where it was found, as it stands.", "https://example.org/post/1"),
    _header("X-Source-Note", "Free text, percent-encoded UTF-8, at most 8,000 characters.", "sent by a witness"),
    _header("X-Collected-At", "RFC 3339 with offset.", "2026-11-22T12:00:00+02:00"),
    _header("X-Collector", "Who collected it, percent-encoded UTF-8.", "ana"),
    _header("Idempotency-Key", "1 to 100 printable characters: repeats make no second item.", "f3a1..."),
    _header("Repr-Digest", "RFC 9530; checked before anything is kept.", "sha-256=:n4bQgYhMfWWaL+qgxVrQ...=:"),
]

# Of two values one would be lost in silence.
_ONCE = ("x-filename", "x-source", *SOURCE_FIELDS, "idempotency-key")


def _case_or_role(services: Services, who: Principal, request: Request) -> None:
    """With a case in the query the endpoint asks for the right in that very case, and records so."""
    if not 0 < len(request.query_params.get("case", "")) <= MAX_CASE_LENGTH:
        services.access.require_role(who, "item.ingest")


@router.post("/items", status_code=201, openapi_extra={**RAW_BODY, "parameters": _HEADERS})
@needs(_case_or_role)
async def deposit_item(
    request: Request,
    response: Response,
    who: Who,
    services: Serv,
    case: Annotated[
        str, Query(max_length=MAX_CASE_LENGTH, description="Reference or id of the case.", examples=["T1"])
    ],
) -> DepositShown:
    """Deposit a file. The answer holds the item and its signed receipt (null when that comes later)."""
    refuse_wrapped_body(request)
    found = await run_in_threadpool(case_for, services, who, case, "item.ingest")
    order = _Order(request, services, found)
    with request.app.state.bodies.place(who):
        received, deposit = await _received(request, services, who, order)
    request.app.state.metrics.received(received)
    response.headers["Location"] = f"/api/v1/items/{deposit.item.id}"
    return DepositShown(
        item=await run_in_threadpool(_summary, services, who, deposit),
        duplicate_of=deposit.duplicate_of,
        repeated=deposit.repeated,
        receipt=None if deposit.receipt is None else receipt_shown(services, deposit.receipt),
    )


async def _received(request: Request, services: Services, who: Principal, order: _Order) -> tuple[int, Deposit]:
    """The bytes that came, and what became of them."""
    held = await run_in_threadpool(order.check_size, who)
    try:
        staged = await run_in_threadpool(services.intake.stage)
        try:
            received = await pour(request, await run_in_threadpool(order.writer, who, staged, held))
            return received, await run_in_threadpool(order.keep, who, staged)
        finally:
            await asyncio.shield(run_in_threadpool(staged.discard))
    finally:
        held.release()


def _summary(services: Services, who: Principal, deposit: Deposit) -> ItemSummary:
    item, blob = services.evidence.find_item(who, deposit.item.id)
    return item_summary(item, blob, services.sources.current_of([item])[item.id])


class _Order:
    """What the header fields ask for; all of them are read before the body."""

    def __init__(self, request: Request, services: Services, case: Case) -> None:
        """Read the header fields.

        Raises:
            CatenaError: `bad_header`, `bad_source`.
        """
        headers = request.headers
        for once in _ONCE:
            if len(headers.getlist(once)) > 1:
                raise bad_header(once, "given twice")
        if "repr-digest" in headers.get("trailer", "").lower():
            raise bad_header("Repr-Digest", "send it before the body: trailers are not read, it would not be checked")
        name = headers.get("x-filename")
        self._services = services
        self._case = case
        self._size = announced_size(request)
        self._name = None if name is None else text_of("X-Filename", name)
        self._source: SourceContext = parse_source(source_of(headers))
        self._key = idempotency_key(headers.get("idempotency-key"))
        self._digests = announced_digests(", ".join(headers.getlist("repr-digest")) or None)

    def check_size(self, who: Principal) -> Held:
        """Refuse early what cannot be kept; room on the disk for what can.

        Raises:
            LimitError: `too_large`, `quota_exceeded` (413).
            CatenaError: `storage_full` (507).
        """
        limit = self._services.archive.settings.max_upload_bytes
        if self._size is not None and self._size > limit:
            raise too_large(limit)
        if not self._repeats(who):
            self._services.quotas.check(who, self._size or 1)
        return self._services.intake.room.hold(self._size or 0)

    def writer(self, who: Principal, staged: StagedBlob, held: Held) -> Callable[[Piece], None]:
        """What takes the batches; a body that did not tell its size is taken as far as the quota goes."""
        left = None
        if self._size is None and not self._repeats(who):
            left = self._services.quotas.usage(who.user_id).left
        return noting(_Writer(self._services, who, staged, left), held)

    def _repeats(self, who: Principal) -> bool:
        return self._services.intake.is_repeat(who, self._key)

    def keep(self, who: Principal, staged: StagedBlob) -> Deposit:
        """Check the digests that were announced, then deposit.

        Raises:
            CatenaError: `digest_mismatch` (400), and those of `Intake.deposit`.
        """
        got = staged.digests()
        for algorithm, digest in self._digests.items():
            if digest != getattr(got, algorithm):
                raise CatenaError(
                    "digest_mismatch", f"the body's {algorithm} is not the announced one; nothing was kept"
                )
        return self._services.intake.deposit(who, self._case, staged, self._name, self._source, self._key)


class _Writer:
    """Writes batches; looks after the disk's room and the quota as it goes, for bodies that announce no size."""

    def __init__(self, services: Services, who: Principal, staged: StagedBlob, left: int | None) -> None:
        self._intake = services.intake
        self._quotas = services.quotas
        self._who = who
        self._staged = staged
        self._left = left
        self._since_check = 0

    def __call__(self, batch: Piece) -> None:
        self._since_check += len(batch)
        if self._since_check >= ROOM_CHECK_BYTES:
            self._since_check = 0
            self._intake.check_room()
        size = self._staged.size + len(batch)
        if self._left is not None and size > self._left:
            self._quotas.check(self._who, size)
            self._left = size  # it was raised meanwhile
        self._intake.write(self._staged, batch)
