"""Quotas: how much each user may deposit, and how much they have.

What counts is the size of every file that a user deposited, also of one whose bytes were there already, and of every
upload that is promised its room, or failed and still has its bytes here. The check that decides is made inside the
deposit's unit of work, behind the lock of the log: however many deposits meet, they pass one after the other.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import BigInteger, Connection, bindparam, insert, update
from sqlmodel import Session, col, func, select

from app.access.models import User
from app.access.service import Access, Principal, find_user
from app.archive import Archive
from app.db import table_of
from app.errors import InvalidInputError, LimitError
from app.intake.models import Quota, Upload, UserUsage
from app.intake.upload_rows import KEEPING

_USAGE = table_of(UserUsage)
_COUNT = (
    update(_USAGE)
    .where(_USAGE.c.user_id == bindparam("of"))
    .values(items=_USAGE.c["items"] + 1, bytes=_USAGE.c.bytes + bindparam("more", type_=BigInteger))
)
_FIRST = insert(_USAGE)
_QUOTA = table_of(Quota)
_DECIDED = select(_QUOTA.c.max_bytes).where(_QUOTA.c.user_id == bindparam("of"))
HOLD_SECONDS = 10.0
"""Longest wait for what becomes of one's own deposits: it is a request's thread that waits."""
RETRY_SECONDS = 5
MOST_BYTES = 2**53 - 1  # the largest whole number that every reader of JSON takes for what it is


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of a quota is taken.

    Attributes:
        items: number of deposits.
        bytes: their size.
        promised: size of the uploads that are not items: not yet, or failed with their bytes still here.
        limit: how many bytes may be deposited; None for no limit.
        decided: whether an admin decided so; else it is the archive's default.
    """

    items: int
    bytes: int
    promised: int
    limit: int | None
    decided: bool

    @property
    def taken(self) -> int:
        """Bytes that count against the limit."""
        return self.bytes + self.promised

    @property
    def left(self) -> int | None:
        """Bytes that may still be deposited; None for no limit."""
        return None if self.limit is None else max(0, self.limit - self.taken)


class Quotas:
    """The quotas of one archive."""

    def __init__(self, archive: Archive, access: Access) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._access = access
        self._settled = threading.Condition()
        self._held: Counter[str] = Counter()

    # -- ask ----------------------------------------------------------------------------------

    def usage(self, user_id: str) -> Usage:
        """How much a user has deposited, and may."""
        with self._archive.db.read() as session:
            return self._usage(session, user_id)

    def usages(self) -> dict[str, Usage]:
        """The same of every user, by id."""
        with self._archive.db.read() as session:
            return {user_id: self._usage(session, user_id) for user_id in session.exec(select(User.id)).all()}

    def usage_named(self, by: Principal, user_name: str) -> Usage:
        """The same of a user by name, for an admin.

        Raises:
            DeniedError: `not_allowed`.
            NotFoundError: `unknown_user`.
        """
        self._access.require(by, "user.manage")
        with self._archive.db.read() as session:
            return self._usage(session, find_user(session, user_name).id)

    def used(self, user_id: str) -> int:
        """Bytes that count against a user's quota: deposited ones and those that are promised."""
        return self.usage(user_id).taken

    def limit_of(self, user_id: str) -> int | None:
        """How many bytes a user may deposit; None for no limit."""
        return self.usage(user_id).limit

    def check(self, who: Principal, wanted: int) -> None:
        """Refuse early what the quota cannot take.

        Raises:
            LimitError: `quota_exceeded` (413).
        """
        if self._is_limited(who):
            with self._archive.db.read() as session:
                self.check_in(session, who.user_id, wanted)

    def _is_limited(self, who: Principal) -> bool:
        with self._archive.db.look() as connection:
            return self._limit_in(connection, who.user_id) is not None

    def check_in(self, session: Session, user_id: str, wanted: int) -> None:
        """Refuse what the quota cannot take; final when the caller holds the lock of the log.

        Raises:
            LimitError: `quota_exceeded` (413).
        """
        if self._limit_in(session.connection(), user_id) is None:
            return
        usage = self._usage(session, user_id)
        if usage.limit is not None and usage.taken + wanted > usage.limit:
            detail = f"your quota is {usage.limit} bytes and {usage.taken} are taken; nothing was kept"
            raise LimitError("quota_exceeded", detail, status=413, limit=usage.limit, used=usage.taken)

    @contextmanager
    def hold(self, who: Principal, size: int) -> Iterator[None]:
        """Take room in the quota while bytes become an item, so that none are stored that would be refused after.

        Whoever would fit but for deposits under way waits for what becomes of them. Other processes are not seen
        here: `check_in` inside the deposit's unit of work has the last word.

        Raises:
            LimitError: `quota_exceeded` (413); `too_many_deposits` (429) when the others take too long.
        """
        until = time.monotonic() + HOLD_SECONDS
        with self._settled:
            limited = self._is_limited(who)
            if limited:
                self.check(who, size)
            while limited and self._held[who.user_id] and not self._fits(who, size + self._held[who.user_id]):
                if not self._settled.wait(until - time.monotonic()):
                    raise _too_many()
                self.check(who, size)
            self._held[who.user_id] += size
        try:
            yield
        finally:
            with self._settled:
                self._held[who.user_id] -= size
                if not self._held[who.user_id]:
                    del self._held[who.user_id]
                self._settled.notify_all()

    def _fits(self, who: Principal, wanted: int) -> bool:
        try:
            self.check(who, wanted)
        except LimitError:
            return False
        return True

    # -- change -------------------------------------------------------------------------------

    def add_in(self, session: Session, user_id: str, size: int) -> None:
        """Count a deposit, inside its unit of work and behind the lock of the log."""
        connection = session.connection()
        if connection.execute(_COUNT, {"of": user_id, "more": size}).rowcount == 0:
            connection.execute(_FIRST, {"user_id": user_id, "items": 1, "bytes": size})

    def decide(self, by: Principal, user_name: str, max_bytes: int | None) -> Usage:
        """Decide how much a user may deposit; recorded. What was deposited stays, whatever is decided.

        Args:
            by: an admin.
            user_name: whose quota.
            max_bytes: how much; None for no limit, whatever the archive's default is.

        Raises:
            DeniedError: `not_allowed`.
            InvalidInputError: `bad_quota`.
            NotFoundError: `unknown_user`.
        """
        self._access.require(by, "user.manage")
        if max_bytes is not None and not 0 <= max_bytes <= MOST_BYTES:
            raise InvalidInputError("bad_quota", f"a quota is 0 to {MOST_BYTES} bytes")
        custody = self._archive.custody
        with self._archive.db.write() as session:
            custody.lock(session)  # two decisions at once: one row, and the second is the one that counts
            user = find_user(session, user_name)
            row = _decision(session, user.id)
            if row is None:
                row = Quota(id=str(uuid.uuid4()), user_id=user.id, created_at="", created_by="")
            row.max_bytes, row.created_at, row.created_by = max_bytes, custody.now(), by.user_id
            custody.record(
                session, f"user:{user.id}", "user change", by.actor, details={"quota_bytes": max_bytes}, rows=[row]
            )
            return self._usage(session, user.id)

    def _usage(self, session: Session, user_id: str) -> Usage:
        row, decision = session.get(UserUsage, user_id), _decision(session, user_id)
        promised = select(func.sum(Upload.size)).where(Upload.user_id == user_id, col(Upload.state).in_(KEEPING))
        return Usage(
            items=0 if row is None else row.items,
            bytes=0 if row is None else row.bytes,
            promised=int(session.exec(promised).one() or 0),
            limit=self._limit(decision),
            decided=decision is not None,
        )

    def _limit_in(self, connection: Connection, user_id: str) -> int | None:
        decided = connection.execute(_DECIDED, {"of": user_id}).one_or_none()
        return self._default() if decided is None else decided.max_bytes

    def _limit(self, decision: Quota | None) -> int | None:
        return self._default() if decision is None else decision.max_bytes

    def _default(self) -> int | None:
        return self._archive.settings.user_quota_bytes or None


def _too_many() -> LimitError:
    detail = "other deposits of yours may fill your quota and are not finished; nothing was kept, try again in a moment"
    return LimitError("too_many_deposits", detail, status=429, retry_after=RETRY_SECONDS)


def _decision(session: Session, user_id: str) -> Quota | None:
    return session.exec(select(Quota).where(Quota.user_id == user_id)).one_or_none()
