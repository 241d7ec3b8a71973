"""Unzipping what strangers packed: bounded, and never outside the folder it goes to.

Refused before a byte is written: names that lead out, names that stand twice, links, locked entries, more entries or
bytes than are allowed, and archives that grow beyond all measure (media hardly shrink when they are packed).
"""

from __future__ import annotations

import stat
import struct
import unicodedata
import zipfile
import zlib
from pathlib import Path
from typing import Final

from app.intake.collections.files import refuse, shown

MAX_ENTRIES: Final = 20_000
MAX_BYTES: Final = 256 << 30
MAX_DEPTH: Final = 16
MAX_GROWTH: Final = 20
FREE_GROWTH: Final = 64 << 20
"""Bytes that an archive may hold whatever its own size."""

_CHUNK = 1 << 20
_MAX_NAME = 255
_LOCKED = 0x1
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


def unzip(path: Path, folder: Path) -> None:
    """Unzip into an empty folder.

    Raises:
        InvalidInputError: `bad_zip` (also for bytes that do not fit their checksum), `zip_bomb`, `outside_collection`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = _entries(archive, path.stat().st_size)
            for entry, parts in entries:
                _write(archive, entry, folder.joinpath(*parts))
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, ValueError) as error:
        refuse("bad_zip", f"{shown(path.name)}: {shown(str(error))}")


def _entries(archive: zipfile.ZipFile, packed: int) -> list[tuple[zipfile.ZipInfo, tuple[str, ...]]]:
    infos = archive.infolist()
    if len(infos) > MAX_ENTRIES:
        refuse("zip_bomb", f"it holds {len(infos)} entries; {MAX_ENTRIES} are allowed")
    total = sum(info.file_size for info in infos)
    if total > min(MAX_BYTES, packed * MAX_GROWTH + FREE_GROWTH):
        refuse("zip_bomb", f"its {packed} bytes claim to hold {total}")
    seen: set[str] = set()
    plain = []
    for info in infos:
        parts = _parts(info)
        known = unicodedata.normalize("NFC", "/".join(parts)).casefold()
        if known in seen:
            refuse("bad_zip", f"the name {shown(info.filename)!r} stands in it twice")
        seen.add(known)
        if not info.is_dir():
            plain.append((info, parts))
    return plain


def _parts(info: zipfile.ZipInfo) -> tuple[str, ...]:
    name = info.orig_filename
    parts = tuple(name.rstrip("/").split("/"))
    unsafe = "\\" in name or any(unicodedata.category(c) in {"Cc", "Cs"} for c in name) or len(parts) > MAX_DEPTH
    if unsafe or any(part in {"", ".", ".."} or len(part.encode()) > _MAX_NAME for part in parts):
        refuse("outside_collection", f"the name {shown(name)!r} in it leads out of the bundle, or nowhere")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        refuse("outside_collection", f"{shown(name)!r} in it is a link or device")
    if info.flag_bits & _LOCKED:
        refuse("bad_zip", f"{shown(name)!r} in it is locked with a password")
    if info.compress_type not in _METHODS:
        refuse("bad_zip", f"{shown(name)!r} in it is packed in a way that is not read here")
    return parts


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        left = entry.file_size
        with archive.open(entry) as packed, target.open("xb") as unpacked:
            while chunk := packed.read(_CHUNK):
                left -= len(chunk)
                if left < 0:
                    refuse("zip_bomb", f"{shown(entry.filename)!r} holds more than it claims")
                unpacked.write(chunk)
    except (FileExistsError, NotADirectoryError):
        refuse("bad_zip", f"{shown(entry.filename)!r} is both a file and a folder")
