"""Facts of an MP4 or QuickTime movie that its boxes state (ISO/IEC 14496-12, QuickTime File Format, 3GPP TS 26.244)."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

from app.analysis.probes.boxes import Box, BoxWalk, read_body, unread_boxes, walk_boxes
from app.analysis.probes.readings import Remark, clean, unread, unreadable, unusable

_EPOCH = datetime(1904, 1, 1, tzinfo=UTC)
FIRST_DIGITAL_YEAR = 1990
_FIXED = 65_536
# 16.16 fixed point resolves 1.5e-5 degrees: more decimals than five would be noise.
_LOCI_DECIMALS = 5
_TEXT_BOXES_3GPP = {b"date", b"auth", b"titl", b"dscp", b"cprt", b"manu", b"modl"}
_PICTURE_ONLY = {b"meta", b"free", b"skip", b"name", b"hnti", b"hinf", b"chpl", b"WLOC", b"LOOP", b"SelO", b"AllF"}
_TELLING = ("location", "creationdate", "make", "model")
_FULL_BOX_PREFIX = 6  # version, flags, language
_MATRIX_OFFSET = {0: 40, 1: 52}


@dataclass
class MovieBoxes:
    """What the boxes state.

    Attributes:
        created, modified: of the movie header, as the standard reads them (UTC); None where zero or before 1990.
        rotations: display rotation of each track in file order, degrees clockwise, None without a plain rotation.
        texts: user data by code ("©xyz", "auth" ...).
        location: latitude, longitude, altitude of a `loci` box, degrees and metres.
        unread: names of metadata that no reader here takes.
        keys: QuickTime metadata by key ("com.apple.quicktime.make" ...).
    """

    brand: str | None = None
    created: datetime | None = None
    modified: datetime | None = None
    rotations: list[int | None] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    location: tuple[float, float, float] | None = None
    unread: list[str] = field(default_factory=list)
    trailing: int = 0
    has_movie: bool = False
    remarks: list[Remark] = field(default_factory=list)


def read_movie(stream: BinaryIO, size: int) -> MovieBoxes:
    """Read a movie of `size` bytes; boxes that are not there leave their facts empty."""
    walk = walk_boxes(stream, size)
    movie = MovieBoxes(trailing=walk.trailing, has_movie=walk.find(b"moov") is not None)
    brand = walk.find(b"ftyp")
    if brand is not None:
        movie.brand = clean(read_body(stream, brand, 4)).strip()
    header = walk.find(b"moov", b"mvhd")
    if header is not None:
        _header_times(read_body(stream, header, 20), movie)
    for track in walk.named(b"tkhd"):
        movie.rotations.append(_rotation(read_body(stream, track, 100)))
    for box in walk.boxes:
        if len(box.path) >= 2 and box.path[-2] == b"udta":  # noqa: PLR2004 (user data and its child)
            _user_data(stream, box, movie)
    _metadata_keys(stream, walk, movie)
    movie.unread += unread_boxes(stream, walk)
    _remark(walk, movie)
    return movie


def _header_times(body: bytes, movie: MovieBoxes) -> None:
    layout = ">QQ" if body[:1] == b"\1" else ">II"
    if len(body) < 4 + struct.calcsize(layout):
        movie.remarks.append(unreadable("the movie header (mvhd) is cut off"))
        return
    created, modified = struct.unpack_from(layout, body, 4)
    movie.created = _moment(created, "creation_time", movie)
    movie.modified = _moment(modified, "modification_time", movie)


def _moment(seconds: int, name: str, movie: MovieBoxes) -> datetime | None:
    """Seconds since 1904; zero is an unset clock; what cannot be a time of a digital recording is named."""
    if not seconds:
        return None
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        moment = _EPOCH
    if moment.year >= FIRST_DIGITAL_YEAR:
        return moment
    why = "seconds since 1904, which is no time of a digital recording"
    movie.remarks.append(unusable(f"boxes moov/mvhd {name}", seconds, why))
    return None


def _rotation(body: bytes) -> int | None:
    start = _MATRIX_OFFSET.get(body[0] if body else 255)
    if start is None or len(body) < start + 36:
        return None
    a, b = struct.unpack_from(">ii", body, start)
    if a == b == 0:
        return None
    angle = math.degrees(math.atan2(b, a)) % 360
    return round(angle) % 360 if abs(angle - round(angle / 90) * 90) < 1 else None


def _user_data(stream: BinaryIO, box: Box, movie: MovieBoxes) -> None:
    body = read_body(stream, box, 4096)
    code = box.name.decode("latin-1")
    if box.name[:1] == b"\xa9" and len(body) > 4:  # noqa: PLR2004 (length and language)
        length = int.from_bytes(body[:2], "big")
        movie.texts.setdefault(code, clean(body[4 : 4 + length]).strip())
    elif box.name == b"loci":
        found = _location(body)
        if found is None:
            movie.remarks.append(unusable("boxes udta loci", body.hex(), "which is no place on earth"))
        movie.location = movie.location or found
    elif box.name in _TEXT_BOXES_3GPP and len(body) > _FULL_BOX_PREFIX:
        # Some writers leave version and language out and begin with the text.
        text = body[_FULL_BOX_PREFIX:] if body[:1] == b"\0" else body
        movie.texts.setdefault(code, clean(text.split(b"\0", 1)[0]).strip())
    elif box.name == b"FIRM":
        movie.texts.setdefault("FIRM", clean(body.split(b"\0", 1)[0]).strip())
    elif box.name not in _PICTURE_ONLY and body:
        movie.unread.append(f"user data {code}")


def _location(body: bytes) -> tuple[float, float, float] | None:
    """3GPP TS 26.244 clause 8.8: name, role, then longitude, latitude, altitude in 16.16 fixed point."""
    end_of_name = body.find(b"\0", _FULL_BOX_PREFIX)
    start = end_of_name + 2
    if end_of_name < 0 or len(body) < start + 12:
        return None
    lon, lat, alt = (value / _FIXED for value in struct.unpack_from(">iii", body, start))
    if abs(lat) > 90 or abs(lon) > 180:  # noqa: PLR2004 (degrees)
        return None
    return round(lat, _LOCI_DECIMALS), round(lon, _LOCI_DECIMALS), round(alt, 2)


def _metadata_keys(stream: BinaryIO, walk: BoxWalk, movie: MovieBoxes) -> None:
    """QuickTime metadata: the n-th item has the n-th key."""
    for keys_box in walk.named(b"keys"):
        names = _key_names(read_body(stream, keys_box))
        parent = keys_box.path[:-1]
        for item in walk.boxes:
            if item.name != b"data" or item.path[: len(parent)] != parent or len(item.path) != len(parent) + 3:
                continue
            number = int.from_bytes(item.path[-2], "big")
            body = read_body(stream, item, 4096)
            if not 0 < number <= len(names):
                continue
            name = names[number - 1]
            if int.from_bytes(body[:4], "big") == 1:  # UTF-8 text
                movie.keys.setdefault(name, clean(body[8:]).strip())
            elif any(part in name for part in _TELLING):
                movie.unread.append(f"key {name}, which is no text")


def _key_names(body: bytes) -> list[str]:
    names, at = [], 8
    while at + 8 <= len(body):
        length = int.from_bytes(body[at : at + 4], "big")
        if length < 8:  # noqa: PLR2004 (length and namespace)
            break
        names.append(clean(body[at + 8 : at + length]))
        at += length
    return names


def _remark(walk: BoxWalk, movie: MovieBoxes) -> None:
    if movie.unread:
        movie.remarks.append(unread(*dict.fromkeys(movie.unread)))
    if walk.cut_off:
        movie.remarks.append(
            Remark("truncated", "the file ends inside a box; consistent with a file cut off while recorded or copied")
        )
    if not movie.has_movie:
        movie.remarks.append(
            Remark(
                "index_missing", "the file has no movie index (moov); consistent with a recording that was cut short"
            )
        )
    if movie.trailing:
        movie.remarks.append(Remark("trailing_data", f"{movie.trailing} bytes after the last box are no box"))
    if walk.bounded:
        movie.remarks.append(Remark("structure_too_large", "the file holds more boxes than are read"))
