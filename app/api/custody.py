"""What an item's history is, and how to prove it: events, receipt, proof."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Response
from sqlmodel import Session, col, select

from app.access.service import Principal
from app.api.deps import ItemRef, PageCursor, PageLimit, Serv, Who, known_id
from app.api.described import PROOF_EXAMPLE, RECEIPT_EXAMPLE, sent_as
from app.api.services import Services
from app.api.views import event_shown, receipt_shown
from app.custody.log_store import read_node
from app.custody.models import EventRow
from app.errors import InvalidInputError, NotFoundError
from app.evidence.models import Receipt
from app.intake.stamping import stamped_seal
from app.keyring.signed import read_signed
from evidence_store.log import merkle
from evidence_store.log.proof import TlogProof, format_proof
from schemas.api.custody import EventList
from schemas.api.receipts import ReceiptShown

router = APIRouter(prefix="/items/{item}", tags=["custody"])


@router.get("/custody")
def custody(item: ItemRef, who: Who, services: Serv, cursor: PageCursor, limit: PageLimit = 100) -> EventList:
    """The item's events, oldest first; each names the hash of the one before it."""
    found, _ = services.evidence.find_item(who, known_id(item, "item"), custody_only=True)
    about, after = f"item:{found.id}", -1
    if cursor is not None:
        if not cursor.isdigit() or len(cursor) > 9:  # noqa: PLR2004 - fits a database integer
            raise InvalidInputError("bad_cursor", "this cursor was not made by this service")
        after = int(cursor)
    with services.archive.db.read() as session:
        rows = _events_after(session, about, after, limit + 1)
    more = str(rows[limit - 1].object_seq) if len(rows) > limit else None
    return EventList(object=about, events=[event_shown(row) for row in rows[:limit]], cursor=more)


def _events_after(session: Session, about: str, after: int, limit: int) -> list[EventRow]:
    later = select(EventRow).where(EventRow.object == about, EventRow.object_seq > after)
    return list(session.exec(later.order_by(col(EventRow.object_seq)).limit(limit)))


@router.get("/receipt")
def receipt(item: ItemRef, who: Who, services: Serv) -> ReceiptShown:
    """The deposit receipt: statement, signature, place in the log."""
    return receipt_shown(services, _receipt(services, who, item))


@router.get(
    "/receipt.json",
    response_class=Response,
    responses=sent_as("application/json", "The signed bytes.", RECEIPT_EXAMPLE),
)
def receipt_statement(item: ItemRef, who: Who, services: Serv) -> Response:
    """The exact bytes that the receipt's signature covers."""
    return Response(_receipt(services, who, item).statement, media_type="application/json")


@router.get(
    "/receipt.p7s", response_class=Response, responses=sent_as("application/pkcs7-signature", "The signature, DER.")
)
def receipt_signature(item: ItemRef, who: Who, services: Serv) -> Response:
    """The receipt's detached signature, DER: CAdES B-T with the time stamps that are there, else B-B."""
    return Response(
        stamped_seal(services.timestamps, _receipt(services, who, item)), media_type="application/pkcs7-signature"
    )


def _receipt(services: Services, who: Principal, item: str) -> Receipt:
    found, _ = services.evidence.find_item(who, known_id(item, "item"), custody_only=True)
    made = services.evidence.receipt(found.id)
    if made is None:
        raise NotFoundError("receipt_pending", "the receipt is not signed yet; try again in a moment")
    return made


@router.get("/proof", response_class=Response, responses=sent_as("text/plain", "The proof.", PROOF_EXAMPLE))
def proof(item: ItemRef, who: Who, services: Serv) -> Response:
    """A C2SP tlog-proof that the item's newest event is in the log, with the signed checkpoint."""
    found, _ = services.evidence.find_item(who, known_id(item, "item"), custody_only=True)
    newest = select(EventRow).where(EventRow.object == f"item:{found.id}").order_by(col(EventRow.object_seq).desc())
    with services.archive.db.read() as session:
        head = session.exec(newest.limit(1)).one()
    checkpoint = services.checkpoint()  # signed after the event was read, so it covers it
    size = read_signed(services.archive, checkpoint).checkpoint.size
    with services.archive.db.read() as session:
        hashes = merkle.inclusion_proof(head.leaf_index, size, partial(read_node, session))
    text = format_proof(TlogProof(head.leaf_index, tuple(hashes), checkpoint))
    headers = {"X-Event-Id": head.event_id, "X-Event-Sha256": head.event_sha256}
    return Response(text, headers=headers, media_type="text/plain; charset=utf-8")
