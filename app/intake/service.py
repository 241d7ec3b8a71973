"""Deposit: bytes become an item, or nothing happened.

Order of writing (INTEGRITY): staging file -> fsync -> link -> fsync of the folder -> SQL transaction
(rows, event, jobs) -> receipt. A crash between two steps loses nothing that was acknowledged: bytes
without a row are unreferenced and harmless, a row without a receipt gets it from the `seal` job, which
runs the same function as the normal path.
"""

from __future__ import annotations

import json
import logging
import shutil
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from app.access.service import Access, Principal
from app.archive import Archive
from app.custody.models import EventRow
from app.custody.outputs import output
from app.custody.service import SYSTEM
from app.errors import CatenaError, ConflictError, EnvironmentFailedError, InvalidInputError
from app.evidence.models import Blob, Case, Item, Receipt
from app.evidence.service import digests_of, item_or_none
from app.intake.names import recorded_name
from app.jobs.service import Claim, Jobs
from app.timestamps.service import Timestamps, receipt_subject
from evidence_store.blobs.base import StagedBlob
from evidence_store.canonical import canonical_bytes, parse_canonical
from evidence_store.digests import Digests
from evidence_store.errors import EvidenceStoreError
from evidence_store.seal import seal_imprint
from schemas.records.v1.receipt import ArchiveNames, DepositReceipt
from schemas.records.v1.source import SourceContext

log = logging.getLogger("catena.intake")

SEAL_ATTEMPTS = 1000
SEAL_JOB, ANALYSE_JOB = "seal", "analyse"  # names only: wiring registers the handlers


@dataclass(frozen=True, slots=True)
class Deposit:
    """What a depositor gets back.

    Attributes:
        item: the new item (or, for a repeated deposit key, the one made before).
        digests: of the bytes as received.
        duplicate_of: ids of older items with the same bytes.
        receipt: the signed receipt; None when it could not be made now (a full disk, say): the item is kept
            all the same, and the `seal` job makes the receipt later.
        repeated: True when this deposit key had been used already.
    """

    item: Item
    digests: Digests
    duplicate_of: list[str]
    receipt: Receipt | None
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class _Offer:
    """What a depositor brings along with the bytes."""

    who: Principal
    case: Case
    name: str
    source: str
    key: str | None


def _source_text(source: SourceContext) -> str:
    return json.dumps(source.as_record(), sort_keys=True, ensure_ascii=False)


def _same_bytes(session: Session, item: Item, visible: list[str] | None) -> list[str]:
    """Older items with the same bytes, as far as the depositor may know of them."""
    older = select(Item.id).where(Item.sha256 == item.sha256, Item.id != item.id)
    if visible is not None:
        older = older.where(col(Item.case_id).in_(visible))
    return list(session.exec(older.order_by(col(Item.received_at), col(Item.id))))


def parse_source(record: object) -> SourceContext:
    """Validate what a depositor says of the source.

    Raises:
        InvalidInputError: `bad_source`, naming the field.
    """
    try:
        return SourceContext.model_validate(record)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "source"
        raise InvalidInputError("bad_source", f"{where}: {first['msg']}") from None


class Intake:
    """The deposit use-case of one archive."""

    def __init__(self, archive: Archive, access: Access, jobs: Jobs, timestamps: Timestamps) -> None:
        """Bind to an archive."""
        self._timestamps = timestamps
        self._archive = archive
        self._access = access
        self._jobs = jobs

    def stage(self) -> StagedBlob:
        """A staging area for one file; the caller writes, then `deposit`s.

        Raises:
            EnvironmentFailedError: `storage_full` (507) when free space is below the reserve.
        """
        self.check_room()
        return self._archive.blobs.stage()

    def check_room(self, wanted: int = 0) -> None:
        """Refuse early what the disk cannot take.

        Raises:
            EnvironmentFailedError: `storage_full`.
        """
        free = shutil.disk_usage(self._archive.settings.data).free
        if free - wanted < self._archive.settings.disk_reserve_bytes:
            raise EnvironmentFailedError("storage_full", "the archive's disk is full; nothing was kept", status=507)

    def write(self, staged: StagedBlob, chunk: bytes) -> None:
        """Add bytes to a staged file.

        Raises:
            CatenaError: `too_large` (413).
        """
        if staged.digests().size + len(chunk) > self._archive.settings.max_upload_bytes:
            limit = self._archive.settings.max_upload_bytes
            raise CatenaError("too_large", f"a file may have at most {limit} bytes here; nothing was kept", status=413)
        staged.write(chunk)

    def deposit_bytes(
        self, who: Principal, case: Case, chunks: Iterable[bytes], name: str | None, source: SourceContext
    ) -> Deposit:
        """Stage and deposit in one go."""
        with self.stage() as staged:
            for chunk in chunks:
                self.write(staged, chunk)
            return self.deposit(who, case, staged, name, source)

    def deposit(
        self,
        who: Principal,
        case: Case,
        staged: StagedBlob,
        name: str | None,
        source: SourceContext,
        key: str | None = None,
    ) -> Deposit:
        """Keep a staged file as an item; the caller has checked that the actor may.

        Args:
            who: the depositor.
            case: where it goes.
            staged: all bytes written, not yet committed.
            name: file name as given.
            source: what the depositor says of the source.
            key: idempotency key: the same depositor and key make one item, however often repeated.

        Raises:
            InvalidInputError: `empty_file`.
            ConflictError: `key_reused` when the key was used for other bytes or another case.
        """
        digests = staged.digests()
        if digests.size == 0:
            raise InvalidInputError("empty_file", "the file has no bytes; nothing was kept")
        offer = _Offer(who, case, recorded_name(name), _source_text(source), key)
        known = self._by_key(who, key)
        if known is not None:
            return self._repeat(known, offer, digests)
        stored = staged.commit().digests
        visible = self._access.visible_cases(who)
        try:
            with self._archive.db.write() as session:
                item = self._write_item(session, offer, stored, source)
                duplicates = _same_bytes(session, item, visible)
        except IntegrityError:
            known = self._by_key(who, key)  # the same deposit, sent twice at once
            if known is None:
                raise
            return self._repeat(known, offer, digests)
        return Deposit(item, stored, duplicates, self._receipt_now(item.id))

    def _write_item(self, session: Session, offer: _Offer, stored: Digests, source: SourceContext) -> Item:
        custody = self._archive.custody
        custody.lock(session)  # two deposits of the same bytes: the second must see the first one's blob
        now = custody.now()
        blob = session.get(Blob, stored.sha256)
        new_blob = Blob(sha256=stored.sha256, sha512=stored.sha512, crc32=stored.crc32, size=stored.size, stored_at=now)
        if blob is None:
            session.add(new_blob)
            session.flush()
        item = Item(
            id=str(uuid.uuid4()),
            case_id=offer.case.id,
            sha256=stored.sha256,
            original_name=offer.name,
            received_at=now,
            received_by=offer.who.user_id,
            source=offer.source,
            deposit_key=offer.key,
        )
        session.add(item)
        session.flush()
        custody.record(
            session,
            f"item:{item.id}",
            "ingestion",
            offer.who.actor,
            file=stored,
            details={
                "case": offer.case.id,
                "original_name": offer.name,
                "crc32": stored.crc32,
                "received_at": now,
                "source": dict(source.as_record()),
            },
            rows=[item] if blob is not None else [new_blob, item],
        )
        # A receipt is owed: its job goes on trying for days.
        self._jobs.enqueue(session, SEAL_JOB, item.id, {"item": item.id}, priority=0, max_attempts=SEAL_ATTEMPTS)
        self._jobs.enqueue(session, ANALYSE_JOB, item.id, {"item": item.id}, priority=10)
        return item

    def _by_key(self, who: Principal, key: str | None) -> str | None:
        if key is None:
            return None
        if not 1 <= len(key) <= 100 or not key.isprintable():  # noqa: PLR2004 - a UUID and some room
            raise InvalidInputError("bad_deposit_key", "an idempotency key is 1 to 100 printable characters")
        with self._archive.db.read() as session:
            mine = select(Item.id).where(Item.received_by == who.user_id, Item.deposit_key == key)
            return session.exec(mine).one_or_none()

    def _repeat(self, item_id: str, offer: _Offer, digests: Digests) -> Deposit:
        with self._archive.db.read() as session:
            found = item_or_none(session, item_id)
        asked = (digests.sha256, offer.case.id, offer.name, offer.source)
        if found is None or (found[0].sha256, found[0].case_id, found[0].original_name, found[0].source) != asked:
            raise ConflictError("key_reused", "this idempotency key was used for another file, case, name or source")
        return Deposit(found[0], digests_of(found[1]), [], self._receipt_now(item_id), repeated=True)

    # -- receipt ------------------------------------------------------------------------------

    def _receipt_now(self, item_id: str) -> Receipt | None:
        """The receipt, unless it cannot be made now: what was kept must not be reported as refused."""
        try:
            return self.seal_item(item_id)
        except (CatenaError, EvidenceStoreError) as error:
            log.warning("item %s is kept; its receipt comes later: %s", item_id, error)
            return None

    def seal_item(self, item_id: str) -> Receipt:
        """Make the deposit receipt, or return the one that is there. Also the recovery function."""
        with self._archive.db.read() as session:
            known = session.get(Receipt, item_id)
            if known is not None:
                return known
            statement = self._statement(session, item_id)
        now = self._archive.clock()
        seal = self._archive.seal_key().seal(statement, now)
        custody = self._archive.custody
        with self._archive.db.write() as session:
            known = session.get(Receipt, item_id)
            if known is not None:
                return known
            receipt = Receipt(item_id=item_id, statement=statement, seal=seal, created_at=custody.now())
            custody.record(
                session,
                f"item:{item_id}",
                "digital signature generation",
                SYSTEM,
                details={"outputs": [output("receipt", statement), output("receipt signature", seal)]},
                rows=[receipt],
            )
            if self._archive.settings.timestamp_receipts:
                self._timestamps.request(session, receipt_subject(item_id), seal_imprint(seal).hex())
            self._jobs.settle(session, SEAL_JOB, item_id)  # no worker needs to find out that there is nothing to do
            return receipt

    def handle_seal(self, claim: Claim) -> None:
        """Job handler: the receipt of an item whose depositor's request died half-way."""
        self.seal_item(claim.payload["item"])
        with self._archive.db.write() as session:
            self._jobs.finish(session, claim)

    def _statement(self, session: Session, item_id: str) -> bytes:
        found = item_or_none(session, item_id)
        event = session.exec(
            select(EventRow).where(EventRow.object == f"item:{item_id}", EventRow.object_seq == 0)
        ).one()
        if found is None:
            raise EnvironmentFailedError("item_missing", "the item's row is gone: run 'catena audit'", status=500)
        item, blob = found
        parse_canonical(event.canonical)  # a damaged event is never sealed
        statement = DepositReceipt(
            archive=ArchiveNames(**self._archive.identity.as_json()),
            item=item.id,
            case=item.case_id,
            original_name=item.original_name,
            sha256=blob.sha256,
            sha512=blob.sha512,
            crc32=blob.crc32,
            size=blob.size,
            received_at=item.received_at,
            event_id=event.event_id,
            event_sha256=event.event_sha256,
            leaf_index=event.leaf_index,
        )
        return canonical_bytes(statement.model_dump(mode="json"))
