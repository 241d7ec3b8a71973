"""User data of a movie: QuickTime texts, 3GPP, GoPro, Android, and what is not known, kept raw (QTFF, TS 26.244)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import BinaryIO

from app.analysis.probes.boxes import Box, BoxWalk, read_body
from app.analysis.probes.readings import clean

# 16.16 fixed point resolves 1.5e-5 degrees: more decimals than five would be noise.
_LOCI_DECIMALS = 5
_FIXED = 65_536
_FULL_BOX_PREFIX = 6  # version, flags, language
_TEXT_BOXES_3GPP = {b"date", b"auth", b"titl", b"dscp", b"cprt", b"manu", b"modl", b"perf", b"gnre"}
_PICTURE_ONLY = {
    b"meta",
    b"free",
    b"skip",
    b"name",
    b"hnti",
    b"hinf",
    b"chpl",
    b"WLOC",
    b"LOOP",
    b"SelO",
    b"AllF",
    b"NCDT",
}
_GOPRO_TEXTS = {b"FIRM", b"LENS"}
_GOPRO_NUMBERS = {b"CAME", b"MUID"}
_GPMF_TEXTS = {b"CASN": "CASN", b"MINF": "MINF", b"FMWR": "FMWR", b"LINF": "LINF"}
_NIKON_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # of EXIF's formats
_NIKON_TEXTS = {0x01: "make", 0x02: "model", 0x03: "software", 0x11: "CreateDate", 0x12: "DateTimeOriginal"}
_CANON_TEXTS = {b"CNMN", b"CNFV"}
_JPEG, _MAX_PICTURES = b"\xff\xd8\xff", 2
_MAX_ATOMS, _MAX_HEX = 64, 64
_MAC_LANGUAGES = 0x400  # below it a QuickTime language code, whose texts are in a Macintosh encoding
_MAX_NESTED = 256 * 1024


@dataclass(frozen=True)
class RawAtom:
    """Data of a kind that is not read here: where it stands, its length in bytes, its first bytes, text if it is."""

    path: str
    size: int
    head: str
    text: str | None = None


@dataclass
class UserData:
    """What `udta` boxes and the QuickTime metadata state.

    Attributes:
        texts: user data by code ("©xyz", "auth" ...).
        items: texts of an iTunes item list by code ("©too" ...).
        keys: QuickTime metadata by key ("com.apple.quicktime.make" ...); numbers as text.
        gopro: GoPro's settings by code ("CASN" ...).
        location: latitude, longitude, altitude of a `loci` box, degrees and metres.
        location_text: its fields as text.
        xmp: packets of XMP.
        pictures: JPEGs inside maker data (Canon, Panasonic ...), whose EXIF is that of the recording; with their path.
    """

    texts: dict[str, str] = field(default_factory=dict)
    items: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    gopro: dict[str, str] = field(default_factory=dict)
    location: tuple[float, float, float] | None = None
    location_text: str | None = None
    bad_location: str | None = None
    xmp: list[bytes] = field(default_factory=list)
    pictures: list[tuple[str, bytes]] = field(default_factory=list)
    unknown: list[RawAtom] = field(default_factory=list)
    odd_keys: list[str] = field(default_factory=list)


def read_user_data(stream: BinaryIO, walk: BoxWalk) -> UserData:
    """Read all user data and metadata items of a movie."""
    data = UserData()
    for box in walk.boxes:
        if len(box.path) >= 2 and box.path[-2] == b"udta":  # noqa: PLR2004 (user data and its child)
            _user_data(stream, box, data)
        elif box.path[-2:] == (b"NCDT", b"NCTG"):
            _nikon(read_body(stream, box, _MAX_NESTED), data.texts)
    named = _keyed(stream, walk, data)
    for box in walk.named(b"data"):
        if box.path[-3:-2] == (b"ilst",) and box.path[:-3] not in named:
            _item(stream, box, data)
    return data


def _user_data(stream: BinaryIO, box: Box, data: UserData) -> None:
    body = read_body(stream, box, _MAX_NESTED)
    code = box.name.decode("latin-1")
    if box.name[:1] in {b"\xa9", b"@"} and box.name[1:].isalpha():
        data.texts.setdefault(code, international_text(body))
    elif box.name == b"loci":
        found, text = _location(body)
        data.bad_location = data.bad_location or (body[:40].hex() if found is None else None)
        data.location, data.location_text = data.location or found, data.location_text or text
    elif box.name in _TEXT_BOXES_3GPP and len(body) > _FULL_BOX_PREFIX:
        # Some writers leave version and language out and begin with the text.
        text_part = body[_FULL_BOX_PREFIX:] if body[:1] == b"\0" else body
        data.texts.setdefault(code, _wide(text_part))
    elif box.name in _GOPRO_TEXTS | _CANON_TEXTS:
        data.texts.setdefault(code, clean(body.split(b"\0", 1)[0]).strip())
    elif box.name in _GOPRO_NUMBERS:
        data.texts.setdefault(code, body[:32].hex())
    elif box.name == b"GPMF":
        _gopro_settings(body, data.gopro)
        _keep(box, body, data)
    elif box.name == b"XMP_":
        data.xmp.append(body)
    elif box.name not in _PICTURE_ONLY and body.strip(b"\0"):
        _keep(box, body, data)


def _nikon(body: bytes, texts: dict[str, str]) -> None:
    """Nikon's tags: number, format and count as in EXIF, then the value, without padding."""
    at = 0
    while at + 8 <= len(body):
        tag, kind, count = struct.unpack_from(">IHH", body, at)
        size = _NIKON_SIZES.get(kind, 0) * count
        if not size and count:
            break
        if tag in _NIKON_TEXTS and kind == 2:  # noqa: PLR2004 (text)
            value = clean(body[at + 8 : at + 8 + size].split(b"\0", 1)[0]).strip()
            texts.setdefault(f"nikon/{_NIKON_TEXTS[tag]}", value)
        at += 8 + size


def _keep(box: Box, body: bytes, data: UserData) -> None:
    if len(data.unknown) < _MAX_ATOMS:
        path = "/".join(clean(name.decode("latin-1")) for name in box.path)
        data.unknown.append(raw_atom(path, box.end - box.body, body))
        start = body.find(_JPEG)
        if start >= 0 and b"Exif\0\0" in body[start : start + 64] and len(data.pictures) < _MAX_PICTURES:
            data.pictures.append((path, body[start:]))


def raw_atom(path: str, size: int, body: bytes) -> RawAtom:
    """Keep the beginning of what is not known."""
    bare = body[:_MAX_HEX].strip(b"\0 ")
    text = bare.decode("ascii", "replace") if bare and all(0x20 <= byte < 0x7F for byte in bare) else None  # noqa: PLR2004
    return RawAtom(path, size, body[:_MAX_HEX].hex(), text)


def international_text(body: bytes) -> str:
    """The first of a list of texts, each with length and language; a bare text as DJI writes it is taken whole."""
    length, language = int.from_bytes(body[:2], "big"), int.from_bytes(body[2:4], "big")
    if len(body) < 4 or length > len(body) - 4 or (not length and len(body) > 4 and body[:1].isalnum()):  # noqa: PLR2004
        return clean(body.split(b"\0", 1)[0]).strip()
    text = body[4 : 4 + length]
    if text[:2] in {b"\xfe\xff", b"\xff\xfe"}:
        return clean(text.decode("utf-16", "replace")).strip()
    try:
        return clean(text.decode("utf-8")).strip()
    except UnicodeDecodeError:
        return clean(text.decode("mac_roman") if language < _MAC_LANGUAGES else text).strip()


def _wide(text: bytes) -> str:
    """3GPP texts are UTF-8, or UTF-16 with a byte order mark."""
    if text[:2] == b"\xfe\xff":
        return clean(text.decode("utf-16", "replace").split("\0", 1)[0]).strip()
    return clean(text.split(b"\0", 1)[0]).strip()


def _location(body: bytes) -> tuple[tuple[float, float, float] | None, str | None]:
    """3GPP TS 26.244 clause 8.8: name, role, then longitude, latitude, altitude in 16.16 fixed point, body, notes."""
    wide = body[_FULL_BOX_PREFIX : _FULL_BOX_PREFIX + 2] == b"\xfe\xff"
    end, step = body.find(b"\0\0" if wide else b"\0", _FULL_BOX_PREFIX), 2 if wide else 1
    if wide and (end - _FULL_BOX_PREFIX) % 2:
        end += 1  # the zero byte before it belonged to the last letter
    start = end + step + 1
    if end < 0 or len(body) < start + 12:
        return None, None
    fixed = struct.unpack_from(">iii", body, start)
    lon, lat, alt = (value / _FIXED for value in fixed)
    if abs(lat) > 90 or abs(lon) > 180:  # noqa: PLR2004 (degrees)
        return None, None
    place = clean(body[start + 12 :].split(b"\0", 1)[0])
    text = f"longitude {fixed[0]}/65536 latitude {fixed[1]}/65536 altitude {fixed[2]}/65536 body {place or '-'}"
    return (round(lat, _LOCI_DECIMALS), round(lon, _LOCI_DECIMALS), round(alt, 2)), text


def _gopro_settings(body: bytes, found: dict[str, str], depth: int = 0) -> None:
    """GoPro's metadata format: code, type, size, repeat, padded to four bytes; type 0 nests."""
    at = 0
    while at + 8 <= len(body) and depth < 4:  # noqa: PLR2004 (a device, a stream, and room)
        code, kind = body[at : at + 4], body[at + 4]
        length = body[at + 5] * int.from_bytes(body[at + 6 : at + 8], "big")
        value = body[at + 8 : at + 8 + length]
        if kind == 0:
            if not length:
                break
            _gopro_settings(value, found, depth + 1)
        elif code in _GPMF_TEXTS and kind == ord("c"):
            found.setdefault(_GPMF_TEXTS[code], clean(value.split(b"\0", 1)[0]).strip())
        at += 8 + (length + 3) // 4 * 4


def _keyed(stream: BinaryIO, walk: BoxWalk, data: UserData) -> set[tuple[bytes, ...]]:
    """QuickTime metadata: the n-th item has the n-th key."""
    parents: set[tuple[bytes, ...]] = set()
    for keys_box in walk.named(b"keys"):
        names = _key_names(read_body(stream, keys_box))
        parent = keys_box.path[:-1]
        parents.add(parent)
        for item in walk.named(b"data"):
            if item.path[: len(parent)] != parent or len(item.path) != len(parent) + 3:
                continue
            number = int.from_bytes(item.path[-2], "big")
            if not 0 < number <= len(names):
                continue
            value = _value(read_body(stream, item, 4096))
            if value is not None:
                data.keys.setdefault(names[number - 1], value)
            else:
                data.odd_keys.append(names[number - 1])
    return parents


def _item(stream: BinaryIO, box: Box, data: UserData) -> None:
    value = _value(read_body(stream, box, 4096))
    if value is not None:
        data.items.setdefault(clean(box.path[-2].decode("latin-1")), value)


def _value(body: bytes) -> str | None:
    """A value by its well-known type (QuickTime File Format, metadata): text or number; None for anything else."""
    kind, value = int.from_bytes(body[:4], "big"), body[8:]
    if kind == 1:
        return clean(value).strip()
    if kind == 2:  # noqa: PLR2004 (UTF-16, big-endian)
        return clean(value.decode("utf-16-be", "replace")).strip()
    if kind in {21, 22} and len(value) in {1, 2, 3, 4, 8}:
        return str(int.from_bytes(value, "big", signed=kind == 21))  # noqa: PLR2004 (signed)
    layout = {(23, 4): ">f", (24, 8): ">d", (65, 1): ">b", (66, 2): ">h", (67, 4): ">i", (74, 8): ">q"} | {
        (75, 1): ">B", (76, 2): ">H", (77, 4): ">I", (78, 8): ">Q"
    }  # fmt: skip
    found = layout.get((kind, len(value)))
    return None if found is None else format(struct.unpack(found, value)[0], ".9g" if found in {">f", ">d"} else "d")


def _key_names(body: bytes) -> list[str]:
    names, at = [], 8
    while at + 8 <= len(body):
        length = int.from_bytes(body[at : at + 4], "big")
        if length < 8:  # noqa: PLR2004 (length and namespace)
            break
        names.append(clean(body[at + 8 : at + length]))
        at += length
    return names
