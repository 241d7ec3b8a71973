"""Findings about the file as such: its type, its name, and whether it says anything at all. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from app.analysis.findings import error, info, rest, warn
from schemas.records.v1.media_metadata import Finding, MediaMetadata

_SUFFIXES = {
    "jpg": "JPEG", "jpeg": "JPEG", "jpe": "JPEG", "png": "PNG", "webp": "WebP", "gif": "GIF", "bmp": "BMP",
    "tif": "TIFF", "tiff": "TIFF", "avif": "AVIF", "avi": "AVI", "mkv": "Matroska", "webm": "WebM",
}  # fmt: skip
_HEIF_SUFFIXES = {"heic", "heif", "hif"}
_MOVIE_SUFFIXES = {"mp4", "mov", "m4v", "3gp", "3g2"}
_MOVIES = {"MP4", "QuickTime", "3GPP"}
_HEIFS = {"HEIC", "HEIF", "AVIF"}
_DEVICES = (
    "device.make", "device.model", "device.camera_serial", "device.lens_serial", "device.drone_serial",
    "device.internal_serial", "device.sensor_serial",
)  # fmt: skip
_CLOCKS = (
    "time.capture_local", "time.capture_utc", "time.gps_utc", "time.modified", "time.container_created",
    "time.container_modified", "time.digitized_local", "time.metadata_changed", "description.created",
    "description.digitized",
)  # fmt: skip
_PLACES = (
    "position.lat", "position.lon", "description.sublocation", "description.city", "description.state",
    "description.country",
)  # fmt: skip


def file_type(record: MediaMetadata) -> Iterator[Finding]:
    """Unknown type; a name that says something else than the content."""
    if record.file.format == "empty":
        yield error("empty_file", "the file has no bytes", *rest(record, "file.size"))
        return
    if record.file.format == "unknown":
        text = "the content is of no type that is known here; it was kept and not analysed"
        yield warn("unknown_type", text, *rest(record, "file.format"))
        return
    suffix = record.file.original_name.rpartition(".")[2].lower() if "." in record.file.original_name else ""
    named = _SUFFIXES.get(suffix)
    wrong = (
        (named is not None and named != record.file.format)
        or (suffix in _HEIF_SUFFIXES and record.file.format not in _HEIFS)
        or (suffix in _MOVIE_SUFFIXES and record.file.format not in _MOVIES)
    )
    if wrong:
        text = f"the name ends in .{suffix}, the content is {record.file.format}; consistent with a renamed file"
        yield info("extension_mismatch", text, *rest(record, "file.original_name", "file.format"))


def no_metadata(record: MediaMetadata) -> Iterator[Finding]:
    """Nothing of device, time or place."""
    if record.file.kind == "other":
        return
    facts = rest(record, *_DEVICES, *_CLOCKS, *_PLACES)
    if all(fact.value is None for fact in facts):
        text = "no device, time or place is recorded; consistent with an upload through a messenger or platform"
        yield info("no_metadata", text, *facts)
