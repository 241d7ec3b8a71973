"""Making regions of a photo unreadable; runs in the sandbox, on a hostile file.

1. The picture is decoded whole, turned upright, and encoded anew from its pixels alone: nothing of the file's metadata,
   thumbnails, layers or hidden colours goes along.
2. `fill` paints a region in one colour that does not depend on what was there. `mosaic` paints blocks in their mean
   colour, which tells something of what was there: text and faces have been recovered. Only `fill` is safe.
3. A picture that cannot be decoded to its end is refused: what is missing could not be looked at.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.analysis.errors import AnalysisError
from app.analysis.probes.filetype import HEAD_BYTES, sniff
from app.analysis.probes.image import MAX_PIXELS

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

FILL, MOSAIC = "fill", "mosaic"
QUALITY = 92
_BLOCKS = 6  # of a mosaic along the longer side of its region: too few to know a face by
_SMALLEST_BLOCK = 24
Box = tuple[int, int, int, int]


def redact_task(path: Path, regions: Sequence[Box], method: str) -> tuple[dict[str, object], bytes]:
    """A redacted copy of a photo: `({"media_type", "width", "height"}, JPEG)`.

    Args:
        path: the original.
        regions: (x, y, width, height) in pixels of the upright picture.
        method: `FILL` or `MOSAIC`.

    Raises:
        AnalysisError: `image_too_large`, `image_unreadable`, `region_outside`.
    """
    try:
        picture = _whole(path)
    except (AnalysisError, MemoryError):
        raise
    except Exception as error:
        raise AnalysisError("image_unreadable", f"the image could not be decoded ({type(error).__name__})") from error
    for region in regions:
        _hide(picture, region, method)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=QUALITY)
    return {"media_type": "image/jpeg", "width": picture.width, "height": picture.height}, buffer.getvalue()


def _whole(path: Path) -> Picture:
    from PIL import Image, ImageOps

    with path.open("rb") as stream:
        form = sniff(stream.read(HEAD_BYTES), path.stat().st_size).format
    Image.MAX_IMAGE_PIXELS = None  # asked below, before anything is decoded
    if form in {"HEIC", "HEIF", "AVIF"}:
        import pillow_heif

        heif = pillow_heif.open_heif(path, convert_hdr_to_8bit=True)
        _refuse_large(*heif.size)
        opened: Picture = heif.to_pillow()
        return _opaque(opened)  # libheif has turned it
    with Image.open(path) as image:
        _refuse_large(*image.size)
        turned = image if image.format == "TIFF" else ImageOps.exif_transpose(image)
        return _opaque(turned)


def _refuse_large(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise AnalysisError("image_too_large", f"{width} x {height} pixels are not decoded")


def _opaque(picture: Picture) -> Picture:
    """A new picture of the pixels that are seen: on white, without alpha, palette or anything attached."""
    from PIL import Image

    ground = Image.new("RGB", picture.size, "white")
    seen = picture.convert("RGBA") if picture.mode in {"RGBA", "LA", "PA"} or "transparency" in picture.info else None
    if seen is not None:
        ground.paste(seen.convert("RGB"), mask=seen.getchannel("A"))
    else:
        ground.paste(picture.convert("RGB"))
    return ground


def _hide(picture: Picture, region: Box, method: str) -> None:
    x, y, width, height = region
    if x < 0 or y < 0 or width < 1 or height < 1 or x + width > picture.width or y + height > picture.height:
        raise AnalysisError(
            "region_outside", f"{x},{y},{width},{height} does not lie in {picture.width} x {picture.height} pixels"
        )
    box = (x, y, x + width, y + height)
    if method == FILL:
        picture.paste((0, 0, 0), box)
        return
    from PIL import Image

    edge = max(_SMALLEST_BLOCK, -(-max(width, height) // _BLOCKS))
    small = max(1, width // edge), max(1, height // edge)
    part = picture.crop(box).resize(small, Image.Resampling.BOX)
    picture.paste(part.resize((width, height), Image.Resampling.NEAREST), box)
