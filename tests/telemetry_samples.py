"""Telemetry made for tests, with exactly known positions, written by the formats' descriptions."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from app.analysis.probes.klv import UL_KEY

LAT, LON = 47.5, -19.5


# -- boxes -----------------------------------------------------------------------------------------


def box(name: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, name) + body


def _full(name: bytes, layout: str, *values: int) -> bytes:
    return box(name, b"\0\0\0\0", struct.pack(">" + layout, *values))


def movie(code: bytes, samples: Sequence[bytes], ticks: int, *, scale: int = 1000, edit_ms: int | None = None) -> bytes:
    """An MP4 with one data track and no picture; every sample lasts `ticks`, three samples a chunk, `co64`."""
    head = box(b"ftyp", b"mp42\0\0\0\0mp42")
    start = len(head) + 8
    sizes = [len(sample) for sample in samples]
    chunks = [start + sum(sizes[:at]) for at in range(0, len(sizes), 3)]
    runs = [(1, 3, 1)] if len(sizes) % 3 == 0 else [(1, 3, 1), (len(chunks), len(sizes) % 3, 1)]
    runs = runs[-1:] if len(chunks) == 1 else runs
    runs = [(1, *run[1:]) if len(chunks) == 1 else run for run in runs]
    table = box(
        b"stbl",
        box(b"stsd", b"\0\0\0\0\0\0\0\1", box(code, b"\0" * 6 + b"\0\1")),
        _full(b"stts", "III", 1, len(sizes), ticks),
        _full(b"stsc", "I" + "III" * len(runs), len(runs), *(part for run in runs for part in run)),
        _full(b"stsz", "II" + "I" * len(sizes), 0, len(sizes), *sizes),
        _full(b"co64", "I" + "Q" * len(chunks), len(chunks), *chunks),
    )
    edits = b"" if edit_ms is None else box(b"edts", _full(b"elst", "IIiI", 1, 0, edit_ms, 0x10000))
    track = box(
        b"trak",
        box(b"tkhd", b"\0\0\0\1" + b"\0" * 80),
        edits,
        box(
            b"mdia",
            _full(b"mdhd", "IIIII", 0, 0, scale, ticks * len(sizes), 0),
            box(b"hdlr", b"\0" * 8 + b"meta" + b"\0" * 12 + b"Telemetry\0"),
            box(b"minf", box(b"gmhd", _full(b"gmin", "IIII", 0, 0, 0, 0)), table),
        ),
    )
    times = struct.pack(">IIII", 0, 0, 1000, ticks * len(sizes) * 1000 // scale)
    rest = b"\0\1\0\0\1\0" + b"\0" * 10 + b"\0" * 36 + b"\0" * 24 + b"\0\0\0\2"
    header = box(b"mvhd", b"\0\0\0\0", times, rest)
    return head + box(b"mdat", *samples) + box(b"moov", header, track)


# -- GPMF ------------------------------------------------------------------------------------------


def gpmf(key: bytes, kind: str, size: int, data: bytes, count: int | None = None) -> bytes:
    count = len(data) // size if count is None else count
    return (
        key
        + struct.pack(">cBH", kind.encode() if kind != "\0" else b"\0", size, count)
        + data
        + b"\0" * (-len(data) % 4)
    )


def nested(key: bytes, *parts: bytes) -> bytes:
    return gpmf(key, "\0", 1, b"".join(parts))


def gps5_payload(second: int, places: Sequence[tuple[float, float]], *, fix: int = 3) -> bytes:
    """A HERO5's payload at 2025-06-14 10:44:SS, height 100 m plus the second, 5 m/s."""
    numbers = b"".join(
        struct.pack(">5i", round(lat * 1e7), round(lon * 1e7), (100 + second) * 1000, 5000, 520) for lat, lon in places
    )
    return nested(
        b"DEVC",
        gpmf(b"DVID", "L", 4, struct.pack(">I", 1)),
        gpmf(b"DVNM", "c", 1, b"Hero5 Black"),
        nested(b"STRM", gpmf(b"SCAL", "s", 2, b"\1\xa2"), gpmf(b"ACCL", "s", 6, b"\0\1\0\2\0\3")),
        nested(
            b"STRM",
            gpmf(b"GPSF", "L", 4, struct.pack(">I", fix)),
            gpmf(b"GPSU", "U", 16, f"2506141044{second:02d}.000".encode()),
            gpmf(b"GPSP", "S", 2, struct.pack(">H", 187)),
            gpmf(b"UNIT", "c", 3, b"degdegm\0\0m/sm/s"),
            gpmf(b"SCAL", "l", 4, struct.pack(">5i", 10**7, 10**7, 1000, 1000, 100)),
            gpmf(b"GPS5", "l", 20, numbers),
        ),
    )


def gps9_payload(places: Sequence[tuple[float, float]], second: float = 0.0, fix: int = 3) -> bytes:
    """A HERO11's payload: 9,296 days after 2000-01-01 is 2025-06-14."""
    numbers = b"".join(
        struct.pack(
            ">7i2H",
            round(lat * 1e7),
            round(lon * 1e7),
            100_000,
            5000,
            520,
            9296,
            round((38640 + second) * 1000),
            187,
            fix,
        )
        for lat, lon in places
    )
    return nested(
        b"DEVC",
        gpmf(b"DVNM", "c", 1, b"Hero11 Black"),
        nested(
            b"STRM",
            gpmf(b"STMP", "J", 8, struct.pack(">Q", round(second * 1e6))),
            gpmf(b"GPSA", "F", 4, b"MSLV"),
            gpmf(b"TYPE", "c", 1, b"lllllllSS"),
            gpmf(b"SCAL", "l", 4, struct.pack(">9i", 10**7, 10**7, 1000, 1000, 100, 1, 1000, 100, 1)),
            gpmf(b"GPS9", "?", 32, numbers),
        ),
    )


def karma_payload(places: Sequence[tuple[float, float]], fix: int = 3) -> bytes:
    numbers = b"".join(
        struct.pack(
            ">Q3i4H2B",
            1_749_897_840_000_000,
            round(lat * 1e7),
            round(lon * 1e7),
            120_500,
            130,
            210,
            740,
            18_050,
            fix,
            14,
        )
        for lat, lon in places
    )
    scales = (10**6, 10**7, 10**7, 1000, 100, 100, 100, 100, 1, 1)
    return nested(
        b"DEVC",
        gpmf(b"DVNM", "c", 1, b"GoPro Karma v1.0"),
        nested(
            b"STRM",
            gpmf(b"TYPE", "c", 1, b"JlllSSSSBB"),
            gpmf(b"SCAL", "l", 4, struct.pack(">10i", *scales)),
            gpmf(b"GPRI", "?", 30, numbers),
        ),
    )


# -- KLV -------------------------------------------------------------------------------------------


def klv(items: Sequence[tuple[int, bytes]], *, checksum: int | None = None, without: bool = False) -> bytes:
    """A MISB ST 0601 set; `checksum` replaces the right one."""
    body = b""
    for tag, value in items:
        name = bytes((tag,)) if tag < 0x80 else bytes((0x80 | tag >> 7, tag & 0x7F))
        body += name + _ber(len(value)) + value
    if without:
        return UL_KEY + _ber(len(body)) + body
    start = UL_KEY + _ber(len(body) + 4) + body + b"\1\2"
    total = sum(byte << (8 if at % 2 == 0 else 0) for at, byte in enumerate(start)) & 0xFFFF
    return start + (total if checksum is None else checksum).to_bytes(2, "big")


def _ber(length: int) -> bytes:
    return bytes((length,)) if length < 0x80 else b"\x82" + length.to_bytes(2, "big")


def klv_place(second: float, lat: float, lon: float, *extra: tuple[int, bytes], checksum: int | None = None) -> bytes:
    """Position, height 1,000 m, heading 90, at 2025-06-14 10:44:00 and some seconds."""
    return klv(
        [
            (2, round((1_749_897_840 + second) * 1e6).to_bytes(8, "big")),
            (5, round(90 / 360 * 65535).to_bytes(2, "big")),
            (13, round(lat / 90 * 0x7FFFFFFF).to_bytes(4, "big", signed=True)),
            (14, round(lon / 180 * 0x7FFFFFFF).to_bytes(4, "big", signed=True)),
            (15, round((1000 + 900) / 19900 * 65535).to_bytes(2, "big")),
            *extra,
        ],
        checksum=checksum,
    )


def klv_stream(path: Path, packets: Sequence[tuple[float, bytes]], seconds: float = 2.0) -> Path:
    """A transport stream with a picture and a KLV data stream; packets by second of the video."""
    with av.open(str(path), "w", format="mpegts") as container:
        picture = container.add_stream("mpeg2video", rate=10)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        data = container.add_data_stream("klv")
        waiting = list(packets)
        for number in range(round(seconds * 10)):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            frame.pts = number
            container.mux(picture.encode(frame))
            while waiting and waiting[0][0] <= number / 10:
                second, body = waiting.pop(0)
                packet = av.Packet(body)
                packet.stream, packet.time_base = data, Fraction(1, 90_000)
                packet.pts = packet.dts = round(second * 90_000)
                container.mux(packet)
        container.mux(picture.encode(None))
    return path


# -- djmd ------------------------------------------------------------------------------------------


def field(number: int, value: int | float | bytes) -> bytes:  # noqa: PYI041 (on the wire they are not the same)
    """A field on the wire: int as a varint, float as eight bytes, bytes as they are."""
    if isinstance(value, bytes):
        return _varint(number << 3 | 2) + _varint(len(value)) + value
    if isinstance(value, float):
        return _varint(number << 3 | 1) + struct.pack("<d", value)
    return _varint(number << 3) + _varint(value & 0xFFFFFFFFFFFFFFFF)


def _varint(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out += bytes((value & 0x7F | 0x80,))
        value >>= 7
    return out + bytes((value,))


def djmd(lat: float, lon: float, *, protocol: str | None = None, degrees: bool = False, vehicle: int = 3) -> bytes:
    """A message as a Mini 4 Pro's: height 72.5 m, 12.3 m above take-off, roll -12.5, yaw 90, gimbal pitch -30."""
    place = (field(1, 1) if degrees else b"") + field(2, lat if degrees else math.radians(lat))
    place += field(3, lon if degrees else math.radians(lon))
    gps = field(1, place) + field(2, 72_500)
    attitude = field(1, -125) + field(3, 900)
    relative = _varint(1 << 3 | 5) + struct.pack("<f", 12_300)
    frame = field(vehicle, field(3, attitude) + field(4, gps) + field(5, relative))
    if vehicle == 3:
        frame += field(4, field(3, field(1, -300) + field(3, 100)))
    header = b""
    if protocol is not None:
        header = field(1, field(1, field(1, protocol.encode()) + field(5, b"1581F6") + field(10, b"DJI Mini 4 Pro")))
    return header + field(2, field(3, field(1, 3840))) + field(3, field(1, field(1, 7)) + frame)
