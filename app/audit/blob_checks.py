"""Stored bytes against what was recorded of them: every original, derivative and bundle is read and hashed again.

The list of files is made first (`list_files`), in the snapshot of the database in which the log and the rows are
checked. Hashing goes on beside those checks, and needs no transaction, however long it takes. SHA-256 is what binds a
file to the log; the size comes for nothing, SHA-512 and CRC-32 are compared when all digests are asked for
(docs/adr/0015).
"""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, func, select

from app.archive import Archive
from app.audit.hashing import Hashed, Hasher
from app.audit.kept import Kept
from app.audit.meter import Meter
from app.audit.scratch import Scratch, keepable, key_bytes, key_text
from app.audit.stored import any_text, stored_rows
from app.errors import CatenaError
from app.evidence.models import Blob, Derivative, Item
from app.export.models import ExportPartRow, ExportRow
from evidence_store.blobs.base import BlobStore
from evidence_store.bundle.shapes import is_uuid
from evidence_store.errors import EvidenceStoreError
from evidence_store.verify.report import Finding, Report

BLOB, EXPORT, PART = 0, 1, 2
_NAMES: Final = {BLOB: "blob", EXPORT: "export", PART: "export_part"}
_COLUMNS: Final = "kind, key, sha256, sha512, crc32, size, leaf"
_HASHABLE: Final = f"SELECT {_COLUMNS} FROM file WHERE hashed = 1 ORDER BY kind, key"  # noqa: S608 - our own words


class File(NamedTuple):
    """A file that should be there, as its row says; values have the types that the database holds."""

    kind: int
    key: str
    sha256: Any
    sha512: Any
    crc32: Any
    size: Any
    leaf: int | None

    @property
    def place(self) -> tuple[int, str]:
        """Where it stands in the order of hashing."""
        return self.kind, self.key


def list_files(session: Session, scratch: Scratch, sample: int | None) -> None:
    """Write the list of all files that should be there into the scratch file.

    Args:
        session: a read session; the log and the rows are checked in the same one.
        scratch: takes the list.
        sample: how many stored files are to be hashed, chosen at random; None for all. Bundles are hashed in any case.
    """
    chance = random.SystemRandom()
    rest = session.exec(select(func.count()).select_from(Blob)).one()
    wanted = rest if sample is None else min(sample, rest)
    for row in stored_rows(session, Blob):
        chosen = wanted > 0 and chance.randrange(max(rest, 1)) < wanted  # Knuth, 3.4.2, algorithm S
        wanted, rest = wanted - chosen, rest - 1
        # A name that is no text is named as an altered row; there is no file to look for.
        if isinstance(row["sha256"], str):
            values = (row["sha256"], row["sha512"], row["crc32"], row["size"])
            _list(scratch, BLOB, row["sha256"], values, hashed=chosen)
    for row in stored_rows(session, ExportRow):
        # No id of ours: check_rows names the row, and no path is built from it.
        if row["sha256"] is not None and is_uuid(row["id"]):
            values = (row["sha256"], None, None, row["size"])
            _list(scratch, EXPORT, row["id"], values, hashed=True)
    for row in stored_rows(session, ExportPartRow):
        if row["id"] != row["export_id"] and is_uuid(row["id"]) and isinstance(row["sha256"], str):  # else listed above
            values = (row["sha256"], None, None, row["size"])
            _list(scratch, PART, row["id"], values, hashed=True)


def _list(scratch: Scratch, kind: int, key: str, values: tuple[object, ...], *, hashed: bool) -> None:
    kept = (kind, key_bytes(key), *(keepable(value) for value in values), None, int(hashed))
    scratch.do("REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *kept)


def bind_files(scratch: Scratch) -> None:
    """Add to the list which event wrote each row, once the log was read."""
    for kind, table in _NAMES.items():
        leaf = "SELECT leaf FROM bound WHERE bound.tab = ? AND bound.key = file.key"
        scratch.do(f"UPDATE file SET leaf = ({leaf}) WHERE kind = ?", table, kind)  # noqa: S608 - our own words


class FileChecks:
    """The files' part of one audit."""

    def __init__(self, archive: Archive, scratch: Scratch, kept: Kept, report: Report, meter: Meter) -> None:
        """Bind to an audit.

        Args:
            archive: whose files.
            scratch: holds the list.
            kept: what earlier runs have hashed; its last step is this run's.
            report: receives findings.
            meter: told of every file.
        """
        self._archive = archive
        self._scratch = scratch
        self._kept = kept
        self._report = report
        self._meter = meter
        self._known: set[tuple[str, str]] = set()
        self._hasher: Hasher[File]

    @contextmanager
    def hashing(self, workers: int, *, all_digests: bool) -> Iterator[None]:
        """Threads that hash what no earlier run has hashed, beside whatever is done meanwhile, until `judge_all`."""
        hasher = Hasher(self._open, workers, self._meter, all_digests=all_digests)
        try:
            with self._report.checking("files"):
                hasher.begin(self._to_hash(covered=False))
                self._hasher = hasher
            yield
        finally:
            hasher.close()

    def judge_all(self) -> None:
        """Compare the digests of each file with its row, as they come; to be called while `hashing`."""
        # Not sooner: only `Kept.take_over` tells which findings of earlier runs stand in this report.
        self._known = {(finding.code, finding.subject) for finding in self._kept.findings}
        done = size_done = 0
        query = "SELECT count(*), total(CASE typeof(size) WHEN 'integer' THEN size END) FROM file WHERE hashed = 1"
        number, size = self._scratch.one(query) or (0, 0)
        for file in self._to_hash(covered=True):
            done, size_done = done + 1, size_done + (file.size if type(file.size) is int else 0)
        self._meter.begin("files", number, done=done, bytes_total=int(size), bytes_done=size_done)
        for file, found in self._hasher.each():
            if file.kind == BLOB:
                self._judge_blob(file, found)
            else:
                self._judge_export(file, found)
            step = self._kept.steps[-1]
            step.kind, step.key, step.files = file.kind, file.key, step.files + 1
            step.bytes += found.size if isinstance(found, Hashed) else 0
            step.until = self._archive.custody.now()
            self._meter.tick()
        self._meter.end()

    def look_at_rest(self) -> None:
        """Whether those that are not hashed are there at least, and have the right size."""
        for values in self._scratch.each(f"SELECT {_COLUMNS} FROM file WHERE hashed = 0 ORDER BY kind, key"):  # noqa: S608
            file = _file(values)
            try:
                size = self._archive.blobs.size(file.key)
            except EvidenceStoreError as error:
                self._blob_unread(file, error)
                continue
            self._report.count("blobs present")
            if size != file.size:
                self._find("blob_altered", self._subject(file), f"has {size} bytes, {file.size} were stored")

    def look_for_others(self) -> None:
        """Name what lies in the store and is known to no row."""
        blobs = self._archive.blobs
        self._meter.begin("other files")
        for sha256 in blobs.list():
            self._meter.tick()
            query = "SELECT 1 FROM file WHERE kind = ? AND key = ?"
            if self._scratch.one(query, BLOB, key_bytes(sha256)) is None and not self._recorded_since(sha256):
                detail = "no item names it: an upload ended before its record"
                self._report.finding("blob_unreferenced", f"blob {sha256}", detail)
        for name in _listed(blobs, "conflicts"):
            detail = "a good copy was put aside because the stored one is damaged"
            self._report.finding("blob_conflict", f"blob {name}", detail)
        for name in _listed(blobs, "strays"):
            self._report.finding("blob_stray", f"blob {name}", "it is no file of the store, or not in its place")

    def _to_hash(self, *, covered: bool) -> Iterator[File]:
        earlier = Kept(self._kept.steps[:-1])
        if covered and not earlier.steps:
            return
        for values in self._scratch.each(_HASHABLE):
            file = _file(values)
            if earlier.covers(file.place, file.leaf) == covered:
                yield file

    def _open(self, file: File) -> BinaryIO:
        if file.kind == BLOB:
            return self._archive.blobs.open(file.key)
        return _open_plain(self._archive.settings.exports / f"{file.key}.zip")

    def _judge_blob(self, file: File, found: Hashed | EvidenceStoreError) -> None:
        if isinstance(found, EvidenceStoreError):
            self._blob_unread(file, found)
            return
        self._count("blobs hashed")
        pairs = [("sha256", found.sha256, file.sha256), ("size", found.size, file.size)]
        if found.sha512 is not None:
            pairs[1:1] = [("sha512", found.sha512, file.sha512), ("crc32", found.crc32, file.crc32)]
        wrong = [name for name, actual, recorded in pairs if actual != recorded]
        if wrong:
            self._find("blob_altered", self._subject(file), f"differs from what was stored: {', '.join(wrong)}")

    def _blob_unread(self, file: File, error: EvidenceStoreError) -> None:
        if error.code == "blob_missing":
            self._find("blob_missing", self._subject(file), error.detail)
        else:
            self._find("blob_unreadable", self._subject(file), f"{error.code}: {error.detail}")

    def _judge_export(self, file: File, found: Hashed | EvidenceStoreError) -> None:
        subject = f"export {file.key}"
        if isinstance(found, Hashed):
            self._count("exports")
            if found.sha256 != file.sha256:
                self._find("export_altered", subject, "its bundle is not the one that was signed")
            elif found.sha512 is not None and self._sha512_told(file) not in {None, found.sha512}:
                self._find("output_differs", subject, "its event names another SHA-512 of its bundle")
        elif found.code == "blob_missing":
            self._find("export_absent", subject, found.detail)
        else:
            self._find("check_not_run", subject, f"its bundle cannot be read: {found.code}: {found.detail}")

    def _sha512_told(self, file: File) -> str | None:
        """The SHA-512 that the newest event gives a file of this SHA-256; None when none names it by both."""
        query = "SELECT sha512 FROM output WHERE sha256 = ? ORDER BY leaf DESC LIMIT 1"
        found = self._scratch.one(query, keepable(file.sha256))
        return None if found is None else str(found[0])

    def _find(self, code: str, subject: str, detail: str) -> None:
        """A finding that a resumed audit takes over."""
        if (code, subject) in self._known:
            return  # an earlier run has named it
        if self._report.full(code):
            self._kept.left_out[code] = self._kept.left_out.get(code, 0) + 1
        else:
            self._kept.findings.append(Finding(code, "", subject, detail))
        self._report.finding(code, subject, detail)

    def _count(self, name: str) -> None:
        self._report.count(name)
        self._kept.counts[name] = self._kept.counts.get(name, 0) + 1

    def _subject(self, file: File) -> str:
        return f"blob {file.key}{self._owner(file.key)}"

    def _owner(self, sha256: str) -> str:
        """Whose file it is, for a reader of the report; looked up only when there is something to tell."""
        try:
            with self._archive.db.read() as session, any_text(session):
                newest = select(Item.id).where(Item.sha256 == sha256).order_by(col(Item.received_at).desc())
                item = session.exec(newest).first()
                if item is not None:
                    return f" (item {item})"
                made = session.exec(select(Derivative.item_id).where(Derivative.sha256 == sha256)).first()
                return "" if made is None else f" (derivative of item {made})"
        except (CatenaError, SQLAlchemyError, ValueError):
            return ""  # the finding matters more than the name of its owner

    def _recorded_since(self, sha256: str) -> bool:
        """Whether its row was written after the list of files was made."""
        with self._archive.db.read() as session:
            return session.exec(select(Blob.sha256).where(Blob.sha256 == sha256)).first() is not None


def _file(values: tuple[Any, ...]) -> File:
    kind, key, *rest = values
    return File(kind, key_text(key), *rest)


def _open_plain(path: Path) -> BinaryIO:
    """Open a file; whatever else has its name is refused, and a planted pipe is not waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise EvidenceStoreError("blob_missing", "its bundle is no longer in the export folder") from None
    except OSError as error:
        raise EvidenceStoreError("storage_failed", f"it cannot be opened: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise EvidenceStoreError("blob_irregular", "what has its name is no plain file")
    return os.fdopen(descriptor, "rb")


def _listed(blobs: BlobStore, what: str) -> Iterator[str]:
    """Names that only some stores can tell."""
    listed: Callable[[], Iterator[str]] | None = getattr(blobs, what, None)
    return iter(()) if listed is None else listed()
