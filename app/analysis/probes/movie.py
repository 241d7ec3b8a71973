"""Facts of an MP4 or QuickTime movie that its boxes state (ISO/IEC 14496-12, QuickTime File Format, 3GPP TS 26.244)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO

from app.analysis.probes.boxes import XML_NAME, XMP_UUID, Box, BoxWalk, read_body, unread_boxes, walk_boxes
from app.analysis.probes.movie_tracks import FIRST_DIGITAL_YEAR, MovieTrack, read_clock, read_tracks, time_scale
from app.analysis.probes.readings import Remark, clean, unread, unusable
from app.analysis.probes.sony_xml import MAX_BYTES, read_sony
from app.analysis.probes.user_data import RawAtom, raw_atom, read_user_data

__all__ = ["FIRST_DIGITAL_YEAR", "MovieBoxes", "Part", "read_movie"]

_TELLING = ("location", "creationdate", "make", "model")
_MAX_PARTS, _MAX_BRANDS, _MAX_XMP = 32, 32, 4
_MAX_XMP_BYTES = 4 * 1024 * 1024
_READ_AT_TOP = {"ftyp", "moov", "mdat", "free", "skip", "wide", "moof", "mfra", "sidx", "styp", "ssix", "emsg", "prft"}


@dataclass(frozen=True)
class Part:
    """A box of the file itself: code, place and length in bytes, whether its size is written in 64 bits."""

    name: str
    at: int
    size: int
    large: bool


@dataclass
class MovieBoxes:
    """What the boxes state.

    Attributes:
        created, modified: of the movie header, as the standard reads them (UTC); None where zero or before 1990.
        texts: user data by code ("©xyz", "auth" ...).
        items: texts of an iTunes item list by code.
        keys: QuickTime metadata by key ("com.apple.quicktime.make" ...).
        gopro: GoPro's settings by code ("CASN" ...).
        camera_xml: what Sony's XML says, by "Element attribute".
        location: latitude, longitude, altitude of a `loci` box, degrees and metres.
        pictures: JPEGs inside maker data, with their path.
        parts: the boxes of the file in their order, one for each run of fragments.
        fragments: movie fragments.
        large: number of boxes of the file whose size is written in 64 bits.
        unknown: data of kinds that are not read here.
        unread: names of metadata that no reader here takes.
    """

    brand: str | None = None
    minor_version: int | None = None
    compatible: list[str] = field(default_factory=list)
    created: datetime | None = None
    modified: datetime | None = None
    duration_s: float | None = None
    tracks: list[MovieTrack] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    items: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    gopro: dict[str, str] = field(default_factory=dict)
    location: tuple[float, float, float] | None = None
    location_text: str | None = None
    camera_xml: dict[str, str] = field(default_factory=dict)
    xmp: list[bytes] = field(default_factory=list)
    pictures: list[tuple[str, bytes]] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    fragments: int = 0
    large: int = 0
    unknown: list[RawAtom] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    trailing: int = 0
    has_movie: bool = False
    remarks: list[Remark] = field(default_factory=list)

    def index_before_data(self) -> bool | None:
        """Whether the index (`moov`) stands before the media data; None where either is missing."""
        order = [part.name for part in self.parts if part.name in {"moov", "mdat"}]
        return order[0] == "moov" if {"moov", "mdat"} <= set(order) else None


def read_movie(stream: BinaryIO, size: int) -> MovieBoxes:
    """Read a movie of `size` bytes; boxes that are not there leave their facts empty."""
    walk = walk_boxes(stream, size)
    movie = MovieBoxes(trailing=walk.trailing, has_movie=walk.find(b"moov") is not None, fragments=walk.fragments)
    _brands(stream, walk, movie)
    header, scale = walk.find(b"moov", b"mvhd"), 0
    if header is not None:
        body = read_body(stream, header, 64)
        clock = read_clock(body, "moov/mvhd", movie.remarks)
        movie.created, movie.modified = clock.created, clock.modified
        scale, movie.duration_s = time_scale(body)
    movie.tracks = read_tracks(stream, walk, scale, movie.remarks)
    _take_user_data(stream, walk, movie)
    _take_parts(stream, walk, movie)
    movie.unread += unread_boxes(stream, walk, taken=True)
    _take_xml(stream, walk, movie)
    _remark(walk, movie)
    return movie


def _brands(stream: BinaryIO, walk: BoxWalk, movie: MovieBoxes) -> None:
    box = walk.find(b"ftyp")
    if box is None:
        return
    body = read_body(stream, box, 8 + 4 * _MAX_BRANDS)
    movie.brand = clean(body[:4]).strip()
    if len(body) >= 8:  # noqa: PLR2004 (brand and version)
        movie.minor_version = int.from_bytes(body[4:8], "big")
    brands = [body[at : at + 4] for at in range(8, len(body) - 3, 4)]
    movie.compatible = [clean(brand.decode("latin-1")).strip() for brand in brands if brand.strip(b"\0")]


def _take_user_data(stream: BinaryIO, walk: BoxWalk, movie: MovieBoxes) -> None:
    data = read_user_data(stream, walk)
    movie.texts, movie.items, movie.keys, movie.gopro = data.texts, data.items, data.keys, data.gopro
    movie.location, movie.location_text = data.location, data.location_text
    movie.pictures = data.pictures
    movie.xmp, movie.unknown = data.xmp[:_MAX_XMP], data.unknown
    if data.bad_location is not None:
        movie.remarks.append(unusable("boxes udta loci", data.bad_location, "which is no place on earth"))
    movie.unread += [f"user data {atom.path.rpartition('/')[2]}" for atom in data.unknown]
    odd = [name for name in data.odd_keys if any(part in name for part in _TELLING)]
    movie.unread += [f"key {name}, which is no text" for name in odd]


def _take_xml(stream: BinaryIO, walk: BoxWalk, movie: MovieBoxes) -> None:
    for box in walk.named(b"xml "):
        if box.path[-2:-1] != (b"meta",):
            continue
        sony = read_sony(read_body(stream, box, MAX_BYTES)[4:])
        movie.remarks += sony.remarks
        for name, text in sony.texts.items():
            movie.camera_xml.setdefault(name, text)
    if movie.camera_xml:
        movie.unread = [name for name in movie.unread if name != XML_NAME]


def _take_parts(stream: BinaryIO, walk: BoxWalk, movie: MovieBoxes) -> None:
    top = walk.top()
    movie.large = sum(box.large for box in top)
    for box in top:
        name = clean(box.name.decode("latin-1")).strip()
        if len(movie.parts) < _MAX_PARTS and not (name in {"moof", "mdat", "sidx"} and _repeats(movie.parts, name)):
            movie.parts.append(Part(name, box.start, box.end - box.start, box.large))
        if name not in {*_READ_AT_TOP, "uuid", "meta", "jumb"} and len(movie.unknown) < 2 * _MAX_PARTS:
            movie.unknown.append(raw_atom(name, box.end - box.body, read_body(stream, box, 64)))
    for box in walk.named(b"uuid"):
        _take_uuid(stream, box, movie)


def _repeats(parts: list[Part], name: str) -> bool:
    """Fragments of a long recording are alike: their first box of each kind stands for all."""
    return any(part.name == "moof" for part in parts) and any(part.name == name for part in parts)


def _take_uuid(stream: BinaryIO, box: Box, movie: MovieBoxes) -> None:
    body = read_body(stream, box, 16 + 64)
    if body[:16] == XMP_UUID:
        if len(movie.xmp) < _MAX_XMP:
            movie.xmp.append(read_body(stream, box, 16 + _MAX_XMP_BYTES)[16:])
    elif len(movie.unknown) < 2 * _MAX_PARTS:
        path = "/".join(clean(name.decode("latin-1")) for name in box.path)
        movie.unknown.append(raw_atom(f"{path} {body[:16].hex()}", box.end - box.body, body[16:]))


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
