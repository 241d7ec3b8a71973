"""Facts of a Matroska or WebM file that its elements state (RFC 9559, EBML RFC 8794)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, Final

from app.analysis.probes.readings import MAX_TEXT, Remark, clean

MAX_ELEMENTS, MAX_DEPTH = 20_000, 8
_EPOCH = datetime(2001, 1, 1, tzinfo=UTC)
_MAX_BODY = 64 * 1024
_HEADER, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
_INFO, _TRACKS, _TAGS, _ATTACHMENTS, _CHAPTERS = 0x1549A966, 0x1654AE6B, 0x1254C367, 0x1941A469, 0x1043A770
_TOP: Final = {0x114D9B74, _INFO, _TRACKS, _TAGS, _ATTACHMENTS, _CHAPTERS, 0x1C53BB6B, _CLUSTER, _HEADER, _SEGMENT}
_NESTING: Final = {_HEADER, _SEGMENT, _INFO, _TRACKS, _TAGS, _ATTACHMENTS, 0xAE, 0x7373, 0x67C8, 0x61A7}
_TRACK, _TAG, _SIMPLE, _FILE = 0xAE, 0x7373, 0x67C8, 0x61A7
_TEXTS: Final = {
    0x4282: "DocType", 0x7BA9: "Title", 0x4D80: "MuxingApp", 0x5741: "WritingApp", 0x7384: "SegmentFilename",
}  # fmt: skip
_TRACK_FIELDS: Final = {0x86: "codec", 0x536E: "name", 0x22B59C: "language", 0x258688: "codec name"}
_DATE, _UID, _TAG_NAME, _TAG_TEXT, _TRACK_NUMBER = 0x4461, 0x73A4, 0x45A3, 0x4487, 0xD7
_SCALE, _DURATION, _FILE_NAME, _FILE_TYPE = 0x2AD7B1, 0x4489, 0x466E, 0x4660
_LEAVES: Final = {
    *_TEXTS, *_TRACK_FIELDS, _DATE, _UID, _TAG_NAME, _TAG_TEXT, _TRACK_NUMBER, _SCALE, _DURATION, _FILE_NAME,
    _FILE_TYPE,
}  # fmt: skip
_UNKNOWN = -1
_MAX_TAGS = 200


@dataclass
class MatroskaFacts:
    """What the elements state.

    Attributes:
        texts: "DocType", "Title", "MuxingApp", "WritingApp", "SegmentUID" (hex).
        created: DateUTC; `date_raw` its nanoseconds since 2001.
        tags: by name, the first of each.
        tracks: number of each track, then its fields.
        attachments: names and media types.
        trailing: bytes after the segment.
    """

    texts: dict[str, str] = field(default_factory=dict)
    created: datetime | None = None
    date_raw: int | None = None
    duration_s: float | None = None
    tags: dict[str, str] = field(default_factory=dict)
    tracks: list[dict[str, str]] = field(default_factory=list)
    attachments: list[str] = field(default_factory=list)
    clusters: int = 0
    trailing: int = 0
    elements: int = 0
    remarks: list[Remark] = field(default_factory=list)
    scale: int = 1_000_000
    ticks: float | None = None
    pending: str | None = None


def read_matroska(stream: BinaryIO, size: int) -> MatroskaFacts:
    """Read the elements of a file of `size` bytes; clusters are stepped over."""
    facts = MatroskaFacts()
    end = _walk(stream, 0, size, 0, facts)
    facts.trailing = max(0, size - end)
    if facts.ticks is not None and 0 < facts.ticks * facts.scale < 1e18:  # noqa: PLR2004 (thirty years)
        facts.duration_s = round(facts.ticks * facts.scale / 1e9, 6)
    if facts.trailing:
        facts.remarks.append(Remark("trailing_data", f"{facts.trailing} bytes after the last element are no element"))
    if facts.elements >= MAX_ELEMENTS:
        facts.remarks.append(Remark("structure_too_large", "the file holds more elements than are read"))
    if facts.attachments:
        text = f"the file carries attachments that were not read: {', '.join(facts.attachments[:8])}"
        facts.remarks.append(Remark("metadata_unread", text))
    return facts


def _number(stream: BinaryIO, *, keep_marker: bool) -> tuple[int, int]:
    """A variable-length number (RFC 8794 section 4): value and width; width 0 where there is none."""
    first = stream.read(1)
    if not first or not first[0]:
        return 0, 0
    width = 9 - first[0].bit_length()
    data = first + stream.read(width - 1)
    if len(data) < width:
        return 0, 0
    value = int.from_bytes(data, "big")
    bare = value & ((1 << 7 * width) - 1)
    if keep_marker:
        return value, width
    return (_UNKNOWN if bare == (1 << 7 * width) - 1 else bare), width


def _walk(stream: BinaryIO, at: int, end: int, depth: int, facts: MatroskaFacts) -> int:
    """Walk elements; returns where they ended."""
    while at < end and facts.elements < MAX_ELEMENTS:
        stream.seek(at)
        code, first = _number(stream, keep_marker=True)
        length, second = _number(stream, keep_marker=False)
        if not first or not second or first > 4 or (depth == 0 and code not in _TOP and code != 0xEC):  # noqa: PLR2004 (EBML Void)
            break
        facts.elements += 1
        body = at + first + second
        if length == _UNKNOWN and code == _CLUSTER:
            facts.clusters += 1
            at = body  # a live recording: its blocks follow as if they were the segment's own
            continue
        stop = end if length == _UNKNOWN else body + length
        if stop > end:
            stop = end
            if depth <= 1:
                text = "the file ends inside an element; consistent with a file cut off while recorded or copied"
                facts.remarks.append(Remark("truncated", text))
        _enter(stream, code, (body, stop), depth, facts)
        at = stop
    return at


def _enter(stream: BinaryIO, code: int, span: tuple[int, int], depth: int, facts: MatroskaFacts) -> None:
    if code == _CLUSTER:
        facts.clusters += 1
    elif code in _NESTING and depth < MAX_DEPTH:
        if code == _TRACK:
            facts.tracks.append({})
        elif code == _SIMPLE:
            facts.pending = None
        elif code == _FILE:
            facts.attachments.append("")
        _walk(stream, *span, depth + 1, facts)
    elif code in _LEAVES:
        stream.seek(span[0])
        _take(code, stream.read(min(span[1] - span[0], _MAX_BODY)), facts)


def _take(code: int, body: bytes, facts: MatroskaFacts) -> None:
    if code in _TEXTS:
        facts.texts.setdefault(_TEXTS[code], _text(body))
    elif code in _TRACK_FIELDS and facts.tracks:
        facts.tracks[-1][_TRACK_FIELDS[code]] = _text(body)
    elif code == _TAG_NAME:
        facts.pending = _text(body)
    elif code == _TAG_TEXT and facts.pending and len(facts.tags) < _MAX_TAGS:
        facts.tags.setdefault(facts.pending, _text(body))
    elif code in {_FILE_NAME, _FILE_TYPE} and facts.attachments:
        facts.attachments[-1] = f"{facts.attachments[-1]} {_text(body)}".strip()[:MAX_TEXT]
    elif code == _UID:
        facts.texts.setdefault("SegmentUID", body[:16].hex())
    elif 0 < len(body) <= 8:  # noqa: PLR2004 (of a number)
        _take_number(code, body, facts)


def _take_number(code: int, body: bytes, facts: MatroskaFacts) -> None:
    if code == _TRACK_NUMBER and facts.tracks:
        facts.tracks[-1]["number"] = str(int.from_bytes(body, "big"))
    elif code == _DATE and len(body) == 8:  # noqa: PLR2004 (of a date)
        _date(int.from_bytes(body, "big", signed=True), facts)
    elif code == _SCALE:
        facts.scale = int.from_bytes(body, "big") or facts.scale
    elif code == _DURATION and len(body) in {4, 8}:
        facts.ticks = struct.unpack(">f" if len(body) == 4 else ">d", body)[0]  # noqa: PLR2004 (a single)


def _date(nanoseconds: int, facts: MatroskaFacts) -> None:
    facts.date_raw = nanoseconds
    facts.created = _EPOCH + timedelta(microseconds=nanoseconds // 1000)


def _text(body: bytes) -> str:
    return clean(body[:MAX_TEXT].split(b"\0", 1)[0]).strip()
