"""Sizes of images from their headers; nothing here decodes a pixel."""

from __future__ import annotations

import warnings
from pathlib import Path

from app.analysis.errors import AnalysisError
from app.analysis.probes.tiff import TagKey, TagValue

MAX_PIXELS = 178_956_970  # 24-bit pixels in half a gibibyte; where Pillow itself refuses by default
_WIDTH, _HEIGHT, _SUBFILE = 0x0100, 0x0101, 0x00FE


def header_size(path: Path) -> tuple[int, int] | None:
    """Width and height by Pillow's header parsers; None when no plugin takes the file.

    Raises:
        AnalysisError: `image_too_large`; Pillow names the number of pixels and not the sides.
    """
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(path) as image:
                return image.size
        except MemoryError:
            raise
        except Image.DecompressionBombError as error:
            raise AnalysisError("image_too_large", f"more than {MAX_PIXELS} pixels; not decoded") from error
        except Exception:  # noqa: BLE001 (plugins raise SyntaxError, struct.error, KeyError and more)
            return None


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
