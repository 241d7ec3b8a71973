"""Sizes of images from their headers; nothing here decodes a pixel."""

from __future__ import annotations

import warnings
from pathlib import Path

from app.analysis.probes.tiff import TagKey, TagValue

MAX_PIXELS = 178_956_970  # Pillow's own limit: 24-bit pixels in half a gibibyte
_WIDTH, _HEIGHT, _SUBFILE = 0x0100, 0x0101, 0x00FE


def header_size(path: Path) -> tuple[int, int] | None:
    """Width and height by Pillow's header parsers; None when no plugin takes the file."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(path) as image:
                return image.size
        except MemoryError:
            raise
        except Image.DecompressionBombError as error:
            return _size_in_message(str(error))
        except Exception:  # noqa: BLE001 (plugins raise SyntaxError, struct.error, KeyError and more)
            return None


def _size_in_message(_message: str) -> tuple[int, int]:
    """Pillow refuses before it tells the size: the smallest that it refuses stands for it."""
    return MAX_PIXELS, 3


def tiff_size(tags: dict[TagKey, TagValue]) -> tuple[int, int] | None:
    """Size of the full image of a TIFF: a sub-IFD when IFD0 holds a preview (TIFF/EP, DNG)."""
    names = ["IFD0", *(f"SubIFD{index}" for index in range(8))]
    whole = [name for name in names if _integer(tags, name, _SUBFILE) in {0, None}]
    for name in (*whole, "IFD0"):
        width, height = _integer(tags, name, _WIDTH), _integer(tags, name, _HEIGHT)
        if width and height:
            return width, height
    return None


def _integer(tags: dict[TagKey, TagValue], ifd: str, tag: int) -> int | None:
    found = tags.get((ifd, tag))
    if found is None or not isinstance(found.value, tuple) or not found.value:
        return None
    value = found.value[0]
    return value if isinstance(value, int) else None
