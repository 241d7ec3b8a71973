"""Compare the thumbnail that EXIF embeds with the image: a program that edits may leave the old one behind.

Perceptual hash: 32 x 32 grey values, discrete cosine transform, the lowest 8 x 8 coefficients against their median.
Rotating a picture by quarter turns swaps and negates coefficients, so each picture is transformed once.
"""

from __future__ import annotations

import hashlib
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.analysis.probes.filetype import HEAD_BYTES, sniff
from app.analysis.probes.heif import walk_heif
from app.analysis.probes.jpeg import walk_jpeg
from app.analysis.probes.tiff import scan_tiff
from schemas.records.v1.thumbnail_facts import ThumbnailFacts

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

_SIDE, _KEPT = 32, 8
_MAX_PIXELS = 4_000_000
_BLACK = 24  # mean grey of a row that may be a letterbox bar, after JPEG's ringing
_MOST_BAR = 0.3
_FLAT = 2.0  # standard deviation in grey values below which a picture has no shape to compare
_SAME_SHAPE = 0.02
_READ = {"JPEG", "HEIC", "HEIF", "AVIF"}
_OFFSET, _LENGTH = ("IFD1", 0x0201), ("IFD1", 0x0202)

Coefficients = list[list[float]]
_COSINES: Final = [[math.cos(math.pi * k * (2 * n + 1) / (2 * _SIDE)) for n in range(_SIDE)] for k in range(_KEPT)]


@dataclass(frozen=True)
class _Fit:
    distance: int
    rotation: int


def compare_thumbnail(path: Path, image: bytes) -> ThumbnailFacts:
    """Compare in this process.

    Args:
        path: the file.
        image: its picture as an upright JPEG, such as the preview.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        form = sniff(stream.read(HEAD_BYTES), size).format
        if form not in _READ:
            return ThumbnailFacts(reason=f"thumbnails of {form} files are not read")
        parts = walk_jpeg(stream, size, segments_only=True) if form == "JPEG" else walk_heif(stream, size)
    blocks = parts.exif
    found = _embedded(blocks)
    if found is None:
        return ThumbnailFacts(state="absent")
    sha256 = hashlib.sha256(found).hexdigest()
    try:
        thumbnail, whole = _grey(found), _grey(image)
        fit = _best(thumbnail, whole)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 (decoders of hostile bytes raise anything; all of it is one answer)
        reason = f"the thumbnail could not be decoded ({type(error).__name__})"
        return ThumbnailFacts(state="unreadable", sha256=sha256, reason=reason)
    width, height = thumbnail.size
    if fit is None:
        reason = "one of the pictures is of one even tone: there is no shape to compare"
        return ThumbnailFacts(state="not_compared", width=width, height=height, sha256=sha256, reason=reason)
    return ThumbnailFacts(
        state="compared",
        distance=fit.distance,
        rotation=fit.rotation,
        width=width,
        height=height,
        sha256=sha256,
    )


def _embedded(blocks: list[bytes]) -> bytes | None:
    """Bytes of the JPEG thumbnail of the first Exif block (EXIF 2.32, section 4.5.7); None when there is none."""
    for block in blocks[:1]:
        tags = scan_tiff(io.BytesIO(block)).tags
        place = [tags[key].value for key in (_OFFSET, _LENGTH) if key in tags]
        numbers = [value[0] for value in place if isinstance(value, tuple) and value]
        if len(numbers) == 2 and all(isinstance(number, int) for number in numbers):  # noqa: PLR2004 (offset and length)
            offset, length = int(numbers[0] or 0), int(numbers[1] or 0)
            return block[offset : offset + length] or b"\0"
    return None


def _grey(data: bytes) -> Picture:
    from PIL import Image

    picture = Image.open(io.BytesIO(data), formats=("JPEG",))
    if picture.width * picture.height > _MAX_PIXELS:
        raise ValueError("more pixels than a thumbnail has")
    picture.draft("L", (4 * _SIDE, 4 * _SIDE))
    return picture.convert("L")


def _best(thumbnail: Picture, image: Picture) -> _Fit | None:
    """The nearest of the thumbnail with and without bars, in four rotations, to the image and to its middle."""
    fits: list[_Fit] = []
    for small in _without_bars(thumbnail):
        turned = [(degrees, _turned(_transform(small), degrees)) for degrees in (0, 90, 180, 270)]
        for shape in _shapes(image, small):
            if min(_spread(small), _spread(shape)) < _FLAT:
                continue
            wanted = _hash(_transform(shape))
            fits += [_Fit((_hash(found) ^ wanted).bit_count(), degrees) for degrees, found in turned]
    return min(fits, key=lambda fit: fit.distance, default=None)


def _spread(picture: Picture) -> float:
    from PIL import ImageStat

    return float(ImageStat.Stat(picture).stddev[0])


def _without_bars(picture: Picture) -> list[Picture]:
    """The picture, and the same without black bars at opposite sides: cameras fit 3:2 into 160 x 120."""
    found = [picture]
    width, height = picture.size
    rows = _bar(picture.resize((1, height)).tobytes())
    columns = _bar(picture.resize((width, 1)).tobytes())
    if rows or columns:
        found.append(picture.crop((columns, rows, width - columns, height - rows)))
    return found


def _bar(line: bytes) -> int:
    """Width of the bars that both ends of a line of means share."""
    depth = 0
    while depth < len(line) * _MOST_BAR and max(line[depth], line[-1 - depth]) < _BLACK:
        depth += 1
    return depth


def _shapes(image: Picture, like: Picture) -> list[Picture]:
    """The image, and its middle in the thumbnail's proportions, upright or turned."""
    found = [image]
    for wide, high in ((like.width, like.height), (like.height, like.width)):
        width = min(image.width, round(image.height * wide / high))
        height = min(image.height, round(image.width * high / wide))
        if min(width / image.width, height / image.height) < 1 - _SAME_SHAPE and width and height:
            left, top = (image.width - width) // 2, (image.height - height) // 2
            found.append(image.crop((left, top, left + width, top + height)))
    return found


def _transform(picture: Picture) -> Coefficients:
    """The lowest coefficients, [vertical][horizontal] frequency."""
    from PIL import Image

    small = picture.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS).tobytes()
    rows = [small[_SIDE * y : _SIDE * (y + 1)] for y in range(_SIDE)]
    across = [[_product(cosine, row) for cosine in _COSINES] for row in rows]
    columns = list(zip(*across, strict=True))
    return [[_product(cosine, column) for column in columns] for cosine in _COSINES]


def _product(first: list[float], second: bytes | tuple[float, ...]) -> float:
    return sum(a * b for a, b in zip(first, second, strict=True))


def _turned(found: Coefficients, degrees: int) -> Coefficients:
    """Coefficients of the picture turned anticlockwise: odd frequencies change sign where an axis is reversed."""
    turned = found
    for _ in range(degrees // 90):
        turned = [[turned[u][v] * (-1) ** v for u in range(_KEPT)] for v in range(_KEPT)]
    return turned


def _hash(found: Coefficients) -> int:
    values = [value for row in found for value in row]
    ordered = sorted(values)
    median = (ordered[31] + ordered[32]) / 2
    return sum(1 << place for place, value in enumerate(values) if value > median)
