"""Checks of collectors' own hashes, signatures and time stamps: kept with the item, whatever their verdict.

1. A failed check never stops a deposit: what was received is kept, and says that the check failed.
2. A verdict is what was computed; who computed it is said: this archive, or the depositor's machine.
3. A check is never changed or taken back. The same one is not recorded twice.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from pydantic import JsonValue
from sqlmodel import Session, col, select

from app.access.service import Access, Principal
from app.archive import Archive
from app.custody.outputs import output
from app.custody.service import Custody
from app.errors import ConflictError, DeniedError, InvalidInputError
from app.evidence.models import CollectorCheck, Item
from app.evidence.service import Evidence
from app.intake.collections.entries import MAX_CHECKS, Check, Verdict
from app.intake.statements import checked_bytes
from evidence_store.canonical import canonical_bytes
from schemas.records.v1.collector_check import MAX_CHECK_BYTES, CheckedBy, CollectorCheckRecord

ROLE = "collector check"
WORDING: dict[CheckedBy, str] = {
    "archive": "checked by the archive",
    "depositor": "checked on the depositor's machine",
}
MAX_PER_ITEM = 500
_KIND = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_VERDICTS: tuple[Verdict, ...] = ("passed", "failed", "not_checked")


@dataclass(frozen=True, slots=True)
class CheckShown:
    """A recorded check.

    Attributes:
        id: UUID.
        number: 1 for the item's first check.
        checked_by: `archive` or `depositor`.
        created_at: when it was recorded, RFC 3339 UTC.
    """

    id: str
    number: int
    kind: str
    verdict: Verdict
    checked_by: CheckedBy
    details: dict[str, JsonValue]
    created_at: str


def validated(checks: Sequence[Check]) -> tuple[Check, ...]:
    """Refuse what cannot be recorded.

    Raises:
        InvalidInputError: `bad_check`, `too_many_checks`.
    """
    if len(checks) > MAX_CHECKS:
        raise InvalidInputError("too_many_checks", f"at most {MAX_CHECKS} checks can be recorded at once")
    for check in checks:
        if not _KIND.fullmatch(check.kind):
            raise InvalidInputError("bad_check", "the kind of a check is lower snake case, at most 40 characters")
        if check.verdict not in _VERDICTS:
            raise InvalidInputError("bad_check", f"{check.kind}: the verdict is one of {', '.join(_VERDICTS)}")
        if check.verdict != "passed" and not (
            isinstance(check.record.get("reason"), str) and str(check.record["reason"]).strip()
        ):
            raise InvalidInputError("bad_check", f"{check.kind}: {check.verdict} needs a reason")
        if len(checked_bytes(check.record)) > MAX_CHECK_BYTES:
            raise InvalidInputError("bad_check", f"{check.kind}: its record has more than {MAX_CHECK_BYTES} bytes")
    return tuple(checks)


def require_same_bytes(checks: Sequence[Check], sha256: str) -> None:
    """Refuse checks that were made of other bytes than those of the item: the file was changed in between.

    Raises:
        ConflictError: `file_changed`.
    """
    for check in checks:
        if check.record.get("sha256", sha256) != sha256:
            raise ConflictError("file_changed", f"{check.kind} was made of other bytes than these; nothing was kept")


def write_checks(
    session: Session, custody: Custody, who: Principal, item: Item, checks: Sequence[Check], checked_by: CheckedBy
) -> None:
    """Record checks of an item, and one event that binds them; those that are there already are left out.

    Args:
        session: the open unit of work, with the log's head locked.
        custody: the log.
        who: on whose behalf.
        item: its row is written, or about to be.
        checks: validated.
        checked_by: who computed them.

    Raises:
        InvalidInputError: `too_many_checks`.
    """
    there = _rows(session, item.id)
    known = {_identity(row) for row in there}
    rows: list[CollectorCheck] = []
    for check in checks:
        row = _row(item, len(there) + len(rows) + 1, check, checked_by, custody.now())
        if _identity(row) not in known:
            known.add(_identity(row))
            rows.append(row)
    if not rows:
        return
    if len(there) + len(rows) > MAX_PER_ITEM:
        raise InvalidInputError("too_many_checks", f"an item can have {MAX_PER_ITEM} checks")
    custody.record(
        session,
        f"item:{item.id}",
        "fixity check",
        who.actor,
        details={
            "of": "collector",
            "checked_by": checked_by,
            "checks": [{"check": row.id, "kind": row.kind, "verdict": row.verdict} for row in rows],
            "outputs": [output(ROLE, row.record.encode(), check=row.id) for row in rows],
        },
        rows=rows,
    )


class Checks:
    """Checks of the items of one archive."""

    def __init__(self, archive: Archive, access: Access, evidence: Evidence) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._access = access
        self._evidence = evidence

    def of(self, item_id: str) -> list[CheckShown]:
        """All checks of an item, in order, for a caller that has asked for the right."""
        with self._archive.db.read() as session:
            return [_shown(row) for row in _rows(session, item_id)]

    def records_of(self, item_id: str) -> dict[str, bytes]:
        """The records that events name, by id of the check, in order."""
        with self._archive.db.read() as session:
            return {row.id: row.record.encode() for row in _rows(session, item_id)}

    def add(
        self, who: Principal, item_id: str, checks: Sequence[Check], *, checked_by: CheckedBy = "depositor"
    ) -> list[CheckShown]:
        """Record checks of an item that is there; those that it has already are left out.

        Args:
            who: who deposited the item.
            item_id: of the item.
            checks: what came of them.
            checked_by: `depositor` takes his word for what his machine found; `archive` only where this very process
                made the checks.

        Raises:
            NotFoundError: `unknown_item`.
            DeniedError: `not_allowed`, `not_the_depositor`; both are recorded.
            InvalidInputError: `bad_check`, `too_many_checks`.
            ConflictError: `file_changed`.
        """
        item, _ = self._evidence.find_item(who, item_id)
        self._access.require(who, "item.ingest", item.case_id)
        if item.received_by != who.user_id:
            self._access.record_denial(who.actor, f"item:{item.id}", "checks of another's deposit")
            raise DeniedError("not_the_depositor", "only who deposited the item can say what his machine found")
        good = validated(checks)
        require_same_bytes(good, item.sha256)
        with self._archive.db.write() as session:
            self._archive.custody.lock(session)
            write_checks(session, self._archive.custody, who, item, good, checked_by)
        return self.of(item.id)


def _rows(session: Session, item_id: str) -> list[CollectorCheck]:
    checks = select(CollectorCheck).where(CollectorCheck.item_id == item_id)
    return list(session.exec(checks.order_by(col(CollectorCheck.number))))


def _row(item: Item, number: int, check: Check, checked_by: CheckedBy, now: str) -> CollectorCheck:
    record = CollectorCheckRecord(
        check=str(uuid.uuid4()),
        item=item.id,
        item_sha256=item.sha256,
        number=number,
        kind=check.kind,
        verdict=check.verdict,
        checked_by=checked_by,
        details=check.record,
        created_at=now,
    )
    return CollectorCheck(
        id=record.check,
        item_id=item.id,
        number=number,
        kind=check.kind,
        verdict=check.verdict,
        record=canonical_bytes(record.model_dump(mode="json")).decode(),
        created_at=now,
    )


def _identity(row: CollectorCheck) -> tuple[str, str, str, bytes]:
    """What makes a check the same as another: not when it was recorded."""
    record = json.loads(row.record)
    return row.kind, row.verdict, record["checked_by"], canonical_bytes(record["details"])


def _shown(row: CollectorCheck) -> CheckShown:
    record = json.loads(row.record)
    return CheckShown(
        row.id,
        row.number,
        row.kind,
        cast("Verdict", row.verdict),
        record["checked_by"],
        record["details"],
        row.created_at,
    )
