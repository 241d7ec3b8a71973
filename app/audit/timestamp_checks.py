"""Time stamps: does each token hold over the very bytes it should be over, and is each there that should be?

1. A stamp that is done has a token, over the checkpoint or seal as it is here, by the authority it is filed under,
   whose roots are known and as the log says (authority_checks); the time in its row is the token's.
2. One that is not done is told; so is one that nobody asked for although an authority was there, and an authority that
   was asked for no checkpoint of late (app.audit.stamp_age).
3. No event that a checkpoint covers, and no receipt, claims to be younger than a token over it: else the archive's
   clock runs ahead of the authority's.

Rows of time stamps are not bound to the log: a token proves itself. Who writes to the database can delete a row; the
oldest stamp that is left then gives the time.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from sqlalchemy import RowMapping, and_, exists, literal, select
from sqlmodel import Session

from app.archive import Archive
from app.audit.authority_checks import check_authorities
from app.audit.stamp_age import check_recent
from app.audit.stored import as_stored, stored_rows, streamed
from app.clock import later
from app.custody.models import CheckpointRow, EventRow
from app.db import table_of
from app.errors import CatenaError
from app.evidence.models import Receipt
from app.patterns.models import FrozenRelease
from app.timestamps.authorities import Authorities, Authority
from app.timestamps.models import TimestampRow
from app.timestamps.rules import DONE, FAILED, PENDING
from evidence_store.bundle import layout
from evidence_store.bundle.shapes import is_uuid
from evidence_store.errors import EvidenceStoreError
from evidence_store.seal import seal_imprint
from evidence_store.timestamps.request import token_of_response
from evidence_store.timestamps.token import TimestampToken, verify_token
from evidence_store.verify.report import Report

TOLERANCE = timedelta(seconds=60)
"""A difference of clocks that is not worth a warning."""
GRACE_SECONDS = 300.0
"""What was made so shortly after an authority was added may have been made without knowing of it."""

_BATCH = 500
_MAX_SEAL = 1 << 20
_TEXTS = ("subject", "tsa", "imprint", "state")


@dataclass(frozen=True, slots=True)
class _Stamped:
    """What a stamp should be over.

    Attributes:
        imprint: SHA-256; None when the bytes are not here any more.
        claimed: the youngest time that the archive claims for anything in it.
    """

    imprint: bytes | None
    claimed: object = None


def check_timestamps(session: Session, archive: Archive, authorities: Authorities, report: Report) -> None:
    """Check the authorities against the log, every time stamp, and that none is missing."""
    rows = stored_rows(session, TimestampRow, "id")
    while batch := list(islice(rows, _BATCH)):
        stamped = _stamped(session, archive, [row["subject"] for row in batch if isinstance(row["subject"], str)])
        for row in batch:
            report.count("time stamps")
            _check(row, stamped, authorities, report)
    for authority in check_authorities(archive, authorities, report):
        _check_missing(session, archive, authority, report)


# -- each stamp -------------------------------------------------------------------------------


def _check(row: RowMapping, stamped: dict[str, _Stamped], authorities: Authorities, report: Report) -> None:
    if not all(isinstance(row[name], str) for name in _TEXTS):
        report.finding("timestamp_invalid", f"time stamp {row['id']}", "its row holds something else than text")
        return
    subject = f"{row['subject']} by {row['tsa']}"
    over = stamped.get(row["subject"])
    if over is None:
        report.finding("timestamp_invalid", subject, "what it is over is not here")
    elif over.imprint is not None and over.imprint.hex() != row["imprint"]:
        report.finding("timestamp_invalid", subject, "it was asked for over other bytes than are here")
    elif row["state"] == PENDING:
        report.finding("timestamp_pending", subject, _trouble(row) or "it was asked for and is not here yet")
    elif row["state"] == FAILED:
        report.finding("timestamp_failed", subject, _trouble(row) or "no reason was kept")
    elif row["state"] == DONE:
        _check_done(row, subject, over, authorities, report)
    else:
        report.finding("timestamp_invalid", subject, "its row is in no known state")


def _check_done(row: RowMapping, subject: str, over: _Stamped, authorities: Authorities, report: Report) -> None:
    try:
        trust = authorities.trust(row["tsa"])
        if trust is None:
            report.finding("timestamp_authority_unknown", subject, "the roots of this authority are not here")
            return
        imprint = over.imprint if over.imprint is not None else bytes.fromhex(row["imprint"])
        der = token_of_response(row["response"] if isinstance(row["response"], bytes) else b"")
        token = verify_token(der, imprint, "sha256", trust.roots, trust.intermediates)
    except (CatenaError, EvidenceStoreError) as error:
        report.finding("timestamp_invalid", subject, f"{error.code}: {error.detail}")
        return
    except ValueError:
        report.finding("timestamp_invalid", subject, "its imprint is not hexadecimal")
        return
    if _moment(row["gen_time"]) != token.gen_time:
        report.finding("timestamp_invalid", subject, "its row gives another time than its token")
    _check_clock(subject, over, token, report)


def _check_clock(subject: str, over: _Stamped, token: TimestampToken, report: Report) -> None:
    """Invariant 3."""
    claimed = _moment(over.claimed)
    allowed = TOLERANCE + (token.accuracy or timedelta())
    if claimed is not None and claimed > token.gen_time + allowed:
        ahead = int((claimed - token.gen_time).total_seconds())
        report.finding("clock_ahead", subject, f"an event under it claims to be {ahead} s younger than the time stamp")


def _trouble(row: RowMapping) -> str | None:
    return row["last_error"] if isinstance(row["last_error"], str) else None


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


# -- what they are over -----------------------------------------------------------------------


def _stamped(session: Session, archive: Archive, subjects: Sequence[str]) -> dict[str, _Stamped]:
    """What each of these subjects is, as far as it is here."""
    named: dict[str, list[str]] = {}
    for subject in subjects:
        kind, _, name = subject.partition(":")
        named.setdefault(kind, []).append(name)
    found = dict(_checkpoints(session, named.get("checkpoint", ())))
    found.update(_receipts(session, named.get("receipt", ())))
    found.update(_releases(session, named.get("release", ())))
    for kind, seal_of in (("bundle", _bundle_seal), ("audit", _audit_seal)):
        for name in named.get(kind, ()):
            if is_uuid(name):  # no path is built from anything else
                found[f"{kind}:{name}"] = _Stamped(_imprint(seal_of(archive, name)))
    return found


def _checkpoints(session: Session, names: Sequence[str]) -> Iterator[tuple[str, _Stamped]]:
    sizes = [int(name) for name in names if name.isascii() and name.isdigit() and len(name) <= 18]  # noqa: PLR2004
    event = table_of(EventRow)
    last = select(event.c.leaf_index, event.c.time).where(event.c.leaf_index.in_([size - 1 for size in sizes]))
    times = {row["leaf_index"]: row["time"] for row in streamed(session, last)}
    table = table_of(CheckpointRow)
    for row in streamed(session, select(*as_stored(CheckpointRow)).where(table.c.size.in_(sizes))):
        if isinstance(row["note"], bytes):
            imprint = hashlib.sha256(row["note"]).digest()
            yield f"checkpoint:{row['size']}", _Stamped(imprint, times.get(row["size"] - 1))


def _imprint(seal: object) -> bytes | None:
    """What the stamps of a seal are over; None for a seal that is gone or damaged, which other checks name."""
    try:
        return seal_imprint(seal) if isinstance(seal, bytes) else None
    except EvidenceStoreError:
        return None


def _receipts(session: Session, names: Sequence[str]) -> Iterator[tuple[str, _Stamped]]:
    table = table_of(Receipt)
    for row in streamed(session, select(*as_stored(Receipt)).where(table.c.item_id.in_(names))):
        yield f"receipt:{row['item_id']}", _Stamped(_imprint(row["seal"]), row["created_at"])


def _releases(session: Session, names: Sequence[str]) -> Iterator[tuple[str, _Stamped]]:
    table = table_of(FrozenRelease)
    for row in streamed(session, select(*as_stored(FrozenRelease)).where(table.c.id.in_(names))):
        yield f"release:{row['id']}", _Stamped(_imprint(row["seal"]), row["created_at"])


def _bundle_seal(archive: Archive, name: str) -> bytes | None:
    try:
        with zipfile.ZipFile(archive.settings.exports / f"{name}.zip") as bundle, bundle.open(layout.SEAL) as seal:
            return seal.read(_MAX_SEAL)
    except (OSError, KeyError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError):
        return None


def _audit_seal(archive: Archive, name: str) -> bytes | None:
    try:
        return (archive.settings.audits / f"{name}.p7s").read_bytes()
    except OSError:
        return None


# -- what is not there ------------------------------------------------------------------------


def _check_missing(session: Session, archive: Archive, authority: Authority, report: Report) -> None:
    """Every receipt since the authority was added was asked for, and some checkpoint was."""
    added = _moment(authority.added_at)
    if added is None:
        return  # nobody knows since when
    stamp, receipt = table_of(TimestampRow), table_of(Receipt)
    since = later(added, GRACE_SECONDS)
    if archive.settings.timestamp_receipts:
        there = and_(stamp.c.subject == literal("receipt:").concat(receipt.c.item_id), stamp.c.tsa == authority.name)
        never = select(receipt.c.item_id).where(receipt.c.created_at > since, ~exists().where(there))
        for row in streamed(session, never):
            detail = f"{authority.name} was never asked to stamp its receipt"
            report.finding("timestamp_missing", f"item {row['item_id']}", detail)
    some = select(stamp.c.id).where(stamp.c.tsa == authority.name, stamp.c.subject.like("checkpoint:%")).limit(1)
    if archive.custody.now() > since and session.connection().execute(some).first() is None:
        detail = "it was never asked to stamp a checkpoint; does a server or worker run?"
        report.finding("timestamp_missing", f"time-stamping authority {authority.name}", detail)
    check_recent(session, archive, authority.name, since, report)
