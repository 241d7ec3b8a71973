"""Reads a bundle's ZIP so strictly that every byte of it is accounted for.

Python's own `zipfile` believes the central directory, other readers believe the local headers: a crafted ZIP can show
one content to one reader and another to the next, or carry bytes that no reader shows. A bundle is written in exactly
one way, so here is what must hold (numbers of APPNOTE.TXT sections):

1. The file ends with the end record (4.3.16), without a comment; before it, in ZIP64, locator and ZIP64 record.
2. The central directory ends where the end records begin, and begins where the last file's bytes end.
3. Each local header (4.3.7) is exactly what its central header (4.3.12) says, and the local headers and contents follow
   each other from offset 0 without a gap and without an overlap.
4. Every entry is stored (method 0), not encrypted, without data descriptor, comment or extra field other than ZIP64's.
5. No name twice, not even in other capitals; no name that `layout.path_problem` refuses; `mimetype` comes first.

Nothing is decompressed, so nothing can expand; entries that overlap are not read.
"""

from __future__ import annotations

import stat
import struct
from dataclasses import dataclass
from typing import BinaryIO

from evidence_store.bundle.layout import MAX_FILES, MIMETYPE, path_problem
from evidence_store.verify.report import Report

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sBBHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_END64 = struct.Struct("<4sQHHIIQQQQ")
_LOCATOR = struct.Struct("<4sIQI")
_EXTRA64_LOCAL = struct.Struct("<HHQQ")
_EXTRA64_CENTRAL = struct.Struct("<HHQQQ")
_LOCAL_MAGIC, _CENTRAL_MAGIC, _END_MAGIC = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_END64_MAGIC, _LOCATOR_MAGIC = b"PK\x06\x06", b"PK\x06\x07"
_LOCAL_FIELDS = ("signature", "version", "flags", "method", "time", "date", "crc", "compressed size", "size")
_UTF8_NAMES = 0x0800
_ENCRYPTED = 0x0001
_MAX16 = 0xFFFF
_MAX32 = 0xFFFF_FFFF
_MAX_OFFSET = 1 << 62
_UNIX = 3
_MODE = (stat.S_IFREG | 0o644) << 16
_LONGEST_TAIL = 1 << 20
_MAX_DIRECTORY = MAX_FILES * 512


@dataclass(frozen=True)
class ZipEntry:
    """One file of the ZIP, as its central header describes it.

    Attributes:
        name: path.
        method: 0 is stored.
        flags: general purpose bits.
        crc32: unsigned.
        size: bytes of content.
        offset: of the local header.
        data_offset: of the content.
        local: the bytes that the local header must have.
        moment: DOS time and date.
    """

    name: str
    method: int
    flags: int
    crc32: int
    size: int
    offset: int
    data_offset: int
    local: bytes
    moment: tuple[int, int]

    @property
    def end(self) -> int:
        """Offset of the first byte after the content."""
        return self.data_offset + self.size


@dataclass(frozen=True)
class _Directory:
    """Where the central directory lies and how many entries the end record promises."""

    start: int
    end: int
    entries: int


def read_entries(stream: BinaryIO, report: Report) -> list[ZipEntry] | None:
    """List the files of a ZIP that can be read, and report everything that rules 1 to 5 refuse.

    Args:
        stream: seekable, read only.
        report: takes the findings.

    Returns:
        Readable entries, or None when this is no ZIP at all.
    """
    size = stream.seek(0, 2)
    tail_start = max(0, size - _LONGEST_TAIL)
    tail = _read(stream, tail_start, size - tail_start)
    at = tail.rfind(_END_MAGIC)
    if at < 0 and _read(stream, 0, 4) != _LOCAL_MAGIC:
        return None
    entries: list[ZipEntry] = []
    with report.checking("container"):
        if at < 0 or len(tail) - at < _END.size:
            report.finding("zip_end_missing", "ZIP", "The ZIP is cut off or damaged at its end; no file can be read.")
            return []
        if hidden := len(tail) - at - _END.size:
            report.finding("zip_hidden_bytes", "ZIP", f"{hidden} byte(s) after the end record belong to no file.")
        directory = _find_directory(stream, tail_start + at, report)
        found = _read_directory(stream, directory, report)
        _check_first(found, report)
        readable = _check_layout(stream, found, directory.start, report)
        entries.extend(_check_names(readable, report))
    return entries


def _find_directory(stream: BinaryIO, end_at: int, report: Report) -> _Directory:
    """Rules 1 and 2, the end records."""
    _, disk, directory_disk, here, total, size, start, comment = _END.unpack(_read(stream, end_at, _END.size))
    end = end_at
    faults: list[str] = []
    zip64_at = end_at - _LOCATOR.size - _END64.size
    locator = _read(stream, end_at - _LOCATOR.size, _LOCATOR.size) if zip64_at >= 0 else b""
    if locator[:4] == _LOCATOR_MAGIC or _MAX16 in (disk, here) or _MAX32 in (size, start):
        if {disk, directory_disk, here, total} != {_MAX16} or {size, start} != {_MAX32}:
            faults.append("the end record does not point to the ZIP64 record")
        record = _read(stream, zip64_at, _END64.size) if zip64_at >= 0 else b""
        if locator != _LOCATOR.pack(_LOCATOR_MAGIC, 0, max(zip64_at, 0), 1) or len(record) < _END64.size:
            faults.append("the ZIP64 locator is wrong")
        if len(record) == _END64.size:
            magic, length, made, needed, disk, directory_disk, here, total, size, start = _END64.unpack(record)
            end = zip64_at
            if (magic, length, made, needed) != (_END64_MAGIC, _END64.size - 12, 45, 45):
                faults.append("the ZIP64 record is wrong")
    if (disk, directory_disk, comment) != (0, 0, 0) or here != total:
        faults.append("several disks, a comment, or two numbers of entries")
    if start + size != end:
        faults.append(f"the central directory is said to be {size} bytes at {start}, but ends at {end}")
        # one of the two numbers may still be right
        if _read(stream, start, 4) != _CENTRAL_MAGIC and end - size >= 0:
            start = end - size
    for fault in faults:
        report.finding("zip_end_wrong", "ZIP", f"{fault[0].upper()}{fault[1:]}.")
    return _Directory(min(start, end), end, total)


def _read_directory(stream: BinaryIO, directory: _Directory, report: Report) -> list[ZipEntry]:
    length = directory.end - directory.start
    if length > _MAX_DIRECTORY:
        report.finding("too_many_files", "ZIP", f"The central directory has {length} bytes and was not read.")
        return []
    data = _read(stream, directory.start, length)
    entries: list[ZipEntry] = []
    position = 0
    while position < len(data):
        if data[position : position + 4] != _CENTRAL_MAGIC or len(data) - position < _CENTRAL.size:
            report.finding("zip_directory_damaged", "ZIP", f"No file header after {len(entries)} file(s).")
            break
        if len(entries) >= MAX_FILES:
            report.finding("too_many_files", "ZIP", f"The limit is {MAX_FILES}; the rest was not looked at.")
            break
        entry, position = _central_entry(data, position, report)
        entries.append(entry)
        if position > len(data):
            report.finding("zip_directory_damaged", entry.name, "Its header reaches beyond the central directory.")
    if len(entries) != directory.entries:
        report.finding("zip_end_wrong", "ZIP", f"It promises {directory.entries} files, {len(entries)} are listed.")
    return entries


def _central_entry(data: bytes, position: int, report: Report) -> tuple[ZipEntry, int]:
    """Rule 4, one central header; returns the entry and where the next header begins."""
    header = _CENTRAL.unpack_from(data, position)
    _, made, system, needed, flags, method, time, date, crc, packed, size, name_len, extra_len, comment_len = header[
        :14
    ]
    disk, internal, external, offset = header[14:]
    names = position + _CENTRAL.size
    raw_name = data[names : names + name_len]
    extra = data[names + name_len : names + name_len + extra_len]
    name = raw_name.decode("utf-8", "backslashreplace")
    local_extra, version = b"", 20
    local_sizes = packed, size
    if extra:
        version, local_sizes = 45, (_MAX32, _MAX32)
        if len(extra) == _EXTRA64_CENTRAL.size and (packed, size, offset) == (_MAX32, _MAX32, _MAX32):
            tag, length, size, packed, offset = _EXTRA64_CENTRAL.unpack(extra)
            local_extra = _EXTRA64_LOCAL.pack(1, _EXTRA64_LOCAL.size - 4, size, packed)
        else:
            tag = length = 0
        if (tag, length) != (1, _EXTRA64_CENTRAL.size - 4):
            report.finding("zip_field_wrong", name, "An extra field other than ZIP64 sizes and offset.")
    expected = (version, _UNIX, version, _UTF8_NAMES, 0, 0, 0, _MODE, size)
    if (made, system, needed, flags, comment_len, disk, internal, external, packed) != expected:
        report.finding("zip_field_wrong", name, "Version, flags, comment, attributes or sizes are not a bundle's.")
    local = _LOCAL.pack(
        _LOCAL_MAGIC, version, flags, method, time, date, crc, *local_sizes, len(raw_name), len(local_extra)
    )
    local += raw_name + local_extra
    entry = ZipEntry(name, method, flags, crc, size, offset, offset + len(local), local, (time, date))
    return entry, names + name_len + extra_len + comment_len


def _check_first(entries: list[ZipEntry], report: Report) -> None:
    """Rule 5, mimetype; and one time for all, since the writer gives all the bundle's own."""
    first = min(entries, key=lambda entry: entry.offset, default=None)
    if first is None or first.name != MIMETYPE or entries[0].name != MIMETYPE:
        report.finding("zip_mimetype_not_first", MIMETYPE, "Other tools tell the format by it.")
    for entry in entries:
        if first is not None and entry.moment != first.moment:
            report.finding("zip_field_wrong", entry.name, "Its time is not that of the other files.")


def _check_layout(stream: BinaryIO, entries: list[ZipEntry], end: int, report: Report) -> list[ZipEntry]:
    """Rule 3: local headers and contents, in the order of their offsets."""
    readable: list[ZipEntry] = []
    position = 0
    for entry in sorted(entries, key=lambda entry: entry.offset):
        if entry.offset < position or entry.end > end:
            report.finding("zip_overlap", entry.name, "Its bytes lie in those of another file or beyond the files.")
            continue
        if entry.offset > position:
            hidden = entry.offset - position
            report.finding("zip_hidden_bytes", entry.name, f"{hidden} byte(s) before this file belong to no file.")
        position = entry.end
        actual = _read(stream, entry.offset, len(entry.local))
        if actual != entry.local:
            report.finding("zip_headers_differ", entry.name, f"In its local header: {_difference(entry, actual)}.")
        if entry.flags & _ENCRYPTED or entry.method != 0:
            report.finding("zip_method_refused", entry.name, "It is encrypted or compressed, and was not read.")
            continue
        readable.append(entry)
    if position < end:
        report.finding("zip_hidden_bytes", "ZIP", f"{end - position} byte(s) after the last file belong to no file.")
    return readable


def _difference(entry: ZipEntry, actual: bytes) -> str:
    expected_fields = _LOCAL.unpack_from(entry.local)
    actual_fields = _LOCAL.unpack_from(actual)  # never short: the entry ends before the central directory
    pairs = zip(_LOCAL_FIELDS, expected_fields, actual_fields, strict=False)
    names = [name for name, expected, found in pairs if expected != found]
    return ", ".join(names) or "name or extra field"


def _check_names(entries: list[ZipEntry], report: Report) -> list[ZipEntry]:
    """Rule 5."""
    kept: dict[str, ZipEntry] = {}
    for entry in entries:
        problem = path_problem(entry.name)
        if problem is not None:
            report.finding("unsafe_path", entry.name, problem)
        elif entry.name.casefold() in kept:
            report.finding("zip_duplicate", entry.name, "Only the first of them was read.")
        else:
            kept[entry.name.casefold()] = entry
    return list(kept.values())


def _read(stream: BinaryIO, offset: int, length: int) -> bytes:
    if not 0 <= offset <= _MAX_OFFSET:
        return b""
    stream.seek(offset)
    return stream.read(length)
