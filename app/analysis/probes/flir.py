"""FLIR's own record in JPEG segments (FFF): camera, lens, time and position.

Layout: 64-byte header with offset and number of 32-byte directory entries at 24 and 28; record type
0x20 describes the camera (little endian), 0x2B holds GPS.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone

from app.analysis.probes.readings import Remark, unreadable, unusable

_CAMERA_INFO, _GPS_INFO = 0x20, 0x2B
_MAX_RECORDS = 64
_TEXTS = {
    "CameraModel": (0xD4, 32),
    "CameraPartNumber": (0xF4, 16),
    "CameraSerialNumber": (0x104, 16),
    "CameraSoftware": (0x114, 16),
    "LensModel": (0x170, 32),
    "LensPartNumber": (0x190, 16),
    "LensSerialNumber": (0x1A0, 16),
}
_TIME_OFFSET, _TIME_LENGTH = 0x384, 10
_GPS_LENGTH = 36
_LONGEST_OFFSET_MINUTES = 14 * 60


@dataclass
class FlirData:
    """Texts by name; position in signed degrees and metres; `time` is aware, in the camera's offset."""

    texts: dict[str, str] = field(default_factory=dict)
    time: datetime | None = None
    lat: float | None = None
    lon: float | None = None
    alt: float | None = None
    remarks: list[Remark] = field(default_factory=list)


def read_flir(body: bytes) -> FlirData:
    """Read the put-together FLIR segments; what is not there or out of range is left out."""
    data = FlirData()
    if body[:3] not in {b"FFF", b"AFF"} or len(body) < 64:  # noqa: PLR2004 (the header's size)
        if body:
            data.remarks.append(unreadable("the camera's FLIR record has no header that is known"))
        return data
    order = ">" if struct.unpack_from(">I", body, 20)[0] < 1_000 else "<"  # noqa: PLR2004 (the version is 100 to 200)
    offset, count = struct.unpack_from(order + "II", body, 24)
    for index in range(min(count, _MAX_RECORDS)):
        entry = body[offset + 32 * index : offset + 32 * index + 32]
        if len(entry) < 20:  # noqa: PLR2004 (up to the record's length)
            break
        (kind,) = struct.unpack_from(order + "H", entry)
        start, length = struct.unpack_from(order + "II", entry, 12)
        record = body[start : start + length]
        if kind == _CAMERA_INFO:
            _camera(record, data)
        elif kind == _GPS_INFO:
            _gps(record, data)
    return data


def _camera(record: bytes, data: FlirData) -> None:
    for name, (start, length) in _TEXTS.items():
        text = record[start : start + length].split(b"\0", 1)[0].decode("latin-1").strip()
        if text:
            data.texts[name] = text
    stamp = record[_TIME_OFFSET : _TIME_OFFSET + _TIME_LENGTH]
    if len(stamp) == _TIME_LENGTH:
        seconds, fraction, west = struct.unpack("<IIh", stamp)
        if seconds and abs(west) <= _LONGEST_OFFSET_MINUTES:
            zone = timezone(timedelta(minutes=-west))
            utc = datetime.fromtimestamp(seconds, UTC) + timedelta(milliseconds=fraction & 0xFFFF)
            data.time = utc.astimezone(zone)


def _gps(record: bytes, data: FlirData) -> None:
    if len(record) < _GPS_LENGTH or record[:4] == b"\0\0\0\0":  # GPSValid
        return
    lat_ref, lon_ref = record[8:9], record[10:11]
    lat, lon, alt = struct.unpack_from("<ddf", record, 16)
    if lat_ref in b"NS" and lon_ref in b"EW" and abs(lat) <= 90 and abs(lon) <= 180:  # noqa: PLR2004 (degrees)
        data.lat = -lat if lat_ref == b"S" else lat
        data.lon = -lon if lon_ref == b"W" else lon
        data.alt = alt if math.isfinite(alt) else None
    else:
        raw = f"{lat!r} {lat_ref!r} {lon!r} {lon_ref!r}"
        data.remarks.append(unusable("flir GPS", raw, "which is no place on earth"))
