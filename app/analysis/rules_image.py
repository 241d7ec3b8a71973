"""Findings about the picture: a screen's size, a thumbnail that shows something else. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from app.analysis.findings import info, rest, warn
from schemas.records.v1.media_metadata import Finding, MediaMetadata

DIFFERENT, UNCLEAR = 16, 13
"""Bits of 64 from which on a thumbnail is of another picture, and from which on nobody can tell (METADATA)."""

# Short by long side, in pixels: phones, tablets, then monitors. Formats are those that screenshots are saved in.
_SCREENS = {
    (640, 1136), (720, 1280), (720, 1440), (720, 1520), (720, 1560), (720, 1600), (720, 1612), (750, 1334),
    (828, 1792), (1080, 1920), (1080, 2160), (1080, 2220), (1080, 2280), (1080, 2310), (1080, 2316), (1080, 2340),
    (1080, 2376), (1080, 2388), (1080, 2400), (1080, 2408), (1080, 2412), (1080, 2460), (1080, 2520), (1125, 2436),
    (1170, 2532), (1176, 2400), (1179, 2556), (1206, 2622), (1220, 2712), (1224, 2700), (1240, 2772), (1242, 2208),
    (1242, 2688), (1284, 2778), (1290, 2796), (1320, 2868), (1344, 2992), (1440, 2560), (1440, 2880), (1440, 2960),
    (1440, 3040), (1440, 3088), (1440, 3120), (1440, 3200), (1488, 2266), (1536, 2048), (1620, 2160), (1640, 2360),
    (1668, 2224), (1668, 2388), (2048, 2732), (768, 1366), (800, 1280), (900, 1440), (900, 1600), (1050, 1680),
    (1080, 2560), (1200, 1920), (1440, 3440), (1600, 2560), (1664, 2560), (1800, 2880), (1964, 3024), (2160, 3840),
    (2234, 3456),
}  # fmt: skip
_SAVED_AS = {"PNG", "JPEG", "WebP", "HEIC", "HEIF"}
_SCREEN_TYPE = "screenCapture"
_CAMERA = ("device.make", "device.lens", "exposure.exposure_time", "exposure.f_number", "exposure.focal_length")


def screenshot(record: MediaMetadata) -> Iterator[Finding]:
    """The size of a screen and no word of a camera; or a mark that says so."""
    marked = [kind for kind in record.c2pa.source_types if kind.endswith(_SCREEN_TYPE)]
    width, height = record.image.width.value, record.image.height.value
    size = rest(record, "image.width", "image.height")
    if marked:
        text = "the file is marked as captured from a screen; consistent with a screenshot"
        yield info("screenshot_like", text, *rest(record, "c2pa.source_types"), *size)
        return
    if record.file.kind != "photo" or record.file.format not in _SAVED_AS or width is None or height is None:
        return
    facts = rest(record, *_CAMERA)
    if (min(width, height), max(width, height)) in _SCREENS and all(fact.value is None for fact in facts):
        text = (
            f"{width} x {height} pixels are the size of a screen, and no camera is named; consistent with a screenshot"
        )
        yield info("screenshot_like", text, *size, *rest(record, "file.format"), *facts)


def thumbnail(record: MediaMetadata) -> Iterator[Finding]:
    """The embedded thumbnail beside the image."""
    facts = record.thumbnail
    values = rest(record, "thumbnail.distance", "thumbnail.rotation", "thumbnail.sha256")
    if facts.state == "unreadable":
        text = f"the embedded thumbnail could not be compared with the image: {facts.reason}"
        yield info("thumbnail_unreadable", text, *rest(record, "thumbnail.state", "thumbnail.sha256"))
    elif facts.distance is not None and facts.distance >= DIFFERENT:
        text = (
            f"the embedded thumbnail differs from the image ({facts.distance} of 64 bits); "
            "consistent with an image that was changed while its thumbnail was kept"
        )
        yield warn("thumbnail_differs", text, *values)
    elif facts.distance is not None and facts.distance >= UNCLEAR:
        text = f"whether the embedded thumbnail is of the same image is unclear ({facts.distance} of 64 bits differ)"
        yield info("thumbnail_unclear", text, *values)
