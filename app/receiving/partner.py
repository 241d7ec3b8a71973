"""A partner's bundle as the archive reads it, after the offline verifier found no error in it.

Read only what was verified: every path comes from `manifest.json`, whose entries the verifier compared with the files.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from pydantic import ValidationError

from app.assessment.records import REVIEW_ROLE, ROLES
from app.errors import InvalidInputError
from app.verification import store as verifications
from evidence_store.bundle import layout
from evidence_store.bundle.manifest import Manifest, ManifestFile, ManifestItem, read_manifest
from evidence_store.canonical import parse_canonical
from evidence_store.errors import EvidenceStoreError
from evidence_store.verify.report import printable
from schemas.records.v1.source import AS_STORED, SourceContext

CHUNK = 1 << 20
_RECORDS = ("link", "review", "matches", "metadata", "source version", "collector check", "entry", "claim", "matrix")
DOSSIER_ROLES = frozenset(
    {"dossier", "entry", "claim", "matrix", *ROLES.values(), REVIEW_ROLE}
    | {verifications.VERSION_ROLE, verifications.REVIEW_ROLE}
)
"""What is said of incidents: entries and claims, what speaks for and against, matrices of both sides, verifications."""
SAID_ROLES = DOSSIER_ROLES - {"dossier"} | {"link", "review"}
"""What people say, each once."""
MAX_RECORD = 4 << 20
"""Largest record, in bytes, that is shown; the bundle has it in any case."""
MAX_DEPTH = 64
MAX_DOSSIER = 32 << 20
"""Bytes of a dossier that are shown at once."""


class PartnerBundle:
    """One verified bundle, open for reading."""

    def __init__(self, archive: zipfile.ZipFile, manifest: Manifest) -> None:
        """Bind to an open ZIP."""
        self._zip = archive
        self.manifest = manifest
        self._sources: dict[str, SourceContext] = {}

    def original(self, item: ManifestItem) -> Iterator[bytes]:
        """An original's bytes."""
        with self._zip.open(item.path) as stream:
            while chunk := stream.read(CHUNK):
                yield chunk

    def digest_of(self, path: str) -> str:
        """SHA-256 of a file."""
        digest = hashlib.sha256()
        with self._zip.open(path) as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
        return digest.hexdigest()

    def events_of(self, about: str) -> list[dict[str, Any]]:
        """The custody events of an object as the partner recorded them, oldest first."""
        found = []
        with self._zip.open(layout.EVENTS) as stream:
            for line in stream:
                event = json.loads(line)
                if event["object"] == about:
                    found.append(event)
        return found

    def records_of(self, about: str) -> list[dict[str, Any]]:
        """What the partner's records say of an object: role, path and record of each."""
        return [
            {"role": file.role, "path": file.path, "sha256": file.sha256, "record": self._record(file)}
            for file in self.manifest.files
            if file.object == about and file.role in _RECORDS and file.size <= MAX_RECORD
        ]

    def records(self, roles: Collection[str]) -> Iterator[dict[str, Any]]:
        """Every record of some roles, in the order of the manifest; `record` is None where it cannot be read."""
        for file in self.manifest.files:
            if file.role in roles:
                record = self._record(file) if file.size <= MAX_RECORD else None
                yield {
                    "role": file.role,
                    "object": file.object,
                    "path": file.path,
                    "sha256": file.sha256,
                    "size": file.size,
                    "record": record,
                }

    def dossier(self) -> tuple[list[dict[str, Any]], int]:
        """What the partner's people say of incidents, as they wrote it; and how many records were too much to show."""
        shown, size, left = [], 0, 0
        for each in self.records(DOSSIER_ROLES):
            if each["size"] > MAX_RECORD or size + each["size"] > MAX_DOSSIER:
                left += 1
                continue
            size += each.pop("size")
            shown.append(each)
        return shown, left

    def _record(self, file: ManifestFile) -> object:
        """What stands in a file; None where it is no JSON that can be shown: only the partner said that it would be."""
        try:
            record: object = json.loads(self._zip.read(file.path))
            json.dumps(record, ensure_ascii=False, allow_nan=False).encode()  # halves of characters, and no numbers
        except (ValueError, RecursionError):
            return None
        return None if _is_deep(record) else record

    def source_of(self, item: ManifestItem) -> SourceContext:
        """What the partner's collector states of the source, newest version; empty when it is not ours to read."""
        if item.item not in self._sources:
            if not self._sources:
                self._read_sources()
            self._sources.setdefault(item.item, SourceContext())
        return self._sources[item.item]

    def _read_sources(self) -> None:
        """One pass over the events: the first one of each item holds what was stated at its deposit."""
        stated: dict[str, Any] = {}
        numbers: dict[str, int] = {}
        with self._zip.open(layout.EVENTS) as stream:
            for line in stream:
                event = json.loads(line)
                if event["type"] == "ingestion" and event["object"] not in stated:
                    # of an event that the partner withholds, only its place is told
                    stated[event["object"]] = event.get("details", {}).get("source")
        for file in self.manifest.files:
            if file.role == "source version" and file.object:
                number, source = self._source_version(file)
                if number > numbers.get(file.object, 0):
                    numbers[file.object], stated[file.object] = number, source
        for about, source in stated.items():
            self._sources[about.partition(":")[2]] = _readable(source)

    def _source_version(self, file: ManifestFile) -> tuple[int, object]:
        """Number and source of a record. One that cannot be read is not passed over: restrictions may stand in it."""
        try:
            record = json.loads(self._zip.read(file.path) if file.size <= MAX_RECORD else b"")
            return int(record["number"]), record["source"]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise InvalidInputError("bundle_unreadable", f"{printable(file.path)} is no source record") from None


def _is_deep(value: object) -> bool:
    """Whether values lie within values deeper than any record has them, and than programs like to follow."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return bool(level)


def _readable(stated: object) -> SourceContext:
    """A source context of theirs in our terms.

    One that this program cannot read, of a later version or of nobody's, may restrict in words unknown here: then the
    collector is to be consulted, which keeps the item from going on. It stays readable in the bundle in any case.
    """
    try:
        return SourceContext.model_validate(stated or {}, context=AS_STORED)
    except ValidationError:
        return SourceContext(handling=("consult_collector",))


def partner_of(partner: PartnerBundle) -> dict[str, Any]:
    """What a bundle says of itself."""
    manifest = partner.manifest
    return {
        "archive": {"id": manifest.archive.id, "org": manifest.archive.org, "log": manifest.archive.log},
        "bundle_id": manifest.bundle_id,
        "created_at": manifest.created_at,
        "created_by": manifest.created_by.name,
        "purpose": manifest.purpose,
        "checkpoint": {"size": manifest.checkpoint.size, "root": manifest.checkpoint.root},
    }


@contextmanager
def opened(stream: BinaryIO) -> Iterator[PartnerBundle]:
    """Open a bundle that was verified.

    Raises:
        InvalidInputError: `bundle_unreadable`.
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            manifest, problems = read_manifest(parse_canonical(archive.read(layout.MANIFEST)))
            if manifest is None or problems:
                raise InvalidInputError("bundle_unreadable", "its manifest is malformed")
            yield PartnerBundle(archive, manifest)
    except (zipfile.BadZipFile, EvidenceStoreError, KeyError) as error:
        raise InvalidInputError("bundle_unreadable", f"the bundle cannot be read: {type(error).__name__}") from error
