"""Blocks that one format carries of another: IPTC records, the pictures and profiles in a TIFF."""

from __future__ import annotations

from typing import BinaryIO, Final

from app.analysis.gathered import Gathered
from app.analysis.probes.embedded import of_bytes, tiff_previews, whole
from app.analysis.probes.icc import read_icc
from app.analysis.probes.iptc import read_iptc
from app.analysis.probes.photoshop import read_resources
from app.analysis.probes.picture import Picture
from app.analysis.probes.readings import Readings, unreadable
from app.analysis.probes.tiff import TagKey

_READER_VERSION: Final = "1"
_IPTC: Final[TagKey] = ("IFD0", 0x83BB)
_PHOTOSHOP: Final[TagKey] = ("IFD0", 0x8649)
_ICC: Final[TagKey] = ("IFD0", 0x8773)
_MAX_BLOCKS: Final = 4
_BYTE: Final = 256
_BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES = 0x0102, 0x0103, 0x0106, 0x0115
_COMPRESSIONS: Final = {
    1: "uncompressed",
    5: "LZW",
    6: "JPEG (old form)",
    7: "JPEG",
    8: "deflate",
    32773: "PackBits",
    34892: "lossy JPEG",
}
_PHOTOMETRICS: Final = {
    0: "greyscale, white is zero",
    1: "greyscale",
    2: "RGB",
    3: "palette",
    5: "CMYK",
    6: "YCbCr",
    8: "CIELab",
    32803: "colour filter array",
    34892: "linear raw",
}


def take_iptc(gathered: Gathered, blocks: list[bytes]) -> None:
    """Read IPTC records; the first text of a dataset stays."""
    for block in blocks[:_MAX_BLOCKS]:
        found = read_iptc(block)
        for name, text in found.texts.items():
            gathered.iptc.texts.setdefault(name, text)
        gathered.iptc.charset = gathered.iptc.charset or found.charset
        if found.broken:
            gathered.remarks.append(unreadable("IPTC records end in bytes that are none"))
    if gathered.iptc.texts:
        dump = Readings("iptc", _READER_VERSION)
        for name, text in gathered.iptc.texts.items():
            dump.put(name, text)
        if gathered.iptc.charset:
            dump.put("CodedCharacterSet", gathered.iptc.charset)
        gathered.dumps.append(dump)


def take_pictures(gathered: Gathered, stream: BinaryIO) -> None:
    """How the picture of a TIFF is coded, the previews beside it, and the blocks of other kinds in its tags."""
    tags = gathered.exif
    coding = _full_image(gathered)
    bits = whole(tags, coding, _BITS)
    compression, photometric = whole(tags, coding, _COMPRESSION), whole(tags, coding, _PHOTOMETRIC)
    gathered.picture = Picture(
        tool="tiff",
        bits=bits,
        components=whole(tags, coding, _SAMPLES),
        coding=_COMPRESSIONS.get(compression, f"compression {compression}") if compression else None,
        color_space=_PHOTOMETRICS.get(photometric) if photometric is not None else None,
        profile=read_icc(_bytes(gathered, _ICC)),
        embedded=tiff_previews(tags, stream),
    )
    take_blocks(gathered)


def take_blocks(gathered: Gathered) -> None:
    """IPTC records and Photoshop resources in tags of IFD0."""
    resources = read_resources(_bytes(gathered, _PHOTOSHOP))
    iptc = _bytes(gathered, _IPTC)
    take_iptc(gathered, [block for block in (iptc, *resources.iptc) if block.strip(b"\0")])
    if resources.thumbnail:
        gathered.picture.embedded.append(of_bytes("photoshop thumbnail", "photoshop 0x040C", resources.thumbnail))


def _full_image(gathered: Gathered) -> str:
    """The directory of the whole image; IFD0 may hold a preview (TIFF/EP, DNG)."""
    names = ("IFD0", *(f"SubIFD{index}" for index in range(8)))
    return next((name for name in names if whole(gathered.exif, name, 0x00FE) == 0), "IFD0")


def _bytes(gathered: Gathered, key: TagKey) -> bytes:
    """A tag's bytes; writers of IPTC also use 32-bit numbers, in the file's own byte order."""
    tag = gathered.exif.get(key)
    if tag is None:
        return b""
    if isinstance(tag.value, bytes):
        return tag.value
    if isinstance(tag.value, str):
        return tag.value.encode("latin-1", "replace")
    numbers = [number for number in tag.value if isinstance(number, int)]
    if all(0 <= number < _BYTE for number in numbers):
        return bytes(numbers)
    return b"".join((number & 0xFFFFFFFF).to_bytes(4, gathered.order) for number in numbers)
