"""Previews for the report: small enough that a report of many items stays a file that people can open."""

from __future__ import annotations

import io
from typing import Final

from app.export.report.document import Picture

MAX_BYTES: Final = 8 << 20
MAX_PIXELS: Final = 16_000_000
TOTAL_BYTES: Final = 16 << 20
"""All pictures of one report together; what comes after is left out, and said to be."""

_EDGES: Final = ((40, 900), (200, 560), (900, 360))
_SMALLEST: Final = 260
_FORMATS: Final = ("JPEG", "PNG", "WEBP")
_QUALITY: Final = 78


def edge_for(items: int) -> int:
    """The longest side of each picture, pixels, in a report of so many items."""
    return next((edge for most, edge in _EDGES if items <= most), _SMALLEST)


def small(data: bytes, edge: int, alt: str, caption: str) -> Picture | None:
    """A preview scaled down; None when it cannot be drawn.

    Args:
        data: a preview that the archive made.
        edge: longest side, pixels.
        alt: what it is, in words.
        caption: stands below it.
    """
    from PIL import Image

    if len(data) > MAX_BYTES:
        return None
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                return None
            image.draft("RGB", (edge, edge))  # decodes JPEG at a fraction of its size
            picture = image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    picture.thumbnail((edge, edge))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=_QUALITY)
    return Picture(out.getvalue, picture.width, picture.height, alt, caption)
