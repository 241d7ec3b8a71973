"""Cases and items as use-cases; every read of an original is a custody event."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import BinaryIO

from pydantic import JsonValue
from sqlalchemy import Connection, bindparam
from sqlmodel import Session, col, select

from app.access.rules import Action
from app.access.service import Access, Principal, clean_line
from app.archive import Archive
from app.clock import rfc3339
from app.custody.models import EventRow
from app.db import table_of
from app.errors import ConflictError, InvalidInputError, NotFoundError
from app.evidence.models import Blob, Case, Derivative, Item, Receipt
from evidence_store.digests import Digests

_ITEM = table_of(Item)
_BLOB = table_of(Blob)
_NAMED = (
    select(_ITEM.c.sha256, _ITEM.c.original_name)
    .join(_BLOB, _BLOB.c.sha256 == _ITEM.c.sha256)
    .where(_ITEM.c.id == bindparam("item"))
)
_HAS_BLOB = select(_BLOB.c.sha256).where(_BLOB.c.sha256 == bindparam("digest"))
_ID = re.compile(r"(?i)[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}")  # would stand for another case
_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


PLAYBACK = timedelta(minutes=15)
UNKNOWN_CASE = "there is no such case, or you are not a member of it"
UNKNOWN_ITEM = "there is no such item, or you are not a member of its case"


@dataclass(frozen=True, slots=True)
class ItemPage:
    """A page of items, oldest first.

    Attributes:
        items: with their blobs.
        cursor: pass it to get the next page; None at the end.
    """

    items: list[tuple[Item, Blob]]
    cursor: str | None


def check_case_ref(ref: str) -> None:
    """Refuse what cannot name a case.

    Raises:
        InvalidInputError: `bad_case_ref`.
    """
    if not _REF.fullmatch(ref):
        raise InvalidInputError(
            "bad_case_ref", "a case reference is 1 to 64 letters, digits, dots, dashes or underscores"
        )
    if _ID.fullmatch(ref):
        raise InvalidInputError("bad_case_ref", "a case reference may not look like the id of a case")


class Evidence:
    """Cases and items of one archive."""

    def __init__(self, archive: Archive, access: Access) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._access = access

    # -- cases --------------------------------------------------------------------------------

    def create_case(self, who: Principal, ref: str, title: str = "") -> Case:
        """Open a case; who opens it is its first member.

        Raises:
            InvalidInputError: `bad_case_ref`.
            ConflictError: `case_exists`.
        """
        self._access.require(who, "case.create")
        check_case_ref(ref)
        shown = clean_line(title or ref, 300, "title")
        with self._archive.db.write() as session:
            if session.exec(select(Case).where(Case.ref == ref)).first() is not None:
                raise ConflictError("case_exists", f"there is already a case {ref!r}")
            case = Case(
                id=str(uuid.uuid4()),
                ref=ref,
                title=shown,
                created_at=self._archive.custody.now(),
                created_by=who.user_id,
            )
            session.add(case)
            session.flush()
            self._archive.custody.record(
                session, f"case:{case.id}", "case creation", who.actor, details={"ref": ref}, rows=[case]
            )
            self._access.grant_in(session, who.actor, case.id, who.user_id)
            return case

    def find_case(self, who: Principal, ref_or_id: str) -> Case:
        """A case that the actor may read.

        Raises:
            NotFoundError: `unknown_case`, also for a case the actor may not know of.
        """
        return self.case_for(who, ref_or_id, "case.read")

    def case_for(self, who: Principal, ref_or_id: str, action: Action) -> Case:
        """A case in which the actor may do something.

        Raises:
            NotFoundError: `unknown_case`; asking for what is not there is recorded like asking for what is closed.
            DeniedError: `not_allowed`.
        """
        case = self.case_or_none(ref_or_id)
        if case is None:
            self._access.record_denial(who.actor, self._archive.about, action)
            raise NotFoundError("unknown_case", UNKNOWN_CASE)
        self._access.require(who, action, case.id)
        return case

    def case_or_none(self, ref_or_id: str) -> Case | None:
        """A case by reference or id, without asking who wants to know."""
        with self._archive.db.read() as session:
            known = session.get(Case, ref_or_id)
            return known or session.exec(select(Case).where(Case.ref == ref_or_id)).one_or_none()

    def list_cases(self, who: Principal) -> list[Case]:
        """The cases that the actor may read, oldest first."""
        visible = self._access.visible_cases(who)
        with self._archive.db.read() as session:
            statement = select(Case).order_by(col(Case.created_at))
            if visible is not None:
                statement = statement.where(col(Case.id).in_(visible))
            return list(session.exec(statement))

    # -- items --------------------------------------------------------------------------------

    def find_item(self, who: Principal, item_id: str, *, custody_only: bool = False) -> tuple[Item, Blob]:
        """An item that the actor may read.

        Args:
            who: the actor.
            item_id: UUID text.
            custody_only: ask only for the right to see hashes, events and proofs.

        Raises:
            NotFoundError: `unknown_item`, also for an item the actor may not know of.
        """
        action: Action = "item.custody" if custody_only else "item.read"
        return permitted_item(self._archive, self._access, who, item_id, action)

    def list_items(
        self, who: Principal, case_id: str | None = None, *, cursor: str | None = None, limit: int = 50
    ) -> ItemPage:
        """Items that the actor may read, oldest first.

        Raises:
            InvalidInputError: `bad_cursor`, `bad_limit`.
        """
        if case_id is None:
            self._access.require_role(who, "item.read")
        else:
            self._access.require(who, "item.read", case_id)
        if not 1 <= limit <= 500:  # noqa: PLR2004 - a page, not a dump
            raise InvalidInputError("bad_limit", "limit is 1 to 500")
        visible = [case_id] if case_id is not None else self._access.visible_cases(who)
        statement = select(Item, Blob).join(Blob, col(Blob.sha256) == col(Item.sha256))
        if visible is not None:
            statement = statement.where(col(Item.case_id).in_(visible))
        if cursor is not None:
            at, _, after = cursor.partition("~")
            if not after:
                raise InvalidInputError("bad_cursor", "this cursor was not made by this service")
            statement = statement.where(
                (col(Item.received_at) > at) | ((col(Item.received_at) == at) & (col(Item.id) > after))
            )
        with self._archive.db.read() as session:
            ordered = statement.order_by(col(Item.received_at), col(Item.id)).limit(limit + 1)
            rows = [(item, blob) for item, blob in session.exec(ordered)]
        page = rows[:limit]
        more = len(rows) > limit
        return ItemPage(page, f"{page[-1][0].received_at}~{page[-1][0].id}" if more else None)

    def open_original(self, who: Principal, item_id: str) -> tuple[Item, Blob, BinaryIO]:
        """Open an original for reading; the read is recorded before the first byte leaves.

        Raises:
            NotFoundError: `unknown_item`.
            EvidenceStoreError: `blob_missing` when the stored bytes are gone.
        """
        item, blob = self.find_item(who, item_id)
        self._access.require(who, "item.original", item.case_id)
        stream = self._archive.blobs.open(item.sha256)
        try:
            self.record_access(who, item, "original")
        except BaseException:
            stream.close()  # unrecorded, unread
            raise
        return item, blob, stream

    def record_access(self, who: Principal, item: Item, part: str) -> None:
        """Write a read of an original, or of personal data, into the log."""
        with self._archive.db.write() as session:
            self._archive.custody.record(session, f"item:{item.id}", "access", who.actor, details={"part": part})

    def record_playback(self, who: Principal, item: Item, part: str, sha256: str) -> None:
        """Write a read that comes in many pieces into the log: once for all pieces of a quarter of an hour.

        A player fetches a recording in dozens of ranges. The event says for how long it stands (`within_s`) and which
        file was read; whoever reads on after that makes the next one.
        """
        now = self._archive.clock()
        since, until = (rfc3339(at) for at in (now - PLAYBACK, now))
        about = f"item:{item.id}"
        details: dict[str, JsonValue] = {"part": part, "sha256": sha256, "within_s": int(PLAYBACK.total_seconds())}
        with self._archive.db.read() as session:
            mine = select(EventRow.canonical).where(
                EventRow.object == about,
                EventRow.type == "access",
                EventRow.actor_id == who.user_id,
                col(EventRow.time).between(since, until),
            )
            told = [json.loads(canonical) for canonical in session.exec(mine.order_by(col(EventRow.object_seq).desc()))]
        if not any(event["details"] == details and event["actor"] == who.actor.model_dump() for event in told):
            with self._archive.db.write() as session:
                self._archive.custody.record(session, about, "access", who.actor, details=details)

    def receipt(self, item_id: str) -> Receipt | None:
        """The deposit receipt, once it is made."""
        with self._archive.db.read() as session:
            return session.get(Receipt, item_id)

    def derivatives(self, item_id: str) -> list[Derivative]:
        """Files made from an item, oldest first."""
        with self._archive.db.read() as session:
            made = select(Derivative).where(Derivative.item_id == item_id).order_by(col(Derivative.created_at))
            return list(session.exec(made))

    def same_bytes(self, who: Principal, item: Item) -> list[str]:
        """Ids of the other items with the same bytes that the actor may read, oldest first."""
        visible = self._access.visible_cases(who)
        with self._archive.db.read() as session:
            others = select(Item.id).where(Item.sha256 == item.sha256, Item.id != item.id)
            if visible is not None:
                others = others.where(col(Item.case_id).in_(visible))
            return list(session.exec(others.order_by(col(Item.received_at), col(Item.id))))


def named(connection: Connection, item_id: str) -> tuple[str, str] | None:
    """SHA-256 and file name of an item; None when it is not there, or its blob is not known."""
    found = connection.execute(_NAMED, {"item": item_id}).one_or_none()
    return None if found is None else (found.sha256, found.original_name)


def item_or_none(session: Session, item_id: str) -> tuple[Item, Blob] | None:
    """An item with its blob."""
    statement = select(Item, Blob).join(Blob, col(Blob.sha256) == col(Item.sha256)).where(Item.id == item_id)
    row = session.exec(statement).one_or_none()
    return (row[0], row[1]) if row else None


def permitted_item(archive: Archive, access: Access, who: Principal, item_id: str, action: Action) -> tuple[Item, Blob]:
    """An item, when the actor may do `action` in its case; a refusal is recorded. The one door to an item.

    Raises:
        NotFoundError: `unknown_item`, also for an item of which the actor may not know.
        DeniedError: `not_allowed`.
    """
    with archive.db.read() as session:
        found = item_or_none(session, item_id)
    if found is None:
        access.record_denial(who.actor, archive.about, action)
        raise NotFoundError("unknown_item", UNKNOWN_ITEM)
    try:
        access.require(who, action, found[0].case_id)
    except NotFoundError:
        raise NotFoundError("unknown_item", UNKNOWN_ITEM) from None
    return found


def is_known(session: Session, sha256: str) -> bool:
    """Whether there is a row of these bytes."""
    return session.connection().execute(_HAS_BLOB, {"digest": sha256}).one_or_none() is not None


def blob_row(digests: Digests, now: str) -> Blob:
    """The row of bytes that came to be stored."""
    sha256, sha512 = digests.sha256, digests.sha512
    return Blob(sha256=sha256, sha512=sha512, crc32=digests.crc32, size=digests.size, stored_at=now)


def digests_of(blob: Blob) -> Digests:
    """A blob's digests as the integrity core names them."""
    return Digests(sha256=blob.sha256, sha512=blob.sha512, crc32=blob.crc32, size=blob.size)
