"""Stored bytes against what was recorded when they came in: every file is read and hashed again."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import BinaryIO

from sqlmodel import Session, col, select

from app.evidence.models import Blob, Derivative, Item
from evidence_store.blobs.base import BlobStore
from evidence_store.digests import DigestComputer
from evidence_store.errors import EvidenceStoreError
from evidence_store.verify.report import Report

CHUNK = 1 << 20


def check_blobs(
    session: Session,
    blobs: BlobStore,
    report: Report,
    *,
    sample: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Re-hash stored files; name what is missing, altered, or known to no row.

    Args:
        session: a read session.
        blobs: the store.
        report: receives findings.
        sample: how many files to hash, chosen at random; None for all. All must exist in any case.
        progress: told (done, of how many).
    """
    # A name that is no text is named as an altered row; there is no file to look for.
    rows = {row.sha256: row for row in session.exec(select(Blob)) if isinstance(row.sha256, str)}
    chosen = set(rows) if sample is None else set(random.SystemRandom().sample(sorted(rows), min(sample, len(rows))))
    owners = _owners(session)
    for done, (sha256, row) in enumerate(sorted(rows.items()), start=1):
        subject = f"blob {sha256}{owners.get(sha256, '')}"
        try:
            _check_blob(blobs, row, subject, report, full=sha256 in chosen)
        except EvidenceStoreError as error:
            if error.code == "blob_missing":
                report.finding("blob_missing", subject, error.detail)
            else:
                report.finding("blob_unreadable", subject, f"{error.code}: {error.detail}")
        if progress is not None:
            progress(done, len(rows))
    for sha256 in blobs.list():
        if sha256 not in rows:
            report.finding("blob_unreferenced", f"blob {sha256}", "no item names it: an upload ended before its record")
    for name in _listed(blobs, "conflicts"):
        report.finding("blob_conflict", f"blob {name}", "a good copy was put aside because the stored one is damaged")
    for name in _listed(blobs, "strays"):
        report.finding("blob_stray", f"blob {name}", "it is no file of the store, or not in its place")


def _listed(blobs: BlobStore, what: str) -> Iterator[str]:
    """Names that only some stores can tell."""
    listed: Callable[[], Iterator[str]] | None = getattr(blobs, what, None)
    return iter(()) if listed is None else listed()


def _check_blob(blobs: BlobStore, row: Blob, subject: str, report: Report, *, full: bool) -> None:
    if not full:
        size = blobs.size(row.sha256)
        report.count("blobs present")
        if size != row.size:
            report.finding("blob_altered", subject, f"has {size} bytes, {row.size} were stored")
        return
    with blobs.open(row.sha256) as stream:
        computer = DigestComputer()
        for chunk in _chunks(stream):
            computer.update(chunk)
    found = computer.result()
    report.count("blobs hashed")
    pairs = (
        ("sha256", found.sha256, row.sha256),
        ("sha512", found.sha512, row.sha512),
        ("crc32", found.crc32, row.crc32),
        ("size", found.size, row.size),
    )
    wrong = [name for name, actual, recorded in pairs if actual != recorded]
    if wrong:
        report.finding("blob_altered", subject, f"differs from what was stored: {', '.join(wrong)}")


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK):
        yield chunk


def _owners(session: Session) -> dict[str, str]:
    owners: dict[str, str] = {}
    for item_id, sha256 in session.exec(select(Derivative.item_id, Derivative.sha256)):
        owners[sha256] = f" (derivative of item {item_id})"
    for item_id, sha256 in session.exec(select(Item.id, Item.sha256).order_by(col(Item.received_at))):
        owners[sha256] = f" (item {item_id})"
    return owners
