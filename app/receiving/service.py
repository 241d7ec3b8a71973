"""Receiving a partner's bundle: verified first, kept whole, its originals become items; nothing of it is re-dated.

1. The bundle is spooled, and the spooled copy is checked by the offline verifier. With an error, or when it is not one
   ZIP, nothing of it is kept: no blob, no row, no event.
2. The ZIP is kept as a blob, byte for byte: foreign events, receipts, checkpoint, links and reviews stay in it, under
   the partner's seal, and one event of `received:ID` names its digest.
3. Each original becomes an item by the usual way in, with the archive's own time of receipt; theirs stays theirs. When
   the case holds the same bytes already, that item is it, and from now on their restrictions bind it as well.
4. The same bundle in the same case a second time adds nothing, also when its ZIP has another order; one that was
   interrupted goes on.
5. What the partner's people said is shown as theirs. It makes no link, review or incident here.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import JsonValue
from sqlmodel import Session, col, select

from app.access.service import Access, Principal
from app.archive import Archive
from app.errors import EnvironmentFailedError, InvalidInputError, NotFoundError
from app.evidence.models import Blob, Case, Item
from app.export import publish
from app.intake.service import Intake, too_large
from app.intake.sources import Sources
from app.receiving.models import ReceivedBundle, ReceivedItem
from app.receiving.partner import PartnerBundle, opened, partner_of
from app.receiving.restrictions import restrictions_of, take_over
from app.receiving.verdict import Verdict, verify
from evidence_store.bundle import layout
from evidence_store.bundle.manifest import ManifestItem
from evidence_store.canonical import canonical_bytes
from evidence_store.digests import DigestComputer, Digests, Piece
from evidence_store.verify.trust import Trust

RECEIVING, DONE = "receiving", "done"
THEIRS = "said by the partner, not reviewed here"
_UNKNOWN = "there is no such received bundle, or you are not a member of its case"


@dataclass(frozen=True, slots=True)
class Received:
    """What came of receiving a bundle.

    Attributes:
        bundle: its row.
        items: which item became of which of theirs, by theirs.
        repeated: the bundle was here already: nothing was added.
    """

    bundle: ReceivedBundle
    items: Sequence[ReceivedItem]
    repeated: bool = False


class Receiving:
    """The bundles that one archive received."""

    def __init__(self, archive: Archive, access: Access, intake: Intake, sources: Sources) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._access = access
        self._intake = intake
        self._sources = sources

    # -- receiving ----------------------------------------------------------------------------

    @contextmanager
    def spool(self) -> Iterator[Spool]:
        """A place for the bytes of one bundle; what is not received is gone when the block ends.

        Raises:
            EnvironmentFailedError, EvidenceStoreError: `storage_full`, `storage_failed`.
        """
        self._intake.check_room()
        folder = self._archive.settings.data / "receiving"
        publish.remove_dead(folder)
        with publish.staged(folder / f"{uuid.uuid4()}.zip") as staged:
            yield Spool(staged, self._archive.settings.max_upload_bytes, self._intake.check_room)

    def receive(self, who: Principal, case: Case, spool: Spool, verdict: Verdict) -> Received:
        """Take a spooled bundle in; the caller has asked for the right to deposit in the case.

        Args:
            who: who brings it.
            case: where its items go.
            spool: all its bytes.
            verdict: what `Spool.check` said of these very bytes.

        Raises:
            InvalidInputError: `bundle_unreadable`.
            LimitError: `too_large`, `quota_exceeded` (413).
            EnvironmentFailedError, EvidenceStoreError: `storage_full` and others; the same bundle again goes on.
        """
        digests = spool.finish()
        with spool.path.open("rb") as stream, opened(stream) as partner:
            bundle, items = self._begun(case, digests.sha256, partner)
            if bundle is not None and bundle.state == DONE:
                return Received(bundle, items, repeated=True)
            # of the same bytes with and without restrictions, those with them become the item
            ordered = sorted(partner.manifest.items, key=lambda each: (not restrictions_of(partner, each), each.item))
            if bundle is None:
                stored = self._archive.blobs.adopt(spool.path, digests).digests
                bundle = self._begin(who, case, stored, partner, verdict)
            made = [self._take(who, case, bundle, partner, each) for each in ordered]
            return self._finish(who, bundle.id, partner, made)

    def _begun(
        self, case: Case, sha256: str, partner: PartnerBundle
    ) -> tuple[ReceivedBundle | None, Sequence[ReceivedItem]]:
        """The row of this very bundle in the case: of the same bytes, or else of the same files under the same seal."""
        with self._archive.db.read() as session:
            rows = session.exec(select(ReceivedBundle).where(ReceivedBundle.case_id == case.id)).all()
            bundle = next((row for row in rows if row.sha256 == sha256), None)
            bundle = bundle or next((row for row in rows if self._is_same(row, partner)), None)
            return bundle, () if bundle is None else _items_of(session, bundle.id)

    def _is_same(self, row: ReceivedBundle, partner: PartnerBundle) -> bool:
        """Whether a bundle with the same id has the same sealed list, whatever the order of the ZIP's entries."""
        if told_of(row)["partner"]["bundle_id"] != partner.manifest.bundle_id:
            return False
        with self._archive.blobs.open(row.sha256) as stream, opened(stream) as known:
            return known.digest_of(layout.ASIC_MANIFEST) == partner.digest_of(layout.ASIC_MANIFEST)

    def _begin(
        self, who: Principal, case: Case, stored: Digests, partner: PartnerBundle, verdict: Verdict
    ) -> ReceivedBundle:
        """Keep the bundle: its blob and row, and the event that names all foreign records by their digests."""
        custody = self._archive.custody
        about = partner_of(partner)
        with self._archive.db.write() as session:
            custody.lock(session)
            now = custody.now()
            blob = None
            if session.get(Blob, stored.sha256) is None:
                blob = Blob(
                    sha256=stored.sha256, sha512=stored.sha512, crc32=stored.crc32, size=stored.size, stored_at=now
                )
                session.add(blob)
                session.flush()
            bundle = ReceivedBundle(
                id=str(uuid.uuid4()),
                case_id=case.id,
                sha256=stored.sha256,
                state=RECEIVING,
                told=canonical_bytes({"partner": about, **verdict.as_json()}).decode(),
                received_at=now,
                received_by=who.user_id,
            )
            session.add(bundle)
            session.flush()
            details: dict[str, JsonValue] = {
                "outcome": "begun",
                "case": case.id,
                "partner": {key: about[key] for key in ("archive", "bundle_id", "created_at", "checkpoint")},
                "verdict": verdict.verdict,
                "not_proven": list(verdict.not_proven),
                "items": len(partner.manifest.items),
                "files": {
                    path: partner.digest_of(path) for path in (layout.MANIFEST, layout.EVENTS, layout.CHECKPOINT)
                },
            }
            rows: list[Any] = [bundle] if blob is None else [blob, bundle]
            custody.record(
                session, f"received:{bundle.id}", "accession", who.actor, file=stored, details=details, rows=rows
            )
            return bundle

    def _take(
        self, who: Principal, case: Case, bundle: ReceivedBundle, partner: PartnerBundle, theirs: ManifestItem
    ) -> tuple[ManifestItem, str, bool]:
        """The item here of one of theirs: the one that the case has, or a new one."""
        key = f"received:{bundle.id}:{theirs.item}"
        with self._archive.db.read() as session:
            same = select(Item).where(Item.case_id == case.id, Item.sha256 == theirs.sha256)
            held = session.exec(same.order_by(col(Item.received_at), col(Item.id))).all()
        if held and held[0].deposit_key != key:
            for there in held:  # the same bytes may be here under several items
                take_over(self._sources, who, there, partner.source_of(theirs), bundle.id)
            return theirs, held[0].id, True
        with self._intake.stage() as staged:
            for chunk in partner.original(theirs):
                self._intake.write(staged, chunk)
            if staged.digests().sha256 != theirs.sha256:  # the file was changed after it was verified
                raise EnvironmentFailedError("file_changed", f"{theirs.path} is not what was verified", status=500)
            source = partner.source_of(theirs)
            deposit = self._intake.deposit(who, case, staged, theirs.original_name, source, key)
        return theirs, deposit.item.id, False

    def _finish(
        self, who: Principal, bundle_id: str, partner: PartnerBundle, made: Sequence[tuple[ManifestItem, str, bool]]
    ) -> Received:
        custody = self._archive.custody
        heads = {each.object: each for each in partner.manifest.objects}
        with self._archive.db.write() as session:
            custody.lock(session)
            bundle = session.get_one(ReceivedBundle, bundle_id)
            if bundle.state == DONE:  # the same bundle, sent twice at once
                return Received(bundle, _items_of(session, bundle_id), repeated=True)
            items = []
            for theirs, item_id, matched in made:
                row = ReceivedItem(
                    id=str(uuid.uuid4()),
                    bundle_id=bundle_id,
                    item_id=item_id,
                    partner_item=theirs.item,
                    matched=int(matched),
                )
                session.add(row)
                session.flush()
                head = heads[f"item:{theirs.item}"]
                details: dict[str, JsonValue] = {
                    "bundle": bundle_id,
                    "outcome": "matched" if matched else "taken in",
                    "partner": {
                        "archive": {"id": partner.manifest.archive.id, "org": partner.manifest.archive.org},
                        "bundle_id": partner.manifest.bundle_id,
                        "bundle_sha256": bundle.sha256,
                        "item": theirs.item,
                        "received_at": theirs.received_at,
                        "events": head.events,
                        "head_sha256": head.head_sha256,
                        **restrictions_of(partner, theirs),
                    },
                }
                custody.record(session, f"item:{item_id}", "accession", who.actor, details=details, rows=[row])
                items.append(row)
            bundle.state, bundle.finished_at = DONE, custody.now()
            new = sum(not matched for _, _, matched in made)
            done: dict[str, JsonValue] = {"outcome": "done", "taken_in": new, "matched": len(made) - new}
            custody.record(session, f"received:{bundle_id}", "accession", who.actor, details=done, rows=[bundle])
            return Received(bundle, items)

    # -- reading ------------------------------------------------------------------------------

    def get(self, who: Principal, bundle_id: str) -> Received:
        """A received bundle, when the actor may read items of its case.

        Raises:
            NotFoundError: `unknown_bundle`.
            DeniedError: `not_allowed`.
        """
        with self._archive.db.read() as session:
            bundle = session.get(ReceivedBundle, bundle_id)
            items = () if bundle is None else _items_of(session, bundle_id)
        if bundle is None:
            raise NotFoundError("unknown_bundle", _UNKNOWN)
        try:
            self._access.require(who, "item.read", bundle.case_id)
        except NotFoundError:
            raise NotFoundError("unknown_bundle", _UNKNOWN) from None
        return Received(bundle, items)

    def list(self, who: Principal) -> Sequence[ReceivedBundle]:
        """The received bundles of the cases that the actor may see, newest first.

        Raises:
            DeniedError: `not_allowed`.
        """
        self._access.require_role(who, "item.read")
        visible = self._access.visible_cases(who)
        found = select(ReceivedBundle).order_by(col(ReceivedBundle.received_at).desc(), col(ReceivedBundle.id))
        with self._archive.db.read() as session:
            rows = session.exec(found).all()
        return [row for row in rows if visible is None or row.case_id in visible]

    def partners_word(self, who: Principal, bundle_id: str, partner_item: str) -> dict[str, Any]:
        """What the partner says of one of its items: custody events and records, as they stand in its bundle.

        Args:
            who: the reader.
            bundle_id: UUID of the received bundle.
            partner_item: UUID that the item has at the partner's.

        Raises:
            NotFoundError: `unknown_bundle`, `unknown_item`.
            DeniedError: `not_allowed`.
        """
        received = self.get(who, bundle_id)
        row = next((each for each in received.items if each.partner_item == partner_item), None)
        if row is None:
            raise NotFoundError("unknown_item", "the received bundle has no such item")
        about = f"item:{partner_item}"
        with self._archive.blobs.open(received.bundle.sha256) as stream, opened(stream) as partner:
            (theirs,) = [each for each in partner.manifest.items if each.item == partner_item]
            return {
                "whose": partner.manifest.archive.org,
                "status": THEIRS,
                "item": row.item_id,
                "partner_item": partner_item,
                "original_name": theirs.original_name,
                "received_at": theirs.received_at,
                "sha256": theirs.sha256,
                "events": partner.events_of(about),
                "records": partner.records_of(about),
            }

    def dossier(self, who: Principal, bundle_id: str) -> dict[str, Any]:
        """What the partner's people say of incidents, for and against, as they wrote it; the look is recorded.

        Raises:
            NotFoundError: `unknown_bundle`.
            DeniedError: `not_allowed`.
            InvalidInputError, EvidenceStoreError: `bundle_unreadable`, `blob_missing` and others of the store.
        """
        received = self.get(who, bundle_id)
        self._access.require(who, "incident.read", received.bundle.case_id)
        with self._archive.blobs.open(received.bundle.sha256) as stream, opened(stream) as partner:
            records, left = partner.dossier()
            disclosure = partner.manifest.disclosure
            told = {
                "whose": partner.manifest.archive.org,
                "status": THEIRS,
                "bundle": bundle_id,
                "records": records,
                "not_shown": left,
                "left_out_there": {} if disclosure is None else dict(disclosure.exculpatory),
            }
        self._record_access(who, received.bundle, "dossier")
        return told

    def file(self, who: Principal, bundle_id: str) -> Blob:
        """The received ZIP as it came, for those who may export from its case.

        Raises:
            NotFoundError: `unknown_bundle`.
            DeniedError: `not_allowed`.
        """
        bundle = self._exportable(who, bundle_id)
        with self._archive.db.read() as session:
            return session.get_one(Blob, bundle.sha256)

    def open_file(self, who: Principal, bundle_id: str) -> BinaryIO:
        """Open the received ZIP; the access is recorded before a byte is read.

        Raises:
            NotFoundError, DeniedError: as `file`.
            EvidenceStoreError: `blob_missing` and others of the store.
        """
        bundle = self._exportable(who, bundle_id)
        stream = self._archive.blobs.open(bundle.sha256)
        try:
            self._record_access(who, bundle, "bundle")
        except BaseException:
            stream.close()
            raise
        return stream

    def _exportable(self, who: Principal, bundle_id: str) -> ReceivedBundle:
        bundle = self.get(who, bundle_id).bundle
        self._access.require(who, "export.create", bundle.case_id)
        return bundle

    def _record_access(self, who: Principal, bundle: ReceivedBundle, part: str) -> None:
        details: dict[str, JsonValue] = {"part": part, "sha256": bundle.sha256}
        with self._archive.db.write() as session:
            self._archive.custody.record(session, f"received:{bundle.id}", "access", who.actor, details=details)


class Spool:
    """The bytes of one bundle on their way in."""

    def __init__(self, staged: publish.Staged, limit: int, room: Callable[[int], None]) -> None:
        """Bind to a file that nobody else sees; `room` refuses what the disk cannot take."""
        self._staged, self._limit, self._room = staged, limit, room
        self._digests, self._size = DigestComputer(), 0

    @property
    def path(self) -> Path:
        """Where the bytes are."""
        return publish.part_of(self._staged.final)

    def write(self, chunk: Piece) -> None:
        """Take the next bytes.

        Raises:
            LimitError: `too_large` (413).
            EnvironmentFailedError: `storage_full`.
        """
        self._size += len(chunk)
        if self._size > self._limit:
            raise too_large(self._limit)
        self._room(len(chunk))
        self._staged.write(chunk)
        self._digests.update(chunk)

    def fill(self, chunks: Iterable[bytes]) -> None:
        """Take all bytes."""
        for chunk in chunks:
            self.write(chunk)

    def finish(self) -> Digests:
        """All bytes have come; their digests.

        Raises:
            InvalidInputError: `empty_file`.
        """
        if not self._size:
            raise InvalidInputError("empty_file", "the file has no bytes; nothing was kept")
        self._staged.stream.flush()
        return self._digests.result()

    def check(self, trust: Trust | None = None) -> Verdict:
        """Have the offline verifier check the bundle; nothing is kept.

        Args:
            trust: the partner's keys as the archive knows them; without them the bundle shows that it is whole, and
                not who made it. Which of both holds is recorded.

        Raises:
            InvalidInputError: `bundle_refused` with what was found; `empty_file`.
        """
        self.finish()
        return verify(self.path, trust)


def told_of(bundle: ReceivedBundle) -> dict[str, Any]:
    """What was recorded of a received bundle: `partner`, `verdict`, `findings`, `claims`."""
    told: dict[str, Any] = json.loads(bundle.told)
    return told


def _items_of(session: Session, bundle_id: str) -> Sequence[ReceivedItem]:
    wanted = select(ReceivedItem).where(ReceivedItem.bundle_id == bundle_id)
    return session.exec(wanted.order_by(col(ReceivedItem.partner_item))).all()
