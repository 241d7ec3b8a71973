"""Reading the files of a collection, which may have been made to deceive: names that lead out, links, endless JSON."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NoReturn

from app.errors import InvalidInputError
from app.intake.collections.entries import Problem

MAX_FILES = 200_000
MAX_TEXT = 64 << 20
"""Largest manifest, page or database of a collector, bytes."""

MAX_VALUES = 2_000_000
_CHUNK = 1 << 20
_ALGORITHMS = {"sha256": hashlib.sha256, "sha512": hashlib.sha512, "sha3_512": hashlib.sha3_512, "md5": hashlib.md5}


def refuse(code: str, detail: str) -> NoReturn:
    """Raise the coded error of a collection that cannot be read.

    Raises:
        InvalidInputError: always.
    """
    raise InvalidInputError(code, detail)


def shown(name: str) -> str:
    """A name from outside, fit for one line of a message."""
    cut = name if len(name) <= 100 else f"{name[:100]}..."  # noqa: PLR2004 - as much as a person reads
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in cut)


def inside(folder: Path, name: str) -> Path:
    """A plain file in a folder, by its relative name with `/` between the parts.

    Raises:
        InvalidInputError: `outside_collection` (absolute, `..`, a backslash, or a symbolic link on the way),
            `file_missing`, `not_a_file`.
    """
    parts = name.removeprefix("./").split("/")
    hostile = "\\" in name or any(unicodedata.category(c) in {"Cc", "Cs"} for c in name)
    if hostile or any(part in {"", ".", ".."} for part in parts):
        refuse("outside_collection", f"{shown(name)!r} does not name a file inside the collection's folder")
    path = folder
    for part in parts:
        path /= part
        try:
            mode = path.lstat().st_mode
        except OSError:
            refuse("file_missing", f"{shown(name)!r} is not there")
        if stat.S_ISLNK(mode):
            refuse("outside_collection", f"{shown(name)!r} leads over a symbolic link")
    if not stat.S_ISREG(mode):
        refuse("not_a_file", f"{shown(name)!r} is no plain file")
    return path


def walk(folder: Path, problems: list[Problem]) -> Iterator[Path]:
    """Every plain file below a folder, in a stable order; what is no plain file goes to the problems.

    Raises:
        InvalidInputError: `not_a_folder`, `too_many_files`, `unreadable`.
    """

    def stop(error: OSError) -> None:
        refuse("unreadable", f"{shown(str(error.filename))}: {error.strerror}")

    if folder.is_symlink() or not folder.is_dir():
        refuse("not_a_folder", f"{shown(str(folder))} is no folder")
    count = 0
    for parent, folders, names in os.walk(folder, onerror=stop):
        folders.sort()
        linked = [name for name in folders if Path(parent, name).is_symlink()]
        for name in sorted([*names, *linked]):
            path = Path(parent, name)
            mode = path.lstat().st_mode
            where = str(path.relative_to(folder))
            if stat.S_ISREG(mode):
                count += 1
                if count > MAX_FILES:
                    refuse("too_many_files", f"a collection may have {MAX_FILES} files")
                yield path
            elif stat.S_ISLNK(mode):
                problems.append(Problem(where, "symbolic_link", "a symbolic link is not followed"))
            else:
                problems.append(Problem(where, "not_a_file", "it is no plain file"))


def read_bounded(path: Path, limit: int = MAX_TEXT) -> bytes:
    """A small file whole.

    Raises:
        InvalidInputError: `collection_file_too_large`, `unreadable`.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        refuse("unreadable", f"{shown(path.name)}: {error.strerror}")
    if len(data) > limit:
        refuse("collection_file_too_large", f"{shown(path.name)} has more than {limit} bytes")
    return data


def decoded(data: bytes, name: str) -> str:
    """UTF-8 text with or without a byte order mark, or UTF-16 with one.

    Raises:
        InvalidInputError: `bad_encoding`, saying where.
    """
    encoding = "utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        refuse("bad_encoding", f"{shown(name)} is not UTF-8: byte {error.start} does not fit")


def parse_json(text: str, name: str) -> object:
    """A JSON text without repeated keys, without numbers that are none, and not too deep.

    Raises:
        InvalidInputError: `bad_json`.
    """
    values = 0

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        nonlocal values
        values += len(pairs)
        record = dict(pairs)
        if len(record) != len(pairs):
            raise ValueError("a key stands twice in one object")
        if values > MAX_VALUES:
            raise ValueError("too many values")
        return record

    def no_number(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is no JSON")

    try:
        parsed: object = json.loads(text, object_pairs_hook=unique, parse_constant=no_number)
    except RecursionError:
        refuse("bad_json", f"{shown(name)} nests too deep")
    except ValueError as error:
        refuse("bad_json", f"{shown(name)}: {shown(str(error))}")
    return parsed


def digests(path: Path, algorithms: Iterable[str]) -> dict[str, str]:
    """Digests of a file, lowercase hex, in one pass.

    Args:
        path: the file.
        algorithms: of `sha256`, `sha512`, `sha3_512`, `md5`.

    Raises:
        InvalidInputError: `unreadable`.
    """
    running = {name: _ALGORITHMS[name](usedforsecurity=False) for name in algorithms}
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                for each in running.values():
                    each.update(chunk)
    except OSError as error:
        refuse("unreadable", f"{shown(path.name)}: {error.strerror}")
    return {name: each.hexdigest() for name, each in running.items()}


def text_of(record: object, *keys: str) -> str | None:
    """The first of some keys of an object that holds text with something in it."""
    if not isinstance(record, dict):
        return None
    for key in keys:
        value = record.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return None
