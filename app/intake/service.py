"""Deposit: bytes become an item, or nothing happened.

Order of writing (INTEGRITY): staging file -> fsync -> link -> fsync of the folder -> SQL transaction
(rows, event, jobs) -> receipt. A crash between two steps loses nothing that was acknowledged: bytes
without a row are unreferenced and harmless, a row without a receipt gets it from the `seal` job, which
runs the same function as the normal path.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from app.access.service import Access, Principal
from app.archive import Archive
from app.custody.event_rows import TABLE as EVENTS
from app.custody.outputs import output
from app.custody.service import SYSTEM
from app.db import table_of
from app.errors import CatenaError, ConflictError, EnvironmentFailedError, InvalidInputError, LimitError
from app.evidence.models import Blob, Case, Item, Receipt
from app.evidence.service import blob_row, digests_of, is_known, item_or_none
from app.intake.checks import require_same_bytes, validated, write_checks
from app.intake.collections.entries import Check
from app.intake.names import recorded_name
from app.intake.quotas import Quotas
from app.intake.room import Room
from app.intake.statements import ingestion_details, parse_source, source_text
from app.jobs.service import Claim, Jobs
from app.timestamps.service import Timestamps, receipt_subject
from evidence_store.blobs.base import StagedBlob, StoredBlob
from evidence_store.canonical import canonical_bytes, parse_canonical
from evidence_store.digests import Digests, Piece
from evidence_store.errors import EvidenceStoreError
from evidence_store.seal import seal_imprint
from schemas.records.v1.receipt import ArchiveNames, DepositReceipt
from schemas.records.v1.source import SourceContext

log = logging.getLogger("catena.intake")

__all__ = ["Deposit", "Intake", "parse_source", "require_deposit_key", "source_text"]

_ITEM = table_of(Item)
_BLOB = table_of(Blob)
_RECEIPTS = table_of(Receipt)
_MINE = select(_ITEM.c.id).where(_ITEM.c.received_by == bindparam("by"), _ITEM.c.deposit_key == bindparam("key"))
_SAME = (
    select(_ITEM.c.id)
    .where(_ITEM.c.sha256 == bindparam("digest"), _ITEM.c.id != bindparam("item"))
    .order_by(_ITEM.c.received_at, _ITEM.c.id)
)
_DEPOSITED = (
    select(
        *(_ITEM.c.case_id, _ITEM.c.original_name, _ITEM.c.received_at),
        *(_BLOB.c.sha256, _BLOB.c.sha512, _BLOB.c.crc32, _BLOB.c.size),
        *(EVENTS.c.event_id, EVENTS.c.event_sha256, EVENTS.c.leaf_index, EVENTS.c.canonical),
    )
    .select_from(_ITEM.join(_BLOB, _BLOB.c.sha256 == _ITEM.c.sha256))
    .join(EVENTS, (EVENTS.c.object == bindparam("about")) & (EVENTS.c.object_seq == 0))
    .where(_ITEM.c.id == bindparam("item"))
)
_RECEIPT = select(*_RECEIPTS.c).where(_RECEIPTS.c.item_id == bindparam("item"))
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
    """What a depositor brings along with the bytes; `promised`: their room in the quota was asked for before."""

    who: Principal
    case: Case
    name: str
    source: str
    key: str | None
    checks: tuple[Check, ...] = ()
    promised: bool = False


def _same_bytes(session: Session, item: Item, visible: list[str] | None) -> list[str]:
    """Older items with the same bytes, as far as the depositor may know of them."""
    older = _SAME if visible is None else _SAME.where(_ITEM.c.case_id.in_(visible))
    found = session.connection().execute(older, {"digest": item.sha256, "item": item.id})
    return list(found.scalars())


def _receipt_of(connection: Connection, item_id: str) -> Receipt | None:
    found = connection.execute(_RECEIPT, {"item": item_id}).mappings().one_or_none()
    return None if found is None else Receipt(**found)


def require_deposit_key(key: str) -> None:
    """Refuse what is no idempotency key.

    Raises:
        InvalidInputError: `bad_deposit_key`.
    """
    if not 1 <= len(key) <= 100 or not key.isprintable():  # noqa: PLR2004 - a UUID and some room
        raise InvalidInputError("bad_deposit_key", "an idempotency key is 1 to 100 printable characters")


def too_large(limit: int) -> LimitError:
    """What a file over the largest size is refused with (413)."""
    detail = f"a file may have at most {limit} bytes here; nothing was kept"
    return LimitError("too_large", detail, status=413, limit=limit)


class Intake:
    """The deposit use-case of one archive."""

    def __init__(self, archive: Archive, access: Access, jobs: Jobs, timestamps: Timestamps, quotas: Quotas) -> None:
        """Bind to an archive."""
        self._quotas = quotas
        self.room = Room(archive.settings, archive.db, archive.clock)
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
        self.room.check(wanted)

    def write(self, staged: StagedBlob, chunk: Piece) -> None:
        """Add bytes to a staged file.

        Raises:
            LimitError: `too_large` (413).
        """
        if staged.size + len(chunk) > self._archive.settings.max_upload_bytes:
            limit = self._archive.settings.max_upload_bytes
            raise too_large(limit)
        staged.write(chunk)

    def deposit_bytes(
        self,
        who: Principal,
        case: Case,
        chunks: Iterable[bytes],
        name: str | None,
        source: SourceContext,
        checks: Sequence[Check] = (),
    ) -> Deposit:
        """Stage and deposit in one go."""
        with self.stage() as staged:
            for chunk in chunks:
                self.write(staged, chunk)
            return self.deposit(who, case, staged, name, source, checks=checks)

    def deposit(
        self,
        who: Principal,
        case: Case,
        staged: StagedBlob,
        name: str | None,
        source: SourceContext,
        key: str | None = None,
        checks: Sequence[Check] = (),
    ) -> Deposit:
        """Keep a staged file as an item; the caller has checked that the actor may.

        Args:
            who: the depositor.
            case: where it goes.
            staged: all bytes written, not yet committed.
            name: file name as given.
            source: what the depositor says of the source.
            key: idempotency key: the same depositor and key make one item, however often repeated.
            checks: what came of checking the collector's own hashes and signatures, here. One that failed stops
                nothing: the item is kept, and says so.

        Raises:
            InvalidInputError: `empty_file`, `bad_check`, `too_many_checks`.
            ConflictError: `key_reused` when the key was used for other bytes or another case, `file_changed` when
                the checks were made of other bytes.
            LimitError: `quota_exceeded` (413).
        """
        offer = _Offer(who, case, recorded_name(name), source_text(source), key, validated(checks))
        return self._keep(offer, source, staged.digests(), staged.commit)

    def deposit_file(
        self,
        who: Principal,
        case: Case,
        path: Path,
        digests: Digests,
        name: str,
        source: SourceContext,
        key: str,
        checks: Sequence[Check] = (),
    ) -> Deposit:
        """Keep a finished file, which lies on the store's disk, as an item; a repeat with its key makes no second one.

        The file keeps its name; the caller removes it, and never writes to it again.

        Args:
            who: the depositor.
            case: where it goes.
            path: the file.
            digests: of its bytes, computed by the caller.
            name: file name as recorded.
            source: what the depositor says of the source.
            key: idempotency key.
            checks: as `deposit`.

        Raises:
            InvalidInputError, ConflictError: as `deposit`.
            EvidenceStoreError: those of `BlobStore.adopt`.
        """
        offer = _Offer(who, case, recorded_name(name), source_text(source), key, validated(checks), promised=True)
        return self._keep(offer, source, digests, lambda: self._archive.blobs.adopt(path, digests))

    def _keep(self, offer: _Offer, source: SourceContext, digests: Digests, store: Callable[[], StoredBlob]) -> Deposit:
        """Rows, event, jobs and receipt for bytes that `store` makes durable."""
        who, key = offer.who, offer.key
        if digests.size == 0:
            raise InvalidInputError("empty_file", "the file has no bytes; nothing was kept")
        require_same_bytes(offer.checks, digests.sha256)
        known = self._by_key(who, key)
        if known is not None:
            repeat = self._repeat(known, offer, digests)
            self._put_back(digests, store)
            return repeat
        with nullcontext() if offer.promised else self._quotas.hold(who, digests.size):
            return self._store(offer, source, digests, store)

    def _store(
        self, offer: _Offer, source: SourceContext, digests: Digests, store: Callable[[], StoredBlob]
    ) -> Deposit:
        who, key = offer.who, offer.key
        stored = store().digests
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
        if not offer.promised:
            self._quotas.check_in(session, offer.who.user_id, stored.size)
        self._quotas.add_in(session, offer.who.user_id, stored.size)
        now = custody.now()
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
        new: list[Blob | Item] = [item]
        if not is_known(session, stored.sha256):
            new.insert(0, blob_row(stored, now))
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
                **ingestion_details(item, source.as_record()),
            },
            added=new,
        )
        if offer.checks:
            write_checks(session, custody, offer.who, item, offer.checks, "archive")
        # A receipt is owed: its job goes on trying for days.
        about, payload = f"item:{item.id}", {"item": item.id}
        self._jobs.enqueue(session, SEAL_JOB, item.id, payload, subject=about, priority=0, max_attempts=SEAL_ATTEMPTS)
        self._jobs.enqueue(session, ANALYSE_JOB, item.id, payload, subject=about, priority=10)
        return item

    def _put_back(self, digests: Digests, store: Callable[[], StoredBlob]) -> None:
        """Store the bytes of a repeated deposit again if the store has lost them; damaged ones are `blob_conflict`."""
        blobs = self._archive.blobs
        if not blobs.contains(digests.sha256) or blobs.size(digests.sha256) != digests.size:
            log.warning("blob %s is not there whole; a repeated deposit brings its bytes", digests.sha256)
            store()

    def is_repeat(self, who: Principal, key: str | None) -> bool:
        """Whether this deposit key has made an item already: its repeat wants no room."""
        return self._by_key(who, key) is not None

    def _by_key(self, who: Principal, key: str | None) -> str | None:
        if key is None:
            return None
        require_deposit_key(key)
        with self._archive.db.look() as connection:
            return connection.execute(_MINE, {"by": who.user_id, "key": key}).scalar_one_or_none()

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
        with self._archive.db.look() as connection:
            known = _receipt_of(connection, item_id)
            if known is not None:
                return known
            statement = self._statement(connection, item_id)
        now = self._archive.clock()
        seal = self._archive.seal_key().seal(statement, now)
        custody = self._archive.custody
        with self._archive.db.write() as session:
            custody.lock(session)  # the request and the job may both be here: the second must see the first one's
            known = _receipt_of(session.connection(), item_id)
            if known is not None:
                return known
            receipt = Receipt(item_id=item_id, statement=statement, seal=seal, created_at=custody.now())
            custody.record(
                session,
                f"item:{item_id}",
                "digital signature generation",
                SYSTEM,
                details={"outputs": [output("receipt", statement), output("receipt signature", seal)]},
                added=[receipt],
            )
            self._jobs.settle(session, SEAL_JOB, item_id)
            if self._archive.settings.timestamp_receipts and self._timestamps.any_asked():
                self._timestamps.request(session, receipt_subject(item_id), seal_imprint(seal).hex())
            return receipt

    def handle_seal(self, claim: Claim) -> None:
        """Job handler: the receipt of an item whose depositor's request died half-way."""
        self.seal_item(claim.payload["item"])
        with self._archive.db.write() as session:
            self._jobs.finish(session, claim)

    def _statement(self, connection: Connection, item_id: str) -> bytes:
        found = connection.execute(_DEPOSITED, {"item": item_id, "about": f"item:{item_id}"}).one_or_none()
        if found is None:
            raise EnvironmentFailedError(
                "item_missing", "the item's row, file or first event is gone: run 'catena audit'", status=500
            )
        parse_canonical(found.canonical)  # a damaged event is never sealed
        statement = DepositReceipt(
            archive=ArchiveNames(**self._archive.identity.as_json()),
            item=item_id,
            case=found.case_id,
            original_name=found.original_name,
            sha256=found.sha256,
            sha512=found.sha512,
            crc32=found.crc32,
            size=found.size,
            received_at=found.received_at,
            event_id=found.event_id,
            event_sha256=found.event_sha256,
            leaf_index=found.leaf_index,
        )
        return canonical_bytes(statement.model_dump(mode="json"))
