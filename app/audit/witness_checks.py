"""Stored co-signatures: each is its witness's, over the checkpoint that is stored; enough of them; none contradicts.

8. A stored co-signature verifies under its witness's key over the stored checkpoint of its size (which invariant 5
   binds to the log); the columns beside the line repeat what the line says.
9. Some checkpoint meets the archive's own policy that is as new as the newest checkpoint older than an hour.
10. No witness has said, unacknowledged, that it saw another history of this log.
11. The policy in force is the one that the log names; none is in force when it names none.

The table of contacts is working state, as the jobs are; what a witness said is an event. Rows are streamed in the
order of sizes; memory does not grow with their number.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, select, type_coerce
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.types import NullType
from sqlmodel import Session

from app.archive import Archive
from app.audit.stored import BATCH, any_text
from app.clock import rfc3339, system_clock
from app.custody.models import CheckpointRow, EventRow
from app.db import table_of
from app.errors import CatenaError
from app.witnessing.models import CosignatureRow
from app.witnessing.policies import Policies
from app.witnessing.rules import QUORUM_SECONDS, key_name
from evidence_store.bundle.events import parse_event
from evidence_store.errors import EvidenceStoreError
from evidence_store.log.cosignature import CosignerKey, add_lines, verify_cosignatures
from evidence_store.log.note import parse_signature_line
from evidence_store.log.policy import Policy, parse_policy
from evidence_store.verify.report import Report
from schemas.records.v1.event import EventType

_POLICY = "witnesses.policy"
_LOOKS, _PAUSE_SECONDS = 3, 0.1
_TIME_BYTES = 8
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)


def check_witnesses(session: Session, archive: Archive, report: Report) -> None:
    """Invariants 8 to 11 under the archive's own policy, and the keys that were in it once."""
    policies = Policies(archive.settings.witness_policy)
    try:
        text = policies.text()
    except CatenaError as error:
        report.finding("witness_policy_malformed", _POLICY, error.detail)
        text = None
    else:
        text = _check_decided(session, archive, policies, text, report)
    check_cosignatures(session, text, report, former=policies.former_keys(), now=archive.clock())


def _check_decided(
    session: Session, archive: Archive, policies: Policies, text: str | None, report: Report
) -> str | None:
    """Invariant 11.

    Returns:
        The policy in force; another than was read first when one was set while the audit runs.
    """
    if _decided(session) == _named(text):
        return text
    for _ in range(_LOOKS):  # it may have been set since the log was read: it is recorded first, and then written
        with suppress(CatenaError, SQLAlchemyError), archive.db.read() as newer, any_text(newer):
            decided, now = _decided(newer), policies.text()
            if decided == _named(now):
                return now
        time.sleep(_PAUSE_SECONDS)
    report.finding("witness_policy_altered", _POLICY, "it is not the one that was set last")
    return text


def _decided(session: Session) -> object:
    """The digest of the policy that was set last; None when none is in force."""
    decided = None
    for canonical in _events(session, "witness policy change"):
        decided = _details(canonical).get("policy_sha256")
    return decided


def _named(text: str | None) -> str | None:
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()


def check_cosignatures(
    session: Session,
    policy_text: str | None,
    report: Report,
    *,
    former: Sequence[CosignerKey] = (),
    now: datetime | None = None,
) -> None:
    """Invariants 8 to 10.

    Args:
        session: a read session.
        policy_text: the archive's own policy; None when it has none.
        report: receives findings.
        former: keys of witnesses that were in the policy once.
        now: the time that ages are judged by; the machine's when not given.
    """
    policy = _policy(policy_text, report)
    keys = {key_name(key): key for key in (*former, *(policy.keys if policy else ()))}
    met = 0
    for size, rows in groupby(_rows(session), key=lambda row: row["size"]):
        signed = [key for row in rows if (key := _check(row, keys, report)) is not None]
        if policy is not None and signed and policy.satisfied(signed):
            met = size
    if policy is not None and not policy.satisfied([]):
        _check_quorum(session, policy, met, now or system_clock(), report)
    for witness, said in sorted(_contradictions(session).items()):
        report.finding("witness_contradicts", f"witness {witness}", said)


def _contradictions(session: Session) -> dict[str, str]:
    """What witnesses said against this log and nobody has acknowledged, as the log tells it; by key name."""
    said: dict[str, str] = {}
    for canonical in _events(session, "witness contradiction"):
        details = _details(canonical)
        witnesses = details.get("witnesses")
        for witness in witnesses if isinstance(witnesses, list) else []:
            said.pop(str(witness), None)
            if details.get("change") != "acknowledgement":
                said[str(witness)] = str(details.get("detail"))
    return said


def _events(session: Session, what: EventType) -> Iterator[object]:
    """Canonical bytes of all events of a type, as stored, oldest first."""
    event = table_of(EventRow)
    wanted = select(_as_stored(event.c.canonical, "canonical")).where(event.c.type == what).order_by(event.c.leaf_index)
    yield from session.connection().execute(wanted, execution_options={"yield_per": BATCH}).scalars()


def _details(canonical: object) -> Mapping[str, object]:
    """Details of an event; none when it cannot be read, which the replay of the log has named."""
    try:
        return parse_event(canonical).details if isinstance(canonical, bytes) else {}
    except EvidenceStoreError:
        return {}


def _policy(text: str | None, report: Report) -> Policy | None:
    if text is None:
        return None
    try:
        return parse_policy(text)
    except EvidenceStoreError as error:
        report.finding("witness_policy_malformed", _POLICY, str(error))
        return None


def _rows(session: Session) -> Iterator[RowMapping]:
    """Co-signatures as stored, with the stored note of their checkpoint, by size."""
    cosignature, checkpoint = table_of(CosignatureRow), table_of(CheckpointRow)
    wanted = [_as_stored(column, column.name) for column in cosignature.columns]
    statement = (
        select(*wanted, _as_stored(checkpoint.c.note, "note"))
        .join_from(cosignature, checkpoint, cosignature.c.size == checkpoint.c.size, isouter=True)
        .order_by(cosignature.c.size, cosignature.c.witness)
    )
    yield from session.connection().execute(statement, execution_options={"yield_per": BATCH}).mappings()


def _as_stored(column: ColumnElement[Any], name: str) -> ColumnElement[Any]:
    return type_coerce(column, NullType()).label(name)


def _check(row: RowMapping, keys: dict[str, CosignerKey], report: Report) -> CosignerKey | None:
    """The key of a co-signature that holds; None when it does not, or cannot be judged."""
    report.count("cosignatures")
    subject = f"cosignature {row['size']} of {row['witness']}"
    if not isinstance(row["note"], bytes):
        report.finding("cosignature_contradicts_log", subject, "no checkpoint of this size is stored")
        return None
    trouble = _misfiled(row)
    key = None if trouble else keys.get(row["witness"])
    if key is not None:
        trouble = _unverified(row, key)
    if trouble is not None:
        report.finding("cosignature_invalid", subject, trouble)
        return None
    if key is None:
        report.finding("cosignature_key_unknown", subject, "the key of its witness is not here")
    return key


def _misfiled(row: RowMapping) -> str | None:
    """What is wrong with the columns, whether the witness's key is known or not."""
    line, received = row["line"], row["received_at"]
    if not isinstance(line, str) or not line.endswith("\n"):
        return "its line is stored as something else than a line of text"
    try:
        name, key_id, body = parse_signature_line(line[:-1])
    except EvidenceStoreError as error:
        return f"{error.code}: {error.detail}"
    if row["witness"] != f"{name}+{key_id:08x}":
        return "its line is not of the witness that it is filed under"
    if type(row["time"]) is not int or row["time"] != int.from_bytes(body[:_TIME_BYTES], "big"):
        return "the time beside it is not the one that it states"
    if not isinstance(received, str) or not _TIME.fullmatch(received):
        return "the time at which it was received is malformed"
    return None


def _unverified(row: RowMapping, key: CosignerKey) -> str | None:
    try:
        verify_cosignatures(add_lines(row["note"], [row["line"]]), [key])
    except EvidenceStoreError as error:
        return f"{error.code}: {error.detail}"
    return None


def _check_quorum(session: Session, policy: Policy, met: int, now: datetime, report: Report) -> None:
    due = _newest_before(session, rfc3339(now - timedelta(seconds=QUORUM_SECONDS)))
    if due is not None and met < due:
        detail = f"quorum {policy.quorum!r} is met up to {met} events only"
        report.finding("witness_quorum_unmet_own", f"checkpoint {due}", detail)


def _newest_before(session: Session, moment: str) -> int | None:
    """Size of the newest checkpoint whose last event is older; None when there is none."""
    checkpoint, event = table_of(CheckpointRow), table_of(EventRow)
    statement = (
        select(checkpoint.c.size)
        .join_from(checkpoint, event, event.c.leaf_index == checkpoint.c.size - 1)
        .where(event.c.time < moment)
        .order_by(checkpoint.c.size.desc())
        .limit(1)
    )
    size = session.connection().execute(statement).scalar_one_or_none()
    return size if type(size) is int else None
