"""Samples of a movie's data tracks by its sample tables (ISO/IEC 14496-12, clause 8.6 and 8.7): nothing else is read.

An hour of 4K video is skipped; only the tables of the wanted tracks and the bytes of their samples are touched.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from app.analysis.probes.boxes import Box, BoxWalk, read_body

MAX_SAMPLES: Final = 1_000_000
MAX_SAMPLE_BYTES: Final = 1024 * 1024
MAX_TRACK_BYTES: Final = 512 * 1024 * 1024
_MAX_TABLE: Final = 16 * 1024 * 1024
_MAX_EDITS: Final = 64
_FURTHEST: Final = 1 << 44  # 16 TiB; systems refuse to seek much beyond
_FULL: Final = 4  # version and flags


class TableError(ValueError):
    """Sample tables that do not fit each other or the file."""


@dataclass(frozen=True)
class TrackTable:
    """One data track: four-character code of its first sample entry, and its samples' places and times.

    Attributes:
        code: such as b"gpmd"; b"" when it states none.
        spans: offset in the file and size of each sample.
        starts: seconds, of the movie; `durations` likewise.
    """

    code: bytes
    spans: list[tuple[int, int]] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    durations: list[float] = field(default_factory=list)

    def read(self, stream: BinaryIO, step: int = 1) -> Iterator[tuple[float, float, bytes]]:
        """Start, duration and bytes of every so many-th sample; stops where a sample lies beyond the file."""
        total = 0
        for index in range(0, len(self.spans), step):
            offset, size = self.spans[index]
            total += size
            if total > MAX_TRACK_BYTES:
                return
            if offset > _FURTHEST:
                return
            stream.seek(offset)
            data = stream.read(size)
            if len(data) < size:
                return
            yield self.starts[index], self.durations[index], data


def track_codes(stream: BinaryIO, walk: BoxWalk) -> list[tuple[Box, bytes]]:
    """Each track with the code of its first sample entry."""
    found = []
    for trak in walk.named(b"trak"):
        entry = _child(walk, trak, b"mdia", b"minf", b"stbl", b"stsd")
        found.append((trak, b"" if entry is None else read_body(stream, entry, 16)[12:16]))
    return found


def track_table(stream: BinaryIO, walk: BoxWalk, trak: Box, code: bytes) -> TrackTable:
    """The samples of a track.

    Raises:
        TableError: a table is missing, cut off, or larger than any recording's.
    """
    sizes = _sizes(_body(stream, walk, trak, b"stsz"))
    scale = _timescale(_body(stream, walk, trak, b"mdhd", table=False))
    ticks = _ticks(_body(stream, walk, trak, b"stts"), len(sizes))
    offsets = _offsets(stream, walk, trak, sizes)
    shift = _edit(stream, walk, trak, scale)
    table, at = TrackTable(code, list(zip(offsets, sizes, strict=False))), 0
    for lasts in ticks[: len(table.spans)]:
        table.starts.append(at / scale + shift)
        table.durations.append(lasts / scale)
        at += lasts
    del table.spans[len(table.starts) :]
    return table


def _child(walk: BoxWalk, parent: Box, *names: bytes) -> Box | None:
    path = (*parent.path, *names)
    return next((box for box in walk.boxes if box.path == path and parent.body <= box.start < parent.end), None)


def _body(stream: BinaryIO, walk: BoxWalk, trak: Box, name: bytes, *, table: bool = True) -> bytes:
    box = _child(walk, trak, b"mdia", *((b"minf", b"stbl") if table else ()), name)
    if box is None:
        raise TableError(f"there is no {name.decode()} box")
    if box.end - box.body > _MAX_TABLE:
        raise TableError(f"the {name.decode()} box is larger than is read")
    return read_body(stream, box, _MAX_TABLE)


def _unpack(layout: str, data: bytes, at: int) -> tuple[int, ...]:
    try:
        return struct.unpack_from(layout, data, at)
    except struct.error:
        raise TableError("a table is cut off") from None


def _rows(data: bytes, at: int, layout: str) -> list[tuple[int, ...]]:
    """The rows that a table counts, as far as they are there."""
    (count,) = _unpack(">I", data, at)
    size = struct.calcsize(layout)
    rest = data[at + 4 : at + 4 + min(count, MAX_SAMPLES) * size]
    return list(struct.iter_unpack(layout, rest[: len(rest) // size * size]))


def _sizes(body: bytes) -> list[int]:
    same, count = _unpack(">II", body, _FULL)
    if count > MAX_SAMPLES:
        raise TableError(f"{count} samples are more than are read")
    sizes = [same] * count if same else [size for (size,) in _rows(body, _FULL + 4, ">I")]
    if any(size > MAX_SAMPLE_BYTES for size in sizes):
        raise TableError("a sample is larger than any telemetry")
    return sizes


def _timescale(body: bytes) -> int:
    (scale,) = _unpack(">I", body, _FULL + (16 if body[:1] == b"\1" else 8))
    if not scale:
        raise TableError("the time scale is zero")
    return scale


def _ticks(body: bytes, wanted: int) -> list[int]:
    ticks: list[int] = []
    for count, lasts in _rows(body, _FULL, ">II"):
        ticks += [lasts] * min(count, wanted - len(ticks))
        if len(ticks) >= wanted:
            break
    return ticks


def _offsets(stream: BinaryIO, walk: BoxWalk, trak: Box, sizes: list[int]) -> list[int]:
    try:
        chunks = [at for (at,) in _rows(_body(stream, walk, trak, b"stco"), _FULL, ">I")]
    except TableError:
        chunks = [at for (at,) in _rows(_body(stream, walk, trak, b"co64"), _FULL, ">Q")]
    runs = _rows(_body(stream, walk, trak, b"stsc"), _FULL, ">III")
    offsets: list[int] = []
    for index, (first, per_chunk, _) in enumerate(runs):
        last = runs[index + 1][0] - 1 if index + 1 < len(runs) else len(chunks)
        for at in chunks[max(0, first - 1) : max(0, last)]:
            for _ in range(min(per_chunk, len(sizes) - len(offsets))):
                offsets.append(at)
                at += sizes[len(offsets) - 1]  # noqa: PLW2901 (the next sample follows the one before it)
        if len(offsets) >= len(sizes):
            break
    return offsets


def _edit(stream: BinaryIO, walk: BoxWalk, trak: Box, scale: int) -> float:
    """Seconds that the track's edit list moves its first sample by: empty edits before, media left out."""
    box, header = _child(walk, trak, b"edts", b"elst"), walk.find(b"moov", b"mvhd")
    if box is None or header is None:
        return 0.0
    body, movie = read_body(stream, box, 20 * _MAX_EDITS + 8), read_body(stream, header, 32)
    wide = body[:1] == b"\1"
    try:
        movie_scale = _timescale(movie)
        edits = _rows(body, _FULL, ">QqI" if wide else ">IiI")
    except TableError:
        return 0.0
    shift = 0.0
    for lasts, media, _ in edits[:_MAX_EDITS]:
        if media >= 0:
            return shift - media / scale
        shift += lasts / movie_scale
    return shift
