"""Layouts of makers' private blocks, and the numbers of the tags that are taken from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

EQUIPMENT_TAG: Final = 0x2010
EQUIPMENT: Final = {
    0x0101: "SerialNumber",
    0x0102: "InternalSerialNumber",
    0x0104: "Firmware",
    0x0202: "LensSerialNumber",
    0x0203: "LensModel",
}


@dataclass(frozen=True)
class Maker:
    """How one maker's block is built.

    Attributes:
        heading: its first bytes; empty where there is no heading and `makes` decides.
        makes: beginnings of EXIF Make in lower case; empty where the heading alone decides.
        skip: from the block's start to its directory, bytes.
        pointer: where the heading holds the directory's offset instead.
        own_base: whether offsets count from the block, `base` bytes after its start; else from EXIF's own start.
        order: byte order that the maker always uses; None for that of the EXIF structure.
        order_at: where the block states its own.
        equipment: whether a second directory holds the serials (Olympus).
        unlike: beginnings of blocks that are something else.
        either_base: models differ: where nothing is found from EXIF's start, the block's own is tried.
        footer: the last eight bytes are a TIFF heading with the offset that the block was written for (Canon).
    """

    name: str
    tags: dict[int, str]
    heading: bytes = b""
    makes: tuple[str, ...] = ()
    skip: int = 0
    pointer: int | None = None
    own_base: bool = False
    base: int = 0
    order: str | None = None
    order_at: int | None = None
    equipment: bool = False
    unlike: tuple[bytes, ...] = ()
    either_base: bool = False
    footer: bool = False

    def fits(self, head: bytes, make: str) -> bool:
        """Whether a block that begins so, in a file of this make, is built like this."""
        named = not self.makes or make.strip().lower().startswith(self.makes)
        return head.startswith(self.heading) and named and not head.startswith(self.unlike)


CANON: Final = {
    0x0007: "Firmware",
    0x0009: "OwnerName",
    0x000C: "SerialNumber",
    0x0035: "TimeInfo",
    0x0095: "LensModel",
    0x0096: "InternalSerialNumber",
}
_NIKON = {0x001D: "SerialNumber", 0x00A0: "SerialNumber", 0x0024: "WorldTime", 0x00A7: "ShutterCount"}
_OLYMPUS = {0x0404: "SerialNumber", 0x0207: "CameraType"}
_PENTAX = {0x0229: "SerialNumber", 0x0230: "Firmware"}
_APPLE = {
    0x000A: "HDRImageType",
    0x000B: "BurstUUID",
    0x0011: "ContentIdentifier",
    0x0014: "ImageCaptureType",
    0x0015: "ImageUniqueID",
    0x002B: "PhotoIdentifier",
    0x002E: "CameraType",
}
_DJI = {
    0x0001: "Make",
    0x0003: "SpeedX",
    0x0004: "SpeedY",
    0x0005: "SpeedZ",
    0x0006: "Pitch",
    0x0007: "Yaw",
    0x0008: "Roll",
    0x0009: "CameraPitch",
    0x000A: "CameraYaw",
    0x000B: "CameraRoll",
}
_SAMSUNG = {
    0xA001: "Firmware",
    0xA002: "SerialNumber",
    0xA005: "LensSerialNumber",
}
_PANASONIC = {0x0025: "InternalSerialNumber", 0x0051: "LensModel", 0x0052: "LensSerialNumber"}

# The first that fits is taken: those with a heading stand before those that go by the make alone.
MAKERS: Final[tuple[Maker, ...]] = (
    Maker("Apple", _APPLE, b"Apple iOS\0", skip=14, own_base=True, order_at=12),
    Maker("Nikon", _NIKON, b"Nikon\0\x02", skip=18, own_base=True, base=10, order_at=10),
    Maker("Nikon", {}, b"Nikon\0\x01", skip=8),
    Maker("Olympus", _OLYMPUS, b"OM SYSTEM\0", skip=16, own_base=True, order_at=12, equipment=True),
    Maker("Olympus", _OLYMPUS, b"OLYMPUS\0", skip=12, own_base=True, order_at=8, equipment=True),
    Maker("Olympus", _OLYMPUS, b"OLYMP\0", skip=8, equipment=True),
    Maker("Panasonic", _PANASONIC, b"Panasonic\0", skip=12),
    Maker("Fujifilm", {0x0010: "InternalSerialNumber"}, b"FUJIFILM", pointer=8, own_base=True, order="<"),
    Maker("Pentax", _PENTAX, b"PENTAX \0", skip=10, own_base=True, order_at=8),
    Maker("Pentax", _PENTAX, b"AOC\0", skip=6, order_at=4),
    Maker("Sony", {0x2031: "SerialNumber"}, b"SONY ", skip=12),
    Maker("Sigma", {0x0002: "SerialNumber"}, b"SIGMA\0", skip=10),
    Maker("Sigma", {0x0002: "SerialNumber"}, b"FOVEON\0", skip=10),
    Maker("Motorola", {0x5501: "SerialNumber"}, b"MOT\0", skip=8, own_base=True),
    Maker("Canon", CANON, makes=("canon",), footer=True),
    Maker("DJI", _DJI, makes=("dji",), unlike=(b"[", b"DJI")),
    Maker("DJI", _DJI, b"\x0b\0\x01\0\x02\0\x04\0\0\0DJI\0"),
    Maker("Nikon", {}, makes=("nikon",)),
    Maker("Samsung", _SAMSUNG, makes=("samsung",), either_base=True),
)
