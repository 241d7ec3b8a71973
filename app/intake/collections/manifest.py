"""Manifests of bulk collections: a CSV file with a header row, a JSON array, or JSON Lines.

A row says of one file what the collector knows of its source. A manifest is taken whole or not at all: a row that
cannot be read refuses it, by number and column, before anything is deposited.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from app.errors import InvalidInputError
from app.intake.collections.entries import Check, Collection, Entry, LeftOut, Problem
from app.intake.collections.files import decoded, digests, inside, parse_json, read_bounded, refuse, shown, walk
from app.intake.statements import parse_source, source_faults
from schemas.records.v1.source import SourceContext

MAX_ROWS: Final = 100_000
FILE: Final = "file"
SUMS: Final = {"sha256": 64, "sha512": 128, "md5": 32}
"""Columns of digests the collector made, and how many hex digits they have."""

OWN_PREFIX: Final = "x_"
"""Columns that begin so are the collector's own: they are allowed, and not recorded."""

_SEPARATOR = re.compile(r"[,;|\s]+")
_DELIMITERS = (",", ";", "\t")
_SHOWN_ERRORS = 20
Row = Mapping[str, object]


def read_manifest(manifest: Path, folder: Path | None = None) -> Collection:
    """Read a manifest and check the digests in it.

    Args:
        manifest: `.csv`, `.tsv`, `.json`, `.jsonl` or `.ndjson`.
        folder: where its files are; None for the manifest's own folder.

    Returns:
        An entry for each row, in their order; files of the folder that no row names are left out, and listed. A digest
        that does not fit is a failed check, no error.

    Raises:
        InvalidInputError: `bad_manifest` naming row and column of each error, `bad_encoding`, `bad_json`,
            `unknown_column`, `manifest_kind_unknown`, `collection_file_too_large`, `unreadable`.
    """
    text = decoded(read_bounded(manifest), manifest.name)
    kind = manifest.suffix.lower()
    if kind in {".csv", ".tsv"}:
        rows = _csv_rows(text, "\t" if kind == ".tsv" else None)
    elif kind in {".json", ".jsonl", ".ndjson"}:
        rows = _json_rows(text, manifest.name, lines=kind != ".json")
    else:
        refuse("manifest_kind_unknown", "a manifest's name ends in .csv, .tsv, .json, .jsonl or .ndjson")
    place = folder or manifest.parent
    entries = tuple(_entries(rows, place))
    known = {
        path.relative_to(place) for path in (*(one.path for one in entries), manifest) if path.is_relative_to(place)
    }
    return Collection(entries, left_out=tuple(_left_out(place, known)))


def _left_out(folder: Path, known: set[Path]) -> Iterator[LeftOut]:
    """What lies in the folder and is named by no row."""
    problems: list[Problem] = []
    try:
        for path in walk(folder, problems):
            if path.relative_to(folder) not in known:
                yield LeftOut(path, "not_in_manifest", "no row of the manifest names it")
    except InvalidInputError as error:
        yield LeftOut(folder, error.code, f"what the manifest does not name is not listed further: {error.detail}")
    for one in problems:
        yield LeftOut(folder / one.where, "not_in_manifest", f"no row of the manifest names it, and {one.detail}")


def _entries(rows: Iterator[tuple[int, Row]], folder: Path) -> list[Entry]:
    errors: list[str] = []
    planned: list[tuple[Path, SourceContext, dict[str, str]]] = []
    seen: dict[Path, int] = {}
    for count, (number, row) in enumerate(rows, start=1):
        if count > MAX_ROWS:
            refuse("bad_manifest", f"a manifest may have {MAX_ROWS} rows")
        faults: list[str] = []
        path = _file(row, folder, faults)
        source, stated = _said(row, faults)
        if path in seen:
            faults.append(f"{FILE}: {shown(path.name)!r} stands in row {seen[path]} already")
        errors += [f"row {number}, {fault}" for fault in faults]
        if path is not None:
            seen.setdefault(path, number)
            planned.append((path, source, stated))
    if errors:
        more = f"; and {len(errors) - _SHOWN_ERRORS} more" if len(errors) > _SHOWN_ERRORS else ""
        refuse("bad_manifest", "; ".join(errors[:_SHOWN_ERRORS]) + more)
    if not planned:
        refuse("bad_manifest", "it names no file")
    return [Entry(path, path.name, source, checked(path, stated)) for path, source, stated in planned]


def _file(row: Row, folder: Path, faults: list[str]) -> Path | None:
    """The file of a row; faults begin with the column's name, as those of `_said` do."""
    name = row.get(FILE)
    if not isinstance(name, str) or not name:
        faults.append(f"{FILE}: is missing")
        return None
    try:
        return inside(folder, name)
    except InvalidInputError as error:
        faults.append(f"{FILE}: {error.detail}")
        return None


def _said(row: Row, faults: list[str]) -> tuple[SourceContext, dict[str, str]]:
    """What a row says of its file's source, and its digests; both empty where there are faults."""
    stated: dict[str, str] = {}
    said: dict[str, object] = {}
    for column, value in row.items():
        if column == FILE or column.startswith(OWN_PREFIX) or value is None or value == "":
            continue
        if column in SUMS:
            stated[column] = value.strip().lower() if isinstance(value, str) else ""
            if not re.fullmatch(rf"[0-9a-f]{{{SUMS[column]}}}", stated[column], re.ASCII):
                faults.append(f"{column}: is not {SUMS[column]} hex digits")
        elif column == "handling" and isinstance(value, str):
            said[column] = [term for term in _SEPARATOR.split(value) if term]
        elif isinstance(value, str | list):
            said[column] = value
        else:
            faults.append(f"{column}: is no text")
    faults += source_faults(said)
    return (SourceContext(), {}) if faults else (parse_source(said), stated)


def checked(path: Path, stated: Mapping[str, str]) -> tuple[Check, ...]:
    """What comes of comparing digests that the collector states with the file."""
    if not stated:
        return ()
    found = digests(path, {"sha256", *stated})
    checks = []
    for algorithm, digest in stated.items():
        record = {"sha256": found["sha256"], "algorithm": algorithm, "stated": digest, "computed": found[algorithm]}
        if found[algorithm] == digest:
            checks.append(Check(f"manifest_{algorithm}", "passed", {**record}))
        else:
            reason = f"the file's {algorithm} is not the one that the manifest states"
            checks.append(Check(f"manifest_{algorithm}", "failed", {**record, "reason": reason}))
    return tuple(checks)


def _known(columns: Sequence[str], where: str) -> None:
    """Refuse columns that nobody would look at.

    Raises:
        InvalidInputError: `unknown_column`, `bad_manifest`.
    """
    allowed = {FILE, *SUMS, *SourceContext.model_fields}
    unknown = [column for column in columns if column not in allowed and not column.startswith(OWN_PREFIX)]
    if unknown:
        names = ", ".join(repr(shown(column)) for column in unknown[:_SHOWN_ERRORS])
        refuse(
            "unknown_column", f"{where}: {names}; known are {', '.join(sorted(allowed))}, and names after {OWN_PREFIX}"
        )
    if len(set(columns)) != len(columns):
        refuse("bad_manifest", f"{where}: a column stands there twice")


# -- CSV ------------------------------------------------------------------------------------------


def _csv_rows(text: str, delimiter: str | None) -> Iterator[tuple[int, Row]]:
    """Rows by their number in the file's table, the header being row 1.

    Raises:
        InvalidInputError: `bad_manifest`, `unknown_column`.
    """
    chosen = delimiter or _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=chosen, strict=True)
    number = 0
    try:
        header = [column.strip().lower() for column in next(reader, [])]
        if FILE not in header:
            refuse("bad_manifest", f"row 1: there is no column {FILE!r}")
        _known(header, "row 1")
        number = 1
        for number, cells in enumerate(reader, start=2):
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                refuse("bad_manifest", f"row {number}: {len(cells)} cells, and the header has {len(header)}")
            yield number, {column: cell.strip() for column, cell in zip(header, cells, strict=True)}
    except csv.Error as error:
        refuse("bad_manifest", f"row {number + 1}: {shown(str(error))}")


def _delimiter(text: str) -> str:
    """What separates the names of the header row: whichever finds the column of files, and most columns."""
    first = text[: 1 << 16]
    best, most = ",", -1
    for candidate in _DELIMITERS:
        try:
            header = next(csv.reader(io.StringIO(first, newline=""), delimiter=candidate), [])
        except csv.Error:
            continue
        if FILE in {column.strip().lower() for column in header} and len(header) > most:
            best, most = candidate, len(header)
    return best


# -- JSON -----------------------------------------------------------------------------------------


def _json_rows(text: str, name: str, *, lines: bool) -> Iterator[tuple[int, Row]]:
    """Objects by number, the first being row 1.

    Raises:
        InvalidInputError: `bad_json`, `bad_manifest`, `unknown_column`.
    """
    for number, value in _json_values(text, name, lines=lines):
        if not isinstance(value, dict):
            refuse("bad_manifest", f"row {number}: is no object")
        _known(list(value), f"row {number}")
        yield number, value


def _json_values(text: str, name: str, *, lines: bool) -> Iterator[tuple[int, object]]:
    if lines:
        for number, line in enumerate(io.StringIO(text), start=1):
            if line.strip():
                yield number, parse_json(line, f"{name}, line {number}")
        return
    array = parse_json(text, name)
    if not isinstance(array, list):
        refuse("bad_manifest", "a JSON manifest is an array of objects")
    yield from enumerate(array, start=1)
