"""Fingerprint of a photo."""

from __future__ import annotations

from pathlib import Path

from app.matching.canonical_image import CanonicalImage, load_canonical
from app.matching.features import PHOTO_POINTS, extract_view
from app.matching.format import MAX_PICTURE_SIDE, Fingerprint
from app.matching.hashes import content_rows, hash_rows


def fingerprint_photo(path: Path) -> Fingerprint:
    """Fingerprint the first picture of a photo file.

    A picture that is flat, black or tiny gives a fingerprint without hashes; it matches nothing.

    Raises:
        FingerprintError: `unreadable_image`, `image_too_large` or `out_of_memory`.
    """
    return fingerprint_canonical(load_canonical(path))


def fingerprint_canonical(image: CanonicalImage) -> Fingerprint:
    """Fingerprint a photo that is decoded."""
    rows = hash_rows(image.gray, crops=True)
    pictures = [image.gray]
    if image.content is not None and image.content_window is not None:
        inside = content_rows(image.content, image.content_window)
        rows += inside
        pictures += [image.content] if inside else []
    made = (
        extract_view(gray, time_ms=0, points=PHOTO_POINTS, picture_side=MAX_PICTURE_SIDE, mirrored=True, spread=True)
        for gray in pictures
    )
    views = tuple(view for view in made if view is not None)
    return Fingerprint("photo", image.width, image.height, 0, 1, tuple(rows), views)
