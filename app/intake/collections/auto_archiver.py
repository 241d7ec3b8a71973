"""Folders that auto-archiver filled: media, pages, JSON, hashes, time-stamp tokens; `db.csv` where it is there.

Which file is which medium is told in auto_archiver_files. A file that no record names is taken all the same, and said
to be unnamed.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from app.errors import InvalidInputError
from app.intake.collections.auto_archiver_files import Folder, claimed, claimed_and_told
from app.intake.collections.auto_archiver_page import MAX_PAGE, parse_page
from app.intake.collections.auto_archiver_records import Medium, Record, is_record, parse_values, record_of
from app.intake.collections.entries import MAX_CHECKS, Check, Collection, Entry, Problem, Sidecar
from app.intake.collections.files import MAX_TEXT, decoded, parse_json, read_bounded, refuse, shown, walk
from app.intake.collections.merging import Merging
from app.intake.collections.opentimestamps import checked_ots
from app.intake.collections.tokens import checked_token
from app.intake.statements import parse_source
from schemas.records.v1.source import MAX_CAPTION, MAX_NOTE, SourceContext

PAGE: Final = "_final_media"
_HASHES, _TOKENS, _OTS = "timestamped_hashes", "timestamp_authority_files", "opentimestamp_files"
_SHARED = {PAGE: "page", "metadata_json": "json", _HASHES: "timestamp", "ssl_certificate": "certificate"}
_KINDS = {_TOKENS: "timestamp", _OTS: "timestamp", "cert_chain": "certificate"}
_DATABASE = {"status", "metadata", "media"}


def read_auto_archiver(folder: Path, roots: Sequence[x509.Certificate] = ()) -> Collection:
    """Read a folder, and check its hashes, time stamps and proofs.

    Args:
        folder: what auto-archiver's local storage filled, or a copy of another storage.
        roots: certificates of time-stamping authorities that are trusted.

    Returns:
        Every file of the folder, as a medium, beside one, or by itself; what is no plain file is in the problems.

    Raises:
        InvalidInputError: `not_auto_archiver` when no record of it is found, and those of `walk` and `digests`.
    """
    here = Folder(folder)
    here.files = {path.relative_to(folder).as_posix(): path for path in walk(folder, here.problems)}
    records = _records(here)
    if not records:
        refuse("not_auto_archiver", "there is no page, JSON or CSV of auto-archiver in it")
    made = Merging(here.problems)
    for record in records:
        for entry in _entries(here, record, roots):
            made.add(entry)
    for record in records:  # what a record names beside a medium that is not there
        for entry in _orphans(here, record, roots, made.held()):
            made.add(entry)
    held = made.held()
    rest = [_unnamed(here, path) for path in here.files.values() if path not in held]
    return Collection((*made.entries(bounded), *rest), tuple(here.problems))


def _records(here: Folder) -> list[Record]:
    """Records of the database, then of pages that are in none, then of JSON that is in neither; their files claimed."""
    records: list[Record] = []
    for path in [path for name, path in here.files.items() if name.lower().endswith(".csv")]:
        records += _database(here, path)
    for suffix, label in ((".html", PAGE), (".json", "metadata_json")):
        spoken = set(claimed(here, records).values())
        for path in [path for name, path in here.files.items() if name.lower().endswith(suffix)]:
            if path not in spoken and (single := _told(here, path)) is not None:
                single.media.append(Medium(label, [path.relative_to(here.root).as_posix()]))
                records.append(single)
    here.claims = claimed_and_told(here, records)
    for record in records:
        _add_page(here, record)
        _add_json(here, record)
    return records


def _told(here: Folder, path: Path) -> Record | None:
    """The record that a page or JSON is; each file is read once for itself."""
    if path not in here.told:
        here.told[path] = _page(here, path) if path.suffix.lower() == ".html" else _json(here, path)
    return here.told[path]


def _add_page(here: Folder, record: Record) -> None:
    """The version, which only the page states."""
    for medium in record.labelled(PAGE):
        if (path := here.path_of(medium)) is not None and (page := _told(here, path)) is not None:
            record.version = page.version


def _add_json(here: Folder, record: Record) -> None:
    """The texts as they were before a page was made of them."""
    for medium in record.labelled("metadata_json"):
        path = here.path_of(medium)
        told = _told(here, path) if path is not None else None
        if told is not None and told.metadata.get("url") in {None, record.metadata.get("url")}:
            record.metadata |= told.metadata


# -- forms ----------------------------------------------------------------------------------------


def _page(here: Folder, path: Path) -> Record | None:
    if path.stat().st_size > MAX_PAGE:
        return None
    text = read_bounded(path, MAX_PAGE).decode("utf-8", "replace")
    return parse_page(text, path.relative_to(here.root).as_posix())


def _json(here: Folder, path: Path) -> Record | None:
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


def _database(here: Folder, path: Path) -> Iterator[Record]:
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
            here.databases.add(path)
            yield record_of(f"{name}, row {number}", value)
    except (csv.Error, InvalidInputError) as error:
        detail = error.detail if isinstance(error, InvalidInputError) else str(error)
        here.problems.append(Problem(f"{name}, after row {number}", "record_unreadable", shown(detail)))


# -- entries --------------------------------------------------------------------------------------


def _entries(here: Folder, record: Record, roots: Sequence[x509.Certificate]) -> Iterator[Entry]:
    shared = [
        Sidecar(path, _SHARED[top.label] if medium is top else _KINDS.get(medium.label, "derived"))
        for top in record.media
        if top.label in _SHARED
        for medium in top.all()
        if (path := here.path_of(medium)) is not None
    ]
    source = here.sources[id(record)] = _source(here, record)
    media = [(each, path) for each in record.media if each.label not in _SHARED and (path := here.path_of(each))]
    for medium, path in media:
        inner = [
            Sidecar(beside, _KINDS.get(each.label, "derived"))
            for each in list(medium.all())[1:]
            if (beside := here.path_of(each)) is not None
        ]
        checks = tuple(_checks(here, record, medium, path, roots))
        yield Entry(path, path.name, source, checks, (*inner, *shared))
    if not media and shared:  # an address of which only the page was kept
        page = next((each for each in shared if each.kind == "page"), shared[0])
        reason = "auto-archiver states no hash of its own page, and no medium was kept of this address"
        told = {"sha256": here.digests(page.path)["sha256"], "record": shown(record.where), "reason": reason}
        yield Entry(
            page.path, page.path.name, source, (Check("auto_archiver_hash", "not_checked", {**told}),), tuple(shared)
        )


def _orphans(here: Folder, record: Record, roots: Sequence[x509.Certificate], held: set[Path]) -> Iterator[Entry]:
    """Files that the record names inside a medium that is not there: each is kept by itself."""
    for medium in [each for top in record.media for each in top.all()]:
        path = here.path_of(medium)
        if path is not None and path not in held:
            checks = tuple(_checks(here, record, medium, path, roots))
            yield Entry(path, path.name, here.sources[id(record)], checks)


def _checks(
    here: Folder, record: Record, medium: Medium, path: Path, roots: Sequence[x509.Certificate]
) -> Iterable[Check]:
    sums = here.digests(path)
    told = {"sha256": sums["sha256"], "record": shown(record.where), "found_by": here.claims[id(medium)].found_by}
    if medium.algorithm is None or medium.digest is None:
        yield Check("auto_archiver_hash", "not_checked", {**told, "reason": "auto-archiver states no hash of it"})
    else:
        told |= {
            "algorithm": medium.algorithm,
            "stated": medium.digest,
            "computed": sums[medium.algorithm],
        }
        if medium.digest == sums[medium.algorithm]:
            yield Check("auto_archiver_hash", "passed", {**told})
        else:
            reason = "the file's hash is not the one that auto-archiver states"
            yield Check("auto_archiver_hash", "failed", {**told, "reason": reason})
    for inner in medium.inner:
        if inner.label == _OTS and (proof := here.path_of(inner)) is not None:
            yield checked_ots(sums["sha256"], proof)
    for listed in record.labelled(_HASHES):
        hashes = here.path_of(listed)
        for token in listed.inner:
            if token.label == _TOKENS and hashes is not None and (file := here.path_of(token)) is not None:
                yield checked_token(sums, medium.digest, hashes, file, roots)


def bounded(checks: list[Check]) -> tuple[Check, ...]:
    """As many checks as a deposit takes; none that failed gives way to one that did not."""
    if len(checks) <= MAX_CHECKS:
        return tuple(checks)
    kept = sorted(checks, key=lambda check: check.verdict != "failed")[: MAX_CHECKS - 1]
    reason = f"{len(checks) - len(kept)} further checks are not recorded: a deposit takes {MAX_CHECKS}"
    return (*kept, Check("auto_archiver_further", "not_checked", {"reason": reason}))


def _unnamed(here: Folder, path: Path) -> Entry:
    reason = "no record of auto-archiver names this file"
    if path in here.databases:
        reason = "it holds auto-archiver's records, and none of them states its hash"
    check = Check("auto_archiver_hash", "not_checked", {"sha256": here.digests(path)["sha256"], "reason": reason})
    return Entry(path, path.name, SourceContext(), (check,))


def _source(here: Folder, record: Record) -> SourceContext:
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
