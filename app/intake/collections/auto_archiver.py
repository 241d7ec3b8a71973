"""Folders that auto-archiver filled: media, pages, JSON, hashes, time-stamp tokens; `db.csv` where it is there.

Which file is which medium is told by its storage key, and where no key is known (the JSON is written before the
storage names its files) by its hash. A file that no record names is taken all the same, and said to be unnamed.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

from cryptography import x509

from app.errors import InvalidInputError
from app.intake.collections.auto_archiver_page import MAX_PAGE, parse_page
from app.intake.collections.auto_archiver_records import Medium, Record, is_record, parse_values, record_of
from app.intake.collections.entries import Check, Collection, Entry, Problem, Sidecar
from app.intake.collections.files import MAX_TEXT, decoded, digests, parse_json, read_bounded, refuse, shown, walk
from app.intake.collections.opentimestamps import checked_ots
from app.intake.collections.tokens import checked_token
from app.intake.statements import parse_source
from schemas.records.v1.source import MAX_CAPTION, MAX_NOTE, SourceContext

PAGE: Final = "_final_media"
_HASHES, _TOKENS, _OTS = "timestamped_hashes", "timestamp_authority_files", "opentimestamp_files"
_SHARED = {PAGE: "page", "metadata_json": "json", _HASHES: "timestamp", "ssl_certificate": "certificate"}
_KINDS = {_TOKENS: "timestamp", _OTS: "timestamp", "cert_chain": "certificate"}
_DATABASE = {"status", "metadata", "media"}
_BOTH = ("sha256", "sha3_512")


@dataclass
class _Folder:
    """The files of a folder, and which of them are spoken for."""

    root: Path
    problems: list[Problem] = field(default_factory=list)
    files: dict[str, Path] = field(default_factory=dict)
    taken: dict[int, Path] = field(default_factory=dict)  # by identity of the medium
    sums: dict[Path, dict[str, str]] = field(default_factory=dict)
    by_digest: dict[tuple[str, str], Path] | None = None

    def digests(self, path: Path) -> dict[str, str]:
        if path not in self.sums:
            self.sums[path] = digests(path, _BOTH)
        return self.sums[path]

    def by_key(self, medium: Medium) -> Path | None:
        """The file whose place in the folder is the end of a key or address, the longest such end."""
        for key in medium.keys:
            parts = PurePosixPath(unquote(urlsplit(key).path) if "://" in key else key).parts
            for start in range(len(parts)):
                if (found := self.files.get("/".join(parts[start:]))) is not None:
                    return found
        return None

    def by_hash(self, medium: Medium) -> Path | None:
        if medium.algorithm is None or medium.digest is None:
            return None
        if self.by_digest is None:
            self.by_digest = {}
            for path in self.files.values():
                for algorithm, digest in self.digests(path).items():
                    self.by_digest.setdefault((algorithm, digest), path)
        return self.by_digest.get((medium.algorithm, medium.digest))


def read_auto_archiver(folder: Path, roots: Sequence[x509.Certificate] = ()) -> Collection:
    """Read a folder, and check its hashes, time stamps and proofs.

    Args:
        folder: what auto-archiver's local storage filled, or a copy of another storage.
        roots: certificates of time-stamping authorities that are trusted.

    Raises:
        InvalidInputError: `not_auto_archiver` when no record of it is found, and those of `walk` and `digests`.
    """
    here = _Folder(folder)
    here.files = {path.relative_to(folder).as_posix(): path for path in walk(folder, here.problems)}
    spoken: set[Path] = set()
    records = list(_records(here, spoken))
    if not records:
        refuse("not_auto_archiver", "there is no page, JSON or CSV of auto-archiver in it")
    entries: list[Entry] = []
    for record in records:
        entries += _entries(here, record, roots)
    once: dict[Path, Entry] = {}
    for entry in entries:
        first = once.setdefault(entry.path, entry)
        if first is not entry and first.source != entry.source:
            detail = f"two records name it; what the other says of its source is not taken: {entry.source.url or '-'}"
            here.problems.append(Problem(entry.name, "named_twice", shown(detail)))
    rest = [path for path in here.files.values() if path not in spoken]
    return Collection((*once.values(), *(_unnamed(here, path) for path in rest)), tuple(here.problems))


def _records(here: _Folder, spoken: set[Path]) -> Iterator[Record]:
    """Records of the database, then of pages that are in none, then of JSON that is in neither."""
    for path in [path for name, path in here.files.items() if name.lower().endswith(".csv")]:
        for record in _database(here, path):
            spoken.add(path)
            _claim(here, record, spoken)
            _add_page(here, record)
            yield record
    for suffix, read in ((".html", _page), (".json", _json)):
        for path in [path for name, path in here.files.items() if name.lower().endswith(suffix)]:
            if path in spoken:
                continue
            if (single := read(here, path)) is not None:
                single.media.append(_self(path, here, PAGE if suffix == ".html" else "metadata_json"))
                _claim(here, single, spoken)
                _add_json(here, single)
                yield single


def _self(path: Path, here: _Folder, label: str) -> Medium:
    return Medium(label, [path.relative_to(here.root).as_posix()])


def _claim(here: _Folder, record: Record, spoken: set[Path]) -> None:
    """Find the file of each medium of a record."""
    for top in record.media:
        for medium in top.all():
            path = here.by_key(medium) or here.by_hash(medium)
            if path is not None:
                here.taken[id(medium)] = path
                spoken.add(path)
            elif medium.keys or medium.digest:
                where = medium.keys[0] if medium.keys else str(medium.digest)
                detail = f"{record.where} names it, and it is not in the folder"
                here.problems.append(Problem(shown(where), "file_missing", detail))


def _add_page(here: _Folder, record: Record) -> None:
    """The version, which only the page states."""
    for medium in record.labelled(PAGE):
        if (path := here.taken.get(id(medium))) is not None and (page := _page(here, path)) is not None:
            record.version = page.version


def _add_json(here: _Folder, record: Record) -> None:
    """The texts as they were before a page was made of them."""
    for medium in record.labelled("metadata_json"):
        path = here.taken.get(id(medium))
        told = _json(here, path) if path is not None else None
        if told is not None and told.metadata.get("url") in {None, record.metadata.get("url")}:
            record.metadata |= told.metadata


# -- forms ----------------------------------------------------------------------------------------


def _page(here: _Folder, path: Path) -> Record | None:
    if path.stat().st_size > MAX_PAGE:
        return None
    text = read_bounded(path, MAX_PAGE).decode("utf-8", "replace")
    return parse_page(text, path.relative_to(here.root).as_posix())


def _json(here: _Folder, path: Path) -> Record | None:
    if path.stat().st_size > MAX_TEXT:
        return None
    data = read_bounded(path)
    if b'"media"' not in data:
        return None
    name = path.relative_to(here.root).as_posix()
    try:
        value = parse_json(decoded(data, name), name)
    except InvalidInputError as error:
        here.problems.append(Problem(name, "record_unreadable", error.detail))
        return None
    return record_of(name, value) if is_record(value) and isinstance(value, dict) else None


def _database(here: _Folder, path: Path) -> Iterator[Record]:
    """Rows of `csv_db`."""
    name = path.relative_to(here.root).as_posix()
    number = 1
    try:
        rows = csv.DictReader(io.StringIO(decoded(read_bounded(path), name), newline=""))
        if not _DATABASE.issubset(rows.fieldnames or ()):
            return
        for number, row in enumerate(rows, start=2):
            try:
                value = {"status": row["status"]} | {key: parse_values(row[key] or "") for key in ("metadata", "media")}
            except InvalidInputError as error:
                here.problems.append(Problem(f"{name}, row {number}", "record_unreadable", error.detail))
                continue
            yield record_of(f"{name}, row {number}", value)
    except (csv.Error, InvalidInputError) as error:
        detail = error.detail if isinstance(error, InvalidInputError) else str(error)
        here.problems.append(Problem(f"{name}, after row {number}", "record_unreadable", shown(detail)))


# -- entries --------------------------------------------------------------------------------------


def _entries(here: _Folder, record: Record, roots: Sequence[x509.Certificate]) -> Iterator[Entry]:
    shared = [
        Sidecar(path, _SHARED[top.label] if medium is top else _KINDS.get(medium.label, "derived"))
        for top in record.media
        if top.label in _SHARED
        for medium in top.all()
        if (path := here.taken.get(id(medium))) is not None
    ]
    source = _source(here, record)
    media = [medium for medium in record.media if medium.label not in _SHARED and id(medium) in here.taken]
    for medium in media:
        path = here.taken[id(medium)]
        inner = [
            Sidecar(here.taken[id(each)], _KINDS.get(each.label, "derived"))
            for each in list(medium.all())[1:]
            if id(each) in here.taken
        ]
        checks = tuple(_checks(here, record, medium, path, roots))
        sidecars = tuple(dict.fromkeys(each for each in (*inner, *shared) if each.path != path))
        yield Entry(path, path.name, source, checks, sidecars)
    if not media and shared:  # an address of which only the page was kept
        page = next((each for each in shared if each.kind == "page"), shared[0])
        reason = "auto-archiver states no hash of its own page, and no medium was kept of this address"
        told = {"sha256": here.digests(page.path)["sha256"], "record": record.where, "reason": reason}
        others = tuple(dict.fromkeys(each for each in shared if each.path != page.path))
        yield Entry(page.path, page.path.name, source, (Check("auto_archiver_hash", "not_checked", {**told}),), others)


def _checks(
    here: _Folder, record: Record, medium: Medium, path: Path, roots: Sequence[x509.Certificate]
) -> Iterable[Check]:
    sums = here.digests(path)
    told = {"sha256": sums["sha256"], "record": record.where}
    if medium.algorithm is None or medium.digest is None:
        yield Check("auto_archiver_hash", "not_checked", {**told, "reason": "auto-archiver states no hash of it"})
    else:
        told |= {
            "algorithm": medium.algorithm,
            "stated": medium.digest,
            "computed": sums[medium.algorithm],
            "found_by": "name" if here.by_key(medium) == path else "hash",
        }
        if medium.digest == sums[medium.algorithm]:
            yield Check("auto_archiver_hash", "passed", {**told})
        else:
            reason = "the file's hash is not the one that auto-archiver states"
            yield Check("auto_archiver_hash", "failed", {**told, "reason": reason})
    for inner in medium.inner:
        if inner.label == _OTS and (proof := here.taken.get(id(inner))) is not None:
            yield checked_ots(sums["sha256"], proof)
    for listed in record.labelled(_HASHES):
        hashes = here.taken.get(id(listed))
        for token in listed.inner:
            if token.label == _TOKENS and hashes is not None and (file := here.taken.get(id(token))) is not None:
                yield checked_token(sums, medium.digest, hashes, file, roots)


def _unnamed(here: _Folder, path: Path) -> Entry:
    reason = "no record of auto-archiver names this file"
    check = Check("auto_archiver_hash", "not_checked", {"sha256": here.digests(path)["sha256"], "reason": reason})
    return Entry(path, path.name, SourceContext(), (check,))


def _source(here: _Folder, record: Record) -> SourceContext:
    """What a record states. A time without an offset is left out: which zone it is of, nobody says."""
    told = record.metadata
    notes = [f"{key} (auto-archiver): {told[key]}" for key in ("title", "status") if told.get(key)]
    said: dict[str, object] = {"tool": "auto-archiver", "url": told.get("url"), "tool_version": record.version}
    caption = (told.get("content") or "").strip()
    if len(caption) > MAX_CAPTION:
        notes.append(f"content (auto-archiver): {len(caption)} characters, too long to be stated here; see its record")
    elif caption:
        said["caption"] = caption
    for field_name, key in (("posted_at", "timestamp"), ("collected_at", "_processed_at")):
        said[field_name] = _time(told.get(key))
    if notes:
        said["note"] = "\n".join(notes)[:MAX_NOTE]
    good: dict[str, object] = {}
    for field_name, value in said.items():
        if value is None:
            continue
        try:
            parse_source({field_name: value})
        except InvalidInputError as error:
            here.problems.append(Problem(record.where, "statement_unreadable", error.detail))
            continue
        good[field_name] = value
    return parse_source(good)


def _time(text: str | None) -> str | None:
    """ISO 8601 with `T`, when it states an offset."""
    try:
        moment = datetime.fromisoformat((text or "").strip())
    except ValueError:
        return None
    return moment.isoformat() if moment.tzinfo is not None else None
