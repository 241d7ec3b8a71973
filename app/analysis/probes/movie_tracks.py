"""Facts of each track of a movie: clocks, handler, sample entry, edits, time code (ISO/IEC 14496-12 clause 8, QTFF)."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

from app.analysis.probes.boxes import Box, BoxWalk, read_body
from app.analysis.probes.readings import Remark, clean, unreadable, unusable
from app.analysis.probes.timecode import Timecode

EPOCH = datetime(1904, 1, 1, tzinfo=UTC)
FIRST_DIGITAL_YEAR = 1990
MAX_TRACKS, MAX_EDITS, _MAX_ENTRIES = 64, 64, 8
_MATRIX_OFFSET = {0: 40, 1: 52}
_UNKNOWN_DURATION = {0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF}


@dataclass(frozen=True)
class Clock:
    """Creation and modification of one header, as the standard reads them (UTC); None where zero or before 1990."""

    created: datetime | None = None
    modified: datetime | None = None


@dataclass(frozen=True)
class Edit:
    """One entry of an edit list: seconds of the presentation, second in the media; `start_s` is None for a pause."""

    duration_s: float
    start_s: float | None
    rate: float


@dataclass
class MovieTrack:
    """What the boxes of one track state.

    Attributes:
        id: number of the track in the file (`track_ID`).
        header, media: clocks of `tkhd` and `mdhd`.
        handler: code of the media handler ("vide", "soun", "meta", "tmcd" ...), `handler_name` its text.
        entries: codes of the sample descriptions ("avc1", "gpmd", "djmd", "mebx" ...).
        compressor: name that the encoder left in a visual sample entry.
        rotation: degrees clockwise, None without a plain rotation.
    """

    id: int | None = None
    header: Clock = Clock()
    media: Clock = Clock()
    handler: str | None = None
    handler_name: str | None = None
    entries: list[str] = field(default_factory=list)
    compressor: str | None = None
    rotation: int | None = None
    duration_s: float | None = None
    edits: list[Edit] = field(default_factory=list)
    timecode: Timecode | None = None


def read_clock(body: bytes, where: str, remarks: list[Remark]) -> Clock:
    """Times at the head of `mvhd`, `tkhd` and `mdhd`: seconds since 1904, of 32 bits, or 64 in version 1."""
    layout = ">QQ" if body[:1] == b"\1" else ">II"
    if len(body) < 4 + struct.calcsize(layout):
        remarks.append(unreadable(f"the header {where} is cut off"))
        return Clock()
    created, modified = struct.unpack_from(layout, body, 4)
    return Clock(
        _moment(created, f"{where} creation_time", remarks), _moment(modified, f"{where} modification_time", remarks)
    )


def _moment(seconds: int, name: str, remarks: list[Remark]) -> datetime | None:
    """Zero is an unset clock; what cannot be a time of a digital recording is named."""
    if not seconds:
        return None
    try:
        moment = EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        moment = EPOCH
    if moment.year >= FIRST_DIGITAL_YEAR:
        return moment
    why = "seconds since 1904, which is no time of a digital recording"
    remarks.append(unusable(f"boxes {name}", seconds, why))
    return None


def time_scale(body: bytes) -> tuple[int, float | None]:
    """Ticks a second and duration in seconds of `mvhd` or `mdhd`; (0, None) where it states none."""
    start, layout = (20, ">IQ") if body[:1] == b"\1" else (12, ">II")
    if len(body) < start + struct.calcsize(layout):
        return 0, None
    scale, duration = struct.unpack_from(layout, body, start)
    known = scale and duration not in _UNKNOWN_DURATION
    return scale, round(duration / scale, 6) if known else None


def read_tracks(stream: BinaryIO, walk: BoxWalk, movie_scale: int, remarks: list[Remark]) -> list[MovieTrack]:
    """All tracks in the file's order, at most MAX_TRACKS."""
    boxes = [box for box in walk.named(b"trak") if box.path == (b"moov", b"trak")]
    if len(boxes) > MAX_TRACKS:
        remarks.append(Remark("structure_too_large", f"only {MAX_TRACKS} of {len(boxes)} tracks were read"))
    return [_track(stream, walk, box, number, movie_scale, remarks) for number, box in enumerate(boxes[:MAX_TRACKS], 1)]


def _track(
    stream: BinaryIO, walk: BoxWalk, trak: Box, number: int, movie_scale: int, remarks: list[Remark]
) -> MovieTrack:
    track = MovieTrack()
    inside = {box.path[1:]: box for box in reversed(walk.within(trak))}  # the first of each path counts
    bodies = {
        path: read_body(stream, box, 4096 if path[-1] in {b"stsd", b"elst"} else 256) for path, box in inside.items()
    }
    head = bodies.get((b"trak", b"tkhd"), b"")
    if head:
        track.header = read_clock(head, f"track {number} tkhd", remarks)
        track.id = _track_id(head)
        track.rotation = rotation_of(head)
    media = bodies.get((b"trak", b"mdia", b"mdhd"), b"")
    media_scale = 0
    if media:
        track.media = read_clock(media, f"track {number} mdhd", remarks)
        media_scale, track.duration_s = time_scale(media)
    _handler(bodies.get((b"trak", b"mdia", b"hdlr"), b""), track)
    table = (b"trak", b"mdia", b"minf", b"stbl")
    entries = _entries(bodies.get((*table, b"stsd"), b""))
    track.entries = [clean(name.decode("latin-1")).strip() for name, _ in entries]
    if entries and track.handler == "vide":
        track.compressor = _compressor(entries[0][1])
    track.edits = _edits(bodies.get((b"trak", b"edts", b"elst"), b""), movie_scale, media_scale)
    if entries and entries[0][0] == b"tmcd":
        first = _first_offset(bodies, table)
        track.timecode = Timecode.read(entries[0][1], _number_at(stream, first) if first is not None else None)
    return track


def _track_id(body: bytes) -> int | None:
    start = 20 if body[:1] == b"\1" else 12
    return int.from_bytes(body[start : start + 4], "big") or None if len(body) >= start + 4 else None


def rotation_of(body: bytes) -> int | None:
    """Rotation of a track header's matrix in degrees clockwise; None where it is no rotation by quarters."""
    start = _MATRIX_OFFSET.get(body[0] if body else 255)
    if start is None or len(body) < start + 36:
        return None
    a, b = struct.unpack_from(">ii", body, start)
    if a == b == 0:
        return None
    angle = math.degrees(math.atan2(b, a)) % 360
    return round(angle) % 360 if abs(angle - round(angle / 90) * 90) < 1 else None


def _handler(body: bytes, track: MovieTrack) -> None:
    """Code and name; QuickTime writes the name with a length before it, ISO files with a zero after it."""
    if len(body) < 24:  # noqa: PLR2004 (up to the name)
        return
    track.handler = clean(body[8:12].decode("latin-1")).strip()
    name = body[24:]
    if name and name[0] == len(name) - 1:
        name = name[1:]
    track.handler_name = clean(name.split(b"\0", 1)[0]).strip() or None


def _entries(body: bytes) -> list[tuple[bytes, bytes]]:
    found: list[tuple[bytes, bytes]] = []
    at = 8
    while at + 8 <= len(body) and len(found) < _MAX_ENTRIES:
        length = int.from_bytes(body[at : at + 4], "big")
        if length < 8:  # noqa: PLR2004 (a box header)
            break
        found.append((body[at + 4 : at + 8], body[at + 8 : at + length]))
        at += length
    return found


def _compressor(entry: bytes) -> str | None:
    """A length and up to 31 bytes of text at byte 42 of a visual sample entry (ISO/IEC 14496-12 12.1.3)."""
    if len(entry) < 74 or not 0 < entry[42] < 32:  # noqa: PLR2004 (where it stands)
        return None
    return clean(entry[43 : 43 + entry[42]].strip(b"\0 ")) or None


def _edits(body: bytes, movie_scale: int, media_scale: int) -> list[Edit]:
    if not movie_scale or not media_scale or len(body) < 8:  # noqa: PLR2004 (version, flags, count)
        return []
    layout = ">Qqhh" if body[:1] == b"\1" else ">Iihh"
    step = struct.calcsize(layout)
    edits: list[Edit] = []
    for at in range(8, len(body) - step + 1, step):
        if len(edits) >= min(int.from_bytes(body[4:8], "big"), MAX_EDITS):
            break
        duration, start, whole, part = struct.unpack_from(layout, body, at)
        begins = None if start < 0 else round(start / media_scale, 6)
        edits.append(Edit(round(duration / movie_scale, 6), begins, whole + (part & 0xFFFF) / 65536))
    return edits


def _first_offset(bodies: dict[tuple[bytes, ...], bytes], table: tuple[bytes, ...]) -> int | None:
    for name, width in ((b"stco", 4), (b"co64", 8)):
        body = bodies.get((*table, name), b"")
        if len(body) >= 8 + width and int.from_bytes(body[4:8], "big"):
            return int.from_bytes(body[8 : 8 + width], "big")
    return None


def _number_at(stream: BinaryIO, offset: int) -> int | None:
    if offset >= 1 << 62:
        return None
    stream.seek(offset)
    data = stream.read(4)
    return int.from_bytes(data, "big") if len(data) == 4 else None  # noqa: PLR2004 (the sample's size)
