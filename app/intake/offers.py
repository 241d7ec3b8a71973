"""Files that are offered: which of them a case holds already, so that nothing is sent or stored twice.

1. A file is known when an item of the same case has the same SHA-256. Other cases are not asked: what they hold is not
   the depositor's business, and the file is deposited like any other.
2. That it was offered again, under which name and with what source, is an event of the oldest such item, of those with
   the same name if there are any: a second place where the same bytes were found is a fact about them.
3. Of a file whose bytes the store has lost nobody is told that the case has it: it is to be deposited, which puts them
   back. That the bytes are there is judged by name and size alone; whether they are right, the audit says.
4. That a file was offered again is recorded once for each key and item: a question that is repeated, because its answer
   was lost, adds nothing.
5. What the depositor's own unfinished run had deposited (the same idempotency key) is done already, not offered again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue
from sqlmodel import Session, col, select

from app.access.service import Access, Principal
from app.archive import Archive
from app.custody.models import EventRow
from app.errors import InvalidInputError
from app.evidence.models import Blob, Case, Item
from app.intake.names import recorded_name
from app.intake.service import require_deposit_key
from app.intake.statements import source_details
from evidence_store.digests import parse_sha256
from evidence_store.errors import EvidenceStoreError
from schemas.records.v1.source import SourceContext

MAX_OFFERS = 500
LOOK_BACK = 1000
"""So many of an item's newest notes are asked whether this offer is recorded: a repeat comes soon after."""
_GONE = frozenset({"blob_missing", "blob_irregular"})


@dataclass(frozen=True, slots=True)
class Offer:
    """A file that somebody would deposit.

    Attributes:
        sha256: lowercase hex, of the whole file.
        name: file name as given.
        source: what would be stated of its source.
        key: idempotency key under which it would be deposited.
    """

    sha256: str
    name: str
    source: SourceContext
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What the archive says of an offer.

    Attributes:
        state: `new`; `known`: an item of the case has these bytes; `deposited`: this very deposit was made before.
        item: id of that item.
        same_name: it is the only item of the case with these bytes and this name. Otherwise bytes alone say which item
            it is, and copies of one file are not to be told apart.
    """

    state: Literal["new", "known", "deposited"]
    item: str | None = None
    same_name: bool = False


class Offers:
    """Asks and records what a case holds already."""

    def __init__(self, archive: Archive, access: Access) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._access = access

    def look_up(
        self, who: Principal, case: Case, offers: Sequence[Offer], *, again: bool = False, record: bool = True
    ) -> list[Known]:
        """What of these the case holds; known ones are recorded as offered again.

        Args:
            who: the depositor.
            case: where they would go.
            offers: at most 500.
            again: the files are to be deposited once more whatever the case holds; only keys are looked at.
            record: False for a question that leaves no trace.

        Returns:
            One answer for each offer, in the same order.

        Raises:
            NotFoundError: `unknown_case`.
            DeniedError: `not_allowed`.
            InvalidInputError: `too_many_offers`, `bad_sha256`, `bad_deposit_key`.
        """
        self._access.require(who, "item.ingest", case.id)
        if len(offers) > MAX_OFFERS:
            raise InvalidInputError("too_many_offers", f"at most {MAX_OFFERS} files can be asked for at once")
        for offer in offers:
            _check_sha256(offer.sha256)
            if offer.key is not None:
                require_deposit_key(offer.key)  # PostgreSQL cannot even be asked for any text
        mine = self._by_key(who, case, offers)
        held = {} if again else self._by_bytes(case, offers)
        there = self._stored({offer.sha256 for offer in offers})
        mine = {key: item for key, item in mine.items() if key[1] in there}
        held = {sha256: item for sha256, item in held.items() if sha256 in there}
        answers = [_answer(offer, mine, held) for offer in offers]
        seen = [(offer, one.item) for offer, one in zip(offers, answers, strict=True) if one.state == "known"]
        if record and seen:
            self._record(who, seen)
        return answers

    def _record(self, who: Principal, seen: Sequence[tuple[Offer, str | None]]) -> None:
        custody = self._archive.custody
        with self._archive.db.write() as session:
            custody.lock(session)  # of two repeats at once, the second must see the first one's events
            told: dict[str, set[str]] = {}
            for offer, item in seen:
                about = f"item:{item}"
                if offer.key is not None:
                    if about not in told:
                        told[about] = _keys_told(session, about, who.actor.id)
                    digest = _digest(offer.key)
                    if digest in told[about]:
                        continue
                    told[about].add(digest)
                custody.record(session, about, "annotation", who.actor, details={"offered_again": _statement(offer)})

    def _stored(self, wanted: set[str]) -> set[str]:
        """Those of these SHA-256 that the archive recorded, and whose bytes are in the store in their full size."""
        statement = select(Blob.sha256, Blob.size).where(col(Blob.sha256).in_(wanted))
        with self._archive.db.read() as session:
            recorded = list(session.exec(statement))
        return {sha256 for sha256, size in recorded if self._size(sha256) == size}

    def _size(self, sha256: str) -> int | None:
        try:
            return self._archive.blobs.size(sha256)
        except EvidenceStoreError as error:
            if error.code in _GONE:
                return None
            raise

    def _by_bytes(self, case: Case, offers: Iterable[Offer]) -> dict[str, list[tuple[str, str]]]:
        """Id and name of the items of the case with each of these SHA-256, the oldest first."""
        wanted = {offer.sha256 for offer in offers}
        statement = select(Item.sha256, Item.id, Item.original_name).where(
            Item.case_id == case.id, col(Item.sha256).in_(wanted)
        )
        held: dict[str, list[tuple[str, str]]] = {}
        with self._archive.db.read() as session:
            for sha256, item, name in session.exec(statement.order_by(col(Item.received_at), col(Item.id))):
                held.setdefault(sha256, []).append((item, name))
        return held

    def _by_key(self, who: Principal, case: Case, offers: Iterable[Offer]) -> dict[tuple[str, str], str]:
        """Items that the depositor made in this case under these keys, by key and SHA-256."""
        keys = {offer.key for offer in offers if offer.key}
        statement = select(Item.deposit_key, Item.sha256, Item.id).where(
            Item.received_by == who.user_id, Item.case_id == case.id, col(Item.deposit_key).in_(keys)
        )
        with self._archive.db.read() as session:
            return {(key or "", sha256): item for key, sha256, item in session.exec(statement)}


def _answer(offer: Offer, mine: dict[tuple[str, str], str], held: dict[str, list[tuple[str, str]]]) -> Known:
    deposited = mine.get((offer.key or "", offer.sha256)) if offer.key else None
    if deposited is not None:
        return Known("deposited", deposited)
    known = held.get(offer.sha256)
    if known is None:
        return Known("new")
    name = recorded_name(offer.name)
    namesakes = [item for item, called in known if called == name]
    return Known("known", namesakes[0] if namesakes else known[0][0], len(namesakes) == 1)


def _statement(offer: Offer) -> dict[str, JsonValue]:
    """What the event says of an offer; a text that is too long for it is named by its SHA-256 and size alone."""
    return {
        "original_name": recorded_name(offer.name),
        "sha256": offer.sha256,
        **source_details(offer.source.as_record()),
        **({"key_sha256": _digest(offer.key)} if offer.key is not None else {}),
    }


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _keys_told(session: Session, about: str, actor_id: str) -> set[str]:
    """Digests of the keys under which this actor's newest offers of an item are recorded."""
    notes = select(EventRow.canonical).where(
        EventRow.object == about, EventRow.type == "annotation", EventRow.actor_id == actor_id
    )
    newest = session.exec(notes.order_by(col(EventRow.object_seq).desc()).limit(LOOK_BACK))
    offered = [json.loads(canonical)["details"].get("offered_again", {}) for canonical in newest]
    return {str(one["key_sha256"]) for one in offered if "key_sha256" in one}


def _check_sha256(text: str) -> None:
    try:
        parse_sha256(text)
    except EvidenceStoreError as error:
        raise InvalidInputError("bad_sha256", error.detail) from None
