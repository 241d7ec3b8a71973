"""Findings: what the recorded facts are consistent with. Pure; no finding claims a proof.

Each rule looks at the record alone and answers with a stable code and one sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from app.analysis.normalise_values import offset_from_satellites
from app.analysis.probes.readings import Remark, shown
from schemas.records.v1.media_metadata import Finding, MediaMetadata, NumberFact, TextFact

EDITORS = re.compile(
    r"photoshop|lightroom|gimp|snapseed|picasa|acdsee|adobe|photo ?viewer|photoscape|nikon transfer|libformat|xnview|"
    r"imagemagick|canva|instagram|facebook|whatsapp|telegram|luminar|capture one|darktable|rawtherapee|affinity|"
    r"paint\.net|vsco|faceapp|facetune|remini|pixelmator|corel|irfanview|microsoft windows photo|premiere|"
    r"after effects|final cut|davinci|capcut|kinemaster|inshot|vegas",
    re.IGNORECASE,
)
ENCODERS = re.compile(r"\bLav[fc]|HandBrake|x26[45]|ffmpeg|Mainconcept", re.IGNORECASE)
_ERRORS = {"image_too_large", "empty_file"}
_NOTES = {"structure_too_large", "exif_malformed", "metadata_unread", "video_unreadable"}
# Where one of these is said, what was not found may still be there.
_UNREAD = {
    "container_unreadable", "exif_malformed", "image_data_missing", "image_too_large", "image_unreadable",
    "index_missing", "metadata_unread", "metadata_unreadable", "structure_too_large", "truncated",
    "value_unusable", "video_unreadable", "xmp_malformed", "xmp_refused",
}  # fmt: skip
_MAX_FINDING = 1_000
_SUFFIXES = {
    "jpg": "JPEG", "jpeg": "JPEG", "jpe": "JPEG", "png": "PNG", "webp": "WebP", "gif": "GIF", "bmp": "BMP",
    "tif": "TIFF", "tiff": "TIFF", "avif": "AVIF", "avi": "AVI", "mkv": "Matroska", "webm": "WebM",
}  # fmt: skip
_HEIF_SUFFIXES = {"heic", "heif", "hif"}
_MOVIE_SUFFIXES = {"mp4", "mov", "m4v", "3gp", "3g2"}
_MOVIES = {"MP4", "QuickTime", "3GPP"}
_HEIFS = {"HEIC", "HEIF", "AVIF"}
_SECOND = 19

Rule = Callable[[MediaMetadata], Iterator[Finding]]


def _warn(code: str, text: str) -> Finding:
    return Finding(code=code, severity="warning", text=shown(text, _MAX_FINDING))


def _info(code: str, text: str) -> Finding:
    return Finding(code=code, severity="info", text=shown(text, _MAX_FINDING))


def _known(*facts: TextFact | NumberFact) -> bool:
    return any(fact.value is not None for fact in facts)


def file_type(record: MediaMetadata) -> Iterator[Finding]:
    """Unknown type; a name that says something else than the content."""
    if record.file.format == "empty":
        yield Finding(code="empty_file", severity="error", text="the file has no bytes")
        return
    if record.file.format == "unknown":
        yield _warn("unknown_type", "the content is of no type that is known here; it was kept and not analysed")
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
        yield _info("extension_mismatch", text)


def no_metadata(record: MediaMetadata) -> Iterator[Finding]:
    """Nothing of device, time or place."""
    if record.file.kind == "other":
        return
    device, time, position = record.device, record.time, record.position
    clocks: tuple[TextFact, ...] = (
        time.capture_local,
        time.capture_utc,
        time.gps_utc,
        time.modified,
        time.container_created,
    )
    devices: tuple[TextFact, ...] = (
        device.make,
        device.model,
        device.camera_serial,
        device.lens_serial,
        device.drone_serial,
    )
    told = record.description
    clocks += (time.container_modified, time.digitized_local, time.metadata_changed, told.created, told.digitized)
    devices += (device.internal_serial, device.sensor_serial)
    places = (position.lat, position.lon, told.sublocation, told.city, told.state, told.country)
    if not _known(*devices, *clocks, *places):
        text = "no device, time or place is recorded; consistent with an upload through a messenger or platform"
        yield _info("no_metadata", text)


def position_finding(record: MediaMetadata) -> Iterator[Finding]:
    """0,0; half a position; places of the file that disagree."""
    lat, lon = record.position.lat, record.position.lon
    if lat.value == 0 and lon.value == 0:
        yield _warn("position_zero", "the position is 0,0; consistent with a receiver that had no satellite fix")
    if (lat.value is None) != (lon.value is None):
        yield _warn("position_incomplete", "only one of latitude and longitude is recorded in a usable form")
    if lat.conflicts or lon.conflicts:
        others = sorted({conflict.source for conflict in (*lat.conflicts, *lon.conflicts)})
        yield _warn("position_conflict", f"other places in the file give another position: {', '.join(others)}")
    if record.position.alt_gps.conflicts:
        yield _info("altitude_conflict", "places in the file give different GPS altitudes")


def time_conflict(record: MediaMetadata) -> Iterator[Finding]:
    """Clocks of the file that disagree."""
    time = record.time
    if time.capture_local.conflicts:
        sources = ", ".join(conflict.source for conflict in time.capture_local.conflicts)
        yield _warn("capture_time_conflict", f"other places in the file give another capture time: {sources}")
    if time.utc_offset.conflicts:
        yield _warn("utc_offset_conflict", "places in the file give different UTC offsets")
    if time.capture_local.certainty == "inferred":
        yield _info("capture_time_inferred", f"the capture time is taken from {time.capture_local.source}")


def clock_against_satellites(record: MediaMetadata) -> Iterator[Finding]:
    """Local time minus GPS time should be a UTC offset in civil use."""
    local, gps = record.time.capture_local.value, record.time.gps_utc.value
    if local is None or gps is None:
        return
    difference = datetime.fromisoformat(local[:_SECOND]), datetime.fromisoformat(gps[:_SECOND])
    if offset_from_satellites(*difference) is None:
        text = (
            f"camera clock {local} and GPS time {gps} differ by no UTC offset in use; "
            "consistent with a clock that was set wrong, or with an old satellite fix"
        )
        yield _warn("clock_differs_from_gps", text)


def saved_later(record: MediaMetadata) -> Iterator[Finding]:
    """Changed after capture, or before it."""
    local, modified = record.time.capture_local.value, record.time.modified.value
    if local is None or modified is None or record.time.capture_local.certainty == "inferred":
        return
    if modified[:_SECOND] > local[:_SECOND]:
        yield _info(
            "modified_after_capture", f"last changed {modified}, captured {local}; consistent with later saving"
        )
    elif modified[:_SECOND] < local[:_SECOND]:
        text = (
            f"last changed {modified}, before the capture time {local}; consistent with a changed clock or edited time"
        )
        yield _warn("modified_before_capture", text)


def programs(record: MediaMetadata) -> Iterator[Finding]:
    """Editing programs and encoders by name."""
    texts = [trace.text for trace in record.editing if trace.kind in {"software", "history"}]
    named = sorted({shown(text) for text in texts if EDITORS.search(text)})
    if named:
        yield _info("editing_software", f"names a program that edits or transfers: {'; '.join(named[:5])}")
    encoders = sorted(
        {shown(trace.text) for trace in record.editing if trace.kind == "encoder" and ENCODERS.search(trace.text)}
    )
    if encoders:
        text = f"written by {'; '.join(encoders[:5])}; consistent with a video that was re-muxed or re-encoded"
        yield _info("encoder_reencoded", text)


def device_finding(record: MediaMetadata) -> Iterator[Finding]:
    """Serials and makers that disagree; serials that are placeholders."""
    for name, fact in (
        ("camera_serial", record.device.camera_serial),
        ("lens_serial", record.device.lens_serial),
        ("make", record.device.make),
        ("model", record.device.model),
    ):
        if fact.conflicts:
            other = ", ".join(f"{shown(conflict.value)} ({conflict.source})" for conflict in fact.conflicts)
            yield _warn("device_conflict", f"{name}: {shown(fact.value)} ({fact.source}), but also {other}")
    serial = record.device.camera_serial.value
    if serial is not None and not serial.strip("0 .-"):
        yield _info(
            "serial_placeholder", f'the camera serial is recorded as "{shown(serial)}", which identifies no device'
        )


def track_finding(record: MediaMetadata) -> Iterator[Finding]:
    """How far the track can be trusted."""
    if record.track.certainty == "inferred":
        text = (
            "the track's order of latitude and longitude is not certain from its values; taken as usual for the model"
        )
        yield _info("track_axis_order_inferred", text)
    if record.track.samples and not record.track.points:
        text = (
            f"none of the track's {record.track.samples} samples holds a usable position; "
            "consistent with a receiver that had no satellite fix"
        )
        yield _warn("track_without_position", text)


RULES: tuple[Rule, ...] = (
    file_type,
    no_metadata,
    position_finding,
    time_conflict,
    clock_against_satellites,
    saved_later,
    programs,
    device_finding,
    track_finding,
)


def find(record: MediaMetadata, remarks: Iterable[Remark] = ()) -> tuple[Finding, ...]:
    """All findings of a record: those of the parsers first, each code and text once.

    Where anything could not be read, `metadata_unread` stands in for `no_metadata`: a failed read is no absence.
    """
    findings: list[Finding] = []
    for remark in remarks:
        severity = "error" if remark.code in _ERRORS else "info" if remark.code in _NOTES else "warning"
        text = shown(remark.text, _MAX_FINDING)
        findings.append(Finding.model_validate({"code": remark.code, "severity": severity, "text": text}))
    hindered = sorted({finding.code for finding in findings} & _UNREAD)
    for rule in RULES:
        if rule is no_metadata and hindered:
            findings.extend(_not_read(hindered) for _ in rule(record))
        else:
            findings.extend(rule(record))
    return tuple(dict.fromkeys(findings))


def _not_read(codes: list[str]) -> Finding:
    text = (
        "no device, time or place was read, but not all of the file could be read or used "
        f"(see {', '.join(codes)}): whether it holds them is not known"
    )
    return _info("metadata_unread", text)
