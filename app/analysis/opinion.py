"""Two readers compared: what another tool says of device, time and place beside what the record says. Pure.

Where they differ, both are kept, the fact is "conflicting", and a finding says so. That the other tool says nothing is
no difference; that the record says nothing where the other tool does, is one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from app.analysis.facts import same_serial, same_text, within
from app.analysis.findings import info, rest_with_conflicts, warn
from app.analysis.normalise_values import number, offset_text, parse_moment, parse_offset
from app.analysis.probes.readings import shown
from app.analysis.second_opinion import NoOpinion, Opinion
from schemas.records.v1.media_metadata import Conflict, MediaMetadata, NumberFact, TextFact

TOOL: Final = "exiftool"
DEGREES_APART: Final = 1e-6
METRES_APART: Final = 0.1
_MAX_RAW: Final = 128 * 1024
_SECONDS: Final = 19

_MAKES = ("IFD0:Make", "XMP-tiff:Make", "Keys:Make", "UserData:Make", "QuickTime:Make")
_MODELS = ("IFD0:Model", "XMP-tiff:Model", "FLIR:CameraModel", "Keys:Model", "UserData:Model", "QuickTime:Model")
_SERIALS = (
    "ExifIFD:SerialNumber", "IFD0:SerialNumber", "IFD0:CameraSerialNumber", "FLIR:CameraSerialNumber",
    "XMP-drone-dji:CameraSerialNumber", "XMP-exifEX:SerialNumber", "XMP-aux:SerialNumber", "Canon:SerialNumber",
    "Nikon:SerialNumber", "Olympus:SerialNumber", "Pentax:SerialNumber", "Samsung:SerialNumber",
    "GoPro:CameraSerialNumber",
)  # fmt: skip
_DRONES = ("XMP-drone-dji:DroneSerialNumber", "XMP-drone-parrot:SerialNumber")
_LENSES = (
    "ExifIFD:LensSerialNumber",
    "XMP-exifEX:LensSerialNumber",
    "XMP-aux:LensSerialNumber",
    "FLIR:LensSerialNumber",
)
_CLOCKS = (
    "ExifIFD:DateTimeOriginal", "IFD0:DateTimeOriginal", "XMP-exif:DateTimeOriginal", "FLIR:DateTimeOriginal",
    "Keys:CreationDate", "UserData:DateTimeOriginal",
)  # fmt: skip
_OFFSETS = ("ExifIFD:OffsetTimeOriginal", "IFD0:OffsetTimeOriginal")

_COMPARED = (
    "device.make", "device.model", "device.camera_serial", "device.lens_serial", "device.drone_serial",
    "time.capture_local", "time.utc_offset", "position.lat", "position.lon", "position.alt_gps",
)  # fmt: skip

Same = Callable[[object, object], bool]


def weigh(record: MediaMetadata, opinion: Opinion | NoOpinion) -> MediaMetadata:
    """The record with another tool's opinion: its dump, its version, and what differs."""
    if isinstance(opinion, NoOpinion):
        finding = info(opinion.code, opinion.detail)
        return record.model_copy(update={"findings": (*record.findings, finding)})
    differing: list[str] = []

    def text(fact: TextFact, name: str, tags: tuple[str, ...], same: Same = same_text) -> TextFact:
        found = _first(opinion, tags)
        return _with(fact, name, opinion, found, same, differing) if found else fact

    device, time = record.device, record.time
    updated = {
        "device": device.model_copy(
            update={
                "make": text(device.make, "make", _MAKES),
                "model": text(device.model, "model", _MODELS),
                "camera_serial": text(device.camera_serial, "camera_serial", _SERIALS, same_serial),
                "lens_serial": text(device.lens_serial, "lens_serial", _LENSES, same_serial),
                "drone_serial": text(device.drone_serial, "drone_serial", _DRONES, same_serial),
            }
        ),
        "time": time.model_copy(
            update={
                "capture_local": _clock(time.capture_local, opinion, differing),
                "utc_offset": _offset(time.utc_offset, opinion, differing),
            }
        ),
        "position": _position(record, opinion, differing),
        "tools": record.tools | {TOOL: opinion.version},
        "raw": record.raw | {TOOL: _bounded(opinion.tags)},
    }
    if differing:
        words = f"exiftool {opinion.version} reads otherwise than this record: {'; '.join(differing)}"
        values = rest_with_conflicts(record.model_copy(update=updated), *_COMPARED)
        theirs = [value for value in values if (value.source or "").startswith(TOOL)]
        updated["findings"] = (*record.findings, warn("second_opinion_differs", words, *theirs))
    return record.model_copy(update=updated)


def _first(opinion: Opinion, tags: tuple[str, ...]) -> tuple[str, str] | None:
    return next(((tag, value) for tag in tags if (value := opinion.tags.get(tag, "").strip())), None)


def _with(
    fact: TextFact, name: str, opinion: Opinion, found: tuple[str, str], same: Same, differing: list[str]
) -> TextFact:
    """The fact, with the other value among its conflicts where that is another."""
    tag, value = found
    if fact.value is not None and (same(fact.value, value) or any(same(c.value, value) for c in fact.conflicts)):
        return fact
    differing.append(f"{name} {shown(fact.value) if fact.value is not None else 'absent'} here, {shown(value)} there")
    conflict = Conflict(value=value, raw=value, source=f"{TOOL} {opinion.version} {tag}")
    certainty = fact.certainty if fact.value is None else "conflicting"
    return fact.model_copy(update={"certainty": certainty, "conflicts": (*fact.conflicts, conflict)})


def _clock(fact: TextFact, opinion: Opinion, differing: list[str]) -> TextFact:
    found = _first(opinion, _CLOCKS)
    moment = parse_moment(found[1]) if found else None
    if found is None or moment is None:
        return fact
    same = lambda first, second: str(first)[:_SECONDS] == str(second)[:_SECONDS]  # noqa: E731
    return _with(fact, "capture_local", opinion, (found[0], moment.local_text()), same, differing)


def _offset(fact: TextFact, opinion: Opinion, differing: list[str]) -> TextFact:
    found = _first(opinion, _OFFSETS)
    offset = parse_offset(found[1]) if found else None
    if found is None or offset is None:
        return fact
    return _with(fact, "utc_offset", opinion, (found[0], offset_text(offset)), same_text, differing)


def _position(record: MediaMetadata, opinion: Opinion, differing: list[str]) -> object:
    place = record.position
    axes = (
        ("lat", "GPSLatitude", DEGREES_APART),
        ("lon", "GPSLongitude", DEGREES_APART),
        ("alt_gps", "GPSAltitude", METRES_APART),
    )
    updated: dict[str, NumberFact] = {}
    for name, tag, apart in axes:
        fact: NumberFact = getattr(place, name)
        raw = opinion.tags.get(f"Composite:{tag}", "")
        value = number(raw)
        near = within(apart)
        if value is None or (fact.value is not None and near(fact.value, value)):
            continue
        if any(near(conflict.value, value) for conflict in fact.conflicts):
            continue
        differing.append(f"{name} {'absent' if fact.value is None else fact.value} here, {value} there")
        conflict = Conflict(value=value, raw=raw, source=f"{TOOL} {opinion.version} Composite:{tag}")
        certainty = fact.certainty if fact.value is None else "conflicting"
        updated[name] = fact.model_copy(update={"certainty": certainty, "conflicts": (*fact.conflicts, conflict)})
    return place.model_copy(update=updated)


def _bounded(tags: dict[str, str]) -> dict[str, str]:
    kept: dict[str, str] = {}
    room = _MAX_RAW
    for tag, text in tags.items():
        room -= len(tag) + len(text)
        if room < 0:
            break
        kept[tag] = text
    return kept
