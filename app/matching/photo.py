"""Fingerprint of a photo."""

from __future__ import annotations

from pathlib import Path

from app.matching.canonical_image import load_canonical
from app.matching.features import PHOTO_POINTS, extract_view
from app.matching.format import MAX_PICTURE_SIDE, Fingerprint
from app.matching.hashes import hash_rows


def fingerprint_photo(path: Path) -> Fingerprint:
    """Fingerprint the first picture of a photo file.

    A picture that is flat, black or tiny gives a fingerprint without hashes; it matches nothing.

    Raises:
        FingerprintError: `unreadable_image`, `image_too_large` or `out_of_memory`.
    """
    image = load_canonical(path)
    view = extract_view(image.gray, time_ms=0, points=PHOTO_POINTS, picture_side=MAX_PICTURE_SIDE, mirrored=True)
    rows = hash_rows(image.gray, crops=True)
    return Fingerprint("photo", image.width, image.height, 0, 1, tuple(rows), (view,) if view else ())
