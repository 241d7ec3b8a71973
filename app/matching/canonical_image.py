"""The one path from any picture to the grey canonical image that everything else looks at.

JPEG decoders that shrink while decoding ("draft"), other resize filters and ignored EXIF turns
shift a perceptual hash by 4 to 14 of its 256 bits. So photos and video frames of all formats pass
here, and only here: full decode, luma, box reduction by a whole number, area resize so that the
longer side is 640 pixels, then the EXIF turn.
"""

from __future__ import annotations

import dataclasses
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.matching.errors import FingerprintError

if TYPE_CHECKING:
    from PIL import Image

Gray = NDArray[np.uint8]

CANONICAL_SIDE = 640  # pixels of the longer side; ORB at 640 reached .963 recall in MATCHING.md
MIN_SIDE = 16  # pixels; below this there is no picture to compare
MAX_DECODED_BYTES = 900 * 1024 * 1024  # the sandboxed child may use 1.5 GB in all
_JPEG_BYTES_PER_PIXEL = 4  # luma plane, plus the coefficients that a progressive JPEG holds back
_OTHER_BYTES_PER_PIXEL = 8  # Pillow keeps RGB in 4 bytes, and a conversion needs both
MIN_DECODED_ROWS = 0.5  # of a JPEG that was cut off; with less, too little is left to compare
_LIBJPEG_GRAY = 128
_WINDOW_UNIT = 10_000
_EXIF_ORIENTATION = 0x0112
# EXIF 2.32, tag 274: (mirror left-right first, then quarter turns counter-clockwise).
_EXIF_TURNS = {2: (True, 0), 3: (False, 2), 4: (True, 2), 5: (True, 1), 6: (False, 3), 7: (True, 3), 8: (False, 1)}


@dataclass(frozen=True)
class CanonicalImage:
    """A picture as everything here sees it.

    Attributes:
        width: pixels across of the upright original.
        height: pixels down of the upright original.
        gray: uint8 array (rows, columns), longer side 640; empty (0, 0) when a side of the
            original is under 16 pixels.
        content: the picture inside it, when it is a page or a screen around one: a canonical picture
            of its own, made from the original's pixels; else None.
        content_window: where that lies, in 1/10,000 of the upright original's sides.
    """

    width: int
    height: int
    gray: Gray
    content: Gray | None = None
    content_window: tuple[int, int, int, int] | None = None


def load_canonical(path: Path) -> CanonicalImage:
    """Decode the first picture of a photo file (JPEG, PNG, TIFF, WebP, HEIC, ...).

    Of a JPEG that was cut off, at least half of the rows must be there; the rest is left out.

    Raises:
        FingerprintError: `unreadable_image`, `truncated_image`, `image_too_large` or `out_of_memory`. Its
            detail is a fixed sentence, as it is kept for ever: never a path or a decoder's own words.
    """
    import pillow_heif
    from PIL import Image

    pillow_heif.register_heif_opener()
    with warnings.catch_warnings():
        # Pillow warns about odd tags and big pictures; size is bounded below, tags don't matter here.
        warnings.simplefilter("ignore")
        try:
            return _decode(path)
        except FingerprintError:
            raise
        except Image.DecompressionBombError as error:
            raise FingerprintError("image_too_large", "the picture has too many pixels to compare") from error
        except MemoryError as error:
            raise FingerprintError("out_of_memory", "decoding the picture needs too much memory") from error
        except Exception as error:  # decoders of foreign formats raise anything on hostile bytes
            detail = f"the file cannot be read as a picture ({type(error).__name__})"
            raise FingerprintError("unreadable_image", detail) from error


def _decode(path: Path) -> CanonicalImage:
    from PIL import Image, ImageFile

    jpeg = False
    try:
        with Image.open(path) as image:
            jpeg = image.format in ("JPEG", "MPO")
            return canonical_from_gray(_load_gray(image), _orientation(image))
    except OSError:
        if not jpeg:
            raise
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = True  # Pillow offers it for the whole (sandboxed) process only
    try:
        with Image.open(path) as image:
            gray, orientation = _load_gray(image), _orientation(image)
            part = canonical_from_gray(_without_missing_rows(gray), orientation)
            turned = _EXIF_TURNS.get(orientation, (False, 0))[1] % 2
            size = gray.size[::-1] if turned else gray.size
            return dataclasses.replace(part, width=size[0], height=size[1])
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def _load_gray(image: Image.Image) -> Image.Image:
    _refuse_huge(image)
    if image.format in ("JPEG", "MPO"):
        image.draft("L", image.size)  # luma at full size: no scaling is asked for
    image.load()
    return _to_gray(image)


def _without_missing_rows(gray: Image.Image) -> Image.Image:
    """The upper part of the picture that is really there.

    libjpeg leaves mid-grey where the data end and Pillow black; equal rows of these at the bottom are missing.

    Raises:
        FingerprintError: `truncated_image` when less than half of the rows is there.
    """
    pixels = np.asarray(gray)
    missing = (pixels == _LIBJPEG_GRAY).all(axis=1) | (pixels == 0).all(axis=1)
    there = 0 if missing.all() else len(pixels) - int(np.argmin(missing[::-1]))
    if there < MIN_DECODED_ROWS * len(pixels):
        detail = "the picture was cut off: less than half of its rows can be read"
        raise FingerprintError("truncated_image", detail)
    return gray.crop((0, 0, gray.size[0], there))


def canonical_from_gray(image: Image.Image, orientation: int = 1, *, content: bool = True) -> CanonicalImage:
    """Shrink (or enlarge) a mode L image to the canonical size and turn it upright.

    Args:
        image: Pillow image of mode "L".
        orientation: EXIF orientation 1 to 8; other values mean upright.
        content: whether to look for a picture inside a page or screen.
    """
    from app.matching.content import content_window

    width, height = image.size
    turns = _EXIF_TURNS.get(orientation, (False, 0))[1]
    upright = (height, width) if turns % 2 else (width, height)
    if min(width, height) < MIN_SIDE:
        return CanonicalImage(*upright, np.zeros((0, 0), np.uint8))
    made = CanonicalImage(*upright, _upright(_shrunk(image), orientation))
    window = content_window(made.gray) if content else None
    if window is None:
        return made
    sides = (width, height, width, height)
    box = [round(edge * side / _WINDOW_UNIT) for edge, side in zip(_as_stored(window, orientation), sides, strict=True)]
    part = image.crop((box[0], box[1], box[2], box[3]))
    if min(part.size) < MIN_SIDE:
        return made
    return dataclasses.replace(made, content=_upright(_shrunk(part), orientation), content_window=window)


def _shrunk(image: Image.Image) -> Gray:
    """Longer side 640."""
    import cv2

    cv2.setNumThreads(1)  # same result and bounded CPU whatever the machine
    width, height = image.size
    factor = max(width, height) // (2 * CANONICAL_SIDE)
    reduced = np.asarray(image.reduce(factor) if factor > 1 else image, dtype=np.uint8)
    scale = CANONICAL_SIDE / max(width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(reduced, size, interpolation=method), dtype=np.uint8)


def _upright(gray: Gray, orientation: int) -> Gray:
    mirrored, turns = _EXIF_TURNS.get(orientation, (False, 0))
    return np.ascontiguousarray(np.rot90(np.fliplr(gray) if mirrored else gray, turns))


def _as_stored(window: tuple[int, int, int, int], orientation: int) -> tuple[int, int, int, int]:
    """Where a window of the upright picture lies in the picture as it is stored."""
    mirrored, turns = _EXIF_TURNS.get(orientation, (False, 0))
    left, top, right, bottom = window
    for _ in range(turns):  # clockwise: what was left is on top
        left, top, right, bottom = _WINDOW_UNIT - bottom, left, _WINDOW_UNIT - top, right
    if mirrored:
        left, right = _WINDOW_UNIT - right, _WINDOW_UNIT - left
    return left, top, right, bottom


def _refuse_huge(image: Image.Image) -> None:
    per_pixel = _JPEG_BYTES_PER_PIXEL if image.format in ("JPEG", "MPO") else _OTHER_BYTES_PER_PIXEL
    pixels = image.size[0] * image.size[1]
    if pixels * per_pixel > MAX_DECODED_BYTES:
        raise FingerprintError("image_too_large", f"{image.size[0]} x {image.size[1]} pixels are too many to compare")


def _to_gray(image: Image.Image) -> Image.Image:
    """Mode L; transparency is laid on white, deep and float pixels are stretched to 8 bits."""
    from PIL import Image

    if image.mode == "L":
        return image
    if image.mode.startswith(("I", "F")):
        deep = np.asarray(image, dtype=np.float32)
        deep = np.nan_to_num(deep, nan=0.0, posinf=0.0, neginf=0.0)
        low, high = float(deep.min()), float(deep.max())
        deep = (deep - low) * (255.0 / (high - low)) if high > low else np.zeros_like(deep)
        return Image.fromarray(deep.astype(np.uint8))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        white.alpha_composite(layer)
        return white.convert("L")
    return image.convert("L")


def _orientation(image: Image.Image) -> int:
    """EXIF orientation left to apply after decoding (TIFF and HEIC decoders apply it themselves)."""
    try:
        return int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - broken EXIF of any kind means: as stored
        return 1
