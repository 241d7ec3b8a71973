"""EXIF by exifread, with the bounded TIFF reader filling what exifread lost or could not read."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import BinaryIO, Literal, cast

from app.analysis.probes.exif_names import EXIF_NAMES
from app.analysis.probes.makernotes import MakerNotes, read_maker_notes
from app.analysis.probes.readings import Readings, Remark, unread, unreadable
from app.analysis.probes.tiff import Number, TagKey, TagValue, TiffScan, decode_text, rational, scan_tiff

_IFD_NAMES = {"Image": "IFD0", "EXIF": "EXIF", "GPS": "GPS", "Thumbnail": "IFD1"}
_OTHER_BLOCKS = {("IFD0", 0x83BB): "IPTC", ("IFD0", 0x8649): "Photoshop resources"}
_C2PA = ("IFD0", 0xCD41)
_OWN_VERSION = "1"
_MAX_READS = 60_000  # a camera's file needs about two thousand


class _BudgetedStream:
    """A stream that ends the reading of a structure built to be read for ever."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._left = _MAX_READS

    def read(self, length: int = -1) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise EOFError("more reads than any real EXIF structure needs")
        return self._stream.read(length)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()


@dataclass
class ExifRead:
    """Tags of both readers, the tags that neither could take, the maker's block, the raw dumps, remarks."""

    tags: dict[TagKey, TagValue]
    unread: set[TagKey]
    dumps: list[Readings]
    remarks: list[Remark]
    maker: MakerNotes
    order: Literal["little", "big"] = "little"
    jpeg: tuple[int, int] | None = None


def read_exif(stream: BinaryIO) -> ExifRead:
    """Read a TIFF structure with both readers.

    Args:
        stream: positioned anywhere, seekable, from the byte order mark on.

    Returns:
        What was read; what is there and could not be read is a remark.
    """
    remarks: list[Remark] = []
    tags, dump = _with_exifread(stream, remarks)
    filled = Readings("tiff", _OWN_VERSION)
    scan = scan_tiff(stream)
    for key, tag in scan.tags.items():
        if not _says_something(tags.get(key)):
            tags[key] = tag
            filled.put(f"{key[0]} 0x{key[1]:04X}", as_text(tag.value))
    remarks += _unread(scan, tags)
    maker = read_maker_notes(stream, scan, _make(tags))
    maker_dump = Readings("makernotes", _OWN_VERSION)
    for name, value in maker.values.items():
        maker_dump.put(f"{maker.maker} {name}", as_text(value))
    dumps = [dump, *(each for each in (filled, maker_dump) if each.tags)]
    return ExifRead(
        tags,
        {key for key in scan.unread if key not in tags},
        dumps,
        remarks,
        maker,
        "big" if scan.order == ">" else "little",
        scan.jpeg,
    )


def own_dump(tags: dict[TagKey, TagValue], version: str) -> Readings:
    """The raw dump of tags that the bounded reader alone took."""
    dump = Readings("tiff", version)
    for key, tag in tags.items():
        dump.put(f"{key[0]} 0x{key[1]:04X}", as_text(tag.value))
    return dump


def _make(tags: dict[TagKey, TagValue]) -> str:
    tag = tags.get(("IFD0", 0x010F))
    return tag.value if tag is not None and isinstance(tag.value, str) else ""


def _unread(scan: TiffScan, tags: dict[TagKey, TagValue]) -> list[Remark]:
    """What the structure holds, or should hold, that neither reader got."""
    missing = [
        name
        for key, name in EXIF_NAMES.items()
        if key in scan.unread and (key in scan.tags or not _says_something(tags.get(key)))
    ]
    remarks = []
    if scan.lost or missing:
        parts = ", ".join([f"directory {name}" for name in scan.lost] + missing[:12])
        remarks.append(unreadable(f"EXIF could not be read in full: {parts}"))
    other = [name for key, name in _OTHER_BLOCKS.items() if key in scan.unread]
    if _C2PA in scan.tags or _C2PA in scan.unread:
        other.append("C2PA/JUMBF")
    if other:
        remarks.append(unread(*other))
    return remarks


def _says_something(tag: TagValue | None) -> bool:
    return tag is not None and tag.value not in ("", b"", ())


def _with_exifread(stream: BinaryIO, remarks: list[Remark]) -> tuple[dict[TagKey, TagValue], Readings]:
    import exifread

    logging.getLogger("exifread").setLevel(logging.CRITICAL)
    dump = Readings("exifread", exifread.__version__)
    tags: dict[TagKey, TagValue] = {}
    try:
        found = exifread.process_file(
            cast("BinaryIO", _BudgetedStream(stream)), details=False, strict=False, extract_thumbnail=False
        )
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 (exifread raises EOFError, AssertionError, IndexError and more)
        remarks.append(
            Remark(
                "exif_malformed", f"exifread could not read the EXIF structure ({type(error).__name__}); read otherwise"
            )
        )
        return tags, dump
    for name, tag in found.items():
        number = getattr(tag, "tag", None)
        if number is None:
            continue
        value = _plain(tag.values)
        dump.put(name, as_text(value))
        ifd = _IFD_NAMES.get(name.partition(" ")[0])
        if ifd is not None:
            tags.setdefault((ifd, number), TagValue(value, "exifread"))
    return tags, dump


def _plain(values: object) -> str | bytes | tuple[Number, ...]:
    """Values of exifread's types as text, bytes or numbers."""
    if isinstance(values, str):
        return values
    if isinstance(values, bytes):
        return decode_text(values)
    if not isinstance(values, list | tuple):
        return str(values)
    return tuple(_number(value) for value in values)


def _number(value: object) -> Number:
    if isinstance(value, tuple) and value:  # exifread leaves floats in the tuple that struct gave
        value = value[0]
    numerator, denominator = getattr(value, "numerator", None), getattr(value, "denominator", None)
    if isinstance(value, int | float):
        return value
    if isinstance(numerator, int) and isinstance(denominator, int):
        return rational(numerator, denominator)
    return None


def as_text(value: str | bytes | tuple[Number, ...]) -> str:
    """Text of a value for raw dumps: numbers separated by blanks, "undef" for a zero denominator."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value[:64].hex() + ("…" if len(value) > 64 else "")  # noqa: PLR2004 (enough to recognise it)
    shown = ["undef" if number is None else str(number) for number in value[:64]]
    return " ".join(shown) + (" …" if len(value) > 64 else "")  # noqa: PLR2004 (as above)
